//! Delivery of events: one reader's trouble is never another's.
//!
//! Runs on: the test runner; DELIVERY is polled by hand, or on a thread that ends by itself.
//! Owns: panicking handlers, slow subscribers, full queues.
//! Never: sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shrike::cold::{EngineEvent, EventBus, EventKind, GapCause, Handler, SubscriptionError};
use shrike::runtime::Agent;
use shrike::types::{BrokerId, Nanos};

fn link(up: bool) -> EventKind {
    EventKind::Link {
        broker: BrokerId(0),
        up,
    }
}

type Seen = Arc<Mutex<Vec<EngineEvent>>>;

fn recorder() -> (Seen, Handler) {
    let seen: Seen = Arc::default();
    let sink = Arc::clone(&seen);
    let handler = move |event: &EngineEvent| sink.lock().expect("lock").push(*event);
    (seen, Box::new(handler))
}

fn sequences(seen: &Seen) -> Vec<u64> {
    let seen = seen.lock().expect("lock");
    seen.iter().map(|event| event.sequence).collect()
}

#[test]
fn a_panicking_handler_is_removed_and_the_others_miss_nothing() {
    let (bus, mut publisher, mut delivery) = EventBus::new(64);
    let (first, handler) = recorder();
    bus.add_handler(handler);
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    bus.add_handler(Box::new(move |event| {
        counted.fetch_add(1, Ordering::Relaxed);
        assert!(event.sequence < 3, "planted");
    }));
    let (last, handler) = recorder();
    bus.add_handler(handler);
    for _ in 0..5 {
        publisher.publish(link(true), Nanos(1), false);
    }
    assert_eq!(delivery.poll(Nanos(2)), 5);
    assert_eq!(delivery.poll(Nanos(2)), 0);
    assert_eq!(sequences(&first), [1, 2, 3, 4, 5]);
    assert_eq!(sequences(&last), [1, 2, 3, 4, 5]);
    assert_eq!(calls.load(Ordering::Relaxed), 3, "not called again");
    let reading = bus.read();
    assert_eq!((reading.handlers, reading.panicked_handlers), (2, 1));
}

#[test]
fn a_handler_whose_remains_panic_too_is_removed_as_well() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("planted in drop");
            }
        }
    }
    let (bus, mut publisher, mut delivery) = EventBus::new(8);
    let bomb = Bomb;
    bus.add_handler(Box::new(move |_| {
        let _kept = &bomb;
        panic!("planted");
    }));
    let (seen, handler) = recorder();
    bus.add_handler(handler);
    publisher.publish(link(true), Nanos(1), false);
    delivery.poll(Nanos(1));
    assert_eq!(sequences(&seen), [1]);
    assert_eq!(bus.read().panicked_handlers, 1);
}

#[test]
fn handlers_run_on_the_delivery_thread_only() {
    let (bus, mut publisher, mut delivery) = EventBus::new(8);
    let names = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&names);
    bus.add_handler(Box::new(move |_| {
        let name = std::thread::current().name().map(str::to_owned);
        sink.lock().expect("lock").push(name);
    }));
    publisher.publish(link(true), Nanos(1), false);
    assert!(
        names.lock().expect("lock").is_empty(),
        "publishing runs nothing"
    );
    std::thread::Builder::new()
        .name("delivery".to_owned())
        .spawn(move || delivery.on_close(Nanos(2)))
        .expect("a thread")
        .join()
        .expect("it ends");
    assert_eq!(*names.lock().expect("lock"), [Some("delivery".to_owned())]);
}

#[test]
fn a_handler_may_add_another() {
    let (bus, mut publisher, mut delivery) = EventBus::new(8);
    let (seen, handler) = recorder();
    let mut spare = Some(handler);
    let same = bus.clone();
    bus.add_handler(Box::new(move |_| {
        if let Some(handler) = spare.take() {
            same.add_handler(handler);
        }
    }));
    for _ in 0..3 {
        publisher.publish(link(true), Nanos(1), false);
    }
    delivery.poll(Nanos(1));
    assert_eq!(sequences(&seen), [2, 3]);
}

