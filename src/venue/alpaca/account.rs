//! The account, its configurations, and the history of its equity.
//!
//! Runs on: whoever owns the core.
//! Owns: the sums that Alpaca shows of cash and positions.
//! Never: shows the fields that Alpaca removed in July 2026.

use serde_json::{Value, json};

use super::assets::ASSETS;
use super::core::Core;
use super::error::ApiError;
use super::json::{cents, instant, number, parse_instant, ratio, uuid};
use super::request::{Answer, Reply, Request};
use crate::types::{InstrumentId, Money, Nanos, Price, Ratio};

/// What the user may set.
#[derive(Clone, Debug)]
pub struct Configurations {
    /// `all` or `none`.
    pub trade_confirm_email: String,
    /// No new orders.
    pub suspend_trade: bool,
    /// No short sales.
    pub no_shorting: bool,
    /// Parts of shares may be traded.
    pub fractional_trading: bool,
    /// `1`, `2` or `4`.
    pub max_margin_multiplier: String,
    /// 0 to 3.
    pub max_options_trading_level: Option<u64>,
    /// Partnerships may be bought.
    pub ptp_no_exception_entry: bool,
}

impl Default for Configurations {
    fn default() -> Self {
        Self {
            trade_confirm_email: "all".to_owned(),
            suspend_trade: false,
            no_shorting: false,
            fractional_trading: true,
            max_margin_multiplier: "2".to_owned(),
            max_options_trading_level: None,
            ptp_no_exception_entry: false,
        }
    }
}

impl Configurations {
    fn to_json(&self) -> Value {
        json!({
            "dtbp_check": null,
            "pdt_check": null,
            "trade_confirm_email": self.trade_confirm_email,
            "suspend_trade": self.suspend_trade,
            "no_shorting": self.no_shorting,
            "fractional_trading": self.fractional_trading,
            "max_margin_multiplier": self.max_margin_multiplier,
            "max_options_trading_level": self.max_options_trading_level,
            "ptp_no_exception_entry": self.ptp_no_exception_entry,
        })
    }
}

/// Long value, short value (below zero) and what they need as margin.
struct Sums {
    long: Money,
    short: Money,
}

impl Core {
    /// The price that positions are valued at.
    pub(super) fn mark(&self, instrument: InstrumentId) -> Price {
        self.quotes[instrument.index()].midpoint()
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums {
            long: Money::ZERO,
            short: Money::ZERO,
        };
        for row in 0..ASSETS.len() {
            let instrument = InstrumentId(row as u32);
            let quantity = self.exchange.position(instrument).quantity;
            let value = self.mark(instrument).notional(quantity);
            if value.is_negative() {
                sums.short += value;
            } else {
                sums.long += value;
            }
        }
        sums
    }

    /// `GET /v2/account`.
    ///
    /// # Errors
    /// None.
    pub fn account(&self) -> Answer {
        let Sums { long, short } = self.sums();
        let cash = self.exchange.cash();
        let equity = cash + long + short;
        let gross = long - short;
        let share = |percent: i64| {
            gross
                .fraction(Ratio::from_units(percent * 10_000_000))
                .unwrap_or(gross)
        };
        let power = self.exchange.buying_power();
        let plain = power.fraction(Ratio::from_units(500_000_000));
        Ok(Reply::ok(json!({
            "id": uuid(self.account_id),
            "account_number": "PA3SHRIKE001",
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "cash": cents(cash),
            "portfolio_value": cents(equity),
            "equity": cents(equity),
            "last_equity": cents(self.cash_at_start),
            "buying_power": cents(power),
            "regt_buying_power": cents(power),
            "effective_buying_power": cents(power),
            "non_marginable_buying_power": cents(plain.unwrap_or(power)),
            "options_buying_power": cents(plain.unwrap_or(power)),
            "long_market_value": cents(long),
            "short_market_value": cents(short),
            "position_market_value": cents(gross),
            "initial_margin": cents(share(50)),
            "maintenance_margin": cents(share(30)),
            "last_maintenance_margin": "0",
            "sma": cents(self.cash_at_start),
            "multiplier": "2",
            "accrued_fees": "0",
            "pending_transfer_in": "0",
            "pending_transfer_out": "0",
            "trading_blocked": false,
            "transfers_blocked": false,
            "account_blocked": false,
            "trade_suspended_by_user": self.configurations.suspend_trade,
            "shorting_enabled": !self.configurations.no_shorting,
            "created_at": instant(self.started),
            "balance_asof": instant(self.started).get(..10),
            "options_approved_level": 0,
            "options_trading_level": 0,
            "crypto_tier": 0,
            "admin_configurations": {},
            "user_configurations": null,
        })))
    }

