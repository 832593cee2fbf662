//! The machine that the figures come from: printed beside them.
//!
//! Runs on: the main thread.
//! Owns: processor, cores, kernel, frequency governor and load, as the system tells them.
//! Never: changes anything.

use serde::Serialize;

use crate::runtime::usable_cores;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub processor: String,
    pub usable_cores: usize,
    pub kernel: String,
    pub governor: String,
    /// Load averages of 1, 5 and 15 minutes, as text.
    pub load: String,
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Load averages of 1, 5 and 15 minutes.
pub(super) fn load() -> String {
    let text = read("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    if words.is_empty() {
        "unknown".to_owned()
    } else {
        words.join(" ")
    }
}

/// How often the kernel took the processor from the calling thread and from the hot threads of this process.
pub(super) fn preemptions() -> Option<u64> {
    let own = std::fs::read_link("/proc/thread-self").ok()?;
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let file = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
        let is_own = own.file_name() == Some(&task.file_name());
        if is_own || file("comm")?.starts_with("shrike-hot") {
            let status = file("status")?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
            sum += line.trim().parse::<u64>().ok()?;
        }
    }
    Some(sum)
}

impl Machine {
    pub fn here() -> Self {
        let unknown = || "unknown".to_owned();
        let first_line = |path: &str| read(path).map(|text| text.trim().to_owned());
        let processor = read("/proc/cpuinfo").and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        Self {
            processor: processor.unwrap_or_else(unknown),
            usable_cores: usable_cores().map_or(0, |cores| cores.count()),
            kernel: first_line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            governor: governor.unwrap_or_else(|| "none (the host decides)".to_owned()),
            load: load(),
        }
    }
}
