//! What became of a request: a response, not sent, or unknown; and whether the connection may be used again.
//!
//! Runs on: tests.
//! Owns: every state crossed with every end, and random walks against the rule written a second time.
//! Never: looks into responses.

use proptest::prelude::*;
use shrike::net::http::{
    Exchange, ExchangeState, Expect, Method, NotSentCause, Outcome, UnknownCause,
};
use shrike::net::{HttpLimits, HttpRule};
use shrike::types::Nanos;

use crate::input::error;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const OLD: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";

const TOTAL: usize = 100;
const DEADLINE: Nanos = Nanos(1_000);
const POST: Expect = Expect::framed(Method::Post);

/// A request on a connection that has carried others, plain and as ciphertext, of which nothing must be left.
fn begun() -> Exchange {
    let mut exchange = Exchange::new(HttpLimits::DEFAULT);
    for _ in 0..2 {
        exchange.begin(POST, TOTAL, DEADLINE);
        exchange.wrote(TOTAL - 1);
        exchange.wrote_some();
        exchange.wrote_all();
        exchange.received(OK).expect("sound");
        assert!(exchange.may_reuse());
    }
    exchange.begin(POST, TOTAL, DEADLINE);
    assert_eq!(
        (exchange.state(), exchange.outcome()),
        (ExchangeState::Sending, None)
    );
    exchange
}

/// An exchange after so many bytes of its request, or after some or all of its ciphertext.
fn after(sent: Sent) -> Exchange {
    let mut exchange = begun();
    match sent {
        Sent::Plain(bytes) => exchange.wrote(bytes),
        Sent::SomeCiphertext => exchange.wrote_some(),
        Sent::AllCiphertext => {
            exchange.wrote_some();
            exchange.wrote_all();
        }
    }
    exchange
}

#[derive(Clone, Copy, Debug)]
enum Sent {
    Plain(usize),
    SomeCiphertext,
    AllCiphertext,
}

const EVERY_SENT: [Sent; 6] = [
    Sent::Plain(0),
    Sent::Plain(1),
    Sent::Plain(TOTAL - 1),
    Sent::Plain(TOTAL),
    Sent::SomeCiphertext,
    Sent::AllCiphertext,
];

fn not_sent(cause: NotSentCause) -> Option<Outcome> {
    Some(Outcome::NotSent(cause))
}

fn unknown(cause: UnknownCause) -> Option<Outcome> {
    Some(Outcome::Unknown(cause))
}

#[test]
fn a_request_is_answered_and_the_connection_is_used_again() {
    let mut exchange = Exchange::new(HttpLimits::DEFAULT);
    assert_eq!(
        (exchange.state(), exchange.deadline()),
        (ExchangeState::Idle, None)
    );
    assert!(exchange.may_reuse(), "a new connection is fit");
    for _ in 0..3 {
        exchange.begin(POST, TOTAL, DEADLINE);
        assert_eq!(
            (exchange.state(), exchange.deadline()),
            (ExchangeState::Sending, Some(DEADLINE))
        );
        exchange.wrote(TOTAL - 1);
        assert_eq!(exchange.state(), ExchangeState::Sending);
        exchange.wrote(1);
        assert_eq!(exchange.state(), ExchangeState::Awaiting);
        assert_eq!((exchange.outcome(), exchange.may_reuse()), (None, false));
        assert_eq!(exchange.received(&OK[..9]), Ok(9));
        assert_eq!((exchange.outcome(), exchange.may_reuse()), (None, false));
        assert_eq!(exchange.received(&OK[9..]), Ok(OK.len() - 9));
        assert_eq!(
            (exchange.state(), exchange.deadline()),
            (ExchangeState::Done, None)
        );
        assert_eq!(
            (exchange.outcome(), exchange.may_reuse()),
            (Some(Outcome::Response), true)
        );
        assert_eq!(
            (exchange.response().status(), exchange.response().body()),
            (200, &b"ok"[..])
        );
        exchange.handle_timeout(Nanos::MAX);
        assert_eq!(
            (exchange.outcome(), exchange.may_reuse()),
            (Some(Outcome::Response), true)
        );
    }
}

