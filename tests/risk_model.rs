//! The gate against a twin that knows no increments: everything is recomputed from the orders and
//! fills each time, and worst cases are found by trying every subset of orders that might fill.
//!
//! Runs on: tests.
//! Owns: the naive model of exposure, holds, buying power and equity.
//! Never: shares arithmetic with the gate.

mod risk_support;

use proptest::prelude::*;
use risk_support::*;
use shrike::types::{
    AccountKind, BrokerId, Exposure, Money, Order, OrderId, Price, RefusalCode as Code,
    ReplaceRequest, Side,
};

const ONE: i128 = 1_000_000_000;
const CENT: i128 = 10_000_000;
const MAX_POSITION: i128 = 200 * ONE;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Terms {
    quantity: i128,
    limit: i128,
    risk_price: i128,
    needs_power: bool,
}

#[derive(Clone, Copy, Debug)]
struct Naive {
    id: OrderId,
    side: Side,
    terms: Terms,
    change: Option<Terms>,
    filled: i128,
}

impl Naive {
    fn remaining(&self) -> i128 {
        let new = self.change.map_or(0, |terms| terms.quantity);
        (self.terms.quantity.max(new) - self.filled).max(0)
    }

    fn hold(&self) -> i128 {
        let new = self.change.unwrap_or(self.terms);
        if self.terms.needs_power || new.needs_power {
            self.remaining() * self.terms.risk_price.max(new.risk_price)
        } else {
            0
        }
    }
}

struct Twin {
    kind: AccountKind,
    orders: Vec<Naive>,
    /// Signed quantity, price, fee.
    fills: Vec<(i128, i128, i128)>,
    bid: i128,
    ask: i128,
}

impl Twin {
    fn position(&self) -> i128 {
        self.fills.iter().map(|fill| fill.0).sum()
    }

    fn cash(&self) -> i128 {
        let spent: i128 = self.fills.iter().map(|(q, p, fee)| q * p + fee).sum();
        20_000 * ONE * ONE - spent
    }

    fn mark(&self) -> i128 {
        if self.position() >= 0 {
            self.bid
        } else {
            self.ask
        }
    }

    fn equity(&self) -> i128 {
        self.cash() + self.position() * self.mark()
    }

    fn power(&self) -> i128 {
        match self.kind {
            AccountKind::Cash => self.cash(),
            AccountKind::Margin => 2 * self.equity() - (self.position() * self.mark()).abs(),
        }
    }

    fn open(&self, side: Side) -> i128 {
        let same = self.orders.iter().filter(|order| order.side == side);
        same.map(Naive::remaining).sum()
    }

    fn holds(&self) -> i128 {
        self.orders.iter().map(Naive::hold).sum()
    }

    /// Lowest and highest position over all subsets of these orders filling whole.
    fn reach(&self, orders: &[(Side, i128)]) -> (i128, i128) {
        let ends = (0u32..1 << orders.len()).map(|subset| {
            let chosen = orders
                .iter()
                .enumerate()
                .filter(|(n, _)| subset >> n & 1 == 1);
            let moved: i128 = chosen
                .map(|(_, (side, left))| if *side == Side::Buy { *left } else { -left })
                .sum();
            self.position() + moved
        });
        let ends: Vec<_> = ends.collect();
        (
            *ends.iter().min().expect("the empty subset"),
            *ends.iter().max().expect("the empty subset"),
        )
    }

    /// All open orders, the one at `except` left out, and one more.
    fn with(&self, except: Option<usize>, side: Side, remaining: i128) -> Vec<(Side, i128)> {
        let others = self.orders.iter().enumerate();
        let kept = others.filter(|(n, _)| Some(*n) != except);
        let mut all: Vec<_> = kept.map(|(_, o)| (o.side, o.remaining())).collect();
        all.push((side, remaining));
        all
    }

    /// Whether the position only shrinks and never turns around, whichever closing orders fill.
    fn reduces(&self, all: &[(Side, i128)]) -> bool {
        let (side, _) = all[all.len() - 1];
        let position = self.position();
        let closing: Vec<_> = all.iter().copied().filter(|(s, _)| *s == side).collect();
        let (low, high) = self.reach(&closing);
        match side {
            Side::Buy => position < 0 && high <= 0,
            Side::Sell => position > 0 && low >= 0,
        }
    }

    fn verdict(
        &self,
        except: Option<usize>,
        side: Side,
        remaining: i128,
        hold: i128,
    ) -> Option<Code> {
        let all = self.with(except, side, remaining);
        let (low, high) = self.reach(&all);
        if side == Side::Sell && low < 0 && self.kind == AccountKind::Cash {
            return Some(Code::ShortNotAllowed);
        }
        let beyond = match side {
            Side::Buy => high > MAX_POSITION,
            Side::Sell => low < -MAX_POSITION,
        };
        if beyond {
            return Some(Code::MaxPosition);
        }
        let held = self.holds() - except.map_or(0, |n| self.orders[n].hold());
        (held + hold > self.power()).then_some(Code::BuyingPower)
    }
}

