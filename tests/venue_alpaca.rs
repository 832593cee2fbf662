//! The simulated Alpaca without a socket: hours, time, and that its books always add up.
//!
//! Runs on: the test's thread, in virtual time.
//! Owns: what needs a clock of its own or many random requests; the wire is proven by `scripts/alpaca_py`.
//! Never: listens on a socket.
#![cfg(feature = "venue")]

use proptest::prelude::*;
use serde_json::{Value, json};
use shrike::market::DEFAULT_DAY_ROLL;
use shrike::market::calendar::{always_open, instant, new_york, nyse};
use shrike::types::{Money, Nanos};
use shrike::venue::alpaca::core::{Core, Outgoing};
use shrike::venue::alpaca::request::Request;

use jiff::civil::{date, time};

const CASH: i64 = 100_000;

/// A wall clock time in New York on Monday, 16 November 2026, or so many days later.
fn new_york_at(days: i8, hour: i8, minute: i8) -> Nanos {
    let zone = new_york().expect("the zone");
    let day = date(2026, 11, 16 + days);
    instant(&zone, day, time(hour, minute, 0, 0)).expect("an instant")
}

fn with_real_hours(now: Nanos) -> Core {
    let schedule = nyse(date(2026, 11, 9), 30, DEFAULT_DAY_ROLL).expect("a schedule");
    Core::new(1, Money::from_whole(CASH), schedule, now)
}

fn always(now: Nanos) -> Core {
    let schedule = always_open(date(2026, 11, 9), 30, DEFAULT_DAY_ROLL).expect("a schedule");
    Core::new(1, Money::from_whole(CASH), schedule, now)
}

fn send(core: &mut Core, now: Nanos, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request::new(method, path, query, body.to_string().into_bytes());
    match core.handle(now, &request) {
        Ok(reply) => (reply.status, reply.body.unwrap_or_default()),
        Err(error) => (error.status, error.body()),
    }
}

fn order(symbol: &str, side: &str, quantity: &str, more: &[(&str, Value)]) -> Value {
    let mut body = json!({"symbol": symbol, "side": side, "qty": quantity, "type": "market",
        "time_in_force": "day"});
    for (name, value) in more {
        body[*name] = value.clone();
    }
    body
}

fn place(core: &mut Core, now: Nanos, body: &Value) -> String {
    let (status, answer) = send(core, now, "POST", "/v2/orders", body);
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_str().expect("an id").to_owned()
}

fn status_of(core: &mut Core, now: Nanos, id: &str) -> String {
    let (_, order) = send(core, now, "GET", &format!("/v2/orders/{id}"), &Value::Null);
    order["status"].as_str().expect("a status").to_owned()
}

fn quote(core: &mut Core, now: Nanos, symbol: &str, bid: &str, ask: &str, size: &str) {
    core.advance(now);
    let fields = json!({"symbol": symbol, "bid": bid, "ask": ask, "bid_size": size,
        "ask_size": size});
    core.post_quote(fields.as_object().expect("an object"))
        .expect("a quote");
}

#[test]
fn an_order_after_the_close_waits_for_the_next_open() {
    let evening = new_york_at(0, 21, 0);
    let mut core = with_real_hours(evening);
    let id = place(&mut core, evening, &order("AAPL", "buy", "10", &[]));
    assert_eq!(status_of(&mut core, evening, &id), "accepted");
    let body = json!({"qty": "5"});
    let (status, answer) = send(
        &mut core,
        evening,
        "PATCH",
        &format!("/v2/orders/{id}"),
        &body,
    );
    assert_eq!((status, answer["code"].as_u64()), (422, Some(42_210_000)));
    let open = new_york_at(1, 9, 30);
    core.advance(open);
    assert_eq!(status_of(&mut core, open, &id), "filled");
}

#[test]
fn an_order_that_waits_for_the_open_can_be_canceled() {
    let evening = new_york_at(0, 21, 0);
    let mut core = with_real_hours(evening);
    let id = place(&mut core, evening, &order("AAPL", "buy", "10", &[]));
    let (status, _) = send(
        &mut core,
        evening,
        "DELETE",
        &format!("/v2/orders/{id}"),
        &Value::Null,
    );
    assert_eq!(status, 204);
    let open = new_york_at(1, 9, 30);
    core.advance(open);
    assert_eq!(status_of(&mut core, open, &id), "canceled");
}

