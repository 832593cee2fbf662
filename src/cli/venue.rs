//! `shrike venue`: a simulated broker on a socket, for rehearsals and tests.
//!
//! Runs on: the main thread, which waits; the venue has its own.
//! Owns: the verb's arguments and its one line of output.
//! Never: holds a rule of the broker.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{FAILED, complain, say};
use crate::venue::{Hours, Market, VenueSettings, alpaca};

/// Which broker.
#[derive(Debug, clap::Subcommand)]
pub(super) enum VenueVerb {
    /// A simulated Alpaca: trading, market data and both streams on one port.
    Alpaca(AlpacaArguments),
}

/// Arguments of `shrike venue alpaca`.
#[derive(Debug, clap::Args)]
pub(super) struct AlpacaArguments {
    /// Where to listen; port 0 takes a free one, and the address is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The key that clients must show.
    #[arg(long)]
    key: String,
    /// Its secret.
    #[arg(long)]
    secret: String,
    /// Seed of ids and of the synthetic market.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where quotes come from: manual (POST /_venue/quote), synthetic, or a file of quotes.
    #[arg(long, default_value = "manual", value_parser = market)]
    market: Market,
    /// When the market is open: always, or real (as the NYSE).
    #[arg(long, default_value = "always", value_parser = hours)]
    hours: Hours,
    /// Requests a minute, or off.
    #[arg(long, value_name = "N|off", default_value = "200", value_parser = rate_limit)]
    rate_limit: RateLimit,
    /// Answer /_venue/quote, /_venue/fault and /_venue/ledger, without credentials.
    #[arg(long)]
    admin: bool,
    /// Keep orders and quotes in this file, so that a venue that was killed comes back as it was.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Requests a minute, if they are limited.
#[derive(Clone, Copy, Debug)]
struct RateLimit(Option<u32>);

/// Runs a venue until the process is ended; the exit code is the process's.
pub(super) fn venue(verb: VenueVerb) -> u8 {
    let VenueVerb::Alpaca(arguments) = verb;
    let settings = VenueSettings {
        listen: arguments.listen,
        key: arguments.key,
        secret: arguments.secret,
        seed: arguments.seed,
        market: arguments.market,
        hours: arguments.hours,
        rate_limit: arguments.rate_limit.0,
        admin: arguments.admin,
        state: arguments.state,
    };
    match alpaca::serve(settings) {
        Ok(handle) => {
            say(&format!("alpaca venue listening on {}", handle.address()));
            handle.wait();
            0
        }
        Err(error) => {
            complain(&error);
            FAILED
        }
    }
}

fn market(text: &str) -> Result<Market, String> {
    Ok(match text {
        "manual" => Market::Manual,
        "synthetic" => Market::Synthetic,
        file => Market::File(file.into()),
    })
}

fn hours(text: &str) -> Result<Hours, String> {
    match text {
        "always" => Ok(Hours::Always),
        "real" => Ok(Hours::Real),
        _ => Err("always or real expected".to_owned()),
    }
}

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    if text == "off" {
        return Ok(RateLimit(None));
    }
    let limit = text.parse::<u32>().ok().filter(|limit| *limit > 0);
    limit
        .map(|limit| RateLimit(Some(limit)))
        .ok_or_else(|| "a number above 0, or off, expected".to_owned())
}
