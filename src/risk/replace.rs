//! Replaces: the complete new terms, checked by the difference that they make.
//!
//! Runs on: the RISK agent.
//! Owns: the larger of old and new exposure, reserved until the outcome is known.
//! Never: lets a change pass that a new order of the same terms could not, unless it only shrinks
//! or reduces.

use crate::types::{
    ApprovedReplace, Nanos, Order, OrderShapeError, OrderType, Price, Refusal, RefusalCode,
    ReplaceRequest, Side,
};

use super::gate::{Case, RiskGate, invalid};
use super::limits::InstrumentRule;
use super::orders::{RiskOrder, Terms};

/// Whether the new terms can only be smaller: no more quantity, and the same prices or a lower
/// limit of a buy.
fn shrinks(old: &Order, new: &Order) -> bool {
    let lower = match (old.order_type, new.order_type) {
        (OrderType::Limit { limit: before }, OrderType::Limit { limit: after }) => {
            new.side == Side::Buy && after <= before
        }
        _ => false,
    };
    new.quantity <= old.quantity && (lower || old.order_type == new.order_type)
}

impl RiskGate {
    /// Checks a replace and, if it passes, reserves the larger of old and new terms until its
    /// outcome comes.
    ///
    /// # Errors
    /// The first control that does not pass; the order is as it was.
    pub fn check_replace(
        &mut self,
        now: Nanos,
        request: &ReplaceRequest,
    ) -> Result<ApprovedReplace, Refusal> {
        let checked = self.evaluate_replace(now, request);
        let (order, terms, is_exempt) = match checked {
            Ok(plan) => plan,
            Err(refusal) => {
                self.refusals += 1;
                return Err(refusal);
            }
        };
        self.count(now, order.strategy, is_exempt);
        self.book.begin_change(request.order_id, &terms);
        self.approvals += 1;
        Ok(ApprovedReplace {
            order_id: request.order_id,
            quantity: terms.quantity,
            order_type: terms.order_type,
            risk_price: terms.risk_price,
            requested_at: request.requested_at,
        })
    }

    /// The order as it is and as it would become, if there is such an order and such a change.
    fn terms_asked(&self, request: &ReplaceRequest) -> Result<(RiskOrder, Order), Refusal> {
        let Some(&kept) = self.book.orders.get(request.order_id) else {
            let code = if self.was_seen(request.order_id) {
                RefusalCode::OrderDone
            } else {
                RefusalCode::UnknownOrder
            };
            return Err(Refusal::plain(code));
        };
        if kept.is_changing {
            return Err(Refusal::plain(RefusalCode::ChangePending));
        }
        self.admit_strategy(kept.strategy)?;
        self.admit_broker(kept.broker)?;
        if kept.is_collared {
            return Err(invalid(OrderShapeError::ReplacePrice));
        }
        let order_type = request
            .applied_to(kept.order.order_type)
            .ok_or(invalid(OrderShapeError::ReplacePrice))?;
        let order = Order {
            quantity: request.quantity.unwrap_or(kept.order.quantity),
            order_type,
            ..kept.order
        };
        order.validate().map_err(invalid)?;
        if order.quantity <= kept.filled {
            let code = RefusalCode::ReplaceBelowFilled;
            return Err(Refusal::quantities(code, order.quantity, kept.filled));
        }
        if !self.routing.is_up(kept.broker) {
            return Err(Refusal::plain(RefusalCode::BrokerDown));
        }
        Ok((kept, order))
    }

    fn evaluate_replace(
        &mut self,
        now: Nanos,
        request: &ReplaceRequest,
    ) -> Result<(RiskOrder, Terms, bool), Refusal> {
        let session = self.session.at(now);
        let this = &*self;
        let (kept, order) = this.terms_asked(request)?;
        this.admit_instrument(order.instrument)?;
        let cell = this.book.cell(kept.broker, order.instrument);
        let rule = this.book.rule(cell);
        let before = kept.claim(&Terms::NONE);
        // What may trade whatever the outcome, in the place of what may trade now.
        let total = order.quantity.max(kept.order.quantity);
        let remaining = i128::from(total.saturating_sub_to_zero(kept.filled).units());
        let is_reducing = cell.toward(order.side) - i128::from(before.remaining) + remaining <= 0;
        let is_shrinking = shrinks(&kept.order, &order);
        let is_exempt = is_reducing || is_shrinking;
        if !is_exempt {
            this.admit_adding(&order, kept.strategy, kept.broker, cell, rule)?;
        }
        session.admit(&order)?;
        rule.admit_steps(&order)?;
        let case = Case {
            now,
            order: &order,
            strategy: kept.strategy,
            broker: kept.broker,
            cell,
            look: this.look(now, session, this.board.read(order.instrument)),
        };
        let mut terms = Terms {
            quantity: order.quantity,
            order_type: order.order_type,
            risk_price: kept.risk_price,
            needs_power: if is_shrinking {
                kept.needs_power && !is_reducing
            } else {
                !is_reducing
            },
        };
        if is_exempt {
            terms.risk_price = this.exempt_price(&case, &kept, is_shrinking, rule)?;
        } else {
            (terms.risk_price, _) = this.price_adding(&case, rule)?;
            case.admit_quote()?;
            this.check_rates(&case)?;
            let changing = RiskOrder {
                is_changing: true,
                ..kept
            };
            let after = changing.claim(&terms);
            this.check_exposure(&case, before, after, rule)?;
        }
        Ok((kept, terms, is_exempt))
    }

    /// A change that only shrinks never raises the price of its reservation.
    fn exempt_price(
        &self,
        case: &Case<'_>,
        kept: &RiskOrder,
        is_shrinking: bool,
        rule: &InstrumentRule,
    ) -> Result<Price, Refusal> {
        let (price, _) = self.price_reducing(case, rule)?;
        Ok(if is_shrinking {
            price.min(kept.risk_price)
        } else {
            price
        })
    }
}