#[test]
fn a_day_order_expires_at_the_close_and_a_gtc_order_comes_back() {
    let noon = new_york_at(0, 12, 0);
    let mut core = with_real_hours(noon);
    let limit = [("type", json!("limit")), ("limit_price", json!("150"))];
    let day = place(&mut core, noon, &order("AAPL", "buy", "10", &limit));
    let mut body = order("AAPL", "buy", "10", &limit);
    body["time_in_force"] = json!("gtc");
    let stays = place(&mut core, noon, &body);
    let evening = new_york_at(0, 16, 1);
    core.advance(evening);
    assert_eq!(status_of(&mut core, evening, &day), "expired");
    let morning = new_york_at(1, 10, 0);
    quote(&mut core, morning, "AAPL", "149", "149.5", "100");
    assert_eq!(status_of(&mut core, morning, &stays), "filled");
}

#[test]
fn an_extended_hours_limit_trades_before_the_open() {
    let early = new_york_at(0, 8, 0);
    let mut core = with_real_hours(early);
    let more = [
        ("type", json!("limit")),
        ("limit_price", json!("190")),
        ("extended_hours", json!(true)),
    ];
    let id = place(&mut core, early, &order("AAPL", "buy", "10", &more));
    assert_eq!(status_of(&mut core, early, &id), "filled");
}

#[test]
fn the_clock_follows_new_yorks_hours() {
    let noon = new_york_at(0, 12, 0);
    let mut core = with_real_hours(noon);
    let (_, clock) = send(&mut core, noon, "GET", "/v2/clock", &Value::Null);
    assert_eq!(clock["is_open"], json!(true));
    assert_eq!(clock["next_close"], json!("2026-11-16T16:00:00-05:00"));
    let night = new_york_at(4, 23, 0);
    let (_, clock) = send(&mut core, night, "GET", "/v2/clock", &Value::Null);
    assert_eq!(clock["is_open"], json!(false));
    assert_eq!(clock["next_open"], json!("2026-11-23T09:30:00-05:00"));
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let noon = new_york_at(0, 12, 0);
    let ids = [(); 2].map(|()| {
        let mut core = always(noon);
        place(&mut core, noon, &order("AAPL", "buy", "10", &[]))
    });
    assert_eq!(ids[0], ids[1]);
}

/// What a client does, by small numbers.
#[derive(Clone, Debug)]
enum Step {
    Market(bool, u8),
    Limit(bool, u8, u8),
    Stop(bool, u8, u8),
    Bracket(u8),
    Replace(u8, u8),
    Cancel(u8),
    CancelAll,
    Close,
    Quote(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), 1u8..30).prop_map(|(buy, n)| Step::Market(buy, n)),
        (any::<bool>(), 1u8..30, 0u8..40).prop_map(|(buy, n, p)| Step::Limit(buy, n, p)),
        (any::<bool>(), 1u8..30, 0u8..40).prop_map(|(buy, n, p)| Step::Stop(buy, n, p)),
        (1u8..30).prop_map(Step::Bracket),
        (any::<u8>(), 1u8..40).prop_map(|(at, n)| Step::Replace(at, n)),
        any::<u8>().prop_map(Step::Cancel),
        Just(Step::CancelAll),
        Just(Step::Close),
        (0u8..40, 1u8..20).prop_map(|(p, size)| Step::Quote(p, size)),
    ]
}

fn side(buy: bool) -> &'static str {
    if buy { "buy" } else { "sell" }
}

fn price(level: u8) -> String {
    (80 + u32::from(level)).to_string()
}

