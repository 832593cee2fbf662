//! Archives of exchange ticks in the layout of QuantConnect's LEAN.
//!
//! Runs on: the thread that polls the feed; opening and each change of day unpack a day's files.
//! Owns: one unpacked file a symbol, day and kind, and their merging in order of time.
//! Never: reorders the rows of a file, or passes on a row marked as suspicious.
//!
//! Files are `<root>/<symbol>_<YYYYMMDD>_<quote|trade>.zip` or
//! `<root>/<symbol>/<YYYYMMDD>_<quote|trade>.zip` in lower case, each with one headerless CSV
//! member. Rows of several files are merged by time; at equal times all quotes come before all
//! trades, then symbols follow the order of the settings, and each file keeps its own order.
//!
//! A quote row renews one side: the book after it has the latest bid and the latest ask of that
//! day, so the first rows of a day are one-sided, and a half-updated pair may cross the book for
//! one row.

mod files;
mod row;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

pub use files::{FileKind, MAX_MEMBER_BYTES};

use super::calendar::{TradingDay, nyse_day};
use super::day::{DateRange, DayClock};
use super::rows::{BadRowReason, FileAudit, RowCounts};
use super::{MarketError, MarketSource};
use crate::types::{
    BookSide, InstrumentId, MarketUpdate, Nanos, Quote, QuoteUpdate, Symbol, TradeUpdate,
};

/// What to do about trade files. Quote files are always required.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TradeFiles {
    /// Read those that exist.
    #[default]
    IfPresent,
    /// A missing one is an error.
    Required,
    /// Quotes only.
    Ignored,
}

/// What to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeanSettings {
    /// Directory of the archive.
    pub root: PathBuf,
    /// Symbols and their rows in the instrument table, in the order that breaks ties.
    pub symbols: Vec<(Symbol, InstrumentId)>,
    /// Days to read. Days on which the NYSE is closed may be missing.
    pub dates: DateRange,
    /// What to do about trade files.
    pub trades: TradeFiles,
}

/// One file to be read.
#[derive(Debug)]
struct Plan {
    path: PathBuf,
    symbol: Symbol,
    instrument: InstrumentId,
    date: Date,
    kind: FileKind,
}

/// A source over an archive. Finite.
#[derive(Debug)]
pub struct LeanSource {
    /// The files of each day, the last day first; those of a day in order of precedence.
    days: Vec<Vec<Plan>>,
    lanes: Vec<Lane>,
    /// Time of the next row of each lane that has one, and the lane.
    heads: BinaryHeap<Reverse<(Nanos, usize)>>,
    counts: RowCounts,
    start: Option<Nanos>,
    paths: Vec<PathBuf>,
    /// Found while reading ahead: returned after the row before it.
    error: Option<MarketError>,
}

impl LeanSource {
    /// Finds every file, checks every zip's directory and unpacks the first day.
    ///
    /// # Errors
    /// [`MarketError`]: settings without a symbol or with one twice, a directory or file that
    /// cannot be read, no data for a symbol or a date, a zip that is damaged or holds something
    /// else, too many bad rows at once.
    pub fn open(settings: &LeanSettings) -> Result<Self, MarketError> {
        check(settings)?;
        let mut days = Vec::new();
        for date in settings.dates.days() {
            let plans = plan_day(settings, date)?;
            for plan in &plans {
                files::open(&plan.path, plan.symbol, plan.date, plan.kind)?;
            }
            if !plans.is_empty() {
                days.push(plans);
            }
        }
        if days.is_empty() {
            // Only closed days, and nothing there: as good an answer as any is what there is of the
            // first symbol.
            let (symbol, first) = (settings.symbols[0].0, settings.dates.first());
            return Err(files::missing(
                &settings.root,
                symbol,
                first,
                FileKind::Quote,
            ));
        }
        let paths = days
            .iter()
            .flatten()
            .map(|plan| plan.path.clone())
            .collect();
        days.reverse();
        let mut source = Self {
            days,
            lanes: Vec::new(),
            heads: BinaryHeap::new(),
            counts: RowCounts::default(),
            start: None,
            paths,
            error: None,
        };
        source.next_day()?;
        source.start = source.heads.peek().map(|Reverse((time, _))| *time);
        Ok(source)
    }

