//! What the venue lists, and when it trades: assets, clock, calendar.
//!
//! Runs on: whoever owns the core.
//! Owns: the assets' ids and properties and the quotes that a manual market opens with.
//! Never: changes after start.

use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::core::Core;
use super::error::ApiError;
use super::json::{instant, parse_uuid, timestamp, uuid};
use super::request::{Answer, Reply, Request};
use crate::market::TradingDay;
use crate::market::calendar::{new_york, nyse_day};
use crate::types::{Nanos, SessionPhase};

/// One asset.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its id.
    pub id: u128,
    /// Its ticker.
    pub symbol: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Where it is listed.
    pub exchange: &'static str,
    /// Whether it trades.
    pub tradable: bool,
    /// Whether it may be sold short.
    pub shortable: bool,
    /// Whether parts of a share trade.
    pub fractionable: bool,
    /// The quote at the start: bid and ask.
    pub quote: [&'static str; 2],
}

const fn asset(
    symbol: &'static str,
    name: &'static str,
    exchange: &'static str,
    quote: [&'static str; 2],
) -> Asset {
    Asset {
        id: id_of(symbol),
        symbol,
        name,
        exchange,
        tradable: true,
        shortable: true,
        fractionable: true,
        quote,
    }
}

/// An id that follows from the symbol (FNV-1a, twice), shaped as a version 4 UUID.
const fn id_of(symbol: &str) -> u128 {
    let bytes = symbol.as_bytes();
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mut at = 0;
    while at < bytes.len() * 2 {
        hash ^= bytes[at % bytes.len()] as u128;
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        at += 1;
    }
    version_4(hash)
}

/// Sets the bits that make a number a version 4 UUID.
#[must_use]
pub const fn version_4(number: u128) -> u128 {
    number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
}

/// What is listed. `FAKEPACA` is the test feed's; the last ones each lack something, for tests of refusals.
pub const ASSETS: &[Asset] = &[
    Asset {
        id: 0xb0b6_dd9d_8b9b_48a9_ba46_b9d5_4906_e415,
        ..asset(
            "AAPL",
            "Apple Inc. Common Stock",
            "NASDAQ",
            ["187.48", "187.5"],
        )
    },
    asset(
        "MSFT",
        "Microsoft Corporation Common Stock",
        "NASDAQ",
        ["429.98", "430"],
    ),
    asset(
        "SPY",
        "SPDR S&P 500 ETF Trust",
        "ARCA",
        ["590.01", "590.02"],
    ),
    asset(
        "IBM",
        "International Business Machines",
        "NYSE",
        ["220.1", "220.14"],
    ),
    asset(
        "TSLA",
        "Tesla, Inc. Common Stock",
        "NASDAQ",
        ["249.95", "250.05"],
    ),
    asset(
        "NVDA",
        "NVIDIA Corporation Common Stock",
        "NASDAQ",
        ["139.99", "140"],
    ),
    asset(
        "AMZN",
        "Amazon.com, Inc. Common Stock",
        "NASDAQ",
        ["199.98", "200"],
    ),
    asset("GOOG", "Alphabet Inc. Class C", "NASDAQ", ["169.98", "170"]),
    asset("QQQ", "Invesco QQQ Trust", "NASDAQ", ["499.99", "500"]),
    asset("F", "Ford Motor Company", "NYSE", ["10.99", "11"]),
    asset("FAKEPACA", "Test feed", "NASDAQ", ["133.85", "134"]),
    asset(
        "PENY",
        "A Share Below One Dollar",
        "NASDAQ",
        ["0.5001", "0.5003"],
    ),
    Asset {
        shortable: false,
        ..asset("NOSHORT", "Hard To Borrow Inc.", "NYSE", ["25", "25.02"])
    },
    Asset {
        fractionable: false,
        ..asset(
            "BRK.A",
            "Berkshire Hathaway Class A",
            "NYSE",
            ["7000", "7001"],
        )
    },
    Asset {
        tradable: false,
        ..asset("TWTR", "Delisted Inc.", "NYSE", ["53.69", "53.7"])
    },
];

impl Asset {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": uuid(self.id),
            "class": "us_equity",
            "exchange": self.exchange,
            "symbol": self.symbol,
            "name": self.name,
            "status": if self.tradable { "active" } else { "inactive" },
            "tradable": self.tradable,
            "marginable": true,
            "shortable": self.shortable,
            "easy_to_borrow": self.shortable,
            "borrow_status": if self.shortable { "easy_to_borrow" } else { "not_borrowable" },
            "fractionable": self.fractionable,
            "maintenance_margin_requirement": 30,
            "margin_requirement_long": "30",
            "margin_requirement_short": "100",
            "attributes": if self.fractionable { json!(["fractional_eh_enabled"]) } else { json!([]) },
        })
    }
}

