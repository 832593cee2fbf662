//! Connections that can be cut in the middle of a reply.
//!
//! Runs on: the venue's thread.
//! Owns: how many bytes a connection may still write, and how it ends.
//! Never: touches a byte.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// What a handler may do to its connection.
#[derive(Clone, Debug)]
pub struct Tap(Arc<State>);

#[derive(Debug)]
struct State {
    left: AtomicU64,
    reset: AtomicBool,
}

impl Tap {
    fn new() -> Self {
        Self(Arc::new(State {
            left: AtomicU64::new(u64::MAX),
            reset: AtomicBool::new(false),
        }))
    }

    /// The connection ends after `bytes` more, with a reset or a plain close.
    pub fn cut_after(&self, bytes: u64, reset: bool) {
        self.0.reset.store(reset, Ordering::Relaxed);
        self.0.left.store(bytes, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, TapListener>> for Tap {
    fn connect_info(stream: IncomingStream<'_, TapListener>) -> Self {
        stream.io().tap.clone()
    }
}

/// Accepts connections with a [`Tap`].
#[derive(Debug)]
pub struct TapListener(pub TcpListener);

impl Listener for TapListener {
    type Io = TapStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, address)) = self.0.accept().await {
                let _ = stream.set_nodelay(true);
                let tap = Tap::new();
                return (TapStream { stream, tap }, address);
            }
            // Out of descriptors, say: try again when some may be free.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection with a [`Tap`].
#[derive(Debug)]
pub struct TapStream {
    stream: TcpStream,
    tap: Tap,
}

impl AsyncRead for TapStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TapStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = self.tap.0.left.load(Ordering::Acquire);
        if left == u64::MAX {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        if left == 0 {
            if self.tap.0.reset.load(Ordering::Relaxed) {
                let _ = self.stream.set_zero_linger();
            }
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let allowed = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let result = Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]);
        if let Poll::Ready(Ok(written)) = result {
            let left = left.saturating_sub(written as u64);
            self.tap.0.left.store(left, Ordering::Release);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
