//! Names to addresses, on threads of their own: the system's resolver blocks.
//!
//! Runs on: a thread for each name asked for; RESOLVER asks and keeps the answers.
//! Owns: the queue of names and the last good answer of each.
//! Never: holds RESOLVER up.

use std::collections::{HashMap, HashSet, VecDeque};
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

/// Names asked for at the same time: one whose servers say nothing does not hold up the others.
const AT_ONCE: usize = 8;

/// A name and a port.
type Name = (String, u16);

/// See the module.
pub(super) struct Dns {
    waker: Arc<Waker>,
    told: Sender<(Name, Answer)>,
    answers: Receiver<(Name, Answer)>,
    /// Asked, or waiting to be.
    pending: HashSet<Name>,
    waiting: VecDeque<Name>,
    asking: usize,
    good: HashMap<Name, Vec<SocketAddr>>,
}

impl Dns {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        let (told, answers) = channel();
        Self {
            waker,
            told,
            answers,
            pending: HashSet::new(),
            waiting: VecDeque::new(),
            asking: 0,
            good: HashMap::new(),
        }
    }

    /// Asks for a name, unless it is an address: then that is the answer.
    pub(super) fn ask(&mut self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, port)]);
        }
        let name = (host.to_owned(), port);
        if self.pending.insert(name.clone()) {
            self.waiting.push_back(name);
            self.begin();
        }
        None
    }

    /// Asks for names that wait, on a thread each: it is never joined, since a server that says nothing would hold up
    /// the end of the program.
    fn begin(&mut self) {
        while self.asking < AT_ONCE
            && let Some(name) = self.waiting.pop_front()
        {
            self.asking += 1;
            let (told, waker) = (self.told.clone(), Arc::clone(&self.waker));
            let asked = name.clone();
            let spawned = Builder::new().name("shrike-dns".to_owned()).spawn(move || {
                let answer = look_up(&asked);
                if told.send((asked, answer)).is_ok() {
                    let _ = waker.wake();
                }
            });
            if let Err(error) = spawned {
                let _ = self.told.send((name, Err(error.to_string())));
            }
        }
    }

    /// The next answer that came; good ones are kept.
    pub(super) fn next(&mut self) -> Option<(String, u16, Answer)> {
        let (name, answer) = self.answers.try_recv().ok()?;
        self.asking -= 1;
        self.pending.remove(&name);
        self.begin();
        let (host, port) = name;
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

fn look_up((host, port): &Name) -> Answer {
    let found = (host.as_str(), *port).to_socket_addrs();
    let found: Vec<_> = found.map_err(|error| error.to_string())?.collect();
    match found.is_empty() {
        true => Err("it has no address".to_owned()),
        false => Ok(found),
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
