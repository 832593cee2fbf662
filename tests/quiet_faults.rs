//! The hot agents touch no page for the first time after they have started.
//!
//! Runs on: the test runner; alone in its binary, so that nothing else makes the kernel work on this process's memory.
//! Owns: the count of page faults of one thread while 100,000 orders go through.
//! Never: locks the process's memory, which would hide what is touched late.

mod hot_rig;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use hot_rig::*;
use shrike::types::*;

const ORDERS: u32 = 100_000;
const INSTRUMENTS: u32 = 1_000;
const CHUNK: u32 = 100;

/// Reads the page faults of the thread that made it; reading allocates and faults nothing once it was warm.
struct Faults {
    stat: File,
    text: [u8; 1_024],
}

impl Faults {
    fn new() -> Self {
        let mut faults = Self {
            stat: File::open("/proc/thread-self/stat").expect("procfs"),
            text: [0; 1_024],
        };
        faults.read();
        faults
    }

    /// Minor and major ones so far: fields 10 and 12 of `proc_pid_stat(5)`.
    fn read(&mut self) -> (u64, u64) {
        self.stat.seek(SeekFrom::Start(0)).expect("seek");
        let length = self.stat.read(&mut self.text).expect("read");
        let text = std::str::from_utf8(&self.text[..length]).expect("text");
        let behind_name = &text[text.rfind(')').expect("a name") + 2..];
        let mut fields = behind_name.split(' ').skip(7);
        let mut number = || fields.next().and_then(|field| field.parse().ok());
        let minor = number().expect("minflt");
        number();
        (minor, number().expect("majflt"))
    }
}

/// Market orders that fill, limits that rest, are changed and canceled: each kind of message passes each ring many
/// times over.
fn trade(rig: &mut HotRig, faults: &mut Faults, found: &mut u64) {
    for chunk in 0..ORDERS / CHUNK {
        let instrument = InstrumentId(chunk * 7 % INSTRUMENTS);
        rig.quote(instrument, 10_000, 10_002);
        for n in 0..CHUNK {
            let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
            let price = cents(if n % 2 == 0 { 9_900 } else { 10_100 });
            let order = match n % 4 {
                0 | 1 => Order::market(instrument, side, shares(1)),
                _ => Order::limit(instrument, side, shares(1), price),
            };
            let id = rig.submit(order).expect("room");
            if n % 4 == 2 && chunk % 4 != 0 {
                rig.cancel(id);
            }
        }
        let before = faults.read();
        rig.run_hot();
        let after = faults.read();
        *found += after.0 - before.0 + after.1 - before.1;
        rig.copy_journal();
        rig.drain();
        rig.advance(1_000_000);
    }
}

#[test]
fn a_hundred_thousand_orders_fault_no_page() {
    shrike::runtime::memory::prefault_stack();
    let mut rig = HotRig::on_tmpfs(&Plan {
        instruments: INSTRUMENTS,
        max_open_orders: 100_000,
        segment_bytes: 4 << 20,
        ..Plan::default()
    });
    for n in 0..INSTRUMENTS {
        rig.quote(InstrumentId(n), 10_000, 10_002);
        rig.run_hot();
    }
    let mut faults = Faults::new();
    let mut found = 0;
    trade(&mut rig, &mut faults, &mut found);
    assert!(
        rig.count("filled") >= u64::from(ORDERS) / 2,
        "{:?}",
        rig.tally
    );
    assert!(rig.count("canceled") > 10_000, "{:?}", rig.tally);
    // The count counts.
    let before = faults.read();
    let mut pages = vec![0_u8; 64 << 20];
    pages.iter_mut().step_by(4_096).for_each(|byte| *byte = 1);
    std::hint::black_box(&pages);
    assert!(faults.read().0 > before.0);
    assert_eq!(found, 0, "page faults of {ORDERS} orders");
}