/// The row of an asset by symbol or id.
#[must_use]
pub fn find(symbol_or_id: &str) -> Option<usize> {
    let id = parse_uuid(symbol_or_id);
    ASSETS
        .iter()
        .position(|asset| asset.symbol == symbol_or_id || Some(asset.id) == id)
}

/// `GET /v2/assets`.
///
/// # Errors
/// None.
pub fn list(request: &Request) -> Answer {
    let status = request.field("status");
    let exchange = request.field("exchange");
    let class = request.field("asset_class").unwrap_or("us_equity");
    let rows = ASSETS
        .iter()
        .filter(|asset| match status {
            Some("active") => asset.tradable,
            Some("inactive") => !asset.tradable,
            _ => true,
        })
        .filter(|asset| exchange.is_none_or(|wanted| wanted == asset.exchange))
        .filter(|_| class == "us_equity")
        .map(Asset::to_json)
        .collect();
    Ok(Reply::ok(Value::Array(rows)))
}

/// `GET /v2/assets/{symbol or id}`.
///
/// # Errors
/// 404.
pub fn one(name: &str) -> Answer {
    find(name)
        .map(|row| Reply::ok(ASSETS[row].to_json()))
        .ok_or_else(|| ApiError::not_found(format!("asset not found for {name}")))
}

/// `GET /v2/calendar`: NYSE sessions from `start` to `end`, both included.
///
/// # Errors
/// 422 for dates that cannot be read.
pub fn calendar(request: &Request) -> Answer {
    let read = |name: &str, default: Date| match request.field(name) {
        None => Ok(default),
        Some(text) => text
            .get(..10)
            .unwrap_or(text)
            .parse::<Date>()
            .map_err(|_| ApiError::invalid(format!("invalid {name} date"))),
    };
    let start = read("start", date(1970, 1, 1))?.max(date(1970, 1, 1));
    let end = read("end", date(2029, 12, 31))?.min(date(2029, 12, 31));
    let mut rows = Vec::new();
    let mut day = start;
    while day <= end {
        let (close, late) = match nyse_day(day) {
            TradingDay::Closed => ("", ""),
            TradingDay::Full => ("16:00", "2000"),
            TradingDay::Half => ("13:00", "1700"),
        };
        let Ok(next) = day.tomorrow() else { break };
        if !close.is_empty() {
            rows.push(json!({
                "date": day.to_string(),
                "open": "09:30",
                "close": close,
                "session_open": "0400",
                "session_close": late,
                "settlement_date": settlement(day).to_string(),
            }));
        }
        day = next;
    }
    Ok(Reply::ok(Value::Array(rows)))
}

/// The next trading day: T+1.
fn settlement(day: Date) -> Date {
    let mut next = day;
    for _ in 0..10 {
        next = next.tomorrow().unwrap_or(next);
        if nyse_day(next) != TradingDay::Closed {
            break;
        }
    }
    next
}

impl Core {
    /// `GET /v2/clock`, in New York's time.
    ///
    /// # Errors
    /// None.
    pub fn clock(&mut self) -> Answer {
        let now = self.now;
        let is_open = self.schedule.phase(now) == SessionPhase::Regular;
        let windows = self.schedule.windows();
        let next_open = windows
            .iter()
            .map(|window| window.open)
            .find(|at| *at > now);
        let next_close = windows
            .iter()
            .map(|window| window.close)
            .find(|at| *at > now);
        Ok(Reply::ok(json!({
            "timestamp": new_york_time(now),
            "is_open": is_open,
            "next_open": next_open.map(new_york_time),
            "next_close": next_close.map(new_york_time),
        })))
    }
}

fn new_york_time(at: Nanos) -> String {
    match (timestamp(at), new_york()) {
        (Some(at), Ok(zone)) => {
            let offset = zone.to_offset(at);
            at.display_with_offset(offset).to_string()
        }
        _ => instant(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_by_symbol_and_by_id() {
        for (row, asset) in ASSETS.iter().enumerate() {
            assert_eq!(find(asset.symbol), Some(row));
            assert_eq!(find(&uuid(asset.id)), Some(row));
        }
        assert_eq!(find("NOPE"), None);
    }

    #[test]
    fn the_calendar_leaves_out_holidays_and_shortens_half_days() {
        let request = Request::new(
            "GET",
            "/v2/calendar",
            "start=2026-11-25&end=2026-11-30",
            Vec::new(),
        );
        let body = calendar(&request).expect("an answer").body.expect("a body");
        let days: Vec<(&str, &str)> = body
            .as_array()
            .expect("rows")
            .iter()
            .filter_map(|row| Some((row["date"].as_str()?, row["close"].as_str()?)))
            .collect();
        let expected = [
            ("2026-11-25", "16:00"),
            ("2026-11-27", "13:00"),
            ("2026-11-30", "16:00"),
        ];
        assert_eq!(days, expected);
    }
}
