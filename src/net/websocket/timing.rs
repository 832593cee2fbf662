//! When to ask a silent peer, and when to give up.
//!
//! Runs on: any thread.
//! Owns: the instants of a connection's next ping and of its last moment.
//! Never: reads a clock.

use crate::types::Nanos;

/// How long a WebSocket connection waits for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WebSocketTiming {
    /// Nanoseconds of the peer's silence before a ping, and before the next. Default 10 s.
    pub ping_ns: u64,
    /// Pings without an answer, or anything else, after which the peer is dead. Default 2.
    pub misses: u32,
    /// Nanoseconds for the closing handshake and the end of the stream behind it. Default 1 s.
    pub close_ns: u64,
}

impl WebSocketTiming {
    /// 10 s and two misses; 1 s.
    pub const DEFAULT: Self = Self {
        ping_ns: 10_000_000_000,
        misses: 2,
        close_ns: 1_000_000_000,
    };
}

impl Default for WebSocketTiming {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the silence calls for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Silence {
    /// Nothing yet.
    Short,
    /// A ping.
    Ping,
    /// Too many pings went without an answer.
    Dead,
}

/// The two clocks of a connection. Each begins at the first instant that it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    timing: WebSocketTiming,
    ping_due: Option<Nanos>,
    pings: u32,
    close_due: Option<Nanos>,
}

impl Timers {
    pub(super) const fn new(timing: WebSocketTiming) -> Self {
        Self {
            timing,
            ping_due: None,
            pings: 0,
            close_due: None,
        }
    }

    /// The peer said something.
    pub(super) const fn heard(&mut self, now: Nanos) {
        self.ping_due = Some(now.plus(self.timing.ping_ns));
        self.pings = 0;
    }

    /// What is due while the connection is open. The next ping is due a whole interval after this one, however late
    /// this one is: a stall of ours is not the peer's silence.
    pub(super) fn silence(&mut self, now: Nanos) -> Silence {
        let next = now.plus(self.timing.ping_ns);
        if now < *self.ping_due.get_or_insert(next) {
            return Silence::Short;
        }
        if self.pings >= self.timing.misses {
            return Silence::Dead;
        }
        self.ping_due = Some(next);
        self.pings += 1;
        Silence::Ping
    }

    /// Whether the time of the closing handshake is over; it begins with the first question.
    pub(super) fn is_close_over(&mut self, now: Nanos) -> bool {
        let due = now.plus(self.timing.close_ns);
        now >= *self.close_due.get_or_insert(due)
    }

    /// When to ask again: at once if the clock in question has not begun.
    pub(super) fn due(&self, is_open: bool) -> Nanos {
        let due = if is_open {
            self.ping_due
        } else {
            self.close_due
        };
        due.unwrap_or(Nanos::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn two_pings_without_an_answer_are_death_on_the_nanosecond() {
        let mut timers = Timers::new(WebSocketTiming::DEFAULT);
        assert_eq!(timers.due(true), Nanos::ZERO);
        assert_eq!(timers.silence(Nanos(0)), Silence::Short);
        for (at, expected) in [
            (10 * S - 1, Silence::Short),
            (10 * S, Silence::Ping),
            (20 * S - 1, Silence::Short),
            (20 * S, Silence::Ping),
            (30 * S - 1, Silence::Short),
            (30 * S, Silence::Dead),
        ] {
            assert_eq!(timers.silence(Nanos(at)), expected, "{at}");
        }
    }

    #[test]
    fn anything_heard_starts_the_silence_anew() {
        let mut timers = Timers::new(WebSocketTiming::DEFAULT);
        timers.heard(Nanos(0));
        assert_eq!(timers.silence(Nanos(10 * S)), Silence::Ping);
        assert_eq!(timers.silence(Nanos(20 * S)), Silence::Ping);
        timers.heard(Nanos(25 * S));
        assert_eq!(timers.due(true), Nanos(35 * S));
        assert_eq!(timers.silence(Nanos(35 * S)), Silence::Ping);
    }

    #[test]
    fn a_stall_of_ours_leaves_the_peer_a_whole_interval() {
        let mut timers = Timers::new(WebSocketTiming::DEFAULT);
        timers.heard(Nanos(0));
        assert_eq!(timers.silence(Nanos(100 * S)), Silence::Ping);
        assert_eq!(timers.silence(Nanos(100 * S)), Silence::Short);
        assert_eq!(timers.due(true), Nanos(110 * S));
    }

    #[test]
    fn the_close_clock_begins_with_the_first_question() {
        let mut timers = Timers::new(WebSocketTiming::DEFAULT);
        assert_eq!(timers.due(false), Nanos::ZERO);
        assert!(!timers.is_close_over(Nanos(5 * S)));
        assert_eq!(timers.due(false), Nanos(6 * S));
        assert!(!timers.is_close_over(Nanos(6 * S - 1)));
        assert!(timers.is_close_over(Nanos(6 * S)));
    }
}