#[derive(Clone, Debug)]
enum Step {
    New {
        buy: bool,
        quantity: i64,
        cents: i64,
    },
    Fill {
        pick: usize,
        quantity: i64,
        cents: i64,
        done: bool,
    },
    Foreign {
        buy: bool,
        quantity: i64,
    },
    Close {
        pick: usize,
    },
    Replace {
        pick: usize,
        quantity: i64,
        cents: i64,
    },
    Outcome {
        pick: usize,
        accepted: bool,
    },
    Quote {
        cents: i64,
        normal: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let cents = 9_700i64..10_300;
    prop_oneof![
        6 => (any::<bool>(), 1i64..90, cents.clone())
            .prop_map(|(buy, quantity, cents)| Step::New { buy, quantity, cents }),
        5 => (0usize..9, 1i64..90, cents.clone(), any::<bool>())
            .prop_map(|(pick, quantity, cents, done)| Step::Fill { pick, quantity, cents, done }),
        1 => (any::<bool>(), 1i64..60).prop_map(|(buy, quantity)| Step::Foreign { buy, quantity }),
        2 => (0usize..9).prop_map(|pick| Step::Close { pick }),
        4 => (0usize..9, 1i64..120, cents.clone())
            .prop_map(|(pick, quantity, cents)| Step::Replace { pick, quantity, cents }),
        3 => (0usize..9, any::<bool>())
            .prop_map(|(pick, accepted)| Step::Outcome { pick, accepted }),
        2 => (9_800i64..10_200, prop::bool::weighted(0.8))
            .prop_map(|(cents, normal)| Step::Quote { cents, normal }),
    ]
}

struct Pair {
    desk: Desk,
    twin: Twin,
    /// Whether the quote on the board may be traded on.
    normal: bool,
}

fn cents_of(cents: i64) -> i128 {
    i128::from(cents) * CENT
}

fn text(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl Pair {
    fn new(kind: AccountKind) -> Self {
        let mut settings = settings();
        settings.max_position = shares(200);
        settings.collar_bps = 1_000;
        let mut desk = Desk::new(&settings);
        let broker = if kind == AccountKind::Cash {
            CASH
        } else {
            MARGIN
        };
        desk.broker = broker;
        desk.gate.apply(&snapshot(broker, kind, dollars(20_000), 2));
        let other = BrokerId(1 - broker.0);
        desk.gate.apply(&snapshot(other, kind, dollars(0), 2));
        let twin = Twin {
            kind,
            orders: Vec::new(),
            fills: Vec::new(),
            bid: 9_999 * CENT,
            ask: 10_001 * CENT,
        };
        Self {
            desk,
            twin,
            normal: true,
        }
    }

    fn middle(&self) -> i128 {
        (self.twin.bid + self.twin.ask) / 2
    }

    fn new_order(&mut self, side: Side, quantity: i64, cents: i64) {
        let order = Order::limit(A, side, shares(quantity), price(&text(cents)));
        let quantity = i128::from(quantity) * ONE;
        let all = self.twin.with(None, side, quantity);
        let reduces = self.twin.reduces(&all);
        let risk_price = cents_of(cents).max(self.middle());
        let expected = if reduces {
            None
        } else if !self.normal {
            Some(Code::NoReferencePrice)
        } else {
            self.twin
                .verdict(None, side, quantity, quantity * risk_price)
        };
        let outcome = self.desk.send(order);
        assert_eq!(outcome.err().map(|refusal| refusal.code), expected);
        if let Ok(approved) = outcome {
            let terms = Terms {
                quantity,
                limit: cents_of(cents),
                risk_price: i128::from(approved.risk_price.units()),
                needs_power: !reduces,
            };
            if self.normal {
                assert_eq!(terms.risk_price, risk_price);
            }
            self.twin.orders.push(Naive {
                id: approved.request.order_id,
                side,
                terms,
                change: None,
                filled: 0,
            });
        }
    }

    fn replace(&mut self, n: usize, quantity: i64, cents: i64) {
        let old = self.twin.orders[n];
        let new_quantity = i128::from(quantity) * ONE;
        let limit = cents_of(cents);
        let request = ReplaceRequest {
            order_id: old.id,
            quantity: Some(shares(quantity)),
            limit: Some(price(&text(cents))),
            ..NO_CHANGE
        };
        let remaining = (new_quantity.max(old.terms.quantity) - old.filled).max(0);
        let all = self.twin.with(Some(n), old.side, remaining);
        let reduces = self.twin.reduces(&all);
        let shrinks = new_quantity <= old.terms.quantity
            && (limit == old.terms.limit || old.side == Side::Buy && limit < old.terms.limit);
        let risk_price = limit.max(self.middle());
        let hold = remaining * risk_price.max(old.terms.risk_price);
        let expected = if old.change.is_some() {
            Some(Code::ChangePending)
        } else if new_quantity <= old.filled {
            Some(Code::ReplaceBelowFilled)
        } else if reduces || shrinks {
            None
        } else if !self.normal {
            Some(Code::NoReferencePrice)
        } else {
            self.twin.verdict(Some(n), old.side, remaining, hold)
        };
        let outcome = self.desk.gate.check_replace(self.desk.now, &request);
        assert_eq!(outcome.err().map(|refusal| refusal.code), expected);
        if let Ok(approved) = outcome {
            let needs_power = !reduces && (old.terms.needs_power || !shrinks);
            let risk_price = i128::from(approved.risk_price.units());
            assert!(!shrinks || risk_price <= old.terms.risk_price);
            self.twin.orders[n].change = Some(Terms {
                quantity: new_quantity,
                limit,
                risk_price,
                needs_power,
            });
        }
    }

    fn fill(&mut self, id: OrderId, side: Side, quantity: i64, cents: i64, done: bool) {
        let fill = Exposure::Fill {
            order_id: id,
            broker: self.desk.broker,
            instrument: A,
            side,
            done,
            quantity: shares(quantity),
            price: Price::from_units(cents_of(cents) as i64),
            fee: Money::from_units(ONE * 7),
        };
        self.desk.gate.apply(&fill);
        let units = i128::from(quantity) * ONE;
        let signed = if side == Side::Buy { units } else { -units };
        self.twin.fills.push((signed, cents_of(cents), ONE * 7));
    }

    fn take(&mut self, step: &Step) {
        let side = |buy| if buy { Side::Buy } else { Side::Sell };
        let count = self.twin.orders.len();
        match *step {
            Step::New {
                buy,
                quantity,
                cents,
            } if count < 9 => {
                self.new_order(side(buy), quantity, cents);
            }
            Step::Foreign { buy, quantity } => {
                self.fill(OrderId::default(), side(buy), quantity, 10_000, true);
            }
            Step::Quote { cents, normal } => {
                self.normal = normal;
                let ask = if normal {
                    text(cents + 2)
                } else {
                    text(cents - 1)
                };
                self.desk.quote(A, &text(cents), &ask);
                if normal {
                    self.twin.bid = cents_of(cents);
                    self.twin.ask = cents_of(cents + 2);
                }
            }
            Step::Fill {
                pick,
                quantity,
                cents,
                done,
            } if pick < count => {
                let Naive { id, side, .. } = self.twin.orders[pick];
                self.fill(id, side, quantity, cents, done);
                self.twin.orders[pick].filled += i128::from(quantity) * ONE;
                if done {
                    self.twin.orders.remove(pick);
                }
            }
            Step::Close { pick } if pick < count => {
                let id = self.twin.orders.remove(pick).id;
                self.desk.close(id);
            }
            Step::Replace {
                pick,
                quantity,
                cents,
            } if pick < count => {
                self.replace(pick, quantity, cents);
            }
            Step::Outcome { pick, accepted } if pick < count => {
                let order = &mut self.twin.orders[pick];
                let order_id = order.id;
                if let Some(change) = order.change.take()
                    && accepted
                {
                    order.terms = change;
                }
                let outcome = Exposure::ReplaceDone { order_id, accepted };
                self.desk.gate.apply(&outcome);
            }
            _ => {}
        }
    }

    fn compare(&self) {
        let (gate, twin, broker) = (&self.desk.gate, &self.twin, self.desk.broker);
        let exposure = gate.exposure(broker, A).expect("known");
        assert_eq!(i128::from(exposure.position.units()), twin.position());
        assert_eq!(exposure.open_buys, twin.open(Side::Buy));
        assert_eq!(exposure.open_sells, twin.open(Side::Sell));
        assert_eq!(exposure.open_orders as usize, twin.orders.len());
        assert_eq!(gate.held(broker), Some(Money::from_units(twin.holds())));
        let power = gate.buying_power(broker);
        assert_eq!(power, Some(Money::from_units(twin.power())));
        let equity = gate.reading().equity;
        assert_eq!(equity, Some(Money::from_units(twin.equity())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_agrees_with_brute_force_after_any_stream_of_events(
        margin in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let kind = if margin { AccountKind::Margin } else { AccountKind::Cash };
        let mut pair = Pair::new(kind);
        for step in &steps {
            pair.take(step);
            pair.compare();
        }
    }
}