#[test]
fn a_connection_that_dies_tells_by_what_had_left() {
    for sent in EVERY_SENT {
        let is_short = matches!(sent, Sent::Plain(bytes) if bytes < TOTAL);
        let mut died = after(sent);
        died.connection_died();
        let mut closed = after(sent);
        closed.end_of_stream();
        if is_short {
            assert_eq!(
                died.outcome(),
                not_sent(NotSentCause::ConnectionDied),
                "{sent:?}"
            );
            assert_eq!(
                closed.outcome(),
                not_sent(NotSentCause::ConnectionClosed),
                "{sent:?}"
            );
        } else {
            assert_eq!(
                died.outcome(),
                unknown(UnknownCause::ConnectionDied),
                "{sent:?}"
            );
            assert_eq!(
                closed.outcome(),
                unknown(UnknownCause::ConnectionClosed),
                "{sent:?}"
            );
        }
        assert!(!died.may_reuse() && !closed.may_reuse());
    }
}

#[test]
fn a_deadline_tells_by_whether_anything_had_left() {
    for sent in EVERY_SENT {
        let mut exchange = after(sent);
        exchange.handle_timeout(Nanos(DEADLINE.0 - 1));
        assert_eq!(exchange.outcome(), None, "{sent:?}");
        exchange.handle_timeout(DEADLINE);
        let expected = match sent {
            Sent::Plain(0) => not_sent(NotSentCause::TimedOut),
            _ => unknown(UnknownCause::TimedOut),
        };
        assert_eq!(
            (exchange.outcome(), exchange.may_reuse()),
            (expected, false),
            "{sent:?}"
        );
    }
}

#[test]
fn a_malformed_response_tells_by_whether_anything_had_left() {
    for sent in EVERY_SENT {
        let mut exchange = after(sent);
        let (expected, found) = match sent {
            Sent::Plain(0) => {
                let found = error(HttpRule::Unsolicited, 0);
                (not_sent(NotSentCause::Http(found)), found)
            }
            _ => {
                let found = error(HttpRule::NotHttp, 0);
                (unknown(UnknownCause::Http(found)), found)
            }
        };
        assert_eq!(exchange.received(b"ICY 200 OK"), Err(found), "{sent:?}");
        assert_eq!(
            (exchange.outcome(), exchange.may_reuse()),
            (expected, false),
            "{sent:?}"
        );
    }
}

#[test]
fn a_response_that_is_there_before_the_request_is_not_its_answer() {
    for total in [TOTAL, 0] {
        let mut exchange = Exchange::new(HttpLimits::DEFAULT);
        exchange.begin(POST, total, DEADLINE);
        exchange.wrote(0);
        let unsolicited = error(HttpRule::Unsolicited, 0);
        assert_eq!(exchange.received(OK), Err(unsolicited));
        assert_eq!(
            exchange.outcome(),
            not_sent(NotSentCause::Http(unsolicited))
        );
        assert!(!exchange.may_reuse() && !exchange.response().has_begun());
    }
}

#[test]
fn an_early_response_counts_but_ends_the_connection() {
    for sent in EVERY_SENT {
        let mut exchange = after(sent);
        let is_whole = match sent {
            Sent::Plain(0) => continue,
            Sent::Plain(TOTAL) | Sent::AllCiphertext => true,
            _ => false,
        };
        assert_eq!(exchange.received(OK), Ok(OK.len()));
        let seen = (exchange.outcome(), exchange.may_reuse());
        assert_eq!(seen, (Some(Outcome::Response), is_whole), "{sent:?}");
        // What is written behind the answer does not mend the connection.
        exchange.wrote(TOTAL);
        exchange.wrote_all();
        assert_eq!((exchange.outcome(), exchange.may_reuse()), seen, "{sent:?}");
    }
}