#[test]
fn a_slow_subscriber_is_dropped_with_a_gap_marker_and_others_keep_up() {
    let (bus, mut publisher, _delivery) = EventBus::new(8);
    let mut slow = bus.subscribe(2);
    let mut quick = bus.subscribe(16);
    for _ in 0..6 {
        publisher.publish(link(true), Nanos(1), false);
    }
    assert_eq!(slow.try_recv().map(|e| e.sequence), Ok(1));
    assert_eq!(slow.try_recv().map(|e| e.sequence), Ok(2));
    let lagged = SubscriptionError::Lagged {
        missed: 4,
        first_missed: 3,
    };
    assert_eq!(slow.try_recv(), Err(lagged));
    assert_eq!(slow.try_recv(), Err(SubscriptionError::Closed));
    for sequence in 1..=6 {
        assert_eq!(quick.try_recv().map(|e| e.sequence), Ok(sequence));
    }
    assert_eq!(quick.try_recv(), Err(SubscriptionError::Empty));
    let reading = bus.read();
    assert_eq!((reading.subscribers, reading.lagged_subscribers), (1, 1));

    let mut anew = bus.subscribe(2);
    publisher.publish(link(false), Nanos(2), false);
    assert_eq!(anew.try_recv().map(|e| e.sequence), Ok(7));
    assert_eq!(quick.try_recv().map(|e| e.sequence), Ok(7));
}

#[test]
fn a_subscriber_that_went_away_is_forgotten() {
    let (bus, mut publisher, _delivery) = EventBus::new(8);
    drop(bus.subscribe(1));
    publisher.publish(link(true), Nanos(1), false);
    let reading = bus.read();
    assert_eq!((reading.subscribers, reading.lagged_subscribers), (0, 0));
}

#[test]
fn a_subscription_ends_with_the_engine() {
    let (bus, mut publisher, _delivery) = EventBus::new(8);
    let mut subscription = bus.subscribe(4);
    let wait = Duration::from_secs(60);
    let reader = std::thread::spawn(move || {
        let first = subscription.recv_timeout(wait).map(|e| e.sequence);
        (first, subscription.recv_timeout(wait))
    });
    publisher.publish(link(true), Nanos(1), false);
    drop(publisher);
    let (first, then) = reader.join().expect("it ends");
    assert_eq!(first, Ok(1));
    assert_eq!(then, Err(SubscriptionError::Closed));
}

#[test]
fn handlers_that_fall_behind_find_a_gap_in_the_place_of_what_was_lost() {
    let (bus, mut publisher, mut delivery) = EventBus::new(3);
    let (seen, handler) = recorder();
    bus.add_handler(handler);
    let mut unaffected = bus.subscribe(64);
    for _ in 0..10 {
        publisher.publish(link(true), Nanos(1), false);
    }
    delivery.poll(Nanos(1));
    publisher.publish(link(false), Nanos(2), false);
    delivery.poll(Nanos(2));
    let seen = seen.lock().expect("lock");
    let gap = EventKind::Gap {
        missed: 7,
        cause: GapCause::DeliveryQueue,
    };
    let shown: Vec<_> = seen.iter().map(|e| (e.sequence, e.kind)).collect();
    let up = link(true);
    let expected = [(1, up), (2, up), (3, up), (10, gap), (11, link(false))];
    assert_eq!(shown, expected);
    assert_eq!(bus.read().missed_by_handlers, 7);
    let all: Vec<_> = std::iter::from_fn(|| unaffected.try_recv().ok()).collect();
    assert_eq!(all.len(), 11);
}

#[test]
fn closing_delivers_everything_that_was_published() {
    let (bus, mut publisher, mut delivery) = EventBus::new(2_000);
    let (seen, handler) = recorder();
    bus.add_handler(handler);
    for _ in 0..1_500 {
        publisher.publish(link(true), Nanos(1), false);
    }
    assert!(delivery.poll(Nanos(1)) < 1_500, "a cycle is bounded");
    delivery.on_close(Nanos(1));
    assert_eq!(seen.lock().expect("lock").len(), 1_500);
}