    /// `GET /v2/account/configurations`.
    ///
    /// # Errors
    /// None.
    pub fn configurations(&self) -> Answer {
        Ok(Reply::ok(self.configurations.to_json()))
    }

    /// `PATCH /v2/account/configurations`: absent and null fields stay as they are.
    ///
    /// # Errors
    /// 400 or 422 with what is wrong.
    pub fn set_configurations(&mut self, request: &Request) -> Answer {
        let fields = request.object()?;
        let mut new = self.configurations.clone();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let wrong = || ApiError::invalid(format!("invalid {name}"));
            let flag = || value.as_bool().ok_or_else(wrong);
            match name.as_str() {
                "trade_confirm_email" => {
                    new.trade_confirm_email = one_of(value, &["all", "none"]).ok_or_else(wrong)?;
                }
                "max_margin_multiplier" => {
                    new.max_margin_multiplier =
                        one_of(value, &["1", "2", "4"]).ok_or_else(wrong)?;
                }
                "suspend_trade" => new.suspend_trade = flag()?,
                "no_shorting" => new.no_shorting = flag()?,
                "fractional_trading" => new.fractional_trading = flag()?,
                "ptp_no_exception_entry" => new.ptp_no_exception_entry = flag()?,
                "max_options_trading_level" => {
                    let level = value.as_u64().filter(|level| *level <= 3);
                    new.max_options_trading_level = Some(level.ok_or_else(wrong)?);
                }
                _ => {}
            }
        }
        self.configurations = new;
        self.configurations()
    }

    /// `GET /v2/account/portfolio/history`: a point at the start and one now.
    ///
    /// # Errors
    /// 422 for a time frame or an instant that cannot be read.
    pub fn portfolio_history(&self, request: &Request) -> Answer {
        let timeframe = request.field("timeframe").unwrap_or("1D");
        let step: u64 = match timeframe {
            "1Min" => 60,
            "5Min" => 300,
            "15Min" => 900,
            "1H" => 3_600,
            "1D" => 86_400,
            _ => return Err(ApiError::invalid("invalid timeframe")),
        };
        for name in ["start", "end"] {
            if request
                .field(name)
                .is_some_and(|text| parse_instant(text).is_none())
            {
                return Err(ApiError::invalid(format!("invalid {name}")));
            }
        }
        let seconds = |at: Nanos| at.0 / 1_000_000_000 / step * step;
        let base = self.cash_at_start;
        let Sums { long, short } = self.sums();
        let equity = self.exchange.cash() + long + short;
        let rounded = |money: Money| number(money.rounded());
        let gain = equity - base;
        Ok(Reply::ok(json!({
            "timestamp": [seconds(self.started).saturating_sub(step), seconds(self.now)],
            "equity": [rounded(base), rounded(equity)],
            "profit_loss": [number(0), rounded(gain)],
            "profit_loss_pct": [number(0), number(ratio(gain, base))],
            "base_value": rounded(base),
            "base_value_asof": instant(self.started).get(..10),
            "timeframe": timeframe,
            "cashflow": {},
        })))
    }
}

fn one_of(value: &Value, words: &[&str]) -> Option<String> {
    let text = super::json::plain(value)?;
    words.contains(&text.as_str()).then_some(text)
}