#[test]
fn a_server_that_began_to_answer_may_have_acted() {
    for sent in EVERY_SENT.into_iter().skip(1) {
        let mut died = after(sent);
        died.received(&OK[..20]).expect("sound");
        let mut closed = died.clone();
        died.connection_died();
        assert_eq!(
            died.outcome(),
            unknown(UnknownCause::ConnectionDied),
            "{sent:?}"
        );
        closed.end_of_stream();
        let truncated = UnknownCause::Http(error(HttpRule::Truncated, 20));
        assert_eq!(closed.outcome(), unknown(truncated), "{sent:?}");
    }
}

#[test]
fn a_body_that_ends_with_the_connection_is_a_response_only_at_a_clean_end() {
    let expect = Expect {
        method: Method::Get,
        close_delimited: true,
    };
    let mut clean = Exchange::new(HttpLimits::DEFAULT);
    clean.begin(expect, TOTAL, DEADLINE);
    clean.wrote(TOTAL);
    clean
        .received(b"HTTP/1.1 200 OK\r\n\r\nsome")
        .expect("sound");
    let mut died = clean.clone();
    clean.end_of_stream();
    assert_eq!(
        (clean.outcome(), clean.may_reuse()),
        (Some(Outcome::Response), false)
    );
    assert_eq!(clean.response().body(), b"some");
    died.connection_died();
    assert_eq!(died.outcome(), unknown(UnknownCause::ConnectionDied));
}

#[test]
fn connections_that_cannot_be_kept_are_not_used_again() {
    let with_more = [OK, b"H"].concat();
    for (text, taken) in [
        (CLOSE, CLOSE.len()),
        (OLD, OLD.len()),
        (&with_more, OK.len()),
    ] {
        let mut exchange = after(Sent::Plain(TOTAL));
        assert_eq!(exchange.received(text), Ok(taken));
        assert_eq!(
            (exchange.outcome(), exchange.may_reuse()),
            (Some(Outcome::Response), false)
        );
        exchange.begin(POST, TOTAL, DEADLINE);
        assert_eq!(exchange.outcome(), not_sent(NotSentCause::Unusable));
        assert_eq!(exchange.deadline(), None);
        exchange.reset();
        exchange.begin(POST, TOTAL, DEADLINE);
        assert_eq!(exchange.outcome(), None, "a new connection is fit");
    }
}

#[test]
fn whatever_happens_while_idle_ends_the_connection() {
    let unsolicited = Err(error(HttpRule::Unsolicited, 0));
    let fresh = Exchange::new(HttpLimits::DEFAULT);
    let mut answered = after(Sent::Plain(TOTAL));
    answered.received(OK).expect("sound");
    for idle in [fresh, answered] {
        assert!(idle.may_reuse());
        let outcome = idle.outcome();
        let mut nothing = idle.clone();
        assert_eq!(nothing.received(b""), Ok(0));
        assert!(nothing.may_reuse());
        let mut byte = idle.clone();
        assert_eq!(byte.received(OK), unsolicited);
        let mut closed = idle.clone();
        closed.end_of_stream();
        let mut died = idle;
        died.connection_died();
        for mut ended in [byte, closed, died] {
            assert_eq!((ended.outcome(), ended.may_reuse()), (outcome, false));
            ended.begin(POST, TOTAL, DEADLINE);
            assert_eq!(ended.outcome(), not_sent(NotSentCause::Unusable));
        }
    }
}

#[test]
fn bytes_that_leave_after_not_sent_make_it_unknown() {
    for write in [
        |exchange: &mut Exchange| exchange.wrote(1),
        |exchange: &mut Exchange| exchange.wrote_some(),
        |exchange: &mut Exchange| exchange.wrote_all(),
    ] {
        let mut exchange = begun();
        exchange.handle_timeout(DEADLINE);
        exchange.wrote(0);
        assert_eq!(exchange.outcome(), not_sent(NotSentCause::TimedOut));
        write(&mut exchange);
        assert_eq!(exchange.outcome(), unknown(UnknownCause::WrittenLate));
        assert_eq!(
            (exchange.state(), exchange.may_reuse()),
            (ExchangeState::Done, false)
        );
    }
}

