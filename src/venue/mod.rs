//! Simulated brokers on real sockets: what a client is rehearsed and proven against.
//!
//! Runs on: one thread of its own a venue; nothing of the engine runs there.
//! Owns: the settings of a venue and its life.
//! Never: touches the engine: a venue sees what a client sends, nothing else.
//!
//! The broker's rules are a synchronous core over [`crate::sim`]; the wire around it is axum on a tokio runtime. The
//! core takes `now` and requests and gives answers and events, so that its tests need neither clock nor socket.
//!
//! # Where it is stricter or simpler than Alpaca
//!
//! - Fills are deterministic: never more than the displayed size, no partial fills at random.
//! - Stops elect on quotes, as Alpaca's paper accounts do; a buy stop stays a stop.
//! - The market data has no history: the latest quote, trade and bar only.
//! - An order for an auction is not refused for its hour: it waits for the next one.
//! - One account; options, crypto and multi-leg orders are not traded.

pub mod alpaca;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::market::calendar::CalendarError;

/// When the venue trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hours {
    /// Always.
    #[default]
    Always,
    /// As the New York Stock Exchange.
    Real,
}

/// Where quotes come from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Market {
    /// From `POST /_venue/quote` alone.
    #[default]
    Manual,
    /// A random walk of the venue's own, by its seed.
    Synthetic,
    /// From a file: `milliseconds,symbol,bid,ask,bid_size,ask_size` a line.
    File(PathBuf),
}

/// What a venue is made from.
#[derive(Clone, Debug)]
pub struct VenueSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The key that clients must show.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// Of everything random: ids and the synthetic market.
    pub seed: u64,
    /// Where quotes come from.
    pub market: Market,
    /// When it trades.
    pub hours: Hours,
    /// Requests a minute; `None` never refuses.
    pub rate_limit: Option<u32>,
    /// Whether `/_venue/*` answers.
    pub admin: bool,
    /// A file that keeps orders and quotes over a restart; a manual market only.
    pub state: Option<PathBuf>,
}

/// Why a venue did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VenueError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Threads or sockets cannot be made.
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    /// A file of quotes or of state cannot be read.
    #[error("{path}, line {line}: {cause}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Where, from 1; 0 for the file as a whole.
        line: usize,
        /// Why.
        cause: String,
    },
    /// Quotes that come by themselves cannot be kept.
    #[error("a state file needs a manual market")]
    StateOfMarket,
    /// The sessions cannot be computed.
    #[error("no calendar: {0}")]
    Calendar(#[from] CalendarError),
}
