//! rtrb rings with gauges.
//!
//! Runs on: any agent.
//! Owns: depth, high-water mark and refusals of each ring, readable from any thread.
//! Never: spins; a full ring hands the message back.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// A full ring hands its message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

/// Counters of one ring. Each has one writer, so they cost plain stores.
#[derive(Debug)]
pub struct RingGauge {
    name: String,
    capacity: usize,
    refused: CachePadded<AtomicU64>,
    reader: CachePadded<ReaderGauge>,
}

#[derive(Debug, Default)]
struct ReaderGauge {
    depth: AtomicU64,
    high_water_mark: AtomicU64,
}

/// A reading of a [`RingGauge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingReading {
    /// Name in the topology, with an index where there are several.
    pub name: String,
    /// Slots.
    pub capacity: usize,
    /// Messages waiting when the reader last looked.
    pub depth: u64,
    /// The most that ever waited when the reader looked.
    pub high_water_mark: u64,
    /// Messages handed back because the ring was full.
    pub refused: u64,
}

impl RingGauge {
    /// The counters now.
    #[must_use]
    pub fn read(&self) -> RingReading {
        RingReading {
            name: self.name.clone(),
            capacity: self.capacity,
            depth: self.reader.depth.load(Ordering::Relaxed),
            high_water_mark: self.reader.high_water_mark.load(Ordering::Relaxed),
            refused: self.refused(),
        }
    }

    /// Messages handed back because the ring was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The writing end. `Send`, not `Sync`.
#[derive(Debug)]
pub struct Producer<T> {
    ring: rtrb::Producer<T>,
    gauge: Arc<RingGauge>,
    refused: u64,
}

/// The reading end. `Send`, not `Sync`.
#[derive(Debug)]
pub struct Consumer<T> {
    ring: rtrb::Consumer<T>,
    gauge: Arc<RingGauge>,
    high_water_mark: u64,
    depth: u64,
}

/// Writes every slot once, so that no page is mapped by the first lap of messages.
fn touch<T: Copy>(ring: &mut rtrb::Producer<T>) {
    if let Ok(mut chunk) = ring.write_chunk_uninit(ring.slots()) {
        let (first, second) = chunk.as_mut_slices();
        for slot in first.iter_mut().chain(second) {
            *black_box(slot) = MaybeUninit::zeroed();
        }
        // Dropped without a commit: no message was written.
    }
}

/// A ring of `capacity` messages, every page of it in memory, and its gauge.
///
/// # Panics
/// When `capacity` is 0.
#[must_use]
pub fn channel<T: Copy>(
    name: impl Into<String>,
    capacity: usize,
) -> (Producer<T>, Consumer<T>, Arc<RingGauge>) {
    assert!(capacity > 0, "a ring holds at least one message");
    let (mut producer, consumer) = rtrb::RingBuffer::new(capacity);
    touch(&mut producer);
    let gauge = Arc::new(RingGauge {
        name: name.into(),
        capacity,
        refused: CachePadded::new(AtomicU64::new(0)),
        reader: CachePadded::new(ReaderGauge::default()),
    });
    (
        Producer {
            ring: producer,
            gauge: Arc::clone(&gauge),
            refused: 0,
        },
        Consumer {
            ring: consumer,
            gauge: Arc::clone(&gauge),
            high_water_mark: 0,
            depth: 0,
        },
        gauge,
    )
}

impl<T: Copy> Producer<T> {
    /// Writes a message.
    ///
    /// # Errors
    /// [`Full`] with the message; the refusal is counted.
    #[inline(always)]
    pub fn push(&mut self, message: T) -> Result<(), Full<T>> {
        match self.ring.push(message) {
            Ok(()) => Ok(()),
            Err(rtrb::PushError::Full(message)) => {
                self.count_refusal();
                Err(Full(message))
            }
        }
    }

    #[cold]
    fn count_refusal(&mut self) {
        self.refused += 1;
        self.gauge.refused.store(self.refused, Ordering::Relaxed);
    }

    /// Whether `count` messages fit now. The reader's progress is looked up only when the cached figure is too small.
    #[inline]
    #[must_use]
    pub fn has_room(&self, count: usize) -> bool {
        self.ring.cached_slots() >= count || self.ring.slots() >= count
    }

    /// Whether the reading end is gone.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// The ring's counters.
    #[must_use]
    pub fn gauge(&self) -> &Arc<RingGauge> {
        &self.gauge
    }
}

impl<T: Copy> Consumer<T> {
    /// Takes the oldest message.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        self.ring.pop().ok()
    }

    /// The oldest message, left in place.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<&T> {
        self.ring.peek().ok()
    }

    /// Messages waiting; also feeds the gauge, so a duty cycle calls it once and then pops that many.
    #[inline]
    pub fn available(&mut self) -> usize {
        let waiting = self.ring.slots();
        let depth = waiting as u64;
        if depth != self.depth {
            self.depth = depth;
            self.gauge.reader.depth.store(depth, Ordering::Relaxed);
            if depth > self.high_water_mark {
                self.high_water_mark = depth;
                self.gauge
                    .reader
                    .high_water_mark
                    .store(depth, Ordering::Relaxed);
            }
        }
        waiting
    }

    /// Whether the writing end is gone.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// The ring's counters.
    #[must_use]
    pub fn gauge(&self) -> &Arc<RingGauge> {
        &self.gauge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_hands_back_the_message_and_counts_it() {
        let (mut writer, mut reader, gauge) = channel("test", 2);
        assert!(writer.has_room(2) && !writer.has_room(3));
        writer.push(1).expect("room");
        writer.push(2).expect("room");
        assert_eq!(writer.push(3), Err(Full(3)));
        assert_eq!(reader.available(), 2);
        assert_eq!(reader.peek(), Some(&1));
        assert_eq!(
            (reader.pop(), reader.pop(), reader.pop()),
            (Some(1), Some(2), None)
        );
        assert_eq!(reader.available(), 0);
        let reading = gauge.read();
        assert_eq!(
            (reading.high_water_mark, reading.depth, reading.refused),
            (2, 0, 1)
        );
        assert!(writer.has_room(2));
    }

    #[test]
    fn messages_cross_threads_in_order() {
        let (mut writer, mut reader, _) = channel("test", 8);
        let sender = std::thread::spawn(move || {
            for n in 0..10_000u64 {
                while !writer.has_room(1) {
                    std::thread::yield_now();
                }
                writer.push(n).expect("room was seen");
            }
        });
        for expected in 0..10_000 {
            let got = loop {
                match reader.pop() {
                    Some(n) => break n,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(got, expected);
        }
        sender.join().expect("sender");
    }
}
