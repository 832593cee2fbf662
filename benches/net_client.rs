//! Round trip and one-way submit of Shrike's HTTP and WebSocket client, against the raw socket and other clients.
//!
//! Runs on: `cargo bench --manifest-path benches/net/Cargo.toml`, options after `--`: `--quick`; `--out DIR` (`.hgrm`
//! files); `--only NAME` (any part of a scenario's name) and `--client NAME` (any part of a client's name; the floor
//! always runs), both again for more. The client is pinned to core 0, the server to core 1.
//! Owns: the scenarios, and the exit code: 0, 1 for a wrong answer, 2 for a wrong option, 5 for a machine too busy.
//! Never: compares figures of two runs: everybody's exchanges alternate, message by message, in a random order.
//!
//! The order is 400 bytes, its reply 600, the WebSocket message 200. In a busy scenario the server spins, and so does
//! every client that can; "as it comes" is the same library left to sleep in epoll, as its users have it. In a sleeping
//! scenario both ends sleep in the kernel. One way is from the start of building the request until the server has
//! read, and decrypted, all of it.
//!
//! A busy scenario runs twice: Shrike beside the floor alone, and everybody. Among everybody each client finds the
//! processor's caches full of the others' code, the small ones too, which costs a client more the more code it has.

#[path = "../tests/common/allocations.rs"]
mod allocations;
#[path = "net/floor.rs"]
mod floor;
#[expect(
    unused_imports,
    reason = "cargo builds a bench without a harness as a test without tests"
)]
#[path = "../src/cold/hgrm.rs"]
mod hgrm;
#[path = "net/http_twins.rs"]
mod http_twins;
#[path = "net/ours.rs"]
mod ours;
#[path = "net/report.rs"]
mod report;
#[path = "net/server.rs"]
mod server;
#[path = "net/stream.rs"]
mod stream;
#[path = "net/tls.rs"]
mod tls;
#[path = "net/trials.rs"]
mod trials;
#[path = "net/wire.rs"]
mod wire;
#[path = "net/ws_twins.rs"]
mod ws_twins;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use core_affinity::CoreId;
use quanta::Clock;

use server::Server;
use tls::Tls;
use trials::{Bench, Entrant};
use wire::BODY_BYTES;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// What stops a client.
pub type Fault = Box<dyn Error>;

/// Names that the goals are about.
const FLOOR: &str = "floor";
const OURS: &str = "shrike";
const HYPER: &str = "hyper as it comes";

/// A client of the bench.
pub trait Client {
    /// Sends an order and waits for the answer; the number of the order in it.
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault>;

    /// What may be done after an exchange; not timed.
    fn rest(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// How a client waits for its reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Spinning,
    Sleeping,
}

/// Whom to talk to, and how.
pub struct Target {
    pub address: SocketAddr,
    pub tls: Option<Arc<Tls>>,
    pub waiting: Waiting,
}

/// One run: everybody who speaks this protocol.
pub struct Scenario {
    name: &'static str,
    is_websocket: bool,
    tls: bool,
    is_busy: bool,
}

const fn scenario(name: &'static str, is_websocket: bool, tls: bool, is_busy: bool) -> Scenario {
    Scenario {
        name,
        is_websocket,
        tls,
        is_busy,
    }
}

const SCENARIOS: [Scenario; 8] = [
    scenario("http-plain-busy", false, false, true),
    scenario("http-tls-busy", false, true, true),
    scenario("websocket-plain-busy", true, false, true),
    scenario("websocket-tls-busy", true, true, true),
    scenario("http-plain-sleeping", false, false, false),
    scenario("http-tls-sleeping", false, true, false),
    scenario("websocket-plain-sleeping", true, false, false),
    scenario("websocket-tls-sleeping", true, true, false),
];

const TRIALS: usize = 1_000;
const QUICK_TRIALS: usize = 100;

#[derive(Default)]
struct Options {
    quick: bool,
    out: Option<PathBuf>,
    only: Vec<String>,
    clients: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let missing = || format!("{argument} needs a value");
            arguments.next().ok_or_else(missing)
        };
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--out" => options.out = Some(PathBuf::from(value()?)),
            "--only" => options.only.push(value()?),
            "--client" => options.clients.push(value()?),
            // cargo says it to every bench.
            "--bench" => {}
            _ => return Err(format!("unknown option {argument}")),
        }
    }
    let named = |only: &String| {
        SCENARIOS
            .iter()
            .any(|scenario| scenario.name.contains(only))
    };
    match options.only.iter().find(|only| !named(only)) {
        Some(only) => Err(format!("no scenario is called {only}")),
        None => Ok(options),
    }
}

