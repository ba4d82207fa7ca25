//! A bundle with its workbench.

use std::time::{Duration, Instant};

use local::bundle::{Adyen, Options};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Stack, quick};

pub struct Bench {
    pub stack: Stack,
}

impl Bench {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let owned = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let options = Options {
            adyen: Adyen::Simulator(Box::new(quick())),
            variables: owned.collect(),
            workbench: true,
            ..Options::default()
        };
        Self { stack: Stack::with(options).await }
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer =
            Answer::of(self.stack.request(Method::GET, &format!("/workbench/api/{path}"))).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    pub async fn try_post(&self, path: &str, body: Value) -> Answer {
        let path = format!("/workbench/api/{path}");
        Answer::of(self.stack.request(Method::POST, &path).json(&body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.try_post(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    pub async fn act(&self, body: Value) -> Value {
        self.post("do", body).await
    }

    /// Pays EUR 10.00 and waits for Adyen's confirmation. Returns the pspReference.
    pub async fn paid(&self, reference: &str) -> String {
        self.stack.pay(reference, "160583287597AMZN").await;
        let order = self.stack.order_once(reference, |order| order["confirmed"] == true).await;
        order["pspReference"].as_str().unwrap().to_owned()
    }

    /// Reads that path until the answer is as wanted; panics after ten seconds.
    pub async fn once(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "still {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The recorded requests of that source, the newest first.
    pub async fn requests(&self, source: &str) -> Vec<Value> {
        let answer = self.get(&format!("requests?source={source}")).await;
        answer["entries"].as_array().unwrap().clone()
    }

    /// The recorded webhooks, the newest first.
    pub async fn deliveries(&self) -> Vec<Value> {
        self.get("webhooks").await["deliveries"].as_array().unwrap().clone()
    }

    /// Sends a webhook again in that way, and returns the statuses of the answers.
    pub async fn again(&self, delivery: &Value, how: &str) -> Vec<u64> {
        let answer = self.post(&format!("webhooks/{}", delivery["id"]), json!({"how": how})).await;
        let answers = answer["answers"].as_array().unwrap();
        answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect()
    }
}
