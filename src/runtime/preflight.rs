//! What is looked at before the first thread starts, and said in one table.
//!
//! Runs on: start-up and `check`.
//! Owns: the checks of the machine, and the errors of a plan that it cannot carry.
//! Never: changes anything; never stops at the first finding.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};

use super::affinity::{CoreList, Cores, Placement};
use super::layout::{Layout, Plan, Profile};
use super::memory::lock_limit_bytes;

/// Why a plan cannot be carried out here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreflightError {
    /// A word that names no layout.
    #[error(
        "unknown layout {0:?}; expected auto, dedicated, paired, shared_hot, shared or invoker"
    )]
    UnknownLayout(String),
    /// A word that names no profile.
    #[error("unknown profile {0:?}; expected latency or balanced")]
    UnknownProfile(String),
    /// Nothing to send orders to.
    #[error("no broker is enabled")]
    NoBroker,
    /// A configured core that the process may not use.
    #[error("core {core} does not exist or is not allowed here; usable: {usable}")]
    NoSuchCore {
        /// Asked for.
        core: usize,
        /// What there is.
        usable: CoreList,
    },
    /// A core for two hot threads.
    #[error("core {core} is given twice; each hot thread needs its own")]
    CoreTwice {
        /// Which.
        core: usize,
    },
    /// As many cores as the layout has hot threads, or none.
    #[error("layout {layout} has {needed} hot thread(s), but {given} core(s) are given")]
    WrongCoreCount {
        /// The layout.
        layout: Layout,
        /// Configured cores.
        given: usize,
        /// Hot threads.
        needed: usize,
    },
    /// Cores for a layout that pins nothing.
    #[error("layout shared pins no thread, but {given} core(s) are given")]
    CoresOfUnpinned {
        /// Configured cores.
        given: usize,
    },
    /// Threads that never give way, and too few cores for them: each would wait for a whole scheduler slice.
    #[error(
        "layout {layout} with profile latency has {spinning} spinning threads, but only {count} \
         core(s) are usable ({cores}); use profile balanced, layout shared_hot or auto",
        count = .usable.count(), cores = .usable.usable
    )]
    TooManySpinners {
        /// The layout.
        layout: Layout,
        /// Its spinning threads.
        spinning: usize,
        /// What the process may use.
        usable: Cores,
    },
}

/// What a check found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// It runs, slower or less safely than it could.
    Warn,
    /// It must not start.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        })
    }
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What it means.
    pub verdict: Verdict,
    /// What was found, with its numbers.
    pub value: String,
    /// What to do about it; empty when it passed.
    pub hint: String,
}

impl Check {
    /// A finding; modules with checks of their own add them to the list.
    #[must_use]
    pub fn new(name: &'static str, verdict: Verdict, value: String, hint: &str) -> Self {
        let hint = match verdict {
            Verdict::Pass => String::new(),
            Verdict::Warn | Verdict::Fail => hint.to_owned(),
        };
        Self {
            name,
            verdict,
            value,
            hint,
        }
    }
}

/// What the checks need to know.
#[derive(Clone, Copy, Debug)]
pub struct PreflightRequest<'a> {
    /// The plan that is to be carried out.
    pub plan: &'a Plan,
    /// What the process may use.
    pub cores: &'a Cores,
    /// Directory of the hot journal; `None` when orders wait for the disk.
    pub journal_hot: Option<&'a Path>,
    /// Bytes that the hot journal takes there.
    pub journal_hot_bytes: u64,
    /// The state directory, which exists.
    pub state_dir: &'a Path,
    /// Bytes that a session needs in the state directory at least.
    pub state_bytes: u64,
    /// `/` but in tests: where `sys` and `proc` are found.
    pub root: &'a Path,
}

/// All findings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preflight {
    /// In the order in which they are shown.
    pub checks: Vec<Check>,
}

