//! What Alpaca checks of an order before it takes it, with its words for what is wrong.
//!
//! Runs on: any thread.
//! Owns: the shape of an order request and every check that needs neither account nor market.
//! Never: rounds what a client wrote.

use serde_json::{Map, Value};

use super::assets::{ASSETS, find};
use super::error::ApiError;
use super::json::plain;
use super::record::{Class, Role};
use crate::types::{
    DecimalError, InstrumentId, Money, OrderType, Price, Quantity, Ratio, Side, TimeInForce,
    TrailingOffset,
};

type Fields = Map<String, Value>;

/// A leg as asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// Which end.
    pub role: Role,
    /// Type and prices.
    pub order_type: OrderType,
}

/// An order as asked for, its shape checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// What.
    pub instrument: InstrumentId,
    /// How much; zero for an order by amount.
    pub quantity: Quantity,
    /// The amount, of an order by amount.
    pub notional: Option<Money>,
    /// Buy or sell.
    pub side: Side,
    /// Type and prices.
    pub order_type: OrderType,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Whether it trades outside regular hours.
    pub extended_hours: bool,
    /// The client's id, if it gave one.
    pub client_order_id: Option<String>,
    /// Its group.
    pub class: Class,
    /// Its legs; of a one-cancels-other the stop-loss alone.
    pub legs: Vec<Leg>,
    /// What the client says that it does to the position.
    pub intent: Option<String>,
}

/// A field's text; null and empty count as absent.
fn word<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// A field's decimal text.
pub(super) fn decimal(fields: &Fields, name: &str) -> Result<Option<String>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => plain(value)
            .map(Some)
            .ok_or_else(|| ApiError::invalid(format!("invalid {name}"))),
    }
}

/// A price: on the tick that its size asks for.
pub(super) fn price(fields: &Fields, name: &str) -> Result<Option<Price>, ApiError> {
    let Some(text) = decimal(fields, name)? else {
        return Ok(None);
    };
    let too_fine = || {
        ApiError::unprocessable(format!(
            "invalid {name} {text}. sub-penny increment does not fulfill minimum pricing criteria"
        ))
    };
    let price: Price = text.parse().map_err(|error| match error {
        DecimalError::TooPrecise { .. } => too_fine(),
        _ => ApiError::invalid(format!("invalid {name}")),
    })?;
    if !price.is_positive() {
        return Err(ApiError::invalid(format!("{name} must be > 0")));
    }
    let tick = if price.units() < 1_000_000_000 {
        100_000
    } else {
        10_000_000
    };
    if price.units() % tick != 0 {
        return Err(too_fine());
    }
    Ok(Some(price))
}

/// A quantity above zero with at most nine decimals.
pub(super) fn quantity(fields: &Fields, name: &str) -> Result<Option<Quantity>, ApiError> {
    let Some(text) = decimal(fields, name)? else {
        return Ok(None);
    };
    let quantity: Quantity = text.parse().map_err(|error| match error {
        DecimalError::TooPrecise { .. } => {
            ApiError::invalid(format!("{name} increments must be at least 0.000000001"))
        }
        _ => ApiError::invalid(format!("invalid {name}")),
    })?;
    if !quantity.is_positive() {
        return Err(ApiError::invalid(format!("{name} must be > 0")));
    }
    Ok(Some(quantity))
}

/// Reads an amount of money.
pub(super) fn money(text: &str) -> Option<Money> {
    let units = crate::types::decimal::parse_scaled(text, 18).ok()?;
    Some(Money::from_units(units))
}

/// The side.
fn side(fields: &Fields) -> Result<Side, ApiError> {
    match word(fields, "side") {
        Some("buy") => Ok(Side::Buy),
        Some("sell") => Ok(Side::Sell),
        Some(_) => Err(ApiError::invalid("invalid side")),
        None => Err(ApiError::invalid("side is required")),
    }
}

/// The time in force.
pub(super) fn time_in_force(text: &str) -> Result<TimeInForce, ApiError> {
    Ok(match text {
        "day" => TimeInForce::Day,
        "gtc" => TimeInForce::Gtc,
        "ioc" => TimeInForce::Ioc,
        "fok" => TimeInForce::Fok,
        "opg" => TimeInForce::Opg,
        "cls" => TimeInForce::Cls,
        _ => return Err(ApiError::invalid("invalid time_in_force")),
    })
}

