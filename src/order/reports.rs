//! What brokers said: journaled, taken into the order's life cycle, and told on.
//!
//! Runs on: ORDER.
//! Owns: what each kind of report does to an order, to RISK's exposure, and to the order's port.
//! Never: drops a report, counts an execution twice, or takes an unknown outcome for a failure.

use super::executions::Source;
use super::fast_path::FastExecutionPath;
use super::manager::{Held, OrderEntry};
use crate::journal::{Pen, Record};
use crate::types::{
    Applied, BrokerId, BrokerReject, BrokerReport, Event, ExecutionId, ExecutionReport, Exposure,
    Fill, Nanos, OrderEvent, OrderInput, OrderState, OrderStatus, ReportKind, SlotIndex,
};

/// The life cycle's word for a report; `None` for one that only brings stamps.
fn input_of(report: &ExecutionReport) -> Option<OrderInput> {
    Some(match report.kind {
        ReportKind::Sent => return None,
        ReportKind::NotSent | ReportKind::Rejected => OrderInput::Rejected,
        ReportKind::Accepted => OrderInput::Accepted,
        ReportKind::Fill => OrderInput::Fill {
            quantity: report.last_quantity,
            price: report.last_price,
            cumulative: report.cumulative_quantity,
        },
        ReportKind::Canceled => OrderInput::Canceled,
        ReportKind::Expired => OrderInput::Expired,
        ReportKind::CancelRejected => OrderInput::CancelRejected,
        ReportKind::Replaced => OrderInput::Replaced {
            quantity: report.quantity,
        },
        ReportKind::ReplaceRejected => OrderInput::ReplaceRejected,
        ReportKind::InDoubt => OrderInput::InDoubt,
        ReportKind::Status => OrderInput::Found {
            quantity: report.quantity,
            cumulative: report.cumulative_quantity,
        },
        ReportKind::NotFound => OrderInput::Absent,
    })
}

/// The fill of a report.
fn fill_of(report: &ExecutionReport, unexpected: bool) -> Fill {
    Fill {
        execution_id: report.execution_id,
        fee: report.fee,
        quantity: report.last_quantity,
        price: report.last_price,
        liquidity: report.liquidity,
        unexpected,
    }
}

/// What the order's port is told.
fn event_of(report: &ExecutionReport, unexpected: bool) -> OrderEvent {
    match report.kind {
        ReportKind::Sent => OrderEvent::Sent,
        ReportKind::NotSent => OrderEvent::NotSent(report.reason),
        ReportKind::Accepted => OrderEvent::Accepted,
        ReportKind::Fill => OrderEvent::Filled(fill_of(report, unexpected)),
        ReportKind::Canceled => OrderEvent::Canceled,
        ReportKind::Expired => OrderEvent::Expired,
        ReportKind::Rejected => OrderEvent::Rejected(report.reason),
        ReportKind::CancelRejected => OrderEvent::CancelRejected(report.reason),
        ReportKind::Replaced => OrderEvent::Replaced(report.order_type),
        ReportKind::ReplaceRejected => OrderEvent::ReplaceRejected(report.reason),
        ReportKind::InDoubt => OrderEvent::InDoubt,
        ReportKind::Status => OrderEvent::Restored,
        ReportKind::NotFound => OrderEvent::Absent,
    }
}

/// The kind as which a report counts for its order. A gateway knows requests, ORDER knows what they
/// were for.
fn kind_for(entry: &OrderEntry, report: &ExecutionReport) -> ReportKind {
    let status = entry.state.status();
    let changing = matches!(
        status,
        OrderStatus::PendingCancel | OrderStatus::PendingReplace
    );
    match report.kind {
        // The order itself had left: what did not leave is the change of it.
        ReportKind::NotSent if entry.sent || entry.state.is_acknowledged() => {
            if changing && entry.state.pending_quantity().is_positive() {
                ReportKind::ReplaceRejected
            } else {
                ReportKind::CancelRejected
            }
        }
        // The broker has an order of this id: which one, and how it stands, a look-up tells.
        ReportKind::Rejected
            if report.reason == BrokerReject::DuplicateClientOrderId && !status.is_terminal() =>
        {
            ReportKind::InDoubt
        }
        // An answer to an old question proves that the order is there; the change under way has its
        // own answer.
        ReportKind::Status if changing => ReportKind::Accepted,
        kind => kind,
    }
}

