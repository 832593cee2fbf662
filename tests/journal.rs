//! A journal on disk: a torn end is left out and counted, damage is refused, the rest is there.
//!
//! Runs on: the test runner.
//! Owns: damage to files in temporary directories, and a child process that it kills.
//! Never: needs privileges or leaves files behind.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use shrike::journal::{
    Damage, Entry, Journal, JournalError, JournalFollower, JournalSettings, JournalWriter, Pen,
    Record, StateDir, Verified, create, recover, repair,
};
use shrike::types::*;

const HEADER: usize = 64;

fn settings(dir: &Path, epoch: u32) -> JournalSettings {
    let epoch = BootEpoch::new(epoch).expect("in range");
    let mut settings = JournalSettings::new(dir, dir.join("hot"), epoch);
    settings.segment_bytes = 64 * 1024;
    settings.hot_segments = 3;
    settings
}

fn intent(n: u64) -> Record {
    let order = Order::limit(
        InstrumentId(n as u32 % 7),
        Side::Buy,
        Quantity::from_units(n as i64),
        Price::from_units(5),
    );
    Record::Intent(ApprovedOrder {
        request: OrderRequest {
            order_id: OrderId::new(BootEpoch::FIRST, PortId(0), n).expect("an id"),
            strategy: StrategyId::ENGINE,
            preferred_broker: None,
            order,
            submitted_at: Nanos(n),
            decision_price: Price::ZERO,
            signal_stamp: n,
        },
        collar: None,
        risk_price: Price::from_units(5),
        risk_offset: 1,
        broker: BrokerId(0),
    })
}

/// Frames of three sizes.
fn record(n: u64) -> Record {
    match n % 3 {
        0 => intent(n),
        1 => Record::Execution(ExecutionReport {
            execution_id: ExecutionId(u128::from(n)),
            quantity: Quantity::from_units(n as i64),
            ..ExecutionReport::new(
                ReportKind::Accepted,
                OrderId::new(BootEpoch::FIRST, PortId(0), n).expect("an id"),
                BrokerId(0),
                InstrumentId(0),
                Side::Sell,
            )
        }),
        _ => Record::CancelIntent(CancelRequest {
            order_id: OrderId::new(BootEpoch::FIRST, PortId(0), n).expect("an id"),
            requested_at: Nanos(n),
        }),
    }
}

fn append(pen: &mut JournalWriter, follower: &mut JournalFollower, records: u64) {
    for _ in 0..records {
        while !pen.has_room(1) {
            follower.poll(Nanos(0));
        }
        let n = pen.next_sequence();
        assert_eq!(pen.append(&record(n), Nanos(1_000 + n)), n);
    }
}

/// A journal of `records` records, ended in order.
fn written(records: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut pen, mut follower) = create(settings(dir.path(), 1)).expect("room");
    append(&mut pen, &mut follower, records);
    follower.close(Nanos(1)).expect("writable");
    assert_eq!(pen.durable_sequence(), records);
    assert!(!dir.path().join("hot").exists());
    dir
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    found.sort();
    found
}

/// Beginnings of the frames of a segment's bytes, by the documented layout, and their end.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut at = HEADER;
    let mut found = vec![at];
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        at += (length as usize).next_multiple_of(8);
        found.push(at);
    }
    found
}

fn verify(dir: &Path) -> Result<Verified, JournalError> {
    Journal::verify(dir, None)
}

/// Every record, which must be the one that was appended.
fn read_all(dir: &Path) -> Vec<Entry> {
    let entries: Vec<Entry> = Journal::read(dir, None)
        .expect("sound headers")
        .collect::<Result<_, _>>()
        .expect("sound");
    for (n, entry) in (1..).zip(&entries) {
        assert_eq!((entry.sequence, entry.record), (n, record(n)));
        assert_eq!(entry.time, Nanos(1_000 + n));
    }
    entries
}

#[track_caller]
fn assert_damaged(result: Result<Verified, JournalError>, path: &Path, at: usize) {
    match result {
        Err(JournalError::Damaged { file, offset, .. }) => {
            assert_eq!((file.as_path(), offset), (path, at as u64));
        }
        other => panic!("damage at {at} expected, not {other:?}"),
    }
}

#[test]
fn what_was_appended_is_read_back_over_many_segments() {
    let dir = written(3_000);
    assert!(segments(dir.path()).len() > 4);
    assert_eq!(read_all(dir.path()).len(), 3_000);
    let verified = verify(dir.path()).expect("sound");
    let bytes: u64 = segments(dir.path())
        .iter()
        .map(|path| fs::metadata(path).expect("there").len())
        .sum();
    assert_eq!((verified.records, verified.bytes), (3_000, bytes));
    assert_eq!(
        (verified.first_sequence, verified.last_sequence),
        (1, 3_000)
    );
    assert_eq!(verified.segments as usize, segments(dir.path()).len());
    assert_eq!(verified.torn_bytes, 0);
}

