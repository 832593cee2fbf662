//! A server that does to its client what a script says, and counts what reached it.
//!
//! Runs on: tests, on threads of its own; bound to the loopback.
//! Owns: the listener, the connections, and the log of whole requests as an independent reader found them.
//! Never: outlives its test; waits longer than a few seconds for anything.
#![allow(dead_code, reason = "each test file uses its own part of the server")]

pub mod certificates;
pub mod client;
pub mod frames;
pub mod requests;
pub mod responses;
pub mod socket;
pub mod wire;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use requests::{Reader, Request};
use wire::Wire;

/// For one connection, and for the wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How often a thread that waits looks whether it is to end.
const TICK: Duration = Duration::from_millis(2);

/// What the server does next with a connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Waits until one more whole request has come.
    Request,
    /// The same, but reads so many octets at most, then pauses.
    SlowRequest(usize, Duration),
    /// Waits until so many octets have come since the last whole request that was waited for.
    Octets(usize),
    /// Waits for an upgrade and answers by this head, `{accept}` in it replaced, with these octets behind it.
    Upgrade(String, Vec<u8>),
    /// The same without octets behind it, an octet a segment.
    UpgradeSlowly(String),
    /// Sends these octets.
    Send(Vec<u8>),
    /// Sends these octets over and over until the client goes away or the server ends.
    Flood(Vec<u8>),
    /// Sends these octets, so many a segment, with a pause behind each.
    Pieces(Vec<u8>, usize, Duration),
    /// Does nothing for a while.
    Pause(Duration),
    /// Counts this place as reached: what was sent before it is in the client's socket.
    Mark,
    /// FIN (close_notify before it under TLS); goes on reading.
    HalfClose,
    /// FIN (close_notify before it under TLS), reads until the client has gone too.
    Close,
    /// FIN without close_notify under TLS.
    Cut,
    /// RST.
    Reset,
    /// Reads nothing and sends nothing until the server ends.
    Freeze,
    /// Reads and sends nothing until the client has gone or the server ends.
    Stall,
}

/// What was seen, in order.
#[derive(Default, Debug)]
pub struct Log {
    pub requests: Vec<Request>,
    /// Octets of a request that is not whole, by connection.
    pub beginnings: Vec<(usize, Vec<u8>)>,
    /// What the client sent that is no request.
    pub malformed: Vec<String>,
    /// Everything that came after an upgrade, by connection.
    pub upgraded: Vec<(usize, Vec<u8>)>,
    /// Connections on which the client's end was seen: true for FIN, false for RST.
    pub ends: Vec<(usize, bool)>,
    /// TLS handshakes: whole, or resumed.
    pub handshakes: Vec<bool>,
    pub failed_handshakes: Vec<String>,
    /// Marks reached, on all connections.
    pub marks: usize,
}

/// What the threads share.
#[derive(Default)]
pub struct Shared {
    pub log: Mutex<Log>,
    pub ends: AtomicBool,
    connections: AtomicUsize,
}

impl Shared {
    pub fn log<T>(&self, with: impl FnOnce(&mut Log) -> T) -> T {
        with(&mut self.log.lock().expect("no thread panicked"))
    }
}

type Script = dyn Fn(usize) -> Vec<Step> + Send + Sync;

