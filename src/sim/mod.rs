//! The simulated exchange: a broker with books, an account and a day, as one state machine without I/O.
//!
//! Runs on: whatever agent drives it (the paper gateway; a simulated broker's server; a test).
//! Owns: matching, fills, fees, latency, the account, session rules. `now` is an argument; reports wait in a queue.
//! Never: reads a clock, allocates after construction, or depends on anything but its inputs and its seed.
//!
//! # Driving it
//!
//! [`Exchange::submit`], [`cancel`](Exchange::cancel), [`replace`](Exchange::replace), [`query`](Exchange::query),
//! [`on_quote`](Exchange::on_quote), [`on_trade`](Exchange::on_trade) and [`on_time`](Exchange::on_time) take one
//! input each, or answer [`Busy`] and take nothing. [`next_report`](Exchange::next_report) hands out what the
//! broker says. One input can move a hundred thousand orders (a close, a sweep, a cancel of everything): such work
//! is cut into steps that each make at most [`REPORT_ROOM`] reports, a bounded number of steps a call, and nothing
//! else is taken until it is finished, so that the result does not depend on who takes the reports when.
//!
//! # The book
//!
//! The displayed quote is the market; orders of this account never trade with one another and do not move it.
//!
//! - A row renews the displayed size of the side(s) that it updates, and only those. Fills use that size up: at
//!   most the displayed size of a side trades between two rows that renew it.
//! - Nothing trades, triggers, or comes to rest on a crossed or one-sided book, and trades printed meanwhile are not
//!   looked at. A locked book (bid equals ask) trades, at the locked price. When the book is normal again, matching
//!   goes on with what is left.
//! - A quote counts in the session phase in which it came: after a boundary the first row has to come.
//! - All orders of a side have price-time priority. A market order is ahead of every limit.
//! - *Aggressive* is an order that was marketable at every tradable quote since it came. It fills at the displayed
//!   price (taker); what the size does not reach waits for the side to be renewed.
//! - *Resting* it becomes once a tradable quote leaves it behind, then or on arrival: it queues behind the size
//!   that is displayed at exactly its price on its own side at that moment (none, when its price is not the
//!   displayed one).
//! - A quote that reaches a resting limit fills it at its limit, or at the quote's price with
//!   [`fill_at_quote`](ExchangeSettings::fill_at_quote) (as Alpaca's paper account does), within the displayed size.
//! - A trade at a price first fills resting orders with a strictly better limit, at their limit; then it eats the
//!   queue ahead of the first order at exactly its price, fills that order, eats the queue up to the next, and so
//!   on, never more than its size in all. It fills one side: the one whose limits it reaches; where both are
//!   reached, the one whose quote is nearer (buys, when it is the middle). Aggressive orders take no part: they
//!   wait for quotes.
//! - Fills of resting orders are the maker's.
//!
//! # Stops
//!
//! A buy stop triggers when the ask is at or above its price, a sell stop when the bid is at or below, on a
//! tradable book in regular hours only. What it becomes (a market or limit order) arrives at that moment, behind
//! everything that the same row filled. Trailing stops follow the best bid (sells) or ask (buys) of tradable books
//! since they came, fractions rounded away from the market. Of stops that one row triggers, plain stops come first
//! (nearest price, then time), then trailing ones (highest best price, smallest distance, time; amounts before
//! fractions), buys before sells.
//!
//! # Time in force and sessions
//!
//! - `ioc` fills what it can on arrival, `fok` all or nothing within the displayed size; the rest is canceled. On a
//!   book that does not trade both are canceled untouched.
//! - `day` expires at the close, with extended hours at the end of the post-market. `gtc` stays; outside regular
//!   hours it is parked and comes back at the open, behind the queue that is displayed then.
//! - `opg` is taken outside regular hours, fills on the first tradable row at or after the open, ahead of the rest
//!   of the book, at the quote within its limit and the displayed size; what remains is canceled, at the latest at
//!   the close. `cls` is taken until the close and fills there against the last tradable quote of regular hours,
//!   likewise.
//! - Outside regular hours only extended-hours orders arrive and trade; everything else is rejected (`MarketClosed`).
//!
//! # The account
//!
//! Cash or margin, as `account.rs` says. Rejections are a broker's: `DuplicateClientOrderId` for an id that was
//! accepted before (remembered exactly for 2^20 sequences a port; what is older counts as seen), `UnknownSymbol`,
//! `InvalidOrder` (shape, tick, lot, size), `MarketClosed`, `ShortNotAllowed`, `InsufficientBuyingPower`,
//! `TooManyOrders`; a market order for which no price is known passes only if it closes a position, else `Other`. A
//! replace's quantity is the total including what has filled; a touched stop stays touched. A fill whose numbers
//! cannot be booked is not made: its order is canceled.

mod account;
mod book;
mod day;
mod entry;
mod exchange;
mod ladder;
pub mod latency;
mod matching;
mod order;
mod seen;
mod session;
mod settings;
mod trail;
mod tree;

pub use exchange::{Busy, Exchange, REPORT_ROOM};
pub use latency::{DelayLine, Latency};
pub use settings::{ExchangeSettings, FeeSchedule};