#[test]
fn a_cut_at_any_byte_of_the_last_4_kib_leaves_the_records_before_it() {
    let dir = written(100);
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).expect("readable");
    let ends = frames(&whole);
    let file = fs::File::options().write(true).open(&path).expect("there");
    for cut in (whole.len() - 4096..whole.len()).rev() {
        file.set_len(cut as u64).expect("writable");
        let records = ends.iter().filter(|&&end| end <= cut).count() - 1;
        let verified = verify(dir.path()).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        assert_eq!(verified.records as usize, records, "cut at {cut}");
        assert_eq!(
            verified.torn_bytes as usize,
            cut - ends[records],
            "cut at {cut}"
        );
        assert_eq!(verified.last_sequence as usize, records, "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_torn_in_the_last_record_and_damage_in_any_other() {
    let dir = written(60);
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).expect("readable");
    let ends = frames(&whole);
    let file = fs::File::options().write(true).open(&path).expect("there");
    let flip = |bit: usize| {
        // In place: a file system may sync a file that is written anew.
        let at = bit / 8;
        let put = |byte: u8| file.write_all_at(&[byte], at as u64).expect("writable");
        put(whole[at] ^ 1 << (bit % 8));
        let result = verify(dir.path());
        put(whole[at]);
        result
    };
    for bit in ends[59] * 8..ends[60] * 8 {
        let verified = flip(bit).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        assert_eq!(verified.records, 59, "bit {bit}");
        assert_eq!(
            verified.torn_bytes as usize,
            ends[60] - ends[59],
            "bit {bit}"
        );
    }
    for frame in [58, 57, 30, 0] {
        for bit in ends[frame] * 8..ends[frame + 1] * 8 {
            assert_damaged(flip(bit), &path, ends[frame]);
        }
    }
    for bit in 0..HEADER * 8 {
        assert_damaged(flip(bit), &path, 0);
    }
}

#[test]
fn a_repeated_last_record_is_no_record() {
    let dir = written(40);
    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).expect("readable");
    let ends = frames(&bytes);
    let last = bytes[ends[39]..].to_vec();
    bytes.extend_from_slice(&last);
    fs::write(&path, &bytes).expect("writable");
    let verified = verify(dir.path()).expect("torn");
    assert_eq!(
        (verified.records, verified.torn_bytes as usize),
        (40, last.len())
    );
}

#[test]
fn a_zeroed_page_is_damage_in_the_middle_and_torn_at_the_end() {
    let dir = written(200);
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).expect("readable");
    let ends = frames(&whole);
    let zeroed = |from: usize, to: usize| {
        let mut bad = whole.clone();
        bad[from..to].fill(0);
        fs::write(&path, &bad).expect("writable");
        // The first frame that is not as it was: a frame may end in zeros of its own.
        let first = ends
            .windows(2)
            .position(|frame| bad[frame[0]..frame[1]] != whole[frame[0]..frame[1]])
            .expect("records are not all zeros");
        (verify(dir.path()), first)
    };
    let (result, first) = zeroed(8192, 12_288);
    assert_damaged(result, &path, ends[first]);
    let (result, first) = zeroed(whole.len() - 4096, whole.len());
    let verified = result.expect("torn");
    assert_eq!(verified.records as usize, first);
    assert_eq!(verified.torn_bytes as usize, whole.len() - ends[first]);
}

#[test]
fn names_of_segments_do_not_matter_and_a_missing_or_repeated_one_is_noticed() {
    let dir = written(3_000);
    let paths = segments(dir.path());
    let (a, b, spare) = (&paths[1], &paths[3], dir.path().join("spare"));
    fs::rename(a, &spare).expect("writable");
    fs::rename(b, a).expect("writable");
    fs::rename(&spare, b).expect("writable");
    assert_eq!(read_all(dir.path()).len(), 3_000, "headers say the order");
    // Now `a` holds the fourth segment; without it the third has no continuation.
    let third = fs::metadata(&paths[2]).expect("there").len() as usize;
    fs::rename(a, &spare).expect("writable");
    assert_damaged(verify(dir.path()), &paths[2], third);
    fs::copy(b, a).expect("writable");
    assert!(matches!(
        verify(dir.path()),
        Err(JournalError::Damaged {
            damage: Damage::Twice,
            ..
        })
    ));
}