fn class(fields: &Fields) -> Result<Class, ApiError> {
    Ok(match word(fields, "order_class") {
        None | Some("simple") => Class::Simple,
        Some("bracket") => Class::Bracket,
        Some("oco") => Class::Oco,
        Some("oto") => Class::Oto,
        Some("mleg") => return Err(ApiError::invalid("mleg orders are options orders only")),
        Some(_) => return Err(ApiError::invalid("invalid order_class")),
    })
}

fn trail(fields: &Fields) -> Result<TrailingOffset, ApiError> {
    let wrong = || {
        ApiError::invalid("trailing stop orders must specify one of trail_price or trail_percent")
    };
    let percent = decimal(fields, "trail_percent")?;
    match (price(fields, "trail_price")?, percent) {
        (Some(amount), None) => Ok(TrailingOffset::Amount(amount)),
        (None, Some(text)) => {
            percent_of(&text).ok_or_else(|| ApiError::invalid("invalid trail_percent"))
        }
        _ => Err(wrong()),
    }
}

/// A trailing distance in per cent.
pub(super) fn percent_of(text: &str) -> Option<TrailingOffset> {
    let percent: Price = text.parse().ok()?;
    let good = percent.is_positive() && percent.units() < 100_000_000_000;
    let ratio = Ratio::from_percent_units(percent.units())?;
    good.then_some(TrailingOffset::Percent(ratio))
}

fn order_type(fields: &Fields, class: Class) -> Result<OrderType, ApiError> {
    let mut limit = price(fields, "limit_price")?;
    let stop = price(fields, "stop_price")?;
    if class == Class::Oco && limit.is_none() {
        limit = take_profit(fields)?;
    }
    let no_limit = || ApiError::invalid("limit orders require a limit price");
    let no_stop = || ApiError::invalid("stop orders require a stop price");
    match word(fields, "type") {
        None => Err(ApiError::invalid("type is required")),
        Some("market") if limit.is_some() || stop.is_some() => Err(ApiError::invalid(
            "market orders require no stop or limit price",
        )),
        Some("market") => Ok(OrderType::Market),
        Some("limit") if stop.is_some() => {
            Err(ApiError::invalid("limit orders require only limit price"))
        }
        Some("limit") => Ok(OrderType::Limit {
            limit: limit.ok_or_else(no_limit)?,
        }),
        Some("stop") if limit.is_some() => {
            Err(ApiError::invalid("stop orders require only stop price"))
        }
        Some("stop") => Ok(OrderType::Stop {
            stop: stop.ok_or_else(no_stop)?,
        }),
        Some("stop_limit") => match (stop, limit) {
            (Some(stop), Some(limit)) => Ok(OrderType::StopLimit { stop, limit }),
            _ => Err(ApiError::invalid(
                "stop limit orders require both stop and limit price",
            )),
        },
        Some("trailing_stop") => Ok(OrderType::TrailingStop {
            offset: trail(fields)?,
        }),
        Some(_) => Err(ApiError::invalid("invalid order type")),
    }
}

fn take_profit(fields: &Fields) -> Result<Option<Price>, ApiError> {
    match fields.get("take_profit") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(leg)) => price(leg, "limit_price")?
            .map(Some)
            .ok_or_else(|| ApiError::invalid("take_profit.limit_price is required")),
        Some(_) => Err(ApiError::invalid("invalid take_profit")),
    }
}

fn stop_loss(fields: &Fields) -> Result<Option<OrderType>, ApiError> {
    match fields.get("stop_loss") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(leg)) => {
            let stop = price(leg, "stop_price")?
                .ok_or_else(|| ApiError::invalid("stop_loss.stop_price is required"))?;
            Ok(Some(match price(leg, "limit_price")? {
                Some(limit) => OrderType::StopLimit { stop, limit },
                None => OrderType::Stop { stop },
            }))
        }
        Some(_) => Err(ApiError::invalid("invalid stop_loss")),
    }
}

