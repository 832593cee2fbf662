//! The server's end of one connection: plain TCP, or TLS over it.
//!
//! Runs on: tests.
//! Owns: the socket, and the ways to end it.
//! Never: waits longer than a tick for octets, or a second to write.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use super::{PATIENCE, Shared, TICK};

pub struct Wire {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    has_ended: bool,
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Wire {
    /// Under TLS: once the handshake is done; a handshake that fails goes to the log.
    pub fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>, shared: &Shared) -> Option<Self> {
        socket.set_nodelay(true).expect("an option");
        socket.set_read_timeout(Some(TICK)).expect("an option");
        let second = Duration::from_secs(1);
        socket.set_write_timeout(Some(second)).expect("an option");
        let mut wire = Self {
            socket,
            tls: None,
            has_ended: false,
        };
        let Some(config) = tls else {
            return Some(wire);
        };
        let mut session = ServerConnection::new(config).expect("a session");
        let until = Instant::now() + PATIENCE;
        while session.is_handshaking() {
            let result = session.complete_io(&mut wire.socket);
            match result {
                Ok(_) => {}
                Err(error) if would_block(&error) && Instant::now() < until => {
                    if shared.ends.load(SeqCst) {
                        return None;
                    }
                }
                Err(error) => {
                    shared.log(|log| log.failed_handshakes.push(error.to_string()));
                    return None;
                }
            }
        }
        let is_resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        shared.log(|log| log.handshakes.push(is_resumed));
        wire.tls = Some(Box::new(session));
        Some(wire)
    }

    /// What is there within a tick: `None` for nothing, empty for the client's end.
    pub fn read(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        if self.has_ended {
            return Err(ErrorKind::NotConnected.into());
        }
        let mut buffer = vec![0; most.min(64 << 10)];
        let result = match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).read(&mut buffer),
            None => self.socket.read(&mut buffer),
        };
        match result {
            Ok(count) => {
                self.has_ended = count == 0;
                buffer.truncate(count);
                Ok(Some(buffer))
            }
            Err(error) if would_block(&error) => Ok(None),
            Err(error) => {
                self.has_ended = true;
                Err(error)
            }
        }
    }

    /// Writes some; 0 when the client does not read.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let result = match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(tls.as_mut(), &mut self.socket);
                stream
                    .write(octets)
                    .and_then(|count| stream.flush().map(|()| count))
            }
            None => self.socket.write(octets),
        };
        match result {
            Err(error) if would_block(&error) && self.tls.is_none() => Ok(0),
            other => other,
        }
    }

    /// FIN, after close_notify under TLS.
    pub fn half_close(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        self.cut()
    }

    /// FIN alone.
    pub fn cut(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// RST, once this is dropped.
    pub fn reset(&mut self) {
        let linger = Some(Duration::ZERO);
        let set = socket2::SockRef::from(&self.socket).set_linger(linger);
        set.expect("an option");
        self.has_ended = true;
    }
}