#[test]
fn a_damaged_segment_before_the_last_is_never_taken_for_a_torn_end() {
    let dir = written(1_500);
    let paths = segments(dir.path());
    let first = fs::read(&paths[0]).expect("readable");
    let ends = frames(&first);
    // Cut in the last record of the first segment: the second one begins behind it.
    fs::write(&paths[0], &first[..first.len() - 3]).expect("writable");
    assert_damaged(verify(dir.path()), &paths[0], ends[ends.len() - 2]);
    // Whole, with something behind it.
    let mut longer = first.clone();
    longer.extend_from_slice(&[9; 16]);
    fs::write(&paths[0], &longer).expect("writable");
    assert_damaged(verify(dir.path()), &paths[0], first.len());
}

#[test]
fn a_newest_segment_without_a_whole_header_is_left_out() {
    let dir = written(1_500);
    let paths = segments(dir.path());
    let last = paths.last().expect("several");
    let whole = fs::read(last).expect("readable");
    let rest = frames(&whole).len() as u64 - 1;
    for length in 0..HEADER {
        fs::write(last, &whole[..length]).expect("writable");
        let verified = verify(dir.path()).expect("torn");
        assert_eq!(verified.records, 1_500 - rest);
        assert_eq!(verified.torn_bytes, length as u64);
    }
    // An older one without its header is damage.
    fs::write(last, &whole).expect("writable");
    let older = fs::read(&paths[1]).expect("readable");
    fs::write(&paths[1], &older[..20]).expect("writable");
    assert_damaged(verify(dir.path()), &paths[1], 0);
}

#[test]
fn a_record_of_a_later_build_is_named_with_sequence_file_and_offset() {
    let dir = written(5);
    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).expect("readable");
    let ends = frames(&bytes);
    let previous = u32::from_le_bytes(bytes[ends[4] + 4..ends[4] + 8].try_into().expect("four"));
    // A frame made by hand, as the layout is documented: type 999, no payload.
    let mut frame = [0u8; 32];
    frame[..4].copy_from_slice(&32u32.to_le_bytes());
    frame[8..10].copy_from_slice(&999u16.to_le_bytes());
    frame[10..12].copy_from_slice(&1u16.to_le_bytes());
    frame[16..24].copy_from_slice(&6u64.to_le_bytes());
    let crc = crc32c::crc32c_append(previous ^ 32, &frame[8..]);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&frame);
    fs::write(&path, &bytes).expect("writable");
    match verify(dir.path()) {
        Err(JournalError::Decode {
            sequence,
            file,
            offset,
            error,
        }) => {
            assert_eq!((sequence, file, offset as usize), (6, path, ends[5]));
            assert_eq!(error.to_string(), "unknown record type 999");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repair_copies_the_journal_up_to_its_damage() {
    let dir = written(3_000);
    let paths = segments(dir.path());
    let whole = fs::read(&paths[2]).expect("readable");
    let ends = frames(&whole);
    let mut bad = whole.clone();
    bad[ends[10] + 40] ^= 1;
    fs::write(&paths[2], &bad).expect("writable");
    let before: usize = paths[..2]
        .iter()
        .map(|path| frames(&fs::read(path).expect("readable")).len() - 1)
        .sum();
    let out = dir.path().join("repaired");
    let repaired = repair(dir.path(), None, &out).expect("writable");
    assert!(matches!(
        repaired.damage,
        Some(JournalError::Damaged { .. })
    ));
    let copy = verify(&out).expect("sound");
    assert_eq!(copy.records as usize, before + 10);
    assert_eq!((copy.records, copy.torn_bytes), (repaired.kept.records, 0));
    assert_eq!(read_all(&out).len(), before + 10);
    assert_eq!(
        fs::read(&paths[2]).expect("readable"),
        bad,
        "the original stays"
    );
    // A bad header in the middle ends the copy before it.
    fs::write(&paths[2], &whole[..10]).expect("writable");
    let out = dir.path().join("repaired-again");
    let repaired = repair(dir.path(), None, &out).expect("writable");
    assert!(repaired.damage.is_some());
    assert_eq!(verify(&out).expect("sound").records as usize, before);
}

#[test]
fn a_disk_that_goes_away_fails_the_journal_and_the_pen_knows() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("writable");
    let mut settings = settings(&state, 1);
    settings.hot_dir = dir.path().join("hot");
    let (mut pen, mut follower) = create(settings).expect("room");
    append(&mut pen, &mut follower, 10);
    follower.flush(Nanos(1)).expect("writable");
    fs::remove_dir_all(&state).expect("writable");
    // The open file lives on; the next segment cannot be made.
    while pen.has_room(1) {
        let n = pen.next_sequence();
        pen.append(&record(n), Nanos(1));
        follower.poll(Nanos(1));
        assert!(n < 100_000, "the failure stops the preparation of segments");
    }
    assert!(pen.has_failed());
    let failed = follower.status();
    assert!(failed.error().expect("kept").contains("journal-0000001-"));
    assert!(pen.durable_sequence() < pen.next_sequence() - 1);
    assert_eq!(
        fs::read_dir(dir.path().join("hot")).expect("kept").count(),
        4
    );
}

#[test]
fn the_copier_and_a_live_reader_keep_up_with_a_pen_on_another_thread() {
    const RECORDS: u64 = 60_000;
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = settings(dir.path(), 1);
    settings.segment_bytes = 16 * 1024;
    settings.fsync = false;
    let (mut pen, mut follower) = create(settings).expect("room");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Acquire) {
                follower.poll(Nanos(0));
                std::thread::yield_now();
            }
        });
        let reader = scope.spawn(|| {
            let mut reader = Journal::follow(dir.path(), None, 100).expect("readable");
            let mut expected = 100;
            while expected <= RECORDS {
                match reader.read().expect("sound while it grows") {
                    Some(entry) => {
                        assert_eq!(entry.sequence, expected);
                        assert_eq!(entry.record, record(expected));
                        expected += 1;
                    }
                    None => std::thread::yield_now(),
                }
            }
        });
        for n in 1..=RECORDS {
            while !pen.has_room(1) {
                std::thread::yield_now();
            }
            pen.append(&record(n), Nanos(1_000 + n));
        }
        let read = reader.join();
        // First, so that a reader which found something wrong ends the test and does not hang it.
        stop.store(true, Ordering::Release);
        read.expect("every record once, in order");
    });
    assert!(segments(dir.path()).len() > 300);
    follower.close(Nanos(1)).expect("writable");
    assert_eq!(read_all(dir.path()).len() as u64, RECORDS);
    let mut late = Journal::follow(dir.path(), None, RECORDS).expect("readable");
    let last = late.read().expect("sound").expect("the last one");
    assert_eq!(last.sequence, RECORDS);
    assert_eq!(late.read().expect("sound"), None);
}

