//! The server of the bench: HTTP orders and WebSocket echoes, plain and TLS, on one thread.
//!
//! Runs on: a thread pinned to core 1, which spins, or sleeps in epoll where sleeping is what is measured.
//! Owns: its connections, and the stamp of the instant at which it had read all of a request.
//! Never: reads a connection whose turn it is not while it spins: eight idle reads would be in everybody's time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use quanta::Clock;
use rustls::{ServerConfig, ServerConnection};

use super::wire;

/// Turns that are no connection's.
const PAUSED: usize = usize::MAX;
const STOPPED: usize = usize::MAX - 1;
/// Empty reads between two looks for a new connection.
const READS_PER_ACCEPT: u32 = 256;
/// Longest sleep in epoll: how soon a stop is seen.
const NAP: Duration = Duration::from_millis(20);

/// What the server's thread and the client's share.
pub struct Shared {
    /// Whose turn it is. Connections belong to whose turn it was when they came.
    turn: AtomicUsize,
    /// Raw stamp of the instant at which all of the last request had been read.
    read_at: AtomicU64,
    /// Requests answered, or about to be.
    answered: AtomicU64,
    /// Looks for new connections, while it spins.
    looks: AtomicU64,
}

/// The running server.
pub struct Server {
    pub address: SocketAddr,
    sleeping: bool,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Starts one on loopback. `sleeping`: in epoll instead of spinning.
    pub fn start(tls: Option<Arc<ServerConfig>>, sleeping: bool, clock: Clock) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            turn: AtomicUsize::new(PAUSED),
            read_at: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            looks: AtomicU64::new(0),
        });
        let host = Host {
            listener,
            tls,
            shared: Arc::clone(&shared),
            clock,
            connections: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("bench-server".to_owned());
        let thread = thread.spawn(move || {
            if !super::pin(1) {
                return Err(io::Error::other("core 1 is not for this process"));
            }
            if sleeping { host.sleep() } else { host.spin() }
        })?;
        Ok(Self {
            address,
            sleeping,
            shared,
            thread: Some(thread),
        })
    }

    /// From now on the server reads the connections of this client only.
    pub fn turn(&self, client: usize) {
        self.shared.turn.store(client, Ordering::Release);
    }

    /// Waits until the server has taken every connection that is there: it gives them to whose turn it is.
    pub fn settle(&self) {
        let looks = self.shared.looks.load(Ordering::Acquire);
        while !self.sleeping && self.shared.looks.load(Ordering::Acquire) < looks + 2 {
            std::thread::yield_now();
        }
    }

    /// The server may rest.
    pub fn pause(&self) {
        self.turn(PAUSED);
    }

    /// Raw stamp of the instant at which the server had read all of the last request.
    pub fn read_at(&self) -> u64 {
        self.shared.read_at.load(Ordering::Acquire)
    }

    /// Requests that the server answered or is about to.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Acquire)
    }

    /// Ends the thread and says what stopped it, if anything did.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.turn(STOPPED);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the server panicked")),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The thread's side.
struct Host {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
    clock: Clock,
    connections: Vec<Connection>,
}

impl Host {
    fn spin(mut self) -> io::Result<()> {
        let mut reads = 0_u32;
        loop {
            let turn = self.shared.turn.load(Ordering::Acquire);
            match turn {
                STOPPED => return Ok(()),
                PAUSED => std::thread::sleep(Duration::from_micros(50)),
                _ => {}
            }
            for connection in &mut self.connections {
                if connection.client == turn && connection.is_open {
                    connection.poll(&self.shared, &self.clock)?;
                }
            }
            reads += 1;
            if reads >= READS_PER_ACCEPT {
                reads = 0;
                while self.accept()? {}
                self.shared.looks.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    fn sleep(mut self) -> io::Result<()> {
        const LISTENER: Token = Token(usize::MAX / 2);
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(64);
        let listener = self.listener.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&listener), LISTENER, Interest::READABLE)?;
        while self.shared.turn.load(Ordering::Acquire) != STOPPED {
            match poll.poll(&mut events, Some(NAP)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    while self.accept()? {
                        let token = Token(self.connections.len() - 1);
                        let socket = self.connections[token.0].socket.as_raw_fd();
                        let registry = poll.registry();
                        registry.register(&mut SourceFd(&socket), token, Interest::READABLE)?;
                        while self.connections[token.0].poll(&self.shared, &self.clock)? {}
                    }
                    continue;
                }
                let connection = &mut self.connections[event.token().0];
                while connection.is_open && connection.poll(&self.shared, &self.clock)? {}
            }
        }
        Ok(())
    }

    /// Takes one connection, if one waits.
    fn accept(&mut self) -> io::Result<bool> {
        let (socket, _) = match self.listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let tls = match &self.tls {
            None => None,
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config));
                Some(session.map_err(io::Error::other)?)
            }
        };
        let client = self.shared.turn.load(Ordering::Acquire);
        self.connections.push(Connection::new(socket, tls, client));
        Ok(true)
    }
}

