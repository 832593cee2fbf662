//! How fast market data is read: rows a second of each source, unpacking of archives aside.
//!
//! Runs on: benchmarks; as a test it runs each once.
//! Owns: archives made on the spot, and the recorded days where they are at hand.
//! Never: measures the opening of a file.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use shrike::market::{
    CsvSettings, CsvSource, FeedOutputs, LeanSettings, LeanSource, MarketFeed, MarketSource,
    SyntheticSettings, SyntheticSource, SyntheticSymbol, TradeFiles,
};
use shrike::ring::{board, channel};
use shrike::runtime::Agent;
use shrike::types::{InstrumentId, MarketUpdate, Nanos, Price, Symbol};

const ROWS: usize = 200_000;
const MIDNIGHT: Nanos = Nanos(1_381_118_400_000_000_000);

fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

fn synthetic(count: u32) -> SyntheticSource {
    let symbols = (0..count)
        .map(|id| SyntheticSymbol {
            instrument: InstrumentId(id),
            start_price: price("183.5"),
            tick: price("0.01"),
        })
        .collect();
    // From 09:30 on, so that a day holds all rows.
    let start = MIDNIGHT.plus(34_200_000_000_000);
    let settings = SyntheticSettings::lively(symbols, 42, start);
    SyntheticSource::new(&settings).expect("sound settings")
}

fn drain(source: &mut dyn MarketSource) -> u64 {
    let mut rows = 0;
    while let Some(update) = source.next().expect("good rows") {
        black_box(update);
        rows += 1;
    }
    rows
}

/// The next two-sided quote.
fn quote(source: &mut SyntheticSource) -> shrike::types::QuoteUpdate {
    loop {
        if let Ok(Some(MarketUpdate::Quote(row))) = source.next()
            && row.quote.bid.is_positive()
            && row.quote.ask.is_positive()
        {
            return row;
        }
    }
}

/// An archive of one symbol's quotes, two rows a change as in recorded ones.
fn lean_archive(root: &Path, symbol: &str) {
    let mut source = synthetic(1);
    let mut text = String::new();
    for _ in 0..ROWS / 2 {
        let row = quote(&mut source).quote;
        let ms = row.time.since(MIDNIGHT) / 1_000_000;
        let (bid, ask) = (row.bid.units() / 100_000, row.ask.units() / 100_000);
        writeln!(text, "{ms},{bid},{},0,0,P,1,0", row.bid_size).expect("memory");
        writeln!(text, "{ms},0,0,{ask},{},P,1,0", row.ask_size).expect("memory");
    }
    let path = root.join(format!("{symbol}_20131007_quote.zip"));
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    zip.start_file("quotes.csv", zip::write::SimpleFileOptions::default())
        .expect("a member");
    zip.write_all(text.as_bytes()).expect("its rows");
    zip.finish().expect("an archive");
}

fn lean_settings(root: &Path, symbols: &[&str], trades: TradeFiles) -> LeanSettings {
    LeanSettings {
        root: root.to_path_buf(),
        symbols: symbols
            .iter()
            .zip(0..)
            .map(|(text, id)| (symbol(text), InstrumentId(id)))
            .collect(),
        dates: "2013-10-07".parse().expect("a date"),
        trades,
    }
}

fn bench_lean(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a directory");
    for symbol in ["aaa", "bbb", "ccc", "ddd"] {
        lean_archive(root.path(), symbol);
    }
    let recorded = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/lean"));
    let mut cases = vec![
        (
            "one_file",
            lean_settings(root.path(), &["AAA"], TradeFiles::Ignored),
        ),
        (
            "four_files_merged",
            lean_settings(
                root.path(),
                &["AAA", "BBB", "CCC", "DDD"],
                TradeFiles::Ignored,
            ),
        ),
    ];
    if recorded.is_dir() {
        cases.push((
            "recorded_ibm_quotes",
            lean_settings(&recorded, &["IBM"], TradeFiles::Ignored),
        ));
        cases.push((
            "recorded_ibm_bac_quotes_trades",
            lean_settings(&recorded, &["IBM", "BAC"], TradeFiles::Required),
        ));
    }
    let mut group = criterion.benchmark_group("lean");
    for (name, settings) in cases {
        let open = || LeanSource::open(&settings).expect("an archive");
        group.throughput(Throughput::Elements(drain(&mut open())));
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(open, |source| drain(source), BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn bench_csv(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("quotes.csv");
    let mut source = synthetic(1);
    let mut text = String::new();
    for _ in 0..ROWS {
        let row = quote(&mut source).quote;
        writeln!(
            text,
            "{},AAA,{},{},{},{}",
            row.time, row.bid, row.bid_size, row.ask, row.ask_size
        )
        .expect("memory");
    }
    std::fs::write(&path, text).expect("a file");
    let settings = CsvSettings {
        path,
        symbols: vec![(symbol("AAA"), InstrumentId(0))],
    };
    let mut group = criterion.benchmark_group("csv");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("one_symbol", |bencher| {
        let open = || CsvSource::open(&settings).expect("a file");
        bencher.iter_batched_ref(open, |source| drain(source), BatchSize::PerIteration);
    });
    group.finish();
}

fn bench_synthetic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("synthetic");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("ten_symbols", |bencher| {
        let mut source = synthetic(10);
        bencher.iter(|| {
            for _ in 0..ROWS {
                black_box(source.next().expect("endless"));
            }
        });
    });
    group.finish();
}

/// The whole feed: source, board, and the rings of one gateway, RISK and one algorithm, drained row
/// by row.
fn bench_feed(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a directory");
    lean_archive(root.path(), "aaa");
    let settings = lean_settings(root.path(), &["AAA"], TradeFiles::Ignored);
    let wire = || {
        let (paper, paper_end, _) = channel("paper", 1_024);
        let (dirty, dirty_end, _) = channel("dirty", 1_024);
        let outputs = FeedOutputs {
            board: board(1).0,
            paper: vec![paper],
            dirty,
            algorithms: Vec::new(),
        };
        let source = Box::new(LeanSource::open(&settings).expect("an archive"));
        let feed = MarketFeed::new(source, outputs, 1).expect("a first row");
        (feed, paper_end, dirty_end)
    };
    let mut group = criterion.benchmark_group("feed");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("row_by_row", |bencher| {
        bencher.iter_batched_ref(
            wire,
            |(feed, paper, dirty)| {
                while let Some(now) = feed.next_deadline() {
                    feed.poll(now);
                    black_box(paper.pop());
                    black_box(dirty.pop());
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, bench_lean, bench_csv, bench_synthetic, bench_feed);
criterion_main!(benches);