    /// Every file that this source reads, in the order of days.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Unpacks the next day that has a row.
    fn next_day(&mut self) -> Result<(), MarketError> {
        while self.heads.is_empty()
            && let Some(plans) = self.days.pop()
        {
            self.lanes.clear();
            for plan in &plans {
                let mut lane = Lane::open(plan)?;
                let at = self.lanes.len();
                if lane.advance(&mut self.counts)? {
                    self.heads.push(Reverse((lane.head.time(), at)));
                }
                self.lanes.push(lane);
            }
        }
        Ok(())
    }

    /// Ends the source for good.
    fn fail(&mut self, error: MarketError) -> MarketError {
        self.heads.clear();
        self.lanes.clear();
        self.days.clear();
        error
    }
}

impl MarketSource for LeanSource {
    fn next(&mut self) -> Result<Option<MarketUpdate>, MarketError> {
        if let Some(error) = self.error.take() {
            return Err(self.fail(error));
        }
        if self.heads.is_empty()
            && let Err(error) = self.next_day()
        {
            return Err(self.fail(error));
        }
        let Some(mut top) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let Reverse((_, at)) = *top;
        let lane = &mut self.lanes[at];
        let update = lane.head;
        match lane.advance(&mut self.counts) {
            Ok(true) => *top = Reverse((lane.head.time(), at)),
            Ok(false) => {
                PeekMut::pop(top);
            }
            Err(error) => self.error = Some(error),
        }
        Ok(Some(update))
    }

    fn start_time(&self) -> Option<Nanos> {
        self.start
    }

    fn rows(&self) -> &RowCounts {
        &self.counts
    }
}

fn check(settings: &LeanSettings) -> Result<(), MarketError> {
    if settings.symbols.is_empty() {
        return Err(MarketError::Settings("no symbols to read".to_owned()));
    }
    for (at, (symbol, _)) in settings.symbols.iter().enumerate() {
        if settings.symbols[..at]
            .iter()
            .any(|(other, _)| other == symbol)
        {
            return Err(MarketError::Settings(format!("symbol '{symbol}' twice")));
        }
        // A symbol becomes a file name: it must not lead elsewhere.
        if symbol.as_str().contains('/') || symbol.as_str().starts_with('.') {
            return Err(MarketError::Settings(format!(
                "symbol '{symbol}' cannot be a file name"
            )));
        }
    }
    // So that a wrong path is reported as such, not as a missing symbol.
    std::fs::read_dir(&settings.root)
        .map(drop)
        .map_err(|error| MarketError::io(&settings.root, &error))
}

/// The files of one day in order of precedence; none for a closed day without any.
fn plan_day(settings: &LeanSettings, date: Date) -> Result<Vec<Plan>, MarketError> {
    let mut plans = Vec::new();
    let mut missing = Vec::new();
    for kind in [FileKind::Quote, FileKind::Trade] {
        if kind == FileKind::Trade && settings.trades == TradeFiles::Ignored {
            continue;
        }
        for &(symbol, instrument) in &settings.symbols {
            match files::locate(&settings.root, symbol, date, kind)? {
                Some(path) => plans.push(Plan {
                    path,
                    symbol,
                    instrument,
                    date,
                    kind,
                }),
                None if kind == FileKind::Quote || settings.trades == TradeFiles::Required => {
                    missing.push((symbol, kind));
                }
                None => {}
            }
        }
    }
    let closed = nyse_day(date) == TradingDay::Closed;
    match missing.first() {
        Some(&(symbol, kind)) if !closed || !plans.is_empty() => {
            Err(files::missing(&settings.root, symbol, date, kind))
        }
        _ => Ok(plans),
    }
}

