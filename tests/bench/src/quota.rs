//! The processor share that Lambda gives a function by its memory, as a quota of a control group.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Lambda gives one whole processor at this memory, and shares in proportion.
const WHOLE: u64 = 1769;

/// In microseconds. Not documented by AWS; others have measured it.
const PERIOD: u64 = 20_000;

/// A control group. It is removed when dropped.
pub struct Quota {
    group: PathBuf,
}

impl Quota {
    /// The share of a function with this memory, in MB. Needs root.
    pub fn of(memory: u64) -> io::Result<Self> {
        let quota = PERIOD * memory.min(WHOLE) / WHOLE;
        let name = format!("bench-{}-{memory}", std::process::id());
        let first = Path::new("/sys/fs/cgroup/cpu");
        if first.is_dir() {
            let group = first.join(name);
            fs::create_dir_all(&group)?;
            fs::write(group.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            fs::write(group.join("cpu.cfs_quota_us"), quota.to_string())?;
            return Ok(Self { group });
        }
        let root = Path::new("/sys/fs/cgroup");
        fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
        let group = root.join(name);
        fs::create_dir_all(&group)?;
        fs::write(group.join("cpu.max"), format!("{quota} {PERIOD}"))?;
        Ok(Self { group })
    }

    /// The file that a process writes itself into.
    pub fn processes(&self) -> PathBuf {
        self.group.join("cgroup.procs")
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // It fails while a process is still in it, and then the empty group remains.
        let _ = fs::remove_dir(&self.group);
    }
}
