//! Groups of orders: bracket, one-cancels-other, one-triggers-other.
//!
//! Runs on: whoever owns the core.
//! Owns: which leg goes live when, and what one order's end does to the others of its group.
//! Never: lets both sides of a group trade more than the position that it closes.

use super::core::{Core, Todo};
use super::record::{Class, Role, Status};
use crate::types::{Quantity, ReplaceCommand, StrategyId};

impl Core {
    /// The other rows of an order's group.
    fn siblings(&self, row: usize) -> Vec<usize> {
        let root = self.orders[row].parent.unwrap_or(row);
        let mut group = vec![root];
        group.extend(&self.orders[root].legs);
        group.retain(|other| *other != row && self.orders[*other].status.is_open());
        group
    }

    /// What a fill means for the group: an entry that is done sends its legs, an exit holds the other back.
    pub(super) fn after_fill(&mut self, row: usize, quantity: Quantity, done: bool) {
        let record = &self.orders[row];
        if record.class == Class::Simple {
            return;
        }
        if record.role == Role::Entry {
            if done {
                let legs = record.legs.clone();
                self.todo.extend(legs.into_iter().map(Todo::Activate));
            }
            return;
        }
        let shrinks = record.role == Role::TakeProfit && !done;
        for other in self.siblings(row) {
            self.todo.push(if shrinks {
                Todo::Shrink(other, quantity)
            } else {
                Todo::Cancel(other)
            });
        }
    }

    /// One member of a group ended without filling: the open rest ends too.
    pub(super) fn after_done(&mut self, row: usize) {
        if self.orders[row].class != Class::Simple {
            let others = self.siblings(row);
            self.todo.extend(others.into_iter().map(Todo::Cancel));
        }
    }

    pub(super) fn carry_out(&mut self, todo: Todo) {
        match todo {
            Todo::Cancel(row) => self.cancel_now(row),
            Todo::Activate(row) => {
                if self.orders[row].status == Status::Held && self.enter(row).is_err() {
                    self.on_done(row, Status::Rejected);
                }
            }
            Todo::Shrink(row, by) => self.shrink(row, by),
        }
    }

    /// Cancels at the exchange, or here when it is not there.
    pub(super) fn cancel_now(&mut self, row: usize) {
        let record = &self.orders[row];
        if !record.status.is_open() {
            return;
        }
        let waits = self.queue.contains(&row);
        match record.exchange_id.filter(|_| !waits) {
            None => self.on_done(row, Status::Canceled),
            Some(id) => {
                let taken = self.exchange.cancel(self.now, id);
                debug_assert!(taken.is_ok(), "invariant: a settled exchange takes input");
            }
        }
    }

    fn shrink(&mut self, row: usize, by: Quantity) {
        let record = &mut self.orders[row];
        if !record.status.is_open() {
            return;
        }
        record.quantity = record.quantity.saturating_sub_to_zero(by);
        let Some(order_id) = record.exchange_id else {
            return;
        };
        let command = ReplaceCommand {
            order_id,
            strategy: StrategyId::ENGINE,
            quantity: record.quantity,
            order_type: record.order_type,
        };
        let taken = self.exchange.replace(self.now, &command);
        debug_assert!(taken.is_ok(), "invariant: a settled exchange takes input");
    }
}
