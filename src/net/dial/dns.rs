//! Names to addresses, on a thread of its own: the system's resolver blocks.
//!
//! Runs on: a thread that does nothing else; RESOLVER asks and keeps the answers.
//! Owns: the queue of names and the last good answer of each.
//! Never: holds RESOLVER up.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use mio::Waker;

/// How long a name may take before its last good answer serves instead.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_000);

/// What the system said of a name.
pub(super) type Answer = Result<Vec<SocketAddr>, String>;

/// See the module.
pub(super) struct Dns {
    names: Sender<(String, u16)>,
    answers: Receiver<(String, u16, Answer)>,
    good: HashMap<(String, u16), Vec<SocketAddr>>,
}

impl Dns {
    pub(super) fn spawn(waker: Arc<Waker>) -> std::io::Result<Self> {
        let (names, asked) = channel::<(String, u16)>();
        let (told, answers) = channel();
        // Never joined: a name server that says nothing would hold up the end of the program.
        Builder::new()
            .name("shrike-dns".to_owned())
            .spawn(move || {
                for (host, port) in asked {
                    let answer = (host.as_str(), port)
                        .to_socket_addrs()
                        .map(Iterator::collect::<Vec<_>>)
                        .map_err(|error| error.to_string())
                        .and_then(|found| match found.is_empty() {
                            true => Err("it has no address".to_owned()),
                            false => Ok(found),
                        });
                    if told.send((host, port, answer)).is_err() {
                        return;
                    }
                    let _ = waker.wake();
                }
            })?;
        Ok(Self {
            names,
            answers,
            good: HashMap::new(),
        })
    }

    /// Asks for a name, unless it is an address: then that is the answer.
    pub(super) fn ask(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, port)]);
        }
        let _ = self.names.send((host.to_owned(), port));
        None
    }

    /// The next answer that came; good ones are kept.
    pub(super) fn next(&mut self) -> Option<(String, u16, Answer)> {
        let (host, port, answer) = self.answers.try_recv().ok()?;
        let answer = match answer {
            Ok(found) => {
                self.good.insert((host.clone(), port), found.clone());
                Ok(found)
            }
            Err(why) => self.last_good(&host, port).ok_or(why),
        };
        Some((host, port, answer))
    }

    /// The last good answer for a name.
    pub(super) fn last_good(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        self.good.get(&(host.to_owned(), port)).cloned()
    }
}

/// The order in which addresses are tried: the families in turn, beginning with that of the first (RFC 8305).
pub(super) fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let (mut own, mut other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first);
    own.reverse();
    other.reverse();
    let mut order = Vec::with_capacity(own.len() + other.len());
    while !own.is_empty() || !other.is_empty() {
        order.extend(own.pop());
        order.extend(other.pop());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let [a, b, c] = ["[::1]:1", "[::2]:1", "[::3]:1"].map(address);
        let [x, y] = ["127.0.0.1:1", "127.0.0.2:1"].map(address);
        assert_eq!(interleaved(vec![a, b, c, x, y]), [a, x, b, y, c]);
        assert_eq!(interleaved(vec![x, a, y]), [x, a, y]);
        assert_eq!(interleaved(vec![]), []);
    }
}