#[test]
fn with_an_unknown_total_any_byte_may_be_the_last() {
    let mut exchange = Exchange::new(HttpLimits::DEFAULT);
    exchange.begin(POST, 0, DEADLINE);
    exchange.wrote(1);
    assert_eq!(exchange.state(), ExchangeState::Sending);
    exchange.connection_died();
    assert_eq!(exchange.outcome(), unknown(UnknownCause::ConnectionDied));
}

#[derive(Clone, Debug)]
enum Event {
    Wrote(usize),
    WroteSome,
    WroteAll,
    Received(usize),
    Garbage,
    EndOfStream,
    Died,
    Timeout(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_usize..60).prop_map(Event::Wrote),
        1 => Just(Event::WroteSome),
        1 => Just(Event::WroteAll),
        4 => (0_usize..30).prop_map(Event::Received),
        1 => Just(Event::Garbage),
        1 => Just(Event::EndOfStream),
        1 => Just(Event::Died),
        2 => (900_u64..1_010).prop_map(Event::Timeout),
    ]
}

/// What may be said of a request, from the whole story: bytes written and received until the outcome, and its cause.
fn check(events: &[Event]) -> Result<(), TestCaseError> {
    let mut exchange = begun();
    let (mut plain, mut is_opaque, mut at) = (0, false, 0);
    for event in events {
        match event {
            Event::Wrote(bytes) => exchange.wrote(*bytes),
            Event::WroteSome => exchange.wrote_some(),
            Event::WroteAll => exchange.wrote_all(),
            Event::Received(bytes) => {
                let part = &OK[at..(at + bytes).min(OK.len())];
                at += exchange.received(part).unwrap_or(0);
            }
            // Within a line or the body it is not noticed at once, and what follows is another story.
            Event::Garbage if exchange.received(b"\0").is_ok() => break,
            Event::Garbage => {}
            Event::EndOfStream => exchange.end_of_stream(),
            Event::Died => exchange.connection_died(),
            Event::Timeout(now) => exchange.handle_timeout(Nanos(*now)),
        }
        match event {
            Event::Wrote(bytes) => plain += bytes,
            Event::WroteSome | Event::WroteAll => is_opaque = true,
            _ => {}
        }
        let has_ended = matches!(event, Event::EndOfStream | Event::Died);
        match exchange.outcome() {
            None => prop_assert!(!has_ended && !matches!(event, Event::Garbage)),
            Some(Outcome::Response) => {
                prop_assert_eq!(exchange.response().body(), b"ok");
                prop_assert!(plain > 0 || is_opaque, "an answer needs a question");
            }
            Some(Outcome::NotSent(_)) => {
                let nothing_left = plain == 0 && !is_opaque;
                prop_assert!(nothing_left || (!is_opaque && plain < TOTAL && has_ended && at == 0));
            }
            Some(Outcome::Unknown(_)) => prop_assert!(plain > 0 || is_opaque),
        }
        if exchange.may_reuse() {
            prop_assert_eq!(exchange.outcome(), Some(Outcome::Response));
            prop_assert!(plain >= TOTAL || is_opaque);
        }
        prop_assert_eq!(
            exchange.outcome().is_some(),
            exchange.state() == ExchangeState::Done
        );
        if matches!(
            exchange.outcome(),
            Some(Outcome::NotSent(_) | Outcome::Unknown(_))
        ) {
            break;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn not_sent_is_said_only_where_no_server_can_have_the_request(
        events in prop::collection::vec(event(), 1..20),
    ) {
        check(&events)?;
    }
}
