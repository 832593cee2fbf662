//! Locking this process's memory does what it says, or says why not.
//!
//! Runs on: the test runner; alone in its binary, since the lock is the whole process's.
//! Owns: the comparison of the answer with the kernel's own count.
//! Never: fails for want of the right to lock.

use shrike::runtime::memory::lock_limit_bytes;
use shrike::runtime::{MemoryLock, lock_process_memory};

fn locked_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmLck:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|n| n.parse().ok()).expect("VmLck")
}

#[test]
fn locked_means_locked_and_a_limit_is_named() {
    assert_eq!(locked_kib(), 0);
    let lock = lock_process_memory();
    match lock {
        MemoryLock::Locked => {
            let before = locked_kib();
            assert!(before > 0);
            let later = std::hint::black_box(vec![1_u8; 8 << 20]);
            assert!(locked_kib() >= before + (8 << 10), "future pages too");
            drop(later);
        }
        MemoryLock::Limited { limit_bytes } => {
            assert_eq!(Some(limit_bytes), lock_limit_bytes());
            assert!(lock.to_string().contains("RLIMIT_MEMLOCK"));
            assert_eq!(
                locked_kib(),
                0,
                "half a lock would make later allocations fail"
            );
        }
        MemoryLock::Refused(_) => assert_eq!(locked_kib(), 0),
    }
}