/// The same test in two processes: the child appends until it is killed and tells how far it came.
#[test]
fn a_process_killed_at_any_moment_loses_no_record_that_it_had_appended() {
    const CHILD: &str = "SHRIKE_TEST_JOURNAL_CHILD";
    if let Some(dir) = std::env::var_os(CHILD) {
        let dir = PathBuf::from(dir);
        let _state = StateDir::open(&dir).expect("free");
        let mut settings = settings(&dir, 1);
        settings.segment_bytes = 16 * 1024;
        let (mut pen, mut follower) = create(settings).expect("room");
        let told = fs::File::create(dir.join("told")).expect("writable");
        loop {
            append(&mut pen, &mut follower, 1);
            let last = pen.next_sequence() - 1;
            told.write_all_at(&last.to_le_bytes(), 0).expect("writable");
            follower.poll(Nanos(last * 100_000));
        }
    }
    let told = |dir: &Path| {
        let bytes = fs::read(dir.join("told")).unwrap_or_default();
        bytes
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    for enough in [1, 50, 400, 1_111, 2_500] {
        let dir = tempfile::tempdir().expect("a directory");
        let name = "a_process_killed_at_any_moment_loses_no_record_that_it_had_appended";
        let mut child = std::process::Command::new(std::env::current_exe().expect("this"))
            .args(["--exact", name, "--test-threads=1"])
            .env(CHILD, dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a child");
        while told(dir.path()) < enough {
            assert_eq!(child.try_wait().expect("ours"), None, "the child ended");
            std::thread::yield_now();
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("ours");
        StateDir::open(dir.path()).expect("the lock died with the child");
        let told = told(dir.path());
        let entries = read_all(dir.path());
        assert!(entries.len() as u64 >= told && told >= enough);
        assert!(
            entries.len() as u64 <= told + 1,
            "at most the one being told"
        );
    }
}

#[test]
fn records_that_name_unknown_ids_and_a_missing_beginning_are_refused() {
    let dir = written(3_000);
    assert!(matches!(
        recover(dir.path(), None),
        Err(JournalError::Undefined { sequence: 3, .. })
    ));
    fs::remove_file(&segments(dir.path())[0]).expect("there");
    assert!(verify(dir.path()).is_ok(), "what is there is sound");
    assert!(matches!(
        recover(dir.path(), None),
        Err(JournalError::Beginning { first }) if first > 100
    ));
}