impl Preflight {
    /// Looks at everything.
    #[must_use]
    pub fn run(request: &PreflightRequest<'_>) -> Self {
        let mut checks = vec![
            cores(request.plan, request.cores),
            memory_lock(lock_limit_bytes()),
            clock_source(request.root),
            directory("state directory", request.state_dir, request.state_bytes),
        ];
        if let Some(hot) = request.journal_hot {
            checks.push(directory("hot journal", hot, request.journal_hot_bytes));
            checks.push(on_tmpfs(hot));
        }
        if request.plan.profile == Profile::Latency {
            checks.extend(governor(request.root, request.plan));
            checks.extend(siblings(request.root, request.plan));
        }
        Self { checks }
    }

    /// The worst finding.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.checks.iter().map(|check| check.verdict);
        verdicts.max().unwrap_or(Verdict::Pass)
    }

    /// Whether the engine must not start.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.verdict() == Verdict::Fail
    }
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max();
        let width = width.unwrap_or(0);
        for check in &self.checks {
            write!(
                f,
                "{}  {:width$}  {}",
                check.verdict, check.name, check.value
            )?;
            if !check.hint.is_empty() {
                write!(f, " ({})", check.hint)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn cores(plan: &Plan, cores: &Cores) -> Check {
    let (spinning, count) = (plan.spinning(), cores.count());
    let verdict = if spinning > count {
        Verdict::Fail
    } else if spinning > 0 && spinning == count {
        Verdict::Warn
    } else {
        Verdict::Pass
    };
    let mut value = format!(
        "{count} usable ({}), layout {}, {spinning} spinning",
        cores.usable, plan.layout
    );
    if let Some(quota) = cores.quota {
        value.push_str(&format!(", container quota {quota}"));
    }
    Check::new(
        "cores",
        verdict,
        value,
        "spinning threads leave no core to the cold threads: use layout auto",
    )
}

fn memory_lock(limit_bytes: Option<u64>) -> Check {
    match limit_bytes {
        None => Check::new("memory lock", Verdict::Pass, "unlimited".to_owned(), ""),
        Some(bytes) => Check::new(
            "memory lock",
            Verdict::Warn,
            format!("RLIMIT_MEMLOCK is {} KiB", bytes >> 10),
            "pages can be swapped out: LimitMEMLOCK=infinity in the service, or ulimit -l unlimited",
        ),
    }
}

fn clock_source(root: &Path) -> Check {
    let path = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    let (verdict, value) = match std::fs::read_to_string(root.join(path)) {
        Ok(text) if text.trim() == "tsc" => (Verdict::Pass, "tsc".to_owned()),
        Ok(text) => (Verdict::Warn, text.trim().to_owned()),
        Err(error) => (Verdict::Warn, format!("unknown: {error}")),
    };
    Check::new(
        "clock source",
        verdict,
        value,
        "reading the time may be a system call: boot with clocksource=tsc tsc=reliable",
    )
}

/// Whether `directory` can be written and has `needed` bytes left.
fn directory(name: &'static str, directory: &Path, needed: u64) -> Check {
    let shown = directory.display();
    let filesystem = match statvfs(directory) {
        Ok(filesystem) => filesystem,
        Err(errno) => {
            let value = format!("{shown}: {errno}");
            return Check::new(name, Verdict::Fail, value, "it must exist");
        }
    };
    if filesystem.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let value = format!("{shown} is on a read-only filesystem");
        return Check::new(name, Verdict::Fail, value, "choose another directory");
    }
    if let Err(errno) = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK) {
        let value = format!("{shown} cannot be written: {errno}");
        return Check::new(
            name,
            Verdict::Fail,
            value,
            "choose another or change its owner",
        );
    }
    let free = filesystem.f_bavail.saturating_mul(filesystem.f_frsize);
    let value = format!(
        "{shown}: {} MiB free, {} MiB needed",
        free >> 20,
        needed >> 20
    );
    let verdict = if free < needed {
        Verdict::Fail
    } else {
        Verdict::Pass
    };
    Check::new(
        name,
        verdict,
        value,
        "free some space or choose another directory",
    )
}

/// `TMPFS_MAGIC` of statfs(2).
const TMPFS_MAGIC: u64 = 0x0102_1994;

