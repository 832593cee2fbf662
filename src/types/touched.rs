//! Tables whose every page is in memory before it is needed, and whose lines are on their way before they are.
//!
//! Runs on: start-up; any agent that prefetches.
//! Owns: the filling of a hot table, and the hint to the processor.
//! Never: leaves a page to be mapped by the first access: a table of zeros is otherwise a promise of the kernel, kept
//! one page fault of a microsecond or more at a time, on the hot path.

use std::hint::black_box;

/// The smallest page of any machine that this runs on.
const PAGE_BYTES: usize = 4_096;

/// `count` copies of `value`, every page written.
#[must_use]
pub fn touched<T: Copy>(value: T, count: usize) -> Box<[T]> {
    let mut table = vec![value; count].into_boxed_slice();
    let step = (PAGE_BYTES / size_of::<T>().max(1)).max(1);
    for at in (0..count).step_by(step).chain(count.checked_sub(1)) {
        // Hidden from the optimiser, which may know that the value is there already.
        *black_box(&mut table[at]) = value;
    }
    table
}

/// Has the processor fetch the first cache line of a value that will be needed soon; nothing waits for it. A hint:
/// it changes nothing but time, and does nothing where the processor has no such instruction.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64; a prefetch reads nothing that the program can see and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_its_value_everywhere() {
        for count in [0, 1, 511, 512, 513, 5_000] {
            let table = touched(7_u64, count);
            assert_eq!(table.len(), count);
            assert!(table.iter().all(|&value| value == 7));
        }
        assert_eq!(touched([1_u8; 9_000], 3).len(), 3);
        assert_eq!(touched((), 3).len(), 3);
    }
}