/// One connection.
struct Connection {
    client: usize,
    socket: TcpStream,
    tls: Option<ServerConnection>,
    input: Vec<u8>,
    filled: usize,
    is_websocket: bool,
    is_open: bool,
    reply: Vec<u8>,
    reply_body_at: usize,
    echo: Vec<u8>,
}

/// What is to be written.
enum Answer {
    Reply,
    Echo,
}

impl Connection {
    fn new(socket: TcpStream, tls: Option<ServerConnection>, client: usize) -> Self {
        let (reply, reply_body_at) = wire::reply();
        Self {
            client,
            socket,
            tls,
            input: vec![0; 16 << 10],
            filled: 0,
            is_websocket: false,
            is_open: true,
            reply,
            reply_body_at,
            echo: Vec::with_capacity(1 << 10),
        }
    }

    /// Reads once and answers what is complete. True if there was something to read.
    fn poll(&mut self, shared: &Shared, clock: &Clock) -> io::Result<bool> {
        match self.read() {
            Ok(true) => {}
            Ok(false) => return Ok(self.is_open && self.tls.is_some() && self.flush()?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.is_open = false;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        while let Some((used, answer)) = self.parse()? {
            shared.read_at.store(clock.raw(), Ordering::Release);
            shared.answered.fetch_add(1, Ordering::AcqRel);
            self.write(&answer)?;
            self.input.copy_within(used..self.filled, 0);
            self.filled -= used;
        }
        Ok(true)
    }

    /// Reads once. False if nothing came up to this side of TLS.
    fn read(&mut self) -> io::Result<bool> {
        let room = &mut self.input[self.filled..];
        let read = match &mut self.tls {
            None => self.socket.read(room)?,
            Some(tls) => {
                let ended = tls.read_tls(&mut self.socket)? == 0;
                tls.process_new_packets().map_err(io::Error::other)?;
                match tls.reader().read(room) {
                    Err(_) if ended => 0,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    result => result?,
                }
            }
        };
        self.is_open = read > 0;
        self.filled += read;
        Ok(read > 0)
    }

    /// Writes what TLS wants to write; true.
    fn flush(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(true)
    }

    /// The length of the request or frame at the front, if all of it is there.
    fn parse(&mut self) -> io::Result<Option<(usize, Answer)>> {
        if self.is_websocket {
            return self.parse_frame();
        }
        let input = &self.input[..self.filled];
        let Some(head) = wire::head_bytes(input) else {
            return Ok(None);
        };
        if let Some(key) = wire::field(&input[..head], "Sec-WebSocket-Key") {
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            self.echo.clear();
            write!(
                self.echo,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )?;
            self.is_websocket = true;
            return Ok(Some((head, Answer::Echo)));
        }
        let length = wire::field(&input[..head], "Content-Length");
        let length: usize = length
            .unwrap_or("0")
            .parse()
            .map_err(|_| io::Error::other("a content length that is no number"))?;
        if self.filled < head + length {
            return Ok(None);
        }
        if let Some(number) = wire::number(&input[head..head + length]) {
            wire::set_number(&mut self.reply[self.reply_body_at..], number);
        }
        Ok(Some((head + length, Answer::Reply)))
    }

    /// Parses a masked frame of less than 64 KiB and makes its echo.
    fn parse_frame(&mut self) -> io::Result<Option<(usize, Answer)>> {
        let input = &self.input[..self.filled];
        let &[first, second, ref rest @ ..] = input else {
            return Ok(None);
        };
        let (length, rest) = match (second & 0x7f, rest) {
            (126, &[high, low, ref rest @ ..]) => {
                (usize::from(u16::from_be_bytes([high, low])), rest)
            }
            (126, _) => return Ok(None),
            (length @ ..126, rest) => (usize::from(length), rest),
            _ => return Err(io::Error::other("a frame that is too long")),
        };
        let Some((mask, payload)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        if payload.len() < length {
            return Ok(None);
        }
        let used = self.filled - payload.len() + length;
        // A ping comes back as a pong, anything else as it was: also a close.
        let first = if first & 0xf == 9 { 0x8a } else { first };
        self.echo.clear();
        self.echo.push(first);
        match u8::try_from(length) {
            Ok(short @ ..126) => self.echo.push(short),
            _ => {
                self.echo.push(126);
                self.echo.extend_from_slice(&(length as u16).to_be_bytes());
            }
        }
        let body = self.echo.len();
        self.echo.extend_from_slice(&payload[..length]);
        for (byte, mask) in self.echo[body..].iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok(Some((used, Answer::Echo)))
    }

    /// Writes an answer in one go: it always fits into the socket's buffer, one client waits for it.
    fn write(&mut self, answer: &Answer) -> io::Result<()> {
        let bytes = match answer {
            Answer::Reply => &self.reply,
            Answer::Echo => &self.echo,
        };
        match &mut self.tls {
            None => {
                let written = self.socket.write(bytes)?;
                if written < bytes.len() {
                    return Err(io::Error::other("a reply that does not fit"));
                }
            }
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                self.flush()?;
            }
        }
        Ok(())
    }
}