/// Pins the calling thread. False where that cannot be done.
fn pin(core: usize) -> bool {
    core_affinity::set_for_current(CoreId { id: core })
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{}", report::head());
    let code = match run(&options) {
        Ok(true) => 0,
        Ok(false) => {
            eprintln!("inconclusive: the machine is too busy; too few trials are left");
            5
        }
        Err(error) => {
            eprintln!("error: {error}");
            1
        }
    };
    println!("load      {} at the end", report::load());
    ExitCode::from(code)
}

/// Runs the scenarios. False if one of them proves nothing.
fn run(options: &Options) -> Result<bool, Fault> {
    if std::thread::available_parallelism()?.get() < 2 {
        return Err("two cores are needed: one for the client, one for the server".into());
    }
    if !pin(0) {
        return Err("core 0 is not for this process: see taskset".into());
    }
    let clock = Clock::new();
    let tls = Arc::new(Tls::new()?);
    let trials = if options.quick { QUICK_TRIALS } else { TRIALS };
    let mut is_conclusive = true;
    for scenario in &SCENARIOS {
        let wanted = |only: &String| scenario.name.contains(only.as_str());
        if !options.only.is_empty() && !options.only.iter().any(wanted) {
            continue;
        }
        let pair = ("beside the floor", vec![OURS.to_owned()]);
        let everybody = ("everybody", options.clients.clone());
        let mut fields = vec![everybody];
        if scenario.is_busy && options.clients.is_empty() {
            fields.insert(0, pair);
        }
        for (field, clients) in &fields {
            let tls = scenario.tls.then(|| Arc::clone(&tls));
            let config = tls.as_ref().map(|tls| Arc::clone(&tls.server));
            let server = Server::start(config, !scenario.is_busy, clock.clone())?;
            let entrants = entrants(scenario, clients, &server, tls)?;
            let run = Bench::new(&server, clock.clone()).run(entrants, trials);
            server.stop()?;
            let run = run?;
            let goals = report::goals(scenario, &run);
            print!("{}{goals}", report::table(scenario, field, &run));
            if let Some(dir) = &options.out {
                report::write(dir, scenario, field, &run)?;
            }
            is_conclusive &= run.is_conclusive();
        }
    }
    Ok(is_conclusive)
}

/// How a client is made.
type Maker = fn(&Target) -> Result<Box<dyn Client>, Fault>;

/// Connects everybody, the floor first; each in its turn, so that the server knows whose connection is whose.
fn entrants(
    scenario: &Scenario,
    wanted: &[String],
    server: &Server,
    tls: Option<Arc<Tls>>,
) -> Result<Vec<Entrant>, Fault> {
    let target = |waiting| Target {
        address: server.address,
        tls: tls.clone(),
        waiting,
    };
    let (spinning, sleeping) = (target(Waiting::Spinning), target(Waiting::Sleeping));
    let can = if scenario.is_busy {
        &spinning
    } else {
        &sleeping
    };
    let hyper: Maker = |target| Ok(Box::new(http_twins::Hyper::connect(target)?));
    let ours_http: Maker = |target| Ok(Box::new(ours::OursHttp::connect(target)?));
    let ours_echo: Maker = |target| Ok(Box::new(ours::OursEcho::connect(target)?));
    let reqwest: Maker = |target| Ok(Box::new(http_twins::Reqwest::new(target)?));
    let ureq: Maker = |target| Ok(Box::new(http_twins::Ureq::new(target)));
    let bare_http: Maker = |target| Ok(Box::new(floor::BareHttp::connect(target)?));
    let bare_echo: Maker = |target| Ok(Box::new(floor::BareEcho::connect(target)?));
    let mut makers: Vec<(&'static str, Maker, &Target)> = if scenario.is_websocket {
        vec![
            (FLOOR, bare_echo, can),
            (OURS, ours_echo, can),
            ("tungstenite", ws_twins::tungstenite, can),
            ("tokio-tungstenite", ws_twins::tokio_tungstenite, &sleeping),
            ("fastwebsockets", ws_twins::fastwebsockets, &sleeping),
        ]
    } else {
        vec![
            (FLOOR, bare_http, can),
            (OURS, ours_http, can),
            (HYPER, hyper, &sleeping),
            ("reqwest", reqwest, &sleeping),
            ("ureq", ureq, &sleeping),
        ]
    };
    if scenario.is_busy && scenario.is_websocket {
        let maker: Maker = ws_twins::fastwebsockets;
        makers.push(("fastwebsockets spinning", maker, &spinning));
    } else if scenario.is_busy {
        makers.push(("hyper spinning", hyper, &spinning));
    }
    makers.retain(|(name, ..)| {
        let named = |client: &String| name.contains(client.as_str());
        *name == FLOOR || wanted.is_empty() || wanted.iter().any(named)
    });
    let mut entrants = Vec::new();
    for (turn, (name, maker, target)) in makers.into_iter().enumerate() {
        server.turn(turn);
        let client = maker(target).map_err(|error| format!("{name}: {error}"))?;
        server.settle();
        entrants.push(Entrant::new(name, client));
    }
    Ok(entrants)
}
