//! The simulated exchange and the paper gateway allocate nothing once they are made.
//!
//! Runs on: the test runner, in a process of its own: the allocator is counted.
//! Owns: a day that makes the exchange do everything it can, and a gateway kept busy.
//! Never: counts another thread: the count is the thread's own.

mod sim_support;

#[path = "common/allocations.rs"]
mod allocations;

use shrike::sim::ExchangeSettings;
use shrike::types::{Nanos, OrderType, TimeInForce};
use sim_support::*;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn drain(desk: &mut Desk) -> u64 {
    let mut taken = 0;
    loop {
        let done = desk.exchange.advance(Nanos(desk.now));
        while desk.exchange.next_report(Nanos(desk.now)).is_some() {
            taken += 1;
        }
        if done {
            return taken;
        }
    }
}

/// Every kind of order, refusals, a full table, sweeps, triggers, replaces, and a day's boundaries.
fn busy_day(desk: &mut Desk) -> u64 {
    let mut reports = 0;
    for round in 0..400i64 {
        desk.both(990 + round % 7, 300, 1001 + round % 5, 200);
        for n in 0..12 {
            let order_type = match n % 6 {
                0 => limit(980 + round % 40),
                1 => OrderType::Market,
                2 => stop(1020 + n),
                3 => trail(1 + round % 9),
                4 => limit(1_000_000_000),
                _ => limit(1000),
            };
            let time_in_force = match n {
                0 => TimeInForce::Gtc,
                1 => TimeInForce::Ioc,
                5 => TimeInForce::Cls,
                _ => TimeInForce::Day,
            };
            let side = if (n + round) % 2 == 0 { Buy } else { Sell };
            let order = desk.order_for(side, 7, order_type, time_in_force);
            reports += drain(desk);
            match n {
                7 => desk.cancel(order),
                8 => desk.replace(order, 9, order_type),
                9 => desk.query(order),
                _ => {}
            }
        }
        desk.trade(1000, 50);
        desk.row(Bid, 1030, 10);
        desk.row(Bid, 0, 0);
        reports += drain(desk);
    }
    for boundary in [DAY + CLOSE, DAY + POST_CLOSE, 2 * DAY + OPEN] {
        desk.now = desk.now.max(boundary);
        reports += drain(desk);
    }
    let now = desk.tick();
    desk.exchange.cancel_all(now).expect("not busy");
    reports + drain(desk)
}

#[test]
fn a_busy_day_allocates_nothing() {
    let mut desk = Desk::with(ExchangeSettings {
        max_open_orders: 1_024,
        ..rich()
    });
    let before = allocations::of_this_thread();
    let reports = busy_day(&mut desk);
    assert_eq!(allocations::of_this_thread() - before, 0);
    assert!(reports > 6_000, "{reports} reports");
    assert_eq!(desk.exchange.open_orders(), 0);
    let seen = allocations::of_this_thread();
    drop(vec![1u8; 64]);
    assert!(allocations::of_this_thread() > seen, "the counter counts");
}

#[test]
fn a_busy_gateway_allocates_nothing() {
    let mut paper = sim_support::paper::Paper::new();
    let before = allocations::of_this_thread();
    let mut fills = 0;
    for round in 0..2_000u64 {
        paper.now += 10;
        paper.quote(paper.now, 1000, 300, 1010, 200);
        paper.order(Buy, 5, OrderType::Market);
        paper.order(Sell, 5, OrderType::Market);
        let resting = paper.order(Buy, 5, limit(900));
        paper.push(shrike::types::BrokerCommand::Cancel { order_id: resting });
        if round % 100 == 0 {
            paper.kill.set(shrike::types::KillScope::Firm);
        }
        paper.poll();
        paper.kill.clear(shrike::types::KillScope::Firm);
        while let Some(report) = paper.reports.pop() {
            if let shrike::types::BrokerReport::Execution(report) = report {
                fills += u64::from(report.kind == shrike::types::ReportKind::Fill);
            }
        }
    }
    assert_eq!(allocations::of_this_thread() - before, 0);
    assert!(fills > 3_000, "{fills} fills");
}
