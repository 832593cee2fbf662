//! A connection that is up: plain TCP or TLS over it, read and written without waiting.
//!
//! Runs on: a gateway's duty cycle, RESOLVER while it dials.
//! Owns: the socket, and the count of octets of a request that the kernel took.
//! Never: blocks; writes anything that it was not told to.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::tls::Tls;

/// Why a connection is of no use any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer reset it.
    #[error("connection reset by the peer")]
    Reset,
    /// The peer reads no more.
    #[error("the peer closed the connection for writing")]
    BrokenPipe,
    /// What was sent was not acknowledged in time (TCP_USER_TIMEOUT), or the network said so.
    #[error("connection timed out")]
    TimedOut,
    /// TCP ended without TLS's close_notify: what came may have been cut off.
    #[error("TLS connection cut off without close_notify")]
    Truncated,
    /// TLS was broken by the peer, or it sent an alert.
    #[error("TLS protocol failure")]
    Tls,
    /// Another error of the operating system, by its number.
    #[error("{}", io::Error::from_raw_os_error(*.0))]
    Os(i32),
}

impl StreamError {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Self::Reset,
            ErrorKind::BrokenPipe | ErrorKind::NotConnected => Self::BrokenPipe,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::UnexpectedEof => Self::Truncated,
            _ => match error.raw_os_error() {
                Some(number) => Self::Os(number),
                None => Self::Tls,
            },
        }
    }
}

/// What a read gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Got {
    /// That many octets.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The peer ended in order: FIN, and close_notify under TLS.
    End,
}

/// How far the octets of one request are on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sending {
    /// Octets of the request that the kernel took; under TLS it is not known of which octets the ciphertext was.
    pub plain: usize,
    /// Octets of ciphertext that the kernel took since the request began.
    pub ciphertext: u64,
    /// The request is with TLS, encrypted or about to be.
    is_handed_over: bool,
    /// All of it is with the kernel.
    pub is_done: bool,
}

impl Sending {
    /// Whether one octet of it may be on the wire.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.plain > 0 || self.ciphertext > 0
    }
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    tls: Option<Box<Tls>>,
}

impl Stream {
    pub(super) const fn new(tcp: TcpStream, tls: Option<Box<Tls>>) -> Self {
        Self { tcp, tls }
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Has a poller told of it.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(
            &mut self.tcp,
            token,
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is over.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Got, StreamError> {
        match &mut self.tls {
            Some(tls) => tls.read(&mut self.tcp, buffer),
            None => read_plain(&mut self.tcp, buffer),
        }
    }

    /// Goes on sending a request; `sending` keeps how far it is. The same octets have to be given until it is done.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is over; `sending` says what had left by then.
    pub fn send(&mut self, request: &[u8], sending: &mut Sending) -> Result<(), StreamError> {
        if sending.is_done {
            return Ok(());
        }
        let Some(tls) = &mut self.tls else {
            let result = write_plain(&mut self.tcp, &request[sending.plain..]);
            let (taken, result) = match result {
                Ok(taken) => (taken, Ok(())),
                Err((taken, error)) => (taken, Err(error)),
            };
            sending.plain += taken;
            sending.is_done = sending.plain == request.len();
            return result;
        };
        if !sending.is_handed_over {
            // Leftovers of the session (key updates) go first, so that they do not count as the request's.
            tls.flush(&mut self.tcp, &mut 0)?;
            if tls.wants_write() {
                return Ok(());
            }
            tls.encrypt(request)?;
            sending.is_handed_over = true;
        }
        tls.flush(&mut self.tcp, &mut sending.ciphertext)?;
        sending.is_done = !tls.wants_write();
        Ok(())
    }

    /// Sends what of `octets` the kernel or TLS takes; returns how many. For streams of frames, where nobody asks how
    /// much of what left.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is over.
    pub fn write(&mut self, octets: &[u8]) -> Result<usize, StreamError> {
        match &mut self.tls {
            Some(tls) => {
                tls.flush(&mut self.tcp, &mut 0)?;
                if octets.is_empty() || tls.wants_write() {
                    return Ok(0);
                }
                tls.encrypt(octets)?;
                tls.flush(&mut self.tcp, &mut 0)?;
                Ok(octets.len())
            }
            None => match write_plain(&mut self.tcp, octets) {
                Ok(taken) | Err((taken @ 1.., _)) => Ok(taken),
                Err((_, error)) => Err(error),
            },
        }
    }

    /// Whether octets that [`write`](Self::write) took are not with the kernel yet.
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Whether part of a TLS record has come and its rest has not: something was sent that nobody can read yet.
    #[must_use]
    pub fn is_mid_record(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_mid_record())
    }

    /// Ends it in order: close_notify, then FIN. Errors do not matter any more.
    pub fn close(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.tcp);
        }
        let _ = self.tcp.shutdown(std::net::Shutdown::Write);
    }
}

pub(super) fn read_plain(tcp: &mut impl Read, buffer: &mut [u8]) -> Result<Got, StreamError> {
    loop {
        return match tcp.read(buffer) {
            Ok(0) => Ok(Got::End),
            Ok(count) => Ok(Got::Bytes(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Got::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(StreamError::of(&error)),
        };
    }
}

/// Writes until everything is taken or the kernel takes no more; an error comes with what was taken before it.
fn write_plain(tcp: &mut impl Write, octets: &[u8]) -> Result<usize, (usize, StreamError)> {
    let mut taken = 0;
    while taken < octets.len() {
        match tcp.write(&octets[taken..]) {
            Ok(0) => return Err((taken, StreamError::BrokenPipe)),
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((taken, StreamError::of(&error))),
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many octets as it says at each call, then fails.
    struct Kernel(Vec<io::Result<usize>>);

    impl Write for Kernel {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.remove(0).map(|count| count.min(octets.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_taken_before_an_error_is_known() {
        let would_block = || Err(ErrorKind::WouldBlock.into());
        let mut whole = Kernel(vec![Ok(3), Err(ErrorKind::Interrupted.into()), Ok(9)]);
        assert_eq!(write_plain(&mut whole, b"1234567"), Ok(7));
        let mut full = Kernel(vec![Ok(3), would_block()]);
        assert_eq!(write_plain(&mut full, b"1234567"), Ok(3));
        let mut reset = Kernel(vec![Ok(3), Err(ErrorKind::ConnectionReset.into())]);
        let error = write_plain(&mut reset, b"1234567");
        assert_eq!(error, Err((3, StreamError::Reset)));
        let mut gone = Kernel(vec![Ok(0)]);
        assert_eq!(
            write_plain(&mut gone, b"1"),
            Err((0, StreamError::BrokenPipe))
        );
    }
}
