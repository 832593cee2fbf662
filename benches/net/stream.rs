//! What the twins on tokio stand on: a runtime of one thread, and a stream with or without TLS.
//!
//! Runs on: the client's thread.
//! Owns: nothing that lasts.
//! Never: makes a second thread.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Fault, Target, Waiting};

/// What a client library asks of a stream.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Duplex for S {}

/// A stream that is up.
pub enum Connected {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A runtime of this thread. A spinning one has a task that is always ready, so that it never sleeps in epoll.
pub fn runtime(target: &Target) -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if target.waiting == Waiting::Spinning {
        runtime.spawn(async {
            loop {
                yield_now().await;
            }
        });
    }
    Ok(runtime)
}

/// Connects, and shakes hands where there is TLS.
pub fn connect(runtime: &Runtime, target: &Target) -> Result<Connected, Fault> {
    runtime.block_on(async {
        let socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        let Some(tls) = &target.tls else {
            return Ok(Connected::Plain(socket));
        };
        let connector = TlsConnector::from(Arc::clone(&tls.client));
        let name = target.address.ip().into();
        let session = connector.connect(name, socket).await?;
        Ok(Connected::Tls(Box::new(session)))
    })
}
