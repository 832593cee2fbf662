//! The session summary for people, as plain text.
//!
//! Runs on: whoever prints it.
//! Owns: the lines and their order.
//! Never: shows a figure that is not in the report.

use std::fmt::Write;

use super::latency::Stage;
use super::reconcile::Reconciliation;
use super::report::SessionReport;
use super::svg::duration_text;

/// The summary: several lines, each ended, at most about 100 columns.
#[must_use]
pub fn summary(report: &SessionReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "Session  {} · {} · layout {} · seed {}\n         {} to {}",
        report.trading_mode,
        report.execution_mode,
        report.layout,
        report.seed,
        report.started_at,
        report.ended_at,
    );
    orders(&mut text, report);
    money(&mut text, report);
    market(&mut text, report);
    latency(&mut text, report);
    for reconciliation in &report.reconciliation {
        let _ = writeln!(text, "{}", reconciled(reconciliation));
    }
    journal(&mut text, report);
    text
}

fn orders(text: &mut String, report: &SessionReport) {
    let orders = &report.orders;
    let _ = writeln!(
        text,
        "Orders   {} submitted = {} approved + {} refused + {} held",
        orders.submitted, orders.approved, orders.refused, orders.held,
    );
    let states = [
        ("filled", orders.filled),
        ("canceled", orders.canceled),
        ("rejected", orders.rejected),
        ("expired", orders.expired),
        ("absent", orders.absent),
        ("open", orders.open),
        ("in doubt", orders.in_doubt),
    ];
    let states: Vec<_> = states
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let _ = writeln!(text, "         approved = {}", states.join(" + "));
    if !report.recovered.orders.is_empty() {
        let _ = writeln!(
            text,
            "         {} of them carried in from the session before",
            report.recovered.orders.len()
        );
    }
    for (name, refusals) in [
        ("Refusals", &report.refusals),
        ("Changes refused", &report.change_refusals),
    ] {
        if !refusals.is_empty() {
            let codes: Vec<_> = refusals.iter().map(|(c, n)| format!("{c} {n}")).collect();
            let _ = writeln!(text, "{name:<8} {}", codes.join(", "));
        }
    }
    let fills = &report.fills;
    let _ = writeln!(
        text,
        "Fills    {} = {} buys + {} sells · quantity {} · notional {}",
        fills.count, fills.buys, fills.sells, fills.quantity, fills.notional,
    );
    let slippage = &report.slippage_bps;
    if let (Some(mean), Some(p50), Some(p99)) = (slippage.mean, slippage.p50, slippage.p99) {
        let _ = writeln!(
            text,
            "         slippage {mean:.2} bps mean, {p50:.2} p50, {p99:.2} p99 (cost is positive)"
        );
    }
}

fn money(text: &mut String, report: &SessionReport) {
    let pnl = &report.pnl;
    let _ = writeln!(
        text,
        "P&L      realized {} · unrealized {} · fees {} · equity {} · cash {}",
        pnl.realized, pnl.unrealized, pnl.fees, pnl.equity, pnl.cash,
    );
    for position in &report.positions {
        let market = match position.market_price {
            Some(price) => format!("marked {price}, unrealized {}", position.unrealized),
            None => "never marked, valued at cost".to_owned(),
        };
        let average = position.average_price.unwrap_or_default();
        let _ = writeln!(
            text,
            "         {} {} {} at {average}, {market}",
            position.broker, position.symbol, position.quantity,
        );
    }
}

/// Said only where rows were wrong: which, with file and line.
fn market(text: &mut String, report: &SessionReport) {
    let market = &report.market;
    if market.bad_rows > 0 {
        let _ = writeln!(
            text,
            "Market   {} rows, {} of them bad and skipped; the first:",
            market.rows, market.bad_rows
        );
        for row in &market.first_bad_rows {
            let _ = writeln!(text, "         {row}");
        }
    }
}

fn latency(text: &mut String, report: &SessionReport) {
    let _ = writeln!(
        text,
        "Latency  {:<9}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "stage", "count", "p50", "p90", "p99", "p99.9", "max"
    );
    for stage in Stage::ALL {
        let summary = report
            .latency_ns
            .get(stage.as_str())
            .copied()
            .unwrap_or_default();
        let shown = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), duration_text);
        let _ = writeln!(
            text,
            "         {:<9}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            stage.as_str(),
            summary.count,
            shown(summary.p50),
            shown(summary.p90),
            shown(summary.p99),
            shown(summary.p99_9),
            shown(summary.max),
        );
    }
}

/// One broker's line: all equal, or what is not.
fn reconciled(found: &Reconciliation) -> String {
    let broker = &found.broker;
    if found.equal {
        return format!(
            "Account  {broker}: reconciled: cash {}, {} positions, {} open orders are equal",
            found.cash.broker, found.positions.broker, found.open_orders.broker,
        );
    }
    let mut line = format!("Account  {broker}: NOT RECONCILED:");
    if !found.cash.equal {
        let (engine, broker) = (found.cash.engine, found.cash.broker);
        let _ = write!(line, " cash {engine} here, {broker} there;");
    }
    for difference in &found.positions.differences {
        let (symbol, engine) = (&difference.symbol, difference.engine);
        let _ = write!(
            line,
            " {symbol} {engine} here, {} there;",
            difference.broker
        );
    }
    if !found.open_orders.equal {
        let here = found.open_orders.only_engine.join(" ");
        let there = found.open_orders.only_broker.join(" ");
        let _ = write!(
            line,
            " open orders only here [{here}], only there [{there}];"
        );
    }
    line.pop();
    line
}

fn journal(text: &mut String, report: &SessionReport) {
    let journal = &report.journal;
    let _ = writeln!(
        text,
        "Journal  {} records, {} bytes, durable to {} · {} events, {} dropped",
        journal.records,
        journal.bytes,
        journal.durable_sequence,
        report.events,
        report.irregularities.events_dropped,
    );
    let odd = &report.irregularities;
    let odd: Vec<_> = [
        ("repeated executions", odd.duplicate_executions),
        ("unexpected fills", odd.unexpected_fills),
        ("fills of unknown orders", odd.foreign_fills),
        ("reports of unknown orders", odd.foreign_reports),
        ("anomalies", odd.anomalies),
        ("fills beyond the books", odd.overflows),
        ("repeated order ids", odd.repeated_ids),
        ("positions without a mark", odd.unmarked_positions),
        ("accounts not known", odd.unknown_accounts),
    ]
    .iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| format!("{count} {name}"))
    .collect();
    if !odd.is_empty() {
        let _ = writeln!(text, "Note     {}", odd.join(", "));
    }
    let rings: Vec<_> = report
        .rings
        .iter()
        .filter(|ring| ring.high_water_mark > 0 || ring.refused > 0)
        .map(|ring| {
            let refused = match ring.refused {
                0 => String::new(),
                refused => format!(" ({refused} refused)"),
            };
            format!(
                "{} {}/{}{refused}",
                ring.name, ring.high_water_mark, ring.capacity
            )
        })
        .collect();
    if !rings.is_empty() {
        let _ = writeln!(text, "Rings    most waiting: {}", rings.join(", "));
    }
}