fn take(core: &mut Core, now: Nanos, step: &Step, ids: &mut Vec<String>) {
    let body = match step {
        Step::Market(buy, n) => order("IBM", side(*buy), &n.to_string(), &[]),
        Step::Limit(buy, n, p) => order(
            "IBM",
            side(*buy),
            &n.to_string(),
            &[("type", json!("limit")), ("limit_price", json!(price(*p)))],
        ),
        Step::Stop(buy, n, p) => order(
            "IBM",
            side(*buy),
            &n.to_string(),
            &[("type", json!("stop")), ("stop_price", json!(price(*p)))],
        ),
        Step::Bracket(n) => order(
            "IBM",
            "buy",
            &n.to_string(),
            &[
                ("order_class", json!("bracket")),
                ("take_profit", json!({"limit_price": "130"})),
                ("stop_loss", json!({"stop_price": "70"})),
            ],
        ),
        Step::Replace(at, n) => {
            if let Some(id) = ids.get(usize::from(*at) % ids.len().max(1)).cloned() {
                let body = json!({"qty": n.to_string()});
                let (status, answer) = send(core, now, "PATCH", &format!("/v2/orders/{id}"), &body);
                if status == 200 {
                    ids.push(answer["id"].as_str().expect("an id").to_owned());
                }
            }
            return;
        }
        Step::Cancel(at) => {
            if let Some(id) = ids.get(usize::from(*at) % ids.len().max(1)).cloned() {
                send(
                    core,
                    now,
                    "DELETE",
                    &format!("/v2/orders/{id}"),
                    &Value::Null,
                );
            }
            return;
        }
        Step::CancelAll => {
            send(core, now, "DELETE", "/v2/orders", &Value::Null);
            let (_, open) = send(core, now, "GET", "/v2/orders", &Value::Null);
            assert_eq!(open, json!([]));
            return;
        }
        Step::Close => {
            send(
                core,
                now,
                "DELETE",
                "/v2/positions?cancel_orders=True",
                &Value::Null,
            );
            return;
        }
        Step::Quote(p, size) => {
            let ask = (81 + u32::from(*p)).to_string();
            quote(core, now, "IBM", &price(*p), &ask, &size.to_string());
            return;
        }
    };
    let (status, answer) = send(core, now, "POST", "/v2/orders", &body);
    if status == 200 {
        ids.push(answer["id"].as_str().expect("an id").to_owned());
    }
}

fn money(text: &Value) -> i128 {
    let quantity: shrike::types::Quantity = text
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a decimal");
    i128::from(quantity.units())
}

/// Cash and position follow from the executions, and every order's filled quantity does.
fn check_books(core: &Core) {
    let ledger = core.ledger();
    let (mut cash, mut position) = (i128::from(CASH) * 1_000_000_000_000_000_000, 0);
    for execution in ledger["executions"].as_array().expect("executions") {
        let (quantity, price) = (money(&execution["qty"]), money(&execution["price"]));
        let sign = if execution["side"] == "buy" { 1 } else { -1 };
        cash -= sign * quantity * price;
        position += sign * quantity;
    }
    let expected = Money::from_units(cash).to_string();
    assert_eq!(ledger["cash"], json!(expected));
    let held = &ledger["positions"]["IBM"];
    let held = if held.is_null() { 0 } else { money(held) };
    assert_eq!(held, position);
    for order in ledger["orders"].as_array().expect("orders") {
        let filled = money(&order["filled_qty"]);
        assert!(filled <= money(&order["qty"]), "{order}");
        let done = order["status"] == "filled";
        assert_eq!(
            done,
            filled == money(&order["qty"]) && filled > 0,
            "{order}"
        );
    }
}

/// Of each order the events tell every share once, and nothing after its end.
fn check_events(events: &[Value]) {
    let mut ended = std::collections::HashSet::new();
    for event in events {
        let id = event["order"]["id"].as_str().expect("an id");
        assert!(!ended.contains(id), "after its end: {event}");
        let name = event["event"].as_str().expect("a name");
        if ["fill", "canceled", "expired", "replaced", "rejected"].contains(&name) {
            ended.insert(id.to_owned());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_books_add_up_whatever_a_client_does(steps in prop::collection::vec(step(), 1..60)) {
        let noon = new_york_at(0, 12, 0);
        let mut core = always(noon);
        quote(&mut core, noon, "IBM", "99", "100", "50");
        let (mut ids, mut events) = (Vec::new(), Vec::new());
        for (at, step) in steps.iter().enumerate() {
            let now = noon.plus(at as u64 * 1_000_000);
            take(&mut core, now, step, &mut ids);
            events.extend(core.take_events().into_iter().filter_map(|event| match event {
                Outgoing::Trade(_, data) => Some(data),
                Outgoing::Data(..) => None,
            }));
            check_books(&core);
        }
        check_events(&events);
    }

    #[test]
    fn no_request_makes_it_panic(
        method in "GET|POST|PATCH|DELETE|PUT",
        path in "/v2/(orders|positions|account|assets|clock|calendar|watchlists|stocks)(/.{0,12})?",
        query in ".{0,24}",
        body in ".{0,40}",
    ) {
        let noon = new_york_at(0, 12, 0);
        let mut core = always(noon);
        let request = Request::new(&method, &path, &query, body.into_bytes());
        let _ = core.handle(noon, &request);
    }
}
