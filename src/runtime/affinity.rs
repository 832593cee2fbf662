//! The processor cores that this process may use, and threads' places on them.
//!
//! Runs on: start-up; each runner's own thread, once, before its first agent is called.
//! Owns: what "usable" means: the affinity mask, and the processor quota of a container beside it.
//! Never: believes that a thread is pinned without reading it back.

use std::fmt;

use core_affinity::CoreId;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Cores in ascending order, shown as `0-3,6`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoreList(Vec<usize>);

impl CoreList {
    /// Of any numbers, in any order.
    #[must_use]
    pub fn new(mut cores: Vec<usize>) -> Self {
        cores.sort_unstable();
        cores.dedup();
        Self(cores)
    }

    /// The numbers, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `core` is one of them.
    #[must_use]
    pub fn contains(&self, core: usize) -> bool {
        self.0.binary_search(&core).is_ok()
    }
}

impl fmt::Display for CoreList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.pad("none");
        }
        let mut text = String::new();
        let mut rest = self.0.as_slice();
        while let Some(&first) = rest.first() {
            let run = rest
                .iter()
                .zip(first..)
                .take_while(|(core, expected)| **core == *expected)
                .count();
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&first.to_string());
            if run > 1 {
                text.push('-');
                text.push_str(&(first + run - 1).to_string());
            }
            rest = &rest[run..];
        }
        f.pad(&text)
    }
}

/// What the process may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cores {
    /// Cores in the affinity mask.
    pub usable: CoreList,
    /// Whole cores' worth of time that a container's quota leaves, when it leaves fewer than the mask has.
    pub quota: Option<usize>,
}

impl Cores {
    /// Of a mask without a quota.
    #[must_use]
    pub fn of(usable: Vec<usize>) -> Self {
        Self {
            usable: CoreList::new(usable),
            quota: None,
        }
    }

    /// How many threads can run at the same time.
    #[must_use]
    pub fn count(&self) -> usize {
        self.usable.len().min(self.quota.unwrap_or(usize::MAX))
    }
}

/// Where a thread may run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placement {
    /// On this core only.
    Pinned(usize),
    /// On these cores, which hot threads leave free.
    Confined(CoreList),
    /// Wherever the kernel puts it.
    Anywhere,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(core) => f.pad(&core.to_string()),
            Self::Confined(cores) => cores.fmt(f),
            Self::Anywhere => f.pad("any"),
        }
    }
}

/// Why a thread is not where it should be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AffinityError {
    /// The kernel does not say which cores there are.
    #[error("the usable cores cannot be read: {0}")]
    Unreadable(rustix::io::Errno),
    /// No such core, or not in this process's mask.
    #[error("core {core} does not exist or is not allowed here; usable: {usable}")]
    NotUsable {
        /// Asked for.
        core: usize,
        /// What there is.
        usable: CoreList,
    },
    /// The kernel said no.
    #[error("the kernel refused to place the thread on {wanted}")]
    Refused {
        /// Asked for.
        wanted: CoreList,
    },
    /// The kernel said yes and did something else.
    #[error("the thread was placed on {found} instead of {wanted}")]
    NotInEffect {
        /// Asked for.
        wanted: CoreList,
        /// What it got.
        found: CoreList,
    },
}

/// The cores in the calling thread's mask. A thread that has been placed sees only its own: call this first, on the
/// thread that starts the engine.
///
/// # Errors
/// [`AffinityError::Unreadable`].
pub fn usable_cores() -> Result<Cores, AffinityError> {
    let usable = current_mask()?;
    let quota = std::thread::available_parallelism()
        .ok()
        .map(usize::from)
        .filter(|&quota| quota < usable.len());
    Ok(Cores { usable, quota })
}

/// Places the calling thread and reads its mask back.
///
/// # Errors
/// [`AffinityError`]; the thread stays where it was, or, after [`AffinityError::NotInEffect`], where it says.
pub fn place_current_thread(placement: &Placement) -> Result<(), AffinityError> {
    let wanted = match placement {
        Placement::Anywhere => return Ok(()),
        Placement::Pinned(core) => CoreList::new(vec![*core]),
        Placement::Confined(cores) => cores.clone(),
    };
    let usable = current_mask()?;
    for &core in wanted.as_slice() {
        if !usable.contains(core) {
            return Err(AffinityError::NotUsable { core, usable });
        }
    }
    let placed = match placement {
        Placement::Pinned(core) => core_affinity::set_for_current(CoreId { id: *core }),
        _ => {
            let mut set = CpuSet::new();
            wanted.as_slice().iter().for_each(|&core| set.set(core));
            sched_setaffinity(None, &set).is_ok()
        }
    };
    if !placed {
        return Err(AffinityError::Refused { wanted });
    }
    let found = current_mask()?;
    if found == wanted {
        Ok(())
    } else {
        Err(AffinityError::NotInEffect { wanted, found })
    }
}

fn current_mask() -> Result<CoreList, AffinityError> {
    let set = sched_getaffinity(None).map_err(AffinityError::Unreadable)?;
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core));
    Ok(CoreList(cores.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_lists_are_shown_as_ranges() {
        for (cores, text) in [
            (vec![], "none"),
            (vec![3], "3"),
            (vec![2, 0, 1, 1], "0-2"),
            (vec![0, 1, 4, 6, 7, 8], "0-1,4,6-8"),
        ] {
            assert_eq!(CoreList::new(cores).to_string(), text);
        }
    }

    #[test]
    fn a_pinned_thread_is_on_its_core_and_on_no_other() {
        let cores = usable_cores().expect("mask");
        let core = *cores.usable.as_slice().last().expect("a core");
        std::thread::spawn(move || {
            place_current_thread(&Placement::Pinned(core)).expect("usable");
            assert_eq!(rustix::thread::sched_getcpu(), core);
            assert_eq!(usable_cores().expect("mask").usable.as_slice(), [core]);
        })
        .join()
        .expect("pinned");
        assert_eq!(usable_cores().expect("mask"), cores, "this thread is free");
    }

    #[test]
    fn a_confined_thread_has_exactly_the_cores_it_was_given() {
        let cores = usable_cores().expect("mask").usable;
        std::thread::spawn(move || {
            place_current_thread(&Placement::Confined(cores.clone())).expect("usable");
            assert_eq!(current_mask().expect("mask"), cores);
        })
        .join()
        .expect("confined");
    }

    #[test]
    fn a_core_that_does_not_exist_is_named_with_those_that_do() {
        let usable = usable_cores().expect("mask").usable;
        for core in [1_023, 1_024, 999_999] {
            for placement in [
                Placement::Pinned(core),
                Placement::Confined(CoreList::new(vec![core])),
            ] {
                let error = place_current_thread(&placement).expect_err("no such core");
                assert_eq!(
                    error,
                    AffinityError::NotUsable {
                        core,
                        usable: usable.clone()
                    }
                );
                assert!(error.to_string().contains(&format!("usable: {usable}")));
            }
        }
    }
}