impl OrderEntry {
    /// Takes the stamps of an order that left; what a later request of the same order brings is no
    /// news.
    fn note_sent(&mut self, report: &ExecutionReport) -> Applied {
        let changed = report.tells_sent() && !self.sent;
        if changed {
            self.sent = true;
            self.stamps.encode = report.encode_offset;
            self.stamps.wire = report.wire_offset;
        }
        Applied {
            changed,
            unexpected: false,
        }
    }

    /// Takes over the terms that hold after a report; says how a replace ended, if one did, and
    /// whether the broker works terms that nobody asked for.
    fn settle_terms(
        &mut self,
        before: &OrderState,
        report: &ExecutionReport,
    ) -> (Option<bool>, bool) {
        if self.state.status().is_terminal() {
            self.pending = None;
            return (None, false);
        }
        let (old, asked, now) = (
            before.quantity(),
            before.pending_quantity(),
            self.state.quantity(),
        );
        let resolved = asked.is_positive() && self.state.pending_quantity().is_zero();
        let old_terms = now == old && report.order_type == self.order_type;
        let accepted = match report.kind {
            ReportKind::Replaced if now == asked => true,
            ReportKind::Status if now == asked => !old_terms,
            // The quantity decides; of two that are both wrong the larger reservation is kept.
            ReportKind::Replaced | ReportKind::Status => now != old && asked >= old,
            _ => false,
        };
        let odd = match report.kind {
            ReportKind::Replaced => now != if resolved { asked } else { old },
            ReportKind::Status => now != old && now != asked,
            _ => false,
        };
        if matches!(report.kind, ReportKind::Replaced | ReportKind::Status) {
            self.order_type = report.order_type;
        }
        if !resolved {
            return (None, odd);
        }
        if let Some(terms) = self.pending.take()
            && accepted
        {
            self.risk_price = terms.risk_price;
        }
        (Some(accepted), odd)
    }
}

impl<P: Pen> FastExecutionPath<P> {
    /// Takes reports of every broker while there is room for what they may write; returns how many.
    pub(super) fn take_reports(&mut self, now: Nanos) -> usize {
        let mut work = 0;
        for broker in 0..self.reports.len() {
            let waiting = self.reports[broker].available().min(self.work_per_cycle);
            for _ in 0..waiting {
                if !self.has_room_for_report() {
                    return work;
                }
                let Some(report) = self.reports[broker].pop() else {
                    break;
                };
                match report {
                    BrokerReport::Execution(ref report) => self.execution(report, now),
                    BrokerReport::Link { broker, up } => self.link(broker, up, now),
                    BrokerReport::Account(account) => {
                        self.pen.append(&Record::Account(account), now);
                        self.out.expose(Exposure::Account(account));
                        self.out.event(Event::Account(account));
                    }
                }
                work += 1;
            }
        }
        work
    }

    fn link(&mut self, broker: BrokerId, up: bool, now: Nanos) {
        self.pen.append(&Record::Link { broker, up }, now);
        self.routing.set_link(broker, up);
        if up {
            self.doubts.link_up(broker);
        }
        self.out.expose(Exposure::Link { broker, up });
        let at = now;
        self.out.event(Event::Link { broker, up, at });
    }

    fn execution(&mut self, report: &ExecutionReport, now: Nanos) {
        // The same id at another broker is another order, and not this engine's.
        let slot = self
            .orders
            .find(report.order_id)
            .filter(|&slot| self.orders.entry(slot).broker == report.broker);
        if report.kind == ReportKind::Fill && !self.is_first(report, slot) {
            self.gauges.add_repeated_execution();
            return;
        }
        let Some(slot) = slot else {
            self.unknown_order(report, now);
            return;
        };
        let entry = self.orders.entry(slot);
        // The late answer to the second of two look-ups.
        if report.kind == ReportKind::NotFound && entry.state.status().is_terminal() {
            return;
        }
        let kind = kind_for(entry, report);
        if kind == report.kind {
            self.apply_execution(slot, report, now);
        } else {
            self.apply_execution(slot, &ExecutionReport { kind, ..*report }, now);
        }
    }

