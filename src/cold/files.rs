//! The files of a session report.
//!
//! Runs on: whoever writes a report, after the engine has stopped or on a cold thread.
//! Owns: `session.json`, `orders.csv`, `fills.csv`, `latency-<stage>.hgrm`, `latency.svg`.
//! Never: leaves half a file under a report's name: each is written aside, synced and renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::hgrm::percentile_distribution;
use super::latency::{Stage, StageLatency};
use super::ledger::{FillRow, LedgerOrder};
use super::report::{Names, Session};
use super::svg::percentile_plot;
use crate::types::{ClientOrderId, OrderId};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The directory is not there and could not be made.
    #[error("cannot create the report directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes `content` to `path` by way of a file beside it, synced and then renamed.
///
/// # Errors
/// [`ReportError::File`]; an older file of that name is left as it was then.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), ReportError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let aside = path.with_file_name(name);
    let written = File::create(&aside)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, path));
    written.map_err(|source| {
        // What cannot be removed either is no more than a hidden leftover.
        let _ = fs::remove_file(&aside);
        ReportError::File {
            path: path.to_owned(),
            source,
        }
    })
}

/// Writes the `.hgrm` files of every stage and the plot into a directory, which is made if it is
/// missing.
///
/// # Errors
/// [`ReportError`] with the path.
pub fn write_latency(dir: &Path, latency: &StageLatency, title: &str) -> Result<(), ReportError> {
    create(dir)?;
    for stage in Stage::ALL {
        let text = percentile_distribution(latency.histogram(stage));
        let name = format!("latency-{}.hgrm", stage.as_str());
        write_atomically(&dir.join(name), text.as_bytes())?;
    }
    let plot = percentile_plot(latency, title);
    write_atomically(&dir.join("latency.svg"), plot.as_bytes())
}

fn create(dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(|source| ReportError::Directory {
        path: dir.to_owned(),
        source,
    })
}

impl Session {
    /// Writes every file of the report into a directory, which is made if it is missing;
    /// `session.json` last, so that where it is, the rest is.
    ///
    /// # Errors
    /// [`ReportError`] with the path.
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        create(dir)?;
        let in_file = |name: &str| {
            let path = dir.join(name);
            move |source| ReportError::File { path, source }
        };
        let orders = self.orders_csv().map_err(in_file("orders.csv"))?;
        write_atomically(&dir.join("orders.csv"), &orders)?;
        let fills = self.fills_csv().map_err(in_file("fills.csv"))?;
        write_atomically(&dir.join("fills.csv"), &fills)?;
        let title = format!("Shrike latency by stage, layout {}", self.report.layout);
        write_latency(dir, &self.latency, &title)?;
        let mut json = serde_json::to_vec_pretty(&self.report)
            .map_err(io::Error::from)
            .map_err(in_file("session.json"))?;
        json.push(b'\n');
        write_atomically(&dir.join("session.json"), &json)
    }

    /// `orders.csv`: one row an order id, by order id.
    ///
    /// # Errors
    /// Those of the writer, of which there are none in memory.
    pub fn orders_csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(ORDER_COLUMNS)?;
        for order in &self.orders {
            writer.write_record(order_row(order, &self.names))?;
        }
        writer.into_inner().map_err(|error| error.into_error())
    }

    /// `fills.csv`: one row an execution, in journal order.
    ///
    /// # Errors
    /// As [`orders_csv`](Self::orders_csv).
    pub fn fills_csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(FILL_COLUMNS)?;
        for fill in &self.fills {
            writer.write_record(fill_row(fill, &self.names))?;
        }
        writer.into_inner().map_err(|error| error.into_error())
    }
}

/// The columns of `orders.csv`.
pub const ORDER_COLUMNS: [&str; 16] = [
    "time_ns",
    "order_id",
    "client_order_id",
    "broker",
    "strategy",
    "symbol",
    "side",
    "type",
    "time_in_force",
    "quantity",
    "limit_price",
    "stop_price",
    "status",
    "filled_quantity",
    "average_price",
    "refusal",
];

/// The columns of `fills.csv`.
pub const FILL_COLUMNS: [&str; 11] = [
    "time_ns",
    "order_id",
    "client_order_id",
    "execution_id",
    "broker",
    "symbol",
    "side",
    "quantity",
    "price",
    "fee",
    "liquidity",
];

fn order_row(order: &LedgerOrder, names: &Names) -> [String; 16] {
    let asked = &order.request.order;
    let state = &order.state;
    let text = |price: Option<crate::types::Price>| {
        price.map(|price| price.to_string()).unwrap_or_default()
    };
    let (status, refusal) = match order.refusal {
        Some(refusal) => ("refused", refusal.code.as_str()),
        None => (state.status().as_str(), order.reject.text()),
    };
    [
        order.request.submitted_at.to_string(),
        order.request.order_id.to_string(),
        ClientOrderId::from(order.request.order_id).to_string(),
        order.broker.map(|id| names.broker(id)).unwrap_or_default(),
        names.strategy(order.request.strategy),
        names.symbol(asked.instrument),
        asked.side.as_str().to_owned(),
        order.order_type.name().as_str().to_owned(),
        asked.time_in_force.as_str().to_owned(),
        state.quantity().to_string(),
        text(order.order_type.limit_price()),
        text(order.order_type.stop_price()),
        status.to_owned(),
        state.filled().to_string(),
        text(state.value().per_unit(state.filled())),
        refusal.to_owned(),
    ]
}

fn fill_row(fill: &FillRow, names: &Names) -> [String; 11] {
    let known = fill.order_id != OrderId::default();
    let (id, client_id) = if known {
        let client_id = ClientOrderId::from(fill.order_id);
        (fill.order_id.to_string(), client_id.to_string())
    } else {
        (String::new(), String::new())
    };
    [
        fill.time.to_string(),
        id,
        client_id,
        fill.execution_id.to_string(),
        names.broker(fill.broker),
        names.symbol(fill.instrument),
        fill.side.as_str().to_owned(),
        fill.quantity.to_string(),
        fill.price.to_string(),
        fill.fee.to_string(),
        fill.liquidity.as_str().to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.txt");
        write_atomically(&path, b"one").expect("writes");
        write_atomically(&path, b"two").expect("replaces");
        assert_eq!(fs::read(&path).expect("reads"), b"two");
        let blocked = dir.path().join("taken");
        fs::create_dir_all(blocked.join("by something")).expect("a directory in the way");
        let error = write_atomically(&blocked, b"x").expect_err("cannot replace it");
        assert!(error.to_string().contains("taken"), "{error}");
        let names: Vec<_> = fs::read_dir(dir.path())
            .expect("lists")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names.len(), 2, "nothing left aside: {names:?}");
    }

    #[test]
    fn a_report_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, b"").expect("writes");
        let error = write_latency(&file.join("deeper"), &StageLatency::new(), "t");
        assert!(
            matches!(error, Err(ReportError::Directory { path, .. }) if path.ends_with("deeper"))
        );
    }
}
