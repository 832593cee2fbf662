//! Records as JSON and as lines of text, with names instead of ids.
//!
//! Runs on: the offline verbs.
//! Owns: the field names of `shrike journal dump`.
//! Never: goes through `f64`: prices, quantities and money are decimal text.

use serde_json::{Map, Value, json};

use super::error::JournalError;
use super::names::Names;
use super::reader::Entry;
use super::record::Record;
use crate::types::{
    ApprovedOrder, BrokerId, ClientOrderId, ExecutionId, ExecutionReport, InstrumentId, OrderFlags,
    OrderId, OrderRequest, OrderType, Price, Refusal, ReportKind, RiskRecord, Scope, StrategyId,
    TrailingOffset,
};

/// Turns entries into text, in the order of the journal: it learns the names from the records that
/// define them.
#[derive(Debug, Default)]
pub struct Dump {
    names: Names,
}

impl Dump {
    /// Before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One entry as an object: `sequence`, `time_ns`, `type`, then its fields.
    ///
    /// # Errors
    /// [`JournalError::Names`].
    pub fn to_json(&mut self, entry: &Entry) -> Result<Value, JournalError> {
        self.names.apply(&entry.record)?;
        let mut fields = Map::new();
        fields.insert("sequence".into(), json!(entry.sequence));
        fields.insert("time_ns".into(), json!(entry.time.0));
        fields.insert("type".into(), json!(type_name(&entry.record)));
        if let Value::Object(own) = self.fields(&entry.record) {
            fields.extend(own);
        }
        Ok(Value::Object(fields))
    }

    fn fields(&self, record: &Record) -> Value {
        match record {
            Record::Boot { epoch, seed } => json!({ "epoch": epoch.get(), "seed": seed }),
            Record::Instrument { id, symbol } => json!({ "id": id.0, "symbol": symbol.as_str() }),
            Record::Broker { id, name } => json!({ "id": id.0, "name": name.as_str() }),
            Record::Strategy { id, name } => json!({ "id": id.0, "name": name.as_str() }),
            Record::Intent(approved) => self.intent(approved),
            Record::Refused(refused) => {
                merge(self.request(&refused.request), refusal(&refused.refusal()))
            }
            Record::CancelIntent(cancel) => merge(
                order_id(cancel.order_id),
                json!({ "requested_at_ns": cancel.requested_at.0 }),
            ),
            Record::CancelRefused {
                order_id: id,
                refusal: why,
            }
            | Record::ReplaceRefused {
                order_id: id,
                refusal: why,
            } => merge(order_id(*id), refusal(why)),
            Record::ReplaceIntent(replace) => merge(
                merge(order_id(replace.order_id), order_type(replace.order_type)),
                json!({
                    "quantity": replace.quantity.to_string(),
                    "risk_price": replace.risk_price.to_string(),
                    "requested_at_ns": replace.requested_at.0,
                }),
            ),
            Record::Execution(report) => self.execution(report),
            Record::Link { broker, up } => json!({ "broker": self.broker(*broker), "up": up }),
            Record::Account(account) => json!({
                "broker": self.broker(account.broker),
                "cash": account.cash.to_string(),
                "multiplier": account.multiplier.to_string(),
                "at_ns": account.at.0,
            }),
            Record::Risk(risk) => self.risk(risk),
            Record::Shutdown => json!({}),
        }
    }

    fn request(&self, request: &OrderRequest) -> Value {
        let order = &request.order;
        let flag = |flag: OrderFlags| order.flags.contains(flag);
        let common = json!({
            "strategy": self.strategy(request.strategy),
            "preferred_broker": request.preferred_broker.map(|broker| self.broker(broker)),
            "symbol": self.symbol(order.instrument),
            "side": order.side.as_str(),
            "quantity": order.quantity.to_string(),
            "time_in_force": order.time_in_force.as_str(),
            "extended_hours": flag(OrderFlags::EXTENDED_HOURS),
            "reduce_only": flag(OrderFlags::REDUCE_ONLY),
            "durable": flag(OrderFlags::DURABLE),
            "submitted_at_ns": request.submitted_at.0,
            "decision_price": price(request.decision_price),
        });
        merge(
            merge(order_id(request.order_id), common),
            order_type(order.order_type),
        )
    }