/// One unpacked file and how far it has been read.
#[derive(Debug)]
struct Lane {
    audit: FileAudit,
    kind: FileKind,
    instrument: InstrumentId,
    clock: DayClock,
    bytes: Vec<u8>,
    /// Where the next line begins.
    at: usize,
    /// Number of the last line read.
    line: u64,
    /// The last good row, to be delivered next.
    head: MarketUpdate,
    /// Time of the last good row.
    last: Nanos,
    book: Quote,
}

impl Lane {
    fn open(plan: &Plan) -> Result<Self, MarketError> {
        let mut archive = files::open(&plan.path, plan.symbol, plan.date, plan.kind)?;
        let mut bytes = Vec::new();
        files::unpack(&plan.path, &mut archive, &mut bytes)?;
        Ok(Self::new(
            &plan.path,
            plan,
            bytes,
            DayClock::new_york(plan.date)?,
        ))
    }

    fn new(path: &Path, plan: &Plan, bytes: Vec<u8>, clock: DayClock) -> Self {
        Self {
            audit: FileAudit::new(path),
            kind: plan.kind,
            instrument: plan.instrument,
            clock,
            bytes,
            at: 0,
            line: 0,
            head: MarketUpdate::Quote(QuoteUpdate {
                instrument: plan.instrument,
                side: BookSide::Both,
                quote: Quote::default(),
            }),
            last: Nanos::ZERO,
            book: Quote::default(),
        }
    }

    /// Reads on to the next good row; `false` at the end.
    #[inline]
    fn advance(&mut self, counts: &mut RowCounts) -> Result<bool, MarketError> {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            let length = rest.iter().position(|&byte| byte == b'\n');
            let line = match length {
                Some(length) => &rest[..length],
                None => rest,
            };
            self.at += line.len() + 1;
            self.line += 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.audit.read(counts)?;
            let row = match self.kind {
                FileKind::Quote => read_quote(
                    line,
                    self.instrument,
                    &self.clock,
                    self.last,
                    &mut self.book,
                ),
                FileKind::Trade => read_trade(line, self.instrument, &self.clock, self.last),
            };
            match row {
                Ok(Some(update)) => {
                    self.head = update;
                    self.last = update.time();
                    return Ok(true);
                }
                Ok(None) => counts.suspicious += 1,
                Err(reason) => self.audit.bad(counts, self.line, reason, line)?,
            }
        }
        self.audit.judge()?;
        Ok(false)
    }
}

/// A quote row on top of `book`, which it changes when it is good.
#[inline]
fn read_quote(
    line: &[u8],
    instrument: InstrumentId,
    clock: &DayClock,
    last: Nanos,
    book: &mut Quote,
) -> Result<Option<MarketUpdate>, BadRowReason> {
    let Some(row) = row::quote(line)? else {
        return Ok(None);
    };
    book.time = moment(clock, row.wall_ns, last)?;
    if let Some(bid) = row.bid {
        (book.bid, book.bid_size) = (bid.price, bid.size);
    }
    if let Some(ask) = row.ask {
        (book.ask, book.ask_size) = (ask.price, ask.size);
    }
    let side = match (row.bid, row.ask) {
        (Some(_), Some(_)) => BookSide::Both,
        (Some(_), None) => BookSide::Bid,
        _ => BookSide::Ask,
    };
    Ok(Some(MarketUpdate::Quote(QuoteUpdate {
        instrument,
        side,
        quote: *book,
    })))
}

#[inline]
fn read_trade(
    line: &[u8],
    instrument: InstrumentId,
    clock: &DayClock,
    last: Nanos,
) -> Result<Option<MarketUpdate>, BadRowReason> {
    let Some(row) = row::trade(line)? else {
        return Ok(None);
    };
    Ok(Some(MarketUpdate::Trade(TradeUpdate {
        instrument,
        price: row.price,
        size: row.size,
        time: moment(clock, row.wall_ns, last)?,
    })))
}

#[inline]
fn moment(clock: &DayClock, wall_ns: u64, last: Nanos) -> Result<Nanos, BadRowReason> {
    let time = clock.instant(wall_ns).ok_or(BadRowReason::NoSuchTime)?;
    if time < last {
        return Err(BadRowReason::OutOfOrder);
    }
    Ok(time)
}
