//! Measures one process with a number of requests.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::BenchError;
use crate::process::{Process, Under};
use crate::requests::Kind;
use crate::runtime_api::{Did, RuntimeApi};
use crate::world::{self, Called, World};

/// One step of a process: its start or a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    pub took: Duration,
    pub processor: Duration,
    /// The calls in this step.
    pub called: Called,
}

/// A process from its start to its end.
#[derive(Debug)]
pub struct Life {
    pub init: Step,
    /// The requests, the first one included.
    pub requests: Vec<Step>,
    /// In bytes.
    pub peak_memory: u64,
}

/// Runs binaries against one world.
pub struct Laboratory {
    world: World,
    /// The folder of the binaries.
    binaries: PathBuf,
    /// The orders that were paid, each with its webhook.
    paid: VecDeque<(String, String)>,
    orders: u64,
    scratch: tempfile::TempDir,
}

impl Laboratory {
    pub async fn open(binaries: &Path) -> Result<Self, BenchError> {
        Ok(Self {
            world: World::start().await?,
            binaries: binaries.to_owned(),
            paid: VecDeque::new(),
            orders: 0,
            scratch: tempfile::tempdir()?,
        })
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn binary(&self, function: &str) -> PathBuf {
        world::binary(&self.binaries, function)
    }

    /// Starts a function and sends it so many requests, one after the other.
    pub async fn live(
        &mut self,
        kind: Kind,
        under: &Under<'_>,
        requests: usize,
    ) -> Result<Life, BenchError> {
        if matches!(kind, Kind::Webhook | Kind::Order) {
            self.pay(requests).await?;
        }
        let mut events = Vec::new();
        for _ in 0..requests {
            let (reference, webhook) = self.subject(kind)?;
            events.push(kind.event(&reference, &webhook)?);
        }
        self.run(kind.function(), under, events).await
    }

    /// Counts the instructions of a process with so many requests.
    pub async fn count(&mut self, kind: Kind, requests: usize) -> Result<(u64, Life), BenchError> {
        let file = self.scratch.path().join("instructions");
        let life = self.live(kind, &Under::Counter(&file), requests).await?;
        Ok((instructions(&file)?, life))
    }

    /// Counts the instructions of a function's start.
    pub async fn count_start(&mut self, function: &str) -> Result<(u64, Step), BenchError> {
        let file = self.scratch.path().join("instructions");
        let life = self.run(function, &Under::Counter(&file), Vec::new()).await?;
        Ok((instructions(&file)?, life.init))
    }

    /// An order for a request, and the webhook about its payment.
    fn subject(&mut self, kind: Kind) -> Result<(String, String), BenchError> {
        if matches!(kind, Kind::Webhook | Kind::Order) {
            return self.paid.pop_front().ok_or(BenchError::NoWebhook);
        }
        self.orders += 1;
        Ok((format!("SHOP-NL-2026-11-{:09}", self.orders), String::new()))
    }

    /// Has orders paid, so that their webhooks are there.
    async fn pay(&mut self, orders: usize) -> Result<(), BenchError> {
        self.collect().await?;
        let missing = orders.saturating_sub(self.paid.len());
        let mut events = Vec::new();
        for _ in 0..missing {
            let (reference, _) = self.subject(Kind::Payment)?;
            events.push(Kind::Payment.event(&reference, "")?);
        }
        if missing > 0 {
            self.run(Kind::Payment.function(), &Under::Nothing, events).await?;
        }
        self.collect().await
    }

    async fn collect(&mut self) -> Result<(), BenchError> {
        for webhook in self.world.take_webhooks().await {
            let body: Value = serde_json::from_str(&webhook)?;
            let item = &body["notificationItems"][0]["NotificationRequestItem"];
            let reference = item["merchantReference"].as_str().unwrap_or_default().to_owned();
            self.paid.push_back((reference, webhook));
        }
        Ok(())
    }

    async fn run(
        &mut self,
        function: &str,
        under: &Under<'_>,
        events: Vec<String>,
    ) -> Result<Life, BenchError> {
        let mut api = RuntimeApi::start().await?;
        let output = self.scratch.path().join("output");
        let variables = self.variables(function, &api.address);
        let mut process =
            Process::start(&self.binary(function), &variables, under, &output).await?;
        let mut meter = Meter::start(&self.world);
        let failed = |why: String| {
            let output = std::fs::read_to_string(&output).unwrap_or_default();
            BenchError::Failed(function.to_owned(), why, output)
        };
        tokio::select! {
            idle = idle(&mut api) => idle.map_err(failed)?,
            ended = process.ended() => return Err(failed(ended?)),
        }
        let init = meter.step(&process)?;
        let mut requests = Vec::new();
        for event in events {
            meter.begin();
            api.invoke(event);
            idle(&mut api).await.map_err(failed)?;
            requests.push(meter.step(&process)?);
        }
        let peak_memory = process.peak_memory()?;
        process.end().await?;
        Ok(Life { init, requests, peak_memory })
    }

    fn variables(&self, function: &str, runtime_api: &str) -> BTreeMap<String, String> {
        let mut variables = self.world.variables(function);
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        variables
    }
}

/// The instructions that a counter wrote.
fn instructions(file: &Path) -> Result<u64, BenchError> {
    let text = std::fs::read_to_string(file)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.ok_or(BenchError::NotCounted)
}

/// The longest time that a step may take, also in an instruction counter.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the process asks for its next event. Every answer must be a success.
async fn idle(api: &mut RuntimeApi) -> Result<(), String> {
    let idle = async {
        loop {
            match api.did().await {
                Some(Did::Asked) => return Ok(()),
                Some(Did::Answered(answer)) if answer["statusCode"] == 200 => {}
                Some(Did::Answered(answer)) => return Err(answer.to_string()),
                Some(Did::Failed(why)) => return Err(why),
                None => return Err("the Runtime API ended".to_owned()),
            }
        }
    };
    tokio::time::timeout(PATIENCE, idle).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

/// Measures the steps of one process.
struct Meter<'w> {
    world: &'w World,
    begun: Instant,
    processor: Duration,
    called: Called,
}

impl<'w> Meter<'w> {
    fn start(world: &'w World) -> Self {
        Self { world, begun: Instant::now(), processor: Duration::ZERO, called: world.called() }
    }

    fn begin(&mut self) {
        self.begun = Instant::now();
    }

    fn step(&mut self, process: &Process) -> std::io::Result<Step> {
        let took = self.begun.elapsed();
        let (processor, called) = (process.processor_time()?, self.world.called());
        let step = Step {
            took,
            processor: processor - std::mem::replace(&mut self.processor, processor),
            called: called - std::mem::replace(&mut self.called, called),
        };
        Ok(step)
    }
}