/// The legs that the class asks for, and that their prices lie on the right sides of one another.
fn legs(fields: &Fields, class: Class, side: Side) -> Result<Vec<Leg>, ApiError> {
    let profit = take_profit(fields)?;
    let loss = stop_loss(fields)?;
    let exit = if class == Class::Oco {
        side
    } else {
        side.opposite()
    };
    match class {
        Class::Simple if profit.is_some() || loss.is_some() => {
            return Err(ApiError::invalid(
                "simple orders must not have take_profit or stop_loss",
            ));
        }
        Class::Simple => return Ok(Vec::new()),
        Class::Bracket if profit.is_none() || loss.is_none() => {
            return Err(ApiError::invalid(
                "bracket orders require take_profit.limit_price and stop_loss.stop_price",
            ));
        }
        Class::Oto if profit.is_some() == loss.is_some() => {
            return Err(ApiError::invalid(
                "oto orders require exactly one of take_profit or stop_loss",
            ));
        }
        Class::Oco if loss.is_none() => {
            return Err(ApiError::invalid("oco orders require stop_loss.stop_price"));
        }
        _ => {}
    }
    if let (Some(limit), Some(stop)) = (profit, loss.and_then(OrderType::stop_price)) {
        sided(exit, limit, stop)?;
    }
    let profit = profit.filter(|_| class != Class::Oco).map(|limit| Leg {
        role: Role::TakeProfit,
        order_type: OrderType::Limit { limit },
    });
    let loss = loss.map(|order_type| Leg {
        role: Role::StopLoss,
        order_type,
    });
    Ok(profit.into_iter().chain(loss).collect())
}

fn sided(exit: Side, profit: Price, stop: Price) -> Result<(), ApiError> {
    let (good, word) = match exit {
        Side::Sell => (profit > stop, ">"),
        Side::Buy => (profit < stop, "<"),
    };
    if good {
        return Ok(());
    }
    Err(ApiError::unprocessable(format!(
        "take_profit.limit_price must be {word} stop_loss.stop_price"
    )))
}

/// Reads an order request.
///
/// # Errors
/// 422 with what is wrong.
pub fn ticket(fields: &Fields) -> Result<Ticket, ApiError> {
    let symbol = word(fields, "symbol").ok_or_else(|| ApiError::invalid("symbol is required"))?;
    let row = find(symbol)
        .ok_or_else(|| ApiError::unprocessable(format!("asset \"{symbol}\" not found")))?;
    if !ASSETS[row].tradable {
        return Err(ApiError::invalid(format!("asset {symbol} is not active")));
    }
    let quantity = quantity(fields, "qty")?;
    let notional = notional(fields)?;
    match (quantity, notional) {
        (None, None) => return Err(ApiError::invalid("qty or notional is required")),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("only one of qty or notional is accepted"));
        }
        _ => {}
    }
    let side = side(fields)?;
    let class = class(fields)?;
    let tif = word(fields, "time_in_force")
        .ok_or_else(|| ApiError::invalid("time_in_force is required"))?;
    let client_order_id = word(fields, "client_order_id").map(str::to_owned);
    if client_order_id
        .as_ref()
        .is_some_and(|id| id.chars().count() > 128)
    {
        return Err(ApiError::invalid(
            "client_order_id must be no more than 128 characters",
        ));
    }
    let ticket = Ticket {
        instrument: InstrumentId(row as u32),
        quantity: quantity.unwrap_or(Quantity::ZERO),
        notional,
        side,
        order_type: order_type(fields, class)?,
        time_in_force: time_in_force(tif)?,
        extended_hours: fields.get("extended_hours") == Some(&Value::Bool(true)),
        client_order_id,
        class,
        legs: legs(fields, class, side)?,
        intent: word(fields, "position_intent").map(str::to_owned),
    };
    check(&ticket)?;
    Ok(ticket)
}

fn notional(fields: &Fields) -> Result<Option<Money>, ApiError> {
    let Some(text) = decimal(fields, "notional")? else {
        return Ok(None);
    };
    let amount = money(&text).ok_or_else(|| ApiError::invalid("invalid notional"))?;
    if amount < Money::from_whole(1) {
        return Err(ApiError::unprocessable(
            "cost basis must be >= minimal amount of order 1",
        ));
    }
    Ok(Some(amount))
}

/// Combinations that Alpaca refuses.
fn check(ticket: &Ticket) -> Result<(), ApiError> {
    let Ticket {
        order_type,
        time_in_force: tif,
        class,
        ..
    } = *ticket;
    let is_limit = matches!(order_type, OrderType::Limit { .. });
    let stays = matches!(tif, TimeInForce::Day | TimeInForce::Gtc);
    let simple_type = is_limit || order_type == OrderType::Market;
    let fails = [
        (
            ticket.extended_hours && !(is_limit && stays),
            "extended hours order must be DAY or GTC limit orders",
        ),
        (
            !stays && !simple_type,
            "invalid time_in_force for this order type: opg, cls, ioc and fok take market and limit orders",
        ),
        (
            class != Class::Simple && !stays,
            "complex orders must be DAY or GTC orders",
        ),
        (
            class != Class::Simple && ticket.extended_hours,
            "complex orders are not supported in extended hours",
        ),
        (
            class == Class::Oco && !is_limit,
            "oco orders must be limit orders",
        ),
        (
            matches!(class, Class::Bracket | Class::Oto) && !simple_type,
            "bracket and oto entries must be market or limit orders",
        ),
    ];
    if let Some((_, message)) = fails.into_iter().find(|(fails, _)| *fails) {
        return Err(ApiError::unprocessable(message));
    }
    fractions(ticket)
}

