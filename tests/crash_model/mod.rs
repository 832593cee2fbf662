//! A second opinion on a journal: what its dump says of orders, positions and cash.
//!
//! Runs on: tests.
//! Owns: its own few rules of an order's life, written from the documentation, not from the engine.
//! Never: calls the engine; it reads the text of `shrike journal dump --json`.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::common::exact;

/// Decimal text as an integer of 10^-9.
fn nano(text: &str) -> i128 {
    exact(text) / 1_000_000_000
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Working,
    CancelOnItsWay,
    ReplaceOnItsWay,
    Doubt,
    Done(&'static str),
}

/// An order as the records tell it.
#[derive(Clone, Debug)]
pub struct Order {
    stage: Stage,
    pub symbol: String,
    buys: bool,
    pub quantity: i128,
    wished: i128,
    pub filled: i128,
    accepted: bool,
    replaced: bool,
    left: bool,
    /// Records that named it.
    pub records: u64,
}

impl Order {
    /// The status in the engine's words.
    pub fn status(&self) -> &'static str {
        match self.stage {
            Stage::Done(how) => how,
            Stage::Doubt => "in_doubt",
            Stage::CancelOnItsWay => "pending_cancel",
            Stage::ReplaceOnItsWay => "pending_replace",
            Stage::Working if self.filled > 0 => "partially_filled",
            Stage::Working if self.replaced => "replaced",
            Stage::Working if self.accepted => "new",
            Stage::Working => "pending_new",
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    /// Whether something was under way whose outcome a crash leaves open.
    pub fn is_pending(&self) -> bool {
        !self.is_done() && (self.stage != Stage::Working || !self.accepted)
    }

    fn back_to_work(&mut self) {
        self.wished = 0;
        self.stage = if self.filled >= self.quantity {
            Stage::Done("filled")
        } else {
            Stage::Working
        };
    }

    fn end(&mut self, how: &'static str) {
        if !self.is_done() {
            self.stage = Stage::Done(how);
        }
    }

    fn filled_by(&mut self, quantity: i128) {
        self.filled += quantity;
        self.accepted = true;
        if self.filled >= self.quantity.max(self.wished) {
            self.stage = Stage::Done("filled");
        } else if self.stage == Stage::Doubt {
            self.stage = Stage::Working;
        }
    }

    fn report(&mut self, kind: &str, record: &Value) {
        match kind {
            "sent" => self.left = true,
            "accepted" => {
                self.accepted = true;
                if self.stage == Stage::Doubt {
                    self.stage = Stage::Working;
                }
            }
            "fill" => self.filled_by(nano(text(record, "last_quantity"))),
            "canceled" => self.end("canceled"),
            "expired" => self.end("expired"),
            "rejected" => self.end("rejected"),
            "not_found" => self.end("absent"),
            "not_sent" if !self.left && !self.accepted => self.end("rejected"),
            "not_sent" | "cancel_rejected" | "replace_rejected" => {
                let other = match kind {
                    "cancel_rejected" => Stage::ReplaceOnItsWay,
                    "replace_rejected" => Stage::CancelOnItsWay,
                    _ => Stage::Doubt,
                };
                if !self.is_done() && self.stage != Stage::Doubt && self.stage != other {
                    self.back_to_work();
                }
            }
            "replaced" if !self.is_done() => {
                self.accepted = true;
                self.replaced = true;
                self.quantity = nano(text(record, "quantity"));
                let canceling = self.stage == Stage::CancelOnItsWay;
                self.back_to_work();
                if canceling && !self.is_done() {
                    self.stage = Stage::CancelOnItsWay;
                }
            }
            "status" if !self.is_done() => {
                self.accepted = true;
                let total = nano(text(record, "quantity"));
                self.replaced |= total != self.quantity;
                self.quantity = total;
                self.back_to_work();
            }
            "in_doubt" if !self.is_done() => self.stage = Stage::Doubt,
            "replaced" | "status" | "in_doubt" => {}
            other => panic!("a report of kind {other:?}"),
        }
    }
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    let found = record[field].as_str();
    found.unwrap_or_else(|| panic!("{field} in {record}"))
}

/// Everything that a journal says.
#[derive(Default)]
pub struct Model {
    pub orders: BTreeMap<String, Order>,
    pub positions: BTreeMap<(String, String), i128>,
    /// 10^-18.
    pub cash: BTreeMap<String, i128>,
    pub epochs: Vec<u64>,
    pub fills: u64,
    pub refused: u64,
    pub in_order: bool,
    executions: HashSet<(String, String)>,
    ids: HashMap<String, u64>,
    last_sequence: u64,
}

impl Model {
    /// Of a dump, one JSON object a line.
    pub fn of(dump: &str) -> Self {
        let mut model = Self::default();
        for line in dump.lines() {
            let record = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error}: {line:?} is no JSON"));
            model.take(&record);
        }
        model
    }

    fn take(&mut self, record: &Value) {
        let sequence = record["sequence"].as_u64().expect("a sequence");
        assert_eq!(sequence, self.last_sequence + 1, "no record is left out");
        self.last_sequence = sequence;
        let kind = text(record, "type");
        self.in_order = kind == "shutdown";
        match kind {
            "boot" => self.boot(record["epoch"].as_u64().expect("an epoch")),
            "intent" => {
                self.mint(record);
                let quantity = nano(text(record, "quantity"));
                let order = Order {
                    stage: Stage::Working,
                    symbol: text(record, "symbol").to_owned(),
                    buys: text(record, "side") == "buy",
                    quantity,
                    wished: 0,
                    filled: 0,
                    accepted: false,
                    replaced: false,
                    left: false,
                    records: 1,
                };
                self.orders
                    .insert(text(record, "order_id").to_owned(), order);
            }
            "refused" => {
                self.mint(record);
                self.refused += 1;
            }
            "cancel_intent" => {
                let order = self.order(record);
                // Of an order in doubt, the look-up decides.
                if order.stage != Stage::Doubt {
                    order.stage = Stage::CancelOnItsWay;
                }
            }
            "replace_intent" => {
                let wished = nano(text(record, "quantity"));
                let order = self.order(record);
                order.stage = Stage::ReplaceOnItsWay;
                order.wished = wished;
            }
            "execution" => self.execution(record),
            "account" => {
                let broker = text(record, "broker").to_owned();
                self.cash.insert(broker, exact(text(record, "cash")));
            }
            _ => {}
        }
    }

    fn boot(&mut self, epoch: u64) {
        let before = self.epochs.last().copied().unwrap_or(0);
        assert!(epoch > before, "boot {epoch} after boot {before}");
        self.epochs.push(epoch);
    }

    /// Every order id is minted once, in the boot that it names.
    fn mint(&mut self, record: &Value) {
        let id = text(record, "order_id");
        let epoch: u64 = id
            .split('-')
            .next()
            .and_then(|e| e.parse().ok())
            .expect("an epoch");
        assert_eq!(Some(&epoch), self.epochs.last(), "{id} is of another boot");
        let used = self.ids.insert(id.to_owned(), epoch);
        assert!(used.is_none(), "order id {id} is used twice");
    }

    fn order(&mut self, record: &Value) -> &mut Order {
        let id = text(record, "order_id");
        let order = self.orders.get_mut(id);
        let order = order.unwrap_or_else(|| panic!("{id} was never approved: {record}"));
        order.records += 1;
        order
    }

    fn execution(&mut self, record: &Value) {
        let kind = text(record, "kind");
        self.order(record).report(kind, record);
        if kind != "fill" {
            return;
        }
        let execution = (text(record, "broker"), text(record, "execution_id"));
        let new = self
            .executions
            .insert((execution.0.to_owned(), execution.1.to_owned()));
        assert!(new, "execution {execution:?} is on record twice");
        self.fills += 1;
        let order = self.order(record);
        let sign = if order.buys { 1 } else { -1 };
        let symbol = order.symbol.clone();
        let quantity = sign * nano(text(record, "last_quantity"));
        let broker = execution.0.to_owned();
        *self.positions.entry((broker.clone(), symbol)).or_default() += quantity;
        let paid = quantity * nano(text(record, "last_price")) + exact(text(record, "fee"));
        *self
            .cash
            .get_mut(&broker)
            .expect("an account before a fill") -= paid;
    }

    /// Orders that are not done, by id.
    pub fn open(&self) -> impl Iterator<Item = (&String, &Order)> {
        self.orders.iter().filter(|(_, order)| !order.is_done())
    }

    /// Positions that are not flat.
    pub fn held(&self) -> BTreeMap<(String, String), i128> {
        let mut held = self.positions.clone();
        held.retain(|_, quantity| *quantity != 0);
        held
    }

    /// What `session.json` says was recovered must be this, exactly.
    pub fn assert_recovered(&self, session: &Value) {
        let recovered = &session["recovered"];
        let rows = |name: &str| recovered[name].as_array().expect(name).clone();
        let theirs: BTreeMap<String, (String, i128, i128)> = rows("orders")
            .iter()
            .map(|row| {
                let number = |field| nano(text(row, field));
                let status = text(row, "status").to_owned();
                let figures = (status, number("quantity"), number("filled"));
                (text(row, "order_id").to_owned(), figures)
            })
            .collect();
        let ours: BTreeMap<String, (String, i128, i128)> = self
            .open()
            .map(|(id, order)| {
                let figures = (order.status().to_owned(), order.quantity, order.filled);
                (id.clone(), figures)
            })
            .collect();
        assert_eq!(theirs, ours, "working orders");
        let theirs: BTreeMap<(String, String), i128> = rows("positions")
            .iter()
            .map(|row| {
                let place = (
                    text(row, "broker").to_owned(),
                    text(row, "symbol").to_owned(),
                );
                (place, nano(text(row, "quantity")))
            })
            .collect();
        assert_eq!(theirs, self.held(), "positions");
        let theirs: BTreeMap<String, i128> = rows("cash")
            .iter()
            .map(|row| (text(row, "broker").to_owned(), exact(text(row, "cash"))))
            .collect();
        assert_eq!(theirs, self.cash, "cash");
    }

    /// What `session.json` says at its end must be this, exactly.
    pub fn assert_final(&self, session: &Value) {
        let theirs: BTreeMap<(String, String), i128> = session["positions"]
            .as_array()
            .expect("positions")
            .iter()
            .map(|row| {
                let place = (
                    text(row, "broker").to_owned(),
                    text(row, "symbol").to_owned(),
                );
                (place, nano(text(row, "quantity")))
            })
            .collect();
        assert_eq!(theirs, self.held(), "positions at the end");
        let cash: i128 = self.cash.values().sum();
        assert_eq!(
            exact(text(&session["pnl"], "cash")),
            cash,
            "cash at the end"
        );
        let open = session["orders"]["open"].as_u64();
        assert_eq!(open, Some(self.open().count() as u64), "orders at the end");
    }
}