    fn intent(&self, approved: &ApprovedOrder) -> Value {
        merge(
            self.request(&approved.request),
            json!({
                "broker": self.broker(approved.broker),
                "collar": approved.collar.map(|collar| collar.to_string()),
                "risk_price": approved.risk_price.to_string(),
            }),
        )
    }

    fn execution(&self, report: &ExecutionReport) -> Value {
        let common = json!({
            "kind": kind_name(report.kind),
            "broker": self.broker(report.broker),
            "symbol": self.symbol(report.instrument),
            "side": report.side.as_str(),
            "broker_time_ns": report.broker_time.0,
        });
        let own = match report.kind {
            ReportKind::Fill => json!({
                "execution_id": execution_id(report.execution_id),
                "last_quantity": report.last_quantity.to_string(),
                "last_price": report.last_price.to_string(),
                "fee": report.fee.to_string(),
                "liquidity": report.liquidity.as_str(),
                "cumulative_quantity": report.cumulative_quantity.to_string(),
            }),
            ReportKind::Replaced | ReportKind::Status => merge(
                order_type(report.order_type),
                json!({
                    "quantity": report.quantity.to_string(),
                    "cumulative_quantity": report.cumulative_quantity.to_string(),
                }),
            ),
            ReportKind::NotSent
            | ReportKind::Rejected
            | ReportKind::CancelRejected
            | ReportKind::ReplaceRejected => json!({ "reason": report.reason.text() }),
            _ => json!({}),
        };
        merge(merge(order_id(report.order_id), common), own)
    }

    fn risk(&self, risk: &RiskRecord) -> Value {
        match risk {
            RiskRecord::TradingState {
                scope,
                state,
                cause,
                observed,
                limit,
                at,
            } => json!({
                "scope": self.scope(*scope),
                "state": state.as_str(),
                "cause": cause.map(|cause| cause.as_str()),
                "observed": micros(*observed),
                "limit": micros(*limit),
                "at_ns": at.0,
            }),
            RiskRecord::LatchesReset { at } => json!({ "at_ns": at.0 }),
            RiskRecord::StartOfDay { date, equity, at } => {
                json!({ "date": date, "equity": equity.to_string(), "at_ns": at.0 })
            }
            RiskRecord::HighWaterMark { equity, at } => {
                json!({ "equity": equity.to_string(), "at_ns": at.0 })
            }
        }
    }

    fn scope(&self, scope: Scope) -> String {
        match scope {
            Scope::Firm => "firm".to_owned(),
            Scope::Broker(broker) => format!("broker {}", self.broker(broker)),
            Scope::Strategy(strategy) => format!("strategy {}", self.strategy(strategy)),
        }
    }

    fn symbol(&self, id: InstrumentId) -> String {
        self.names
            .symbol_of(id)
            .map_or_else(|| format!("#{}", id.0), |symbol| symbol.to_string())
    }

    fn broker(&self, id: BrokerId) -> String {
        self.names
            .broker_of(id)
            .map_or_else(|| format!("#{}", id.0), str::to_owned)
    }

    fn strategy(&self, id: StrategyId) -> String {
        self.names
            .strategy_of(id)
            .map_or_else(|| format!("#{}", id.0), str::to_owned)
    }
}

/// One object as a line: `sequence time_ns type key=value ...`, absent values left out.
#[must_use]
pub fn to_line(value: &Value) -> String {
    use std::fmt::Write;
    let mut line = String::new();
    let Value::Object(fields) = value else {
        return line;
    };
    for head in ["sequence", "time_ns", "type"] {
        if let Some(value) = fields.get(head) {
            let _ = write!(
                line,
                "{}{}",
                if line.is_empty() { "" } else { " " },
                bare(value)
            );
        }
    }
    for (key, value) in fields {
        if !matches!(key.as_str(), "sequence" | "time_ns" | "type") && !value.is_null() {
            let _ = write!(line, " {key}={}", bare(value));
        }
    }
    line
}

