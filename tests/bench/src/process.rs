//! One process of a function: how it is started, and what it has taken so far.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::quota::Quota;

/// How a process is started.
pub enum Under<'u> {
    /// As it is.
    Nothing,
    /// With the processor share of a Lambda function.
    Quota(&'u Quota),
    /// With an instruction counter, which writes to this file at the end.
    Counter(&'u Path),
}

pub struct Process {
    child: Child,
    pid: u32,
}

impl Process {
    /// Starts a binary with nothing but those variables, and returns when it begins. Its output
    /// goes to a file.
    pub async fn start(
        binary: &Path,
        variables: &BTreeMap<String, String>,
        under: &Under<'_>,
        output: &Path,
    ) -> io::Result<Self> {
        let mut command = match under {
            Under::Nothing => Command::new(binary),
            Under::Quota(quota) => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "echo $$ > \"$0\"; kill -STOP $$; exec \"$1\""]);
                command.arg(quota.processes()).arg(binary);
                command
            }
            Under::Counter(file) => {
                let mut command = Command::new("valgrind");
                command.args(["--tool=callgrind", "--quiet"]);
                command.arg(format!("--callgrind-out-file={}", file.display()));
                command.arg(binary);
                command
            }
        };
        let output = fs::File::create(output)?;
        let child = command
            .env_clear()
            .envs(variables)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("the process has ended"))?;
        let process = Self { child, pid };
        if let Under::Quota(_) = under {
            // Entering a control group takes longer than the start of a function.
            while process.state()? != "T" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            process.signal("CONT").await?;
        }
        Ok(process)
    }

    /// One letter: `T` is a stopped process.
    fn state(&self) -> io::Result<String> {
        let status = fs::read_to_string(self.proc("status"))?;
        let state = status.lines().find_map(|line| line.strip_prefix("State:\t"));
        Ok(state.unwrap_or_default().chars().take(1).collect())
    }

    async fn signal(&self, signal: &str) -> io::Result<()> {
        Command::new("kill").args(["-s", signal, &self.pid.to_string()]).status().await?;
        Ok(())
    }

    /// The processor time of all its threads.
    pub fn processor_time(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(self.proc("task"))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += number(text.split(' ').next())?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The most memory that it has had, in bytes.
    pub fn peak_memory(&self) -> io::Result<u64> {
        in_status(&self.proc("status"), "VmHWM:")
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }

    /// Waits until it ends by itself, and returns how.
    pub async fn ended(&mut self) -> io::Result<String> {
        Ok(self.child.wait().await?.to_string())
    }

    /// Ends it and waits, so that a counter has written its file.
    pub async fn end(mut self) -> io::Result<()> {
        self.signal("TERM").await?;
        self.child.wait().await?;
        Ok(())
    }
}

/// The memory of this process, in bytes.
pub fn memory() -> io::Result<u64> {
    in_status(Path::new("/proc/self/status"), "VmRSS:")
}

/// A line of a process's status, in bytes.
fn in_status(status: &Path, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(number(line.and_then(|line| line.trim().strip_suffix(" kB")))? * 1024)
}

fn number(text: Option<&str>) -> io::Result<u64> {
    let number = text.and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("/proc has an unknown format"))
}
