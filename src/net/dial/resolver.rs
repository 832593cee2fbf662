//! The thread that dials, and the handle by which it is asked.
//!
//! Runs on: RESOLVER; a [`Dialler`] is used from any thread.
//! Owns: every dial under way.
//! Never: keeps a connection: whoever asked has it, or it is closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use mio::{Events, Poll, Token, Waker};

use super::DialRequest;
use super::attempt::{Attempt, Made};
use super::dns::Dns;
use super::error::DialError;
use crate::net::stream::Stream;

const WAKER: Token = Token(usize::MAX);

/// A connection that can be written to.
#[derive(Debug)]
pub struct Connected {
    /// It.
    pub stream: Stream,
    /// Who is at its other end.
    pub peer: SocketAddr,
    /// Whether TLS resumed an earlier session.
    pub is_resumed: bool,
}

/// The end of a dial.
pub type Dialled = Result<Connected, DialError>;

struct Order {
    request: DialRequest,
    reply: Reply,
}

/// Where an answer goes. Whoever waits for it is woken in any case: by the answer, or because there will be none.
struct Reply {
    sender: Option<Sender<Dialled>>,
    wakes: Option<Arc<Waker>>,
}

impl Reply {
    fn send(mut self, dialled: Dialled) {
        if let Some(sender) = self.sender.take() {
            // Who asked may have gone: the connection is closed then.
            let _ = sender.send(dialled);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(waker) = &self.wakes {
            let _ = waker.wake();
        }
    }
}

/// Asks RESOLVER for connections; clone freely.
#[derive(Clone, Debug)]
pub struct Dialler {
    orders: Sender<Order>,
    waker: Arc<Waker>,
}

impl Dialler {
    /// Asks for a connection. The answer comes by the receiver, whatever it is; `wakes` is woken then.
    #[must_use]
    pub fn dial(&self, request: DialRequest, wakes: Option<Arc<Waker>>) -> Receiver<Dialled> {
        let (sender, answer) = channel();
        let reply = Reply {
            sender: Some(sender),
            wakes,
        };
        match self.orders.send(Order { request, reply }) {
            Ok(()) => {
                // A thread that cannot be woken has ended, and drops the order.
                let _ = self.waker.wake();
            }
            Err(refused) => refused.0.reply.send(Err(DialError::Gone)),
        }
        answer
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Resolver {
    dialler: Option<Dialler>,
    ending: Sender<()>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    /// Starts the thread.
    ///
    /// # Errors
    /// As the operating system says: no thread, no epoll.
    pub fn spawn() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (orders, ordered) = channel();
        let (ending, ended) = channel();
        let body = Body {
            poll,
            ordered,
            ended,
            dns: Dns::new(Arc::clone(&waker)),
            dials: Vec::new(),
        };
        let thread = Builder::new()
            .name("shrike-resolver".to_owned())
            .spawn(move || body.run())?;
        let dialler = Dialler {
            orders,
            waker: Arc::clone(&waker),
        };
        Ok(Self {
            dialler: Some(dialler),
            ending,
            waker,
            thread: Some(thread),
        })
    }

    /// A handle to ask it by.
    #[must_use]
    pub fn dialler(&self) -> Dialler {
        match &self.dialler {
            Some(dialler) => dialler.clone(),
            None => unreachable!("it is taken by drop only"),
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.dialler = None;
        let _ = self.ending.send(());
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Dial {
    attempt: Attempt,
    reply: Reply,
}

struct Body {
    poll: Poll,
    ordered: Receiver<Order>,
    ended: Receiver<()>,
    dns: Dns,
    dials: Vec<Dial>,
}

impl Body {
    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while self.ended.try_recv() == Err(TryRecvError::Empty) {
            let now = Instant::now();
            let next = self
                .dials
                .iter()
                .map(|dial| dial.attempt.wakes_at(now))
                .min();
            let timeout = next.map(|next| next.saturating_duration_since(now));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
                _ => {}
            }
            let now = Instant::now();
            self.take_orders(now);
            self.take_names(now);
            self.go_on(now);
        }
    }

    fn take_orders(&mut self, now: Instant) {
        while let Ok(Order { request, reply }) = self.ordered.try_recv() {
            let mut attempt = Attempt::new(request, now);
            let known = self.dns.ask(&attempt.request.host, attempt.request.port);
            if let Some(addresses) = known {
                attempt.resolved(addresses, now);
            }
            self.dials.push(Dial { attempt, reply });
        }
    }

    fn take_names(&mut self, now: Instant) {
        while let Some((host, port, answer)) = self.dns.next() {
            let mut at = 0;
            while at < self.dials.len() {
                if !self.dials[at].attempt.waits_for(&host, port) {
                    at += 1;
                    continue;
                }
                match &answer {
                    Ok(addresses) => {
                        self.dials[at].attempt.resolved(addresses.clone(), now);
                        at += 1;
                    }
                    Err(why) => {
                        let error = self.dials[at].attempt.not_resolved(why.clone());
                        self.dials.swap_remove(at).end(Err(error));
                    }
                }
            }
        }
        for dial in &mut self.dials {
            let request = &dial.attempt.request;
            if dial.attempt.is_out_of_patience(now)
                && let Some(addresses) = self.dns.last_good(&request.host, request.port)
            {
                dial.attempt.resolved(addresses, now);
            }
        }
    }

    fn go_on(&mut self, now: Instant) {
        let mut at = 0;
        while at < self.dials.len() {
            let registry = self.poll.registry();
            match self.dials[at].attempt.poll(now, registry, Token(0)) {
                None => at += 1,
                Some(made) => self.dials.swap_remove(at).end(made),
            }
        }
    }
}

impl Dial {
    fn end(self, made: Result<Made, DialError>) {
        let dialled = made.map(|made| Connected {
            stream: made.stream,
            peer: made.peer,
            is_resumed: made.is_resumed,
        });
        self.reply.send(dialled);
    }
}
