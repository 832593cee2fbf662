//! The floor: the same bytes with nothing but a socket, and rustls where TLS is measured.
//!
//! Runs on: the client's thread.
//! Owns: its socket and a request rendered beforehand.
//! Never: parses more of a reply than its length, which it knows.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::ClientConnection;

use super::wire::{self, BODY_BYTES, REPLY_BYTES, REQUEST_BYTES};
use super::{Client, Fault, Target, Waiting};

/// A socket with or without TLS; spins while a non-blocking one has nothing.
struct Bare {
    socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Bare {
    fn connect(target: &Target) -> Result<Self, Fault> {
        let mut socket = TcpStream::connect(target.address)?;
        socket.set_nodelay(true)?;
        let mut tls = match &target.tls {
            None => None,
            Some(tls) => {
                let name = target.address.ip().into();
                Some(ClientConnection::new(Arc::clone(&tls.client), name)?)
            }
        };
        if let Some(tls) = &mut tls {
            while tls.is_handshaking() {
                tls.complete_io(&mut socket)?;
            }
        }
        Ok(Self { socket, tls })
    }

    fn wait(&self, waiting: Waiting) -> io::Result<()> {
        self.socket.set_nonblocking(waiting == Waiting::Spinning)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => whole(self.socket.write(bytes)?, bytes.len()),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                tls.write_tls(&mut self.socket)?;
                whole(usize::from(!tls.wants_write()), 1)
            }
        }
    }

    /// Fills `bytes`.
    fn receive(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            let read = match &mut self.tls {
                None => self.socket.read(&mut bytes[filled..]),
                Some(tls) => match tls.read_tls(&mut self.socket) {
                    Ok(0) => Ok(0),
                    Ok(_) => {
                        tls.process_new_packets().map_err(io::Error::other)?;
                        tls.reader().read(&mut bytes[filled..])
                    }
                    Err(error) => Err(error),
                },
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn whole(written: usize, length: usize) -> io::Result<()> {
    if written == length {
        Ok(())
    } else {
        Err(io::Error::other("a request that does not fit"))
    }
}

/// The order as a POST.
pub struct BareHttp {
    bare: Bare,
    request: [u8; REQUEST_BYTES],
    body_at: usize,
    reply: [u8; REPLY_BYTES],
    reply_body_at: usize,
}

impl BareHttp {
    pub fn connect(target: &Target) -> Result<Self, Fault> {
        let bare = Bare::connect(target)?;
        bare.wait(target.waiting)?;
        let (request, body_at) = wire::request(target.address.port());
        let wrong = |request: Vec<u8>| format!("the request has {} bytes", request.len());
        Ok(Self {
            bare,
            request: request.try_into().map_err(wrong)?,
            body_at,
            reply: [0; REPLY_BYTES],
            reply_body_at: wire::reply().1,
        })
    }
}

impl Client for BareHttp {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        self.request[self.body_at..].copy_from_slice(body);
        self.bare.send(&self.request)?;
        self.bare.receive(&mut self.reply)?;
        Ok(wire::number(&self.reply[self.reply_body_at..]))
    }
}

/// The order as a WebSocket message. Its mask is zero: the floor masks nothing.
pub struct BareEcho {
    bare: Bare,
    frame: [u8; 8 + BODY_BYTES],
    echo: [u8; 4 + BODY_BYTES],
}

impl BareEcho {
    pub fn connect(target: &Target) -> Result<Self, Fault> {
        let mut bare = Bare::connect(target)?;
        let host = target.address;
        bare.send(wire::upgrade(host).as_bytes())?;
        let mut head = Vec::new();
        while wire::head_bytes(&head).is_none() {
            let mut byte = [0];
            match &mut bare.tls {
                None => bare.socket.read_exact(&mut byte)?,
                Some(tls) => rustls::Stream::new(tls, &mut bare.socket).read_exact(&mut byte)?,
            }
            head.push(byte[0]);
        }
        bare.wait(target.waiting)?;
        let mut frame = [0; 8 + BODY_BYTES];
        frame[..4].copy_from_slice(&[0x81, 0x80 | 126, 0, BODY_BYTES as u8]);
        Ok(Self {
            bare,
            frame,
            echo: [0; 4 + BODY_BYTES],
        })
    }
}

impl Client for BareEcho {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        self.frame[8..].copy_from_slice(body);
        self.bare.send(&self.frame)?;
        self.bare.receive(&mut self.echo)?;
        Ok(wire::number(&self.echo[4..]))
    }
}
