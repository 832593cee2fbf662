//! What a client costs at most: the peak memory of the example clients under every torture.
//!
//! Runs on: the test runner; the clients are processes of their own, so that the peak is theirs alone.
//! Owns: the bound of 64 MiB.
//! Never: measures this process.

mod net_support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use net_support::frames::{frame, text};
use net_support::responses::{self, Expected, Then};
use net_support::{PATIENCE, Server, Step};

const BOUND_KIB: u64 = 64 << 10;

/// Cargo builds the examples before it runs the tests.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("a path");
    let path: PathBuf = test
        .ancestors()
        .nth(2)
        .expect("a folder")
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build --examples",
        path.display()
    );
    Command::new(path)
}

/// Ends the process with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// The peak so far; nothing once it has ended.
    fn peak_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }
}

/// Fetches every address by one process; a line for each, and the peak.
fn fetch(options: &[&str], addresses: &[String]) -> (Vec<String>, u64) {
    let mut command = example("httpget");
    command.args(["--timeout-ms", "3000"]);
    command.args(options).args(addresses).arg("sleep:60000");
    let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut process = Process(child);
    let out = process.0.stdout.take().expect("piped");
    let lines: Vec<_> = BufReader::new(out)
        .lines()
        .take(addresses.len())
        .map(|line| line.expect("text"))
        .collect();
    let peak = process.peak_kib().expect("it sleeps");
    (lines, peak)
}

#[test]
fn every_response_of_the_table_is_read_in_bounded_memory() {
    // The example allows a body that ends with the connection, and asks by GET.
    let mut cases = responses::all();
    cases.retain(|case| {
        case.method == "GET" && case.expected != Expected::Breaks("close_delimited")
    });
    // A server each: one that breaks a rule is dialled again only after a while.
    let servers: Vec<_> = cases
        .iter()
        .map(|case| {
            let then = match case.then {
                Then::Open => Step::Stall,
                Then::Close => Step::Close,
                Then::Reset => Step::Reset,
            };
            Server::always(vec![Step::Request, Step::Send(case.octets.clone()), then])
        })
        .collect();
    let addresses: Vec<_> = servers
        .iter()
        .map(|server| server.url("http", "/"))
        .collect();
    let (lines, peak) = fetch(&[], &addresses);
    assert_eq!(lines.len(), cases.len());
    let errors = lines.iter().filter(|line| line.contains("error")).count();
    assert!(
        errors > cases.len() / 2 && errors < cases.len(),
        "{errors} errors"
    );
    assert!(peak <= BOUND_KIB, "{peak} KiB");
}

#[test]
fn floods_of_responses_cost_no_more_than_the_limits() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let big = "x".repeat(100_000);
    let floods = [
        ("", "HTTP/1.1 102 x\r\n\r\n".to_owned()),
        ("HTTP/1.1 200 OK\r\na: ", big.clone()),
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n".repeat(1_000)),
        ("HTTP/1.1 200 OK\r\n\r\n", big.clone()),
        (chunked, format!("186a0\r\n{big}\r\n")),
        (chunked, "1\r\nx\r\n".repeat(1_000)),
        (chunked, "1;a\r\nx\r\n".repeat(1_000)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            big,
        ),
    ];
    let servers: Vec<_> = floods
        .into_iter()
        .map(|(start, flood)| {
            let start = Step::Send(start.into());
            Server::always(vec![Step::Request, start, Step::Flood(flood.into())])
        })
        .collect();
    let addresses: Vec<_> = servers
        .iter()
        .map(|server| server.url("http", "/"))
        .collect();
    for max_body in ["1048576", "8388608"] {
        let (lines, peak) = fetch(&["--max-body", max_body], &addresses);
        assert!(lines.iter().all(|line| line.contains("error")), "{lines:?}");
        assert!(peak <= BOUND_KIB, "{peak} KiB with {max_body}");
    }
}

/// The peak until it ends, or for half a second.
fn echo_peak(steps: Vec<Step>) -> u64 {
    let upgrade = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Accept: {accept}\r\n\r\n";
    let upgrade = Step::Upgrade(upgrade.to_owned(), Vec::new());
    let server = Server::always([vec![upgrade], steps].concat());
    let mut command = example("wsecho");
    command.arg(server.url("ws", "/")).stderr(Stdio::null());
    let mut process = Process(command.spawn().expect("it starts"));
    let (since, mut peak) = (Instant::now(), 0);
    server.wait("it connects", |server| server.connections() == 1);
    while since.elapsed() < PATIENCE / 10 {
        if matches!(process.0.try_wait(), Ok(Some(_))) {
            break;
        }
        peak = process.peak_kib().unwrap_or(peak).max(peak);
        thread::sleep(Duration::from_millis(1));
    }
    peak
}

#[test]
fn floods_of_frames_cost_no_more_than_the_limits() {
    for (name, start, flood) in [
        (
            "empty fragments",
            frame(0x01, b""),
            frame(0x00, b"").repeat(50_000),
        ),
        (
            "small fragments",
            frame(0x02, b"x"),
            frame(0x00, b"x").repeat(50_000),
        ),
        (
            "large fragments",
            frame(0x02, b"x"),
            frame(0x00, &[0; 60_000]),
        ),
        ("pings", vec![], frame(0x89, &[b'p'; 125]).repeat(100)),
        (
            "messages that are echoed and not read",
            vec![],
            text(&"x".repeat(60_000)),
        ),
        (
            "a message without end",
            vec![0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0],
            vec![0; 60_000],
        ),
    ] {
        let peak = echo_peak(vec![Step::Send(start), Step::Flood(flood)]);
        assert!(peak > 0 && peak <= BOUND_KIB, "{name}: {peak} KiB");
        println!("{name}: {peak} KiB");
    }
}