/// Text without quotes unless it has blanks.
fn bare(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => {
            text.clone()
        }
        value => value.to_string(),
    }
}

fn merge(mut first: Value, second: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut first, second) {
        fields.extend(more);
    }
    first
}

/// Neither is there for an order that is not this engine's.
fn order_id(id: OrderId) -> Value {
    if id.epoch() == 0 || id.sequence() == 0 {
        return json!({ "order_id": null });
    }
    json!({
        "order_id": id.to_string(),
        "client_order_id": ClientOrderId::from(id).as_str(),
    })
}

fn execution_id(id: ExecutionId) -> Option<String> {
    (id != ExecutionId::NONE).then(|| id.to_string())
}

/// 0 means that there was none.
fn price(price: Price) -> Option<String> {
    price.is_positive().then(|| price.to_string())
}

fn order_type(order_type: OrderType) -> Value {
    let mut fields = Map::new();
    fields.insert("order_type".into(), json!(order_type.name().as_str()));
    if let Some(limit) = order_type.limit_price() {
        fields.insert("limit_price".into(), json!(limit.to_string()));
    }
    if let Some(stop) = order_type.stop_price() {
        fields.insert("stop_price".into(), json!(stop.to_string()));
    }
    match order_type.trailing_offset() {
        Some(TrailingOffset::Amount(amount)) => {
            fields.insert("trail_price".into(), json!(amount.to_string()));
        }
        Some(TrailingOffset::Percent(ratio)) => {
            fields.insert("trail_ratio".into(), json!(ratio.to_string()));
        }
        None => {}
    }
    Value::Object(fields)
}

fn refusal(refusal: &Refusal) -> Value {
    json!({ "code": refusal.code.as_str(), "refusal": refusal.to_string() })
}

/// Money that a risk record keeps to 10^-6.
fn micros(value: i64) -> String {
    crate::types::Money::from_units(i128::from(value) * 1_000_000_000_000).to_string()
}

/// The name of a record's type.
#[must_use]
pub const fn type_name(record: &Record) -> &'static str {
    match record {
        Record::Boot { .. } => "boot",
        Record::Instrument { .. } => "instrument",
        Record::Broker { .. } => "broker",
        Record::Strategy { .. } => "strategy",
        Record::Intent(_) => "intent",
        Record::Refused(_) => "refused",
        Record::CancelIntent(_) => "cancel_intent",
        Record::CancelRefused { .. } => "cancel_refused",
        Record::ReplaceIntent(_) => "replace_intent",
        Record::ReplaceRefused { .. } => "replace_refused",
        Record::Execution(_) => "execution",
        Record::Link { .. } => "link",
        Record::Account(_) => "account",
        Record::Risk(RiskRecord::TradingState { .. }) => "trading_state",
        Record::Risk(RiskRecord::LatchesReset { .. }) => "latches_reset",
        Record::Risk(RiskRecord::StartOfDay { .. }) => "start_of_day",
        Record::Risk(RiskRecord::HighWaterMark { .. }) => "high_water_mark",
        Record::Shutdown => "shutdown",
    }
}

const fn kind_name(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Sent => "sent",
        ReportKind::NotSent => "not_sent",
        ReportKind::Accepted => "accepted",
        ReportKind::Fill => "fill",
        ReportKind::Canceled => "canceled",
        ReportKind::Expired => "expired",
        ReportKind::Rejected => "rejected",
        ReportKind::CancelRejected => "cancel_rejected",
        ReportKind::Replaced => "replaced",
        ReportKind::ReplaceRejected => "replace_rejected",
        ReportKind::InDoubt => "in_doubt",
        ReportKind::Status => "status",
        ReportKind::NotFound => "not_found",
    }
}
