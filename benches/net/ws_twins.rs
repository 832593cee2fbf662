//! Other people's WebSocket clients: tungstenite, tokio-tungstenite, fastwebsockets.
//!
//! Runs on: the client's thread; the last two on a tokio runtime of that one thread.
//! Owns: the clients, each with its connection.
//! Never: sends anything but text.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use fastwebsockets::{Frame, Payload, Role};
use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConnection, StreamOwned};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tungstenite::{Message, WebSocket};

use super::stream::{self, Connected, Duplex};
use super::wire::{self, BODY_BYTES};
use super::{Client, Fault, Target, Waiting};

fn url(target: &Target) -> String {
    // The stream is up: the scheme only fills the Host field.
    format!("ws://{}/stream", target.address)
}

/// tungstenite on a socket that spins or blocks.
pub struct Tungstenite<S> {
    socket: WebSocket<S>,
}

pub fn tungstenite(target: &Target) -> Result<Box<dyn Client>, Fault> {
    let socket = TcpStream::connect(target.address)?;
    socket.set_nodelay(true)?;
    let spins = target.waiting == Waiting::Spinning;
    let handle = socket.try_clone()?;
    let client: Box<dyn Client> = match &target.tls {
        None => Box::new(Tungstenite::shake(socket, target)?),
        Some(tls) => {
            let name = target.address.ip().into();
            let session = ClientConnection::new(Arc::clone(&tls.client), name)?;
            let stream = StreamOwned::new(session, socket);
            Box::new(Tungstenite::shake(stream, target)?)
        }
    };
    handle.set_nonblocking(spins)?;
    Ok(client)
}

impl<S: Read + Write + 'static> Tungstenite<S> {
    fn shake(stream: S, target: &Target) -> Result<Self, Fault> {
        let shaken = tungstenite::client(url(target), stream);
        let (socket, _) = shaken.map_err(|error| error.to_string())?;
        Ok(Self { socket })
    }
}

impl<S: Read + Write> Client for Tungstenite<S> {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        self.socket
            .send(Message::text(std::str::from_utf8(body)?))?;
        loop {
            match self.socket.read() {
                Ok(message) => return Ok(wire::number(&message.into_data())),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::hint::spin_loop();
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// tokio-tungstenite.
pub struct TokioTungstenite<S> {
    runtime: Runtime,
    socket: WebSocketStream<S>,
}

pub fn tokio_tungstenite(target: &Target) -> Result<Box<dyn Client>, Fault> {
    let runtime = stream::runtime(target)?;
    Ok(match stream::connect(&runtime, target)? {
        Connected::Plain(socket) => Box::new(TokioTungstenite::shake(runtime, socket, target)?),
        Connected::Tls(session) => Box::new(TokioTungstenite::shake(runtime, *session, target)?),
    })
}

impl<S: Duplex> TokioTungstenite<S> {
    fn shake(runtime: Runtime, stream: S, target: &Target) -> Result<Self, Fault> {
        let shaken = runtime.block_on(tokio_tungstenite::client_async(url(target), stream));
        let (socket, _) = shaken?;
        Ok(Self { runtime, socket })
    }
}

impl<S: Duplex> Client for TokioTungstenite<S> {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let text = std::str::from_utf8(body)?;
        let socket = &mut self.socket;
        self.runtime.block_on(async {
            socket.send(Message::text(text)).await?;
            let message = socket.next().await.ok_or("the connection ended")??;
            Ok(wire::number(&message.into_data()))
        })
    }
}

/// fastwebsockets, on a stream of its own instead of hyper's upgraded one: its best.
pub struct FastWebSockets<S> {
    runtime: Runtime,
    socket: fastwebsockets::WebSocket<S>,
}

pub fn fastwebsockets(target: &Target) -> Result<Box<dyn Client>, Fault> {
    let runtime = stream::runtime(target)?;
    Ok(match stream::connect(&runtime, target)? {
        Connected::Plain(socket) => Box::new(FastWebSockets::shake(runtime, socket, target)?),
        Connected::Tls(session) => Box::new(FastWebSockets::shake(runtime, *session, target)?),
    })
}

impl<S: Duplex> FastWebSockets<S> {
    fn shake(runtime: Runtime, mut stream: S, target: &Target) -> Result<Self, Fault> {
        runtime.block_on(async {
            stream
                .write_all(wire::upgrade(target.address).as_bytes())
                .await?;
            stream.flush().await?;
            let mut head = Vec::new();
            while wire::head_bytes(&head).is_none() {
                head.push(stream.read_u8().await?);
            }
            Ok::<_, io::Error>(())
        })?;
        let socket = fastwebsockets::WebSocket::after_handshake(stream, Role::Client);
        Ok(Self { runtime, socket })
    }
}

impl<S: Duplex> Client for FastWebSockets<S> {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let socket = &mut self.socket;
        self.runtime.block_on(async {
            let frame = Frame::text(Payload::Borrowed(body));
            socket.write_frame(frame).await?;
            socket.flush().await?;
            let frame = socket.read_frame().await?;
            Ok(wire::number(&frame.payload))
        })
    }
}