fn on_tmpfs(directory: &Path) -> Check {
    let magic = statfs(directory).map(|found| found.f_type as u64);
    let (verdict, value) = match magic {
        Ok(TMPFS_MAGIC) => (Verdict::Pass, "tmpfs".to_owned()),
        Ok(other) => (Verdict::Warn, format!("filesystem {other:#x}, not tmpfs")),
        Err(errno) => (Verdict::Fail, errno.to_string()),
    };
    Check::new(
        "hot journal on",
        verdict,
        value,
        "write-back to a disk can stall an append: use /dev/shm",
    )
}

fn pinned(plan: &Plan) -> Vec<usize> {
    let core = |placement: &Placement| match placement {
        Placement::Pinned(core) => Some(*core),
        Placement::Confined(_) | Placement::Anywhere => None,
    };
    let hot = plan.threads.iter().filter(|thread| thread.hot);
    hot.filter_map(|thread| core(&thread.placement)).collect()
}

fn cpu_file(root: &Path, core: usize, file: &str) -> PathBuf {
    root.join(format!("sys/devices/system/cpu/cpu{core}/{file}"))
}

/// The frequency governor of the hot cores; nothing on machines that have none to set.
fn governor(root: &Path, plan: &Plan) -> Option<Check> {
    let mut found: Vec<String> = pinned(plan)
        .into_iter()
        .filter_map(|core| {
            std::fs::read_to_string(cpu_file(root, core, "cpufreq/scaling_governor")).ok()
        })
        .map(|text| text.trim().to_owned())
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return None;
    }
    let verdict = if found == ["performance"] {
        Verdict::Pass
    } else {
        Verdict::Warn
    };
    Some(Check::new(
        "governor",
        verdict,
        found.join(", "),
        "hot cores slow down when idle: scripts/tune_host.sh --apply",
    ))
}

/// Whether two hot threads share one physical core.
fn siblings(root: &Path, plan: &Plan) -> Option<Check> {
    let hot = pinned(plan);
    let mut known = false;
    for &core in &hot {
        let path = cpu_file(root, core, "topology/thread_siblings_list");
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        known = true;
        let shared = parse_core_list(&text)
            .into_iter()
            .find(|other| *other != core && hot.contains(other));
        if let Some(other) = shared {
            return Some(Check::new(
                "siblings",
                Verdict::Warn,
                format!("hot cores {core} and {other} are one physical core"),
                "give hot threads cores of their own in threads.cores",
            ));
        }
    }
    known.then(|| {
        Check::new(
            "siblings",
            Verdict::Pass,
            "hot threads share no physical core".to_owned(),
            "",
        )
    })
}