    /// Whether an execution was not counted before. One without an id cannot be told from another:
    /// it counts.
    fn is_first(&mut self, report: &ExecutionReport, slot: Option<SlotIndex>) -> bool {
        let id = report.execution_id;
        if id == ExecutionId::NONE {
            return true;
        }
        let recovered = slot.is_none_or(|slot| self.orders.entry(slot).recovered);
        if recovered && self.executions.contains(Source::Recovered, id) {
            return false;
        }
        self.executions.insert(Source::Broker(report.broker), id)
    }

    fn unknown_order(&mut self, report: &ExecutionReport, now: Nanos) {
        let is_fill = report.kind == ReportKind::Fill
            && report.last_quantity.is_positive()
            && report.last_price.is_positive();
        if !is_fill {
            let (id, kind) = (report.order_id, report.kind);
            self.anomaly(id, OrderStatus::Absent, kind, now);
            return;
        }
        self.pen.append(&Record::Execution(*report), now);
        self.gauges.add_foreign_fill();
        self.out.expose(Exposure::Fill {
            order_id: report.order_id,
            broker: report.broker,
            instrument: report.instrument,
            side: report.side,
            done: false,
            quantity: report.last_quantity,
            price: report.last_price,
            fee: report.fee,
        });
        self.out.event(Event::ForeignFill {
            broker: report.broker,
            instrument: report.instrument,
            side: report.side,
            fill: fill_of(report, true),
            at: now,
        });
    }

    /// Journals a report of a known order, takes it into the order, and tells everybody what
    /// followed. There is room for it.
    pub(super) fn apply_execution(
        &mut self,
        slot: SlotIndex,
        report: &ExecutionReport,
        now: Nanos,
    ) {
        self.pen.append(&Record::Execution(*report), now);
        let entry = self.orders.entry_mut(slot);
        let before = entry.state;
        let left = entry.note_sent(report);
        let taken = match input_of(report) {
            Some(input) => entry.state.apply(input),
            None => Ok(left),
        };
        let (id, kind) = (report.order_id, report.kind);
        let Ok(applied) = taken else {
            self.anomaly(id, before.status(), kind, now);
            return;
        };
        let status = entry.state.status();
        let over = status.is_terminal();
        let appeared = before.status().is_terminal() && !over;
        // An absent order that appeared is canceled: RISK holds nothing for it any more.
        if appeared
            || (kind == ReportKind::InDoubt && before.status() == OrderStatus::PendingCancel)
        {
            entry.cancel_wanted = true;
        }
        let (outcome, odd) = entry.settle_terms(&before, report);
        if !entry.holds_good() {
            entry.held = Held::Nothing;
        }
        let released = over && std::mem::take(&mut entry.reserved);
        let lacking = matches!(kind, ReportKind::Canceled | ReportKind::Expired)
            && report.cumulative_quantity > entry.state.filled();
        let exposure = exposure_of(report, entry, released, outcome);
        let news = match kind {
            ReportKind::Sent | ReportKind::Fill => applied.changed,
            ReportKind::CancelRejected | ReportKind::ReplaceRejected => applied.changed || !over,
            _ => applied.changed && entry.state != before,
        };
        if let Some(exposure) = exposure {
            self.out.expose(exposure);
        }
        self.orders.settle(slot);
        self.orders.follow(slot, &mut self.doubts, now);
        if kind == ReportKind::Fill && applied.unexpected {
            self.gauges.add_unexpected_fill();
        }
        if appeared || odd || lacking {
            self.anomaly(id, status, kind, now);
        }
        if news {
            let event = event_of(report, applied.unexpected);
            self.tell_stamped(slot, id, event, now, report.received_stamp);
        }
    }
}

/// What RISK has to know of a report that was taken in.
fn exposure_of(
    report: &ExecutionReport,
    entry: &OrderEntry,
    released: bool,
    replaced: Option<bool>,
) -> Option<Exposure> {
    let order_id = report.order_id;
    match report.kind {
        ReportKind::Fill => Some(Exposure::Fill {
            order_id,
            broker: report.broker,
            instrument: entry.order.instrument,
            side: entry.order.side,
            done: released,
            quantity: report.last_quantity,
            price: report.last_price,
            fee: report.fee,
        }),
        _ if released => Some(Exposure::Closed { order_id }),
        _ => replaced.map(|accepted| Exposure::ReplaceDone { order_id, accepted }),
    }
}