/// See the module. Dropped, it ends every connection.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Plain TCP; the script is asked for the steps of each connection, counted from 0.
    pub fn start(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::with_tls(None, script)
    }

    /// Every connection by the same steps.
    pub fn always(steps: Vec<Step>) -> Self {
        Self::start(move |_| steps.clone())
    }

    /// The first connection by the first steps and so on; those after the last are reset.
    pub fn in_turn(steps: Vec<Vec<Step>>) -> Self {
        Self::start(move |at| steps.get(at).cloned().unwrap_or(vec![Step::Reset]))
    }

    pub fn with_tls(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let script: Arc<Script> = Arc::new(script);
        let acceptor = thread::spawn(move || accept(&listener, tls, &theirs, &script));
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    pub fn url(&self, scheme: &str, target: &str) -> String {
        format!("{scheme}://{}{target}", self.address)
    }

    /// How many connections were taken.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// How many whole requests with this method came, on all connections.
    pub fn count(&self, method: &str) -> usize {
        self.log(|log| log.requests.iter().filter(|r| r.method == method).count())
    }

    pub fn log<T>(&self, with: impl FnOnce(&mut Log) -> T) -> T {
        self.shared.log(with)
    }

    /// Waits until something is so.
    pub fn wait(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(since.elapsed() < PATIENCE, "in vain: {what}");
            thread::sleep(TICK);
        }
    }

    /// Waits until so many marks were reached.
    pub fn wait_for_marks(&self, count: usize) {
        self.wait("a mark is reached", |server| {
            server.log(|log| log.marks >= count)
        });
    }

    /// Waits until the client has ended that many connections.
    pub fn wait_for_ends(&self, count: usize) {
        self.wait("the client ends its connections", |server| {
            server.log(|log| log.ends.len() >= count)
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ends.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let result = acceptor.join();
            if !thread::panicking() {
                result.expect("the server did not panic");
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    shared: &Arc<Shared>,
    script: &Arc<Script>,
) {
    let mut threads = Vec::new();
    while let Ok((socket, _)) = listener.accept() {
        if shared.ends.load(SeqCst) {
            break;
        }
        let number = shared.connections.fetch_add(1, SeqCst);
        let (tls, shared, script) = (tls.clone(), Arc::clone(shared), Arc::clone(script));
        threads.push(thread::spawn(move || {
            let Some(wire) = Wire::new(socket, tls, &shared) else {
                return;
            };
            let connection = Connection {
                number,
                wire,
                reader: Reader::default(),
                shared,
                until: Instant::now() + PATIENCE,
                waiting: VecDeque::new(),
                came: 0,
                is_upgraded: false,
            };
            connection.run(&script(number));
        }));
    }
    for thread in threads {
        thread.join().expect("a connection did not panic");
    }
}

struct Connection {
    number: usize,
    wire: Wire,
    reader: Reader,
    shared: Arc<Shared>,
    until: Instant,
    /// Requests that no step has waited for.
    waiting: VecDeque<Request>,
    came: usize,
    is_upgraded: bool,
}

impl Connection {
    fn run(mut self, steps: &[Step]) {
        for step in steps {
            if self.take(step).is_err() {
                break;
            }
        }
        // What came and was not waited for is counted too: it was delivered.
        while let Ok(Some(1..)) = self.read(usize::MAX) {}
        let rest = self.reader.rest();
        if !rest.is_empty() {
            let beginning = (self.number, rest.to_vec());
            self.shared.log(|log| log.beginnings.push(beginning));
        }
    }

    fn take(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Request => {
                self.request()?;
                self.came = 0;
                Ok(())
            }
            Step::SlowRequest(count, pause) => {
                while self.waiting.pop_front().is_none() {
                    self.read_some(*count)?;
                    thread::sleep(*pause);
                }
                Ok(())
            }
            Step::Octets(count) => {
                while self.came < *count {
                    self.read_some(*count - self.came)?;
                }
                Ok(())
            }
            Step::Upgrade(text, octets) => {
                let head = self.accept_upgrade(text)?;
                self.write(&[head, octets.clone()].concat())
            }
            Step::UpgradeSlowly(text) => {
                let head = self.accept_upgrade(text)?;
                self.write_pieces(&head, 1, Duration::from_micros(200))
            }
            Step::Send(octets) => self.write(octets),
            Step::Flood(octets) => loop {
                self.write(octets)?;
            },
            Step::Pieces(octets, size, pause) => self.write_pieces(octets, *size, *pause),
            Step::Mark => {
                self.shared.log(|log| log.marks += 1);
                Ok(())
            }
            Step::Pause(duration) => {
                thread::sleep(*duration);
                Ok(())
            }
            Step::HalfClose => self.wire.half_close(),
            Step::Cut => self.wire.cut(),
            Step::Close => {
                self.wire.half_close()?;
                self.take(&Step::Stall)
            }
            Step::Reset => {
                self.wire.reset();
                Err(ErrorKind::ConnectionReset.into())
            }
            Step::Freeze => loop {
                thread::sleep(TICK);
                self.check()?;
            },
            Step::Stall => loop {
                self.read_some(usize::MAX)?;
            },
        }
    }

    /// The next whole request.
    fn request(&mut self) -> io::Result<Request> {
        loop {
            if let Some(request) = self.waiting.pop_front() {
                return Ok(request);
            }
            self.read_some(usize::MAX)?;
        }
    }

    fn accept_upgrade(&mut self, text: &str) -> io::Result<Vec<u8>> {
        let request = self.request()?;
        self.is_upgraded = true;
        Ok(text.replace("{accept}", &request.accept_key()).into_bytes())
    }

    /// Waits for octets; the end of the connection, of the test or of patience is an error.
    fn read_some(&mut self, most: usize) -> io::Result<()> {
        loop {
            self.check()?;
            match self.read(most)? {
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(_) => return Ok(()),
                None => {}
            }
        }
    }

    /// Reads what is there, if anything, into the log; 0 is the client's end.
    fn read(&mut self, most: usize) -> io::Result<Option<usize>> {
        let number = self.number;
        let octets = match self.wire.read(most) {
            Ok(octets) => octets,
            Err(error) => {
                self.shared.log(|log| log.ends.push((number, false)));
                return Err(error);
            }
        };
        let Some(octets) = octets else {
            return Ok(None);
        };
        if octets.is_empty() {
            self.shared.log(|log| log.ends.push((number, true)));
        } else if self.is_upgraded {
            self.shared
                .log(|log| log.upgraded.push((number, octets.clone())));
        } else {
            let found = self.reader.read(number, &octets);
            self.shared.log(|log| match found {
                Ok(requests) => {
                    log.requests.extend(requests.iter().cloned());
                    self.waiting.extend(requests);
                }
                Err(why) => log.malformed.push(why),
            });
        }
        self.came += octets.len();
        Ok(Some(octets.len()))
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < octets.len() {
            self.check()?;
            written += self.wire.write(&octets[written..])?;
        }
        Ok(())
    }

    fn write_pieces(&mut self, octets: &[u8], size: usize, pause: Duration) -> io::Result<()> {
        for piece in octets.chunks(size) {
            self.write(piece)?;
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.shared.ends.load(SeqCst) || Instant::now() > self.until {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}