/// The kernel's list format: `0-3,8`. What is not a number is skipped.
fn parse_core_list(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cores.extend(first..=last.min(first + 4_096));
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::layout::{LayoutChoice, PlanRequest, plan};

    fn made(cores: &Cores, profile: Profile, layout: Layout) -> Plan {
        plan(&PlanRequest {
            choice: LayoutChoice::Fixed(layout),
            profile,
            cores,
            brokers: 1,
            algorithms: 0,
            explicit_cores: &[],
        })
        .expect("fits")
    }

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("file");
    }

    #[test]
    fn a_tuned_machine_passes_and_every_finding_of_an_untuned_one_has_a_hint() {
        let root = tempfile::tempdir().expect("directory");
        let clock = "sys/devices/system/clocksource/clocksource0/current_clocksource";
        let cores = Cores::of(vec![0, 1, 2]);
        let plan = made(&cores, Profile::Latency, Layout::Paired);
        let request = PreflightRequest {
            plan: &plan,
            cores: &cores,
            journal_hot: None,
            journal_hot_bytes: 0,
            state_dir: root.path(),
            state_bytes: 1,
            root: root.path(),
        };
        let find = |name: &str| {
            let found = Preflight::run(&request);
            let check = found.checks.into_iter().find(|check| check.name == name);
            check.map(|check| (check.verdict, check.hint.is_empty()))
        };
        write(root.path(), clock, "tsc\n");
        for core in [1, 2] {
            let cpu = format!("sys/devices/system/cpu/cpu{core}");
            write(
                root.path(),
                &format!("{cpu}/cpufreq/scaling_governor"),
                "performance\n",
            );
            write(
                root.path(),
                &format!("{cpu}/topology/thread_siblings_list"),
                &format!("{core}\n"),
            );
        }
        for name in [
            "cores",
            "clock source",
            "governor",
            "siblings",
            "state directory",
        ] {
            assert_eq!(find(name), Some((Verdict::Pass, true)), "{name}");
        }
        write(root.path(), clock, "hpet\n");
        let cpu = "sys/devices/system/cpu/cpu2";
        write(
            root.path(),
            &format!("{cpu}/cpufreq/scaling_governor"),
            "powersave\n",
        );
        write(
            root.path(),
            &format!("{cpu}/topology/thread_siblings_list"),
            "1-2\n",
        );
        for name in ["clock source", "governor", "siblings"] {
            assert_eq!(find(name), Some((Verdict::Warn, false)), "{name}");
        }
        assert!(!Preflight::run(&request).failed());
    }

    #[test]
    fn a_directory_without_room_or_that_is_not_there_stops_the_start() {
        let root = tempfile::tempdir().expect("directory");
        let check = directory("hot journal", root.path(), 1 << 60);
        assert_eq!(check.verdict, Verdict::Fail);
        assert!(check.value.contains("MiB needed"), "{}", check.value);
        let missing = directory("hot journal", &root.path().join("none"), 1);
        assert_eq!(missing.verdict, Verdict::Fail);
        assert_eq!(
            directory("hot journal", root.path(), 1).verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn a_filesystem_that_is_not_tmpfs_is_told_from_one_that_is() {
        assert_eq!(on_tmpfs(Path::new("/proc")).verdict, Verdict::Warn);
        assert_eq!(on_tmpfs(Path::new("/no/such/place")).verdict, Verdict::Fail);
        let mounts = std::fs::read_to_string("/proc/mounts").expect("mounts");
        let shm = mounts.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next() == Some("/dev/shm") && fields.next() == Some("tmpfs")
        });
        let found = on_tmpfs(Path::new("/dev/shm")).verdict;
        assert_eq!(found == Verdict::Pass, shm);
    }

    #[test]
    fn a_finite_memory_limit_is_shown_in_its_size() {
        let limited = memory_lock(Some(8 << 20));
        assert_eq!(limited.verdict, Verdict::Warn);
        assert_eq!(limited.value, "RLIMIT_MEMLOCK is 8192 KiB");
        assert_eq!(memory_lock(None).verdict, Verdict::Pass);
    }

    #[test]
    fn spinning_threads_on_every_core_are_a_warning() {
        let two = Cores::of(vec![0, 1]);
        let plan = made(&two, Profile::Latency, Layout::Paired);
        assert_eq!(cores(&plan, &two).verdict, Verdict::Warn);
        assert_eq!(cores(&plan, &Cores::of(vec![0])).verdict, Verdict::Fail);
        assert_eq!(
            cores(&plan, &Cores::of(vec![0, 1, 2])).verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn the_table_shows_the_worst_with_its_hint() {
        let found = Preflight {
            checks: vec![
                Check::new("cores", Verdict::Pass, "2 usable".to_owned(), "unused"),
                Check::new(
                    "clock source",
                    Verdict::Warn,
                    "hpet".to_owned(),
                    "boot with tsc",
                ),
            ],
        };
        assert_eq!(found.verdict(), Verdict::Warn);
        assert_eq!(
            found.to_string(),
            "PASS  cores         2 usable\nWARN  clock source  hpet (boot with tsc)\n"
        );
    }

    #[test]
    fn core_lists_of_the_kernel_are_read() {
        assert_eq!(parse_core_list("0-2,8\n"), [0, 1, 2, 8]);
        assert!(parse_core_list("").is_empty());
    }
}
