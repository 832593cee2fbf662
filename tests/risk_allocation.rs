//! The RISK agent allocates nothing after it is built: approvals, every kind of refusal, full
//! rings, rescans, latches and resets included.
//!
//! Runs on: tests, with an allocator that counts on the test's own thread.
//! Owns: the counting allocator.
//! Never: counts what the test harness allocates.

#[path = "common/allocations.rs"]
mod allocations;
mod risk_support;

use std::sync::Arc;

use risk_support::*;
use shrike::ring::{Producer, board, channel};
use shrike::risk::{RateLimit, RiskAgent, RiskRings, RiskStatus};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::types::{
    AccountKind, BootEpoch, CancelRequest, ControlRequest, Exposure, InstrumentId, KillWord, Nanos,
    Order, OrderId, OrderRequest, PortCommand, PortId, Price, Ratio, RecoveredState, RefusalCode,
    ReplaceRequest, RiskDecision, RoutingTable, Scope, Side, TradingState,
};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn counted(work: impl FnOnce()) -> u64 {
    let before = allocations::of_this_thread();
    work();
    allocations::of_this_thread() - before
}

fn id(sequence: u64) -> OrderId {
    let epoch = BootEpoch::new(7).expect("an epoch");
    OrderId::new(epoch, PortId(0), sequence).expect("an id")
}

fn orders() -> [Order; 8] {
    [
        buy(1, "100"),
        sell(1, "100"),
        Order::market(A, Side::Buy, shares(30)),
        Order::stop(A, Side::Sell, shares(3), price("99")),
        buy(1, "120"),
        buy(20_000, "100"),
        buy(1, "100.001"),
        Order::limit(InstrumentId(9), Side::Buy, shares(1), price("100")),
    ]
}

/// Fills what was approved, counts the rest.
fn answer(decision: RiskDecision, tally: &mut [u32; 4], exposures: &mut Producer<Exposure>) {
    match decision {
        RiskDecision::Approved(approved) => {
            tally[0] += 1;
            let order = approved.request.order;
            let _ = exposures.push(Exposure::Fill {
                order_id: approved.request.order_id,
                broker: MARGIN,
                instrument: A,
                side: order.side,
                done: true,
                quantity: order.quantity,
                price: price("100"),
                fee: dollars(1),
            });
        }
        RiskDecision::Refused(refused) => {
            tally[1] += u32::from(refused.code != RefusalCode::DailyLoss);
        }
        RiskDecision::Record(_) => tally[2] += 1,
        _ => tally[3] += 1,
    }
}

#[test]
fn a_counting_allocator_counts() {
    let allocations = counted(|| drop(std::hint::black_box(Box::new(7u64))));
    assert_eq!(allocations, 2);
}

#[test]
fn no_poll_allocates_whatever_it_does() {
    let mut settings = settings();
    settings.brokers = 1;
    settings.duplicate_window_ns = 1_000;
    settings.duplicate_capacity = 16;
    settings.max_daily_loss = Some(Ratio::from_basis_points(500));
    settings.max_drawdown = Some(Ratio::from_basis_points(500));
    settings.strategy_order_rate = Some(RateLimit::new(50, SECOND / 1_000));
    settings.account_order_rate = Some(RateLimit::new(80, SECOND / 1_000));
    let (mut quotes, reader) = board(2);
    let (decisions, mut decided, _) = channel::<RiskDecision>("decisions", 8);
    let (mut exposures, exposure, _) = channel("exposure", 64);
    let (mut dirty_in, dirty, _) = channel("dirty", 2);
    let (mut port, requests, _) = channel("port", 64);
    let rings = RiskRings {
        ports: vec![requests],
        decisions,
        exposure,
        dirty,
    };
    let status = Arc::new(RiskStatus::new());
    let mut agent = RiskAgent::new(
        &settings,
        rings,
        reader,
        Clock::manual(ManualTime::new(NOON)),
        Arc::new(KillWord::new()),
        schedule(),
        RoutingTable::new(1, MARGIN, Vec::new()),
        Arc::clone(&status),
        &RecoveredState::default(),
    );
    let link = Exposure::Link {
        broker: MARGIN,
        up: true,
    };
    exposures.push(link).expect("room");
    let account = snapshot(MARGIN, AccountKind::Margin, dollars(1_000_000), 2);
    exposures.push(account).expect("room");
    let mut tally = [0u32; 4];
    let (mut sequence, mut now) = (0, NOON);
    let mut latches = 0;
    let allocations = counted(|| {
        for round in 0u64..3_000 {
            now = Nanos(now.0 + 50_000);
            let bid = if round % 500 == 499 { "20" } else { "99.99" };
            for instrument in [A, B, A] {
                quotes.write_quote(instrument, &quote(bid, "100.01", now));
                let _ = dirty_in.push(instrument);
            }
            for order in orders() {
                sequence += 1;
                let _ = port.push(PortCommand::New(OrderRequest {
                    order_id: id(sequence),
                    strategy: MINE,
                    preferred_broker: None,
                    order,
                    submitted_at: now,
                    decision_price: Price::ZERO,
                    signal_stamp: 0,
                }));
            }
            let _ = port.push(PortCommand::Replace(ReplaceRequest {
                order_id: id(sequence.saturating_sub(9) | 1),
                quantity: Some(shares(5)),
                requested_at: now,
                ..NO_CHANGE
            }));
            let _ = port.push(PortCommand::Cancel(CancelRequest {
                order_id: id(sequence),
                requested_at: now,
            }));
            if round % 500 == 20 {
                let _ = port.push(PortCommand::Control(ControlRequest::ResetLatches {
                    requested_at: now,
                }));
                let _ = port.push(PortCommand::Control(ControlRequest::SetTradingState {
                    scope: Scope::Strategy(MINE),
                    state: TradingState::Active,
                    requested_at: now,
                }));
            }
            agent.poll(now);
            latches += u32::from(status.read().latch.is_some());
            // Every third round leaves the decision ring as it is, and the next one meets it full.
            for _ in 0..4 {
                agent.poll(now);
                if round % 3 == 0 {
                    break;
                }
                while let Some(decision) = decided.pop() {
                    answer(decision, &mut tally, &mut exposures);
                }
            }
            let _ = exposures.push(Exposure::Closed {
                order_id: id(sequence | 1),
            });
        }
    });
    assert_eq!(allocations, 0);
    assert!(tally.iter().all(|count| *count > 10), "{tally:?}");
    assert!(latches > 0, "a latch was met");
}