fn fractions(ticket: &Ticket) -> Result<(), ApiError> {
    let by_amount = ticket.notional.is_some();
    let fraction = ticket.quantity.units() % 1_000_000_000 != 0;
    if !by_amount && !fraction {
        return Ok(());
    }
    let asset = &ASSETS[ticket.instrument.index()];
    let refuse = |message: &str| Err(ApiError::unprocessable(message));
    if !asset.fractionable {
        return refuse(&format!("asset \"{}\" is not fractionable", asset.symbol));
    }
    if by_amount && ticket.order_type != OrderType::Market {
        return refuse("notional orders must be market orders");
    }
    if ticket.time_in_force != TimeInForce::Day {
        return refuse("fractional orders must be DAY orders");
    }
    if ticket.class != Class::Simple {
        return refuse("fractional orders must be simple orders");
    }
    if matches!(ticket.order_type, OrderType::TrailingStop { .. }) {
        return refuse("fractional orders must not be trailing stop orders");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(body: &Value) -> Result<Ticket, ApiError> {
        ticket(body.as_object().expect("an object"))
    }

    #[test]
    fn floats_and_strings_and_nulls_read_alike() {
        let floats = read(
            &json!({"symbol": "AAPL", "qty": 10.0, "side": "buy", "type": "limit",
            "time_in_force": "day", "limit_price": 187.5, "stop_price": null}),
        );
        let strings = read(
            &json!({"symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit",
            "time_in_force": "day", "limit_price": "187.50"}),
        );
        assert!(floats.is_ok());
        assert_eq!(floats, strings);
    }

    #[test]
    fn every_refusal_has_its_code_and_words() {
        let good = json!({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
            "time_in_force": "day"});
        for (field, value, code, words) in [
            ("qty", json!("0"), 40_010_001, "qty must be > 0"),
            (
                "qty",
                json!(null),
                40_010_001,
                "qty or notional is required",
            ),
            (
                "notional",
                json!(5),
                40_010_001,
                "only one of qty or notional",
            ),
            ("side", json!("hold"), 40_010_001, "invalid side"),
            ("type", json!("magic"), 40_010_001, "invalid order type"),
            ("type", json!("limit"), 40_010_001, "require a limit price"),
            (
                "time_in_force",
                json!("gtd"),
                40_010_001,
                "invalid time_in_force",
            ),
            (
                "limit_price",
                json!(1),
                40_010_001,
                "no stop or limit price",
            ),
            (
                "symbol",
                json!("NOPE"),
                42_210_000,
                "asset \"NOPE\" not found",
            ),
            ("symbol", json!("TWTR"), 40_010_001, "is not active"),
            ("extended_hours", json!(true), 42_210_000, "extended hours"),
            (
                "order_class",
                json!("bracket"),
                40_010_001,
                "bracket orders require",
            ),
        ] {
            let mut body = good.clone();
            body[field] = value;
            let error = read(&body).expect_err(field);
            assert_eq!(error.code, Some(code), "{field}: {}", error.message);
            assert!(error.message.contains(words), "{field}: {}", error.message);
        }
    }

    #[test]
    fn prices_are_checked_as_text() {
        for (text, good) in [
            ("290.12", true),
            ("290.123", false),
            ("0.1234", true),
            ("0.12345", false),
        ] {
            let body = json!({"limit_price": text});
            let read = price(body.as_object().expect("an object"), "limit_price");
            assert_eq!(read.is_ok(), good, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(
            name in "qty|limit_price|stop_price|notional|type|side|take_profit|trail_percent",
            text in ".{0,24}",
            number in any::<f64>(),
        ) {
            let mut body = json!({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit",
                "time_in_force": "day", "limit_price": "1"});
            body[&name] = json!(text);
            let _ = read(&body);
            body[&name] = json!(number);
            let _ = read(&body);
        }
    }
}
