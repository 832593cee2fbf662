//! The venue's thread and socket.
//!
//! Runs on: the caller's thread to start and stop, its own thread to serve.
//! Owns: the listener, the runtime, the ticking of time and of a synthetic market.
//! Never: outlives its [`Handle`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::core::Core;
use super::fault::Faults;
use super::http::router;
use super::hub::Hub;
use super::limiter::Limiter;
use super::playback::Playback;
use super::shared::{Inner, Shared, wall_clock};
use super::state::State;
use super::tap::{Tap, TapListener};
use crate::market::DEFAULT_DAY_ROLL;
use crate::market::calendar::{always_open, new_york, nyse};
use crate::types::{Money, Nanos, SessionSchedule};
use crate::venue::{Hours, Market, VenueError, VenueSettings};

/// How often time passes without a request.
const TICK: Duration = Duration::from_millis(20);
/// Ticks between two moves of a synthetic market.
const TICKS_PER_MOVE: u32 = 5;
/// Days that the schedule covers.
const DAYS: u32 = 400;
/// Cash at the start.
const CASH: i64 = 100_000;

/// Where quotes come from but by hand.
#[derive(Debug)]
struct Quotes {
    synthetic: bool,
    playback: Playback,
    started: Nanos,
}

/// A running venue; dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and waits for its thread.
    pub fn stop(mut self) {
        self.end();
    }

    /// Waits until it ends by itself (it does not).
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a venue.
///
/// # Errors
/// [`VenueError`]: the address cannot be bound, the calendar or the runtime cannot be made.
pub fn serve(settings: VenueSettings) -> Result<Handle, VenueError> {
    let listener = std::net::TcpListener::bind(settings.listen)
        .map_err(|error| VenueError::Listen(settings.listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| VenueError::Listen(settings.listen, error))?;
    listener.set_nonblocking(true).map_err(VenueError::Start)?;
    let now = wall_clock();
    let (core, state) = core(&settings, now)?;
    let inner = Inner {
        core,
        hub: Hub::default(),
        faults: Faults::default(),
        limiter: Limiter::new(settings.rate_limit),
        state,
    };
    let playback = match &settings.market {
        Market::File(path) => Playback::read(path)?,
        Market::Manual | Market::Synthetic => Playback::default(),
    };
    let market = Quotes {
        synthetic: settings.market == Market::Synthetic,
        playback,
        started: now,
    };
    let shared = Shared::new(inner, settings.key, settings.secret, settings.admin);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(VenueError::Start)?;
    let (stop, stopped) = oneshot::channel();
    let shared = Arc::new(shared);
    let thread = std::thread::Builder::new()
        .name("venue".to_owned())
        .spawn(move || run(&runtime, listener, shared, market, stopped))
        .map_err(VenueError::Start)?;
    Ok(Handle {
        address,
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// A new core, or the one that an earlier run left.
fn core(settings: &VenueSettings, now: Nanos) -> Result<(Core, Option<State>), VenueError> {
    let cash = Money::from_whole(CASH);
    let Some(path) = &settings.state else {
        let schedule = schedule(settings.hours, now)?;
        return Ok((Core::new(settings.seed, cash, schedule, now), None));
    };
    if settings.market != Market::Manual {
        return Err(VenueError::StateOfMarket);
    }
    let (mut state, past) = State::open(path)?;
    let (start, seed) = past.start().unwrap_or_else(|| {
        state.begin(now, settings.seed);
        (now, settings.seed)
    });
    let mut core = Core::new(seed, cash, schedule(settings.hours, start)?, start);
    past.repeat(&mut core);
    Ok((core, Some(state)))
}

fn schedule(hours: Hours, now: Nanos) -> Result<SessionSchedule, VenueError> {
    let zone = new_york()?;
    let at = super::json::timestamp(now).unwrap_or_default();
    let from = at
        .to_zoned(zone)
        .date()
        .saturating_sub(jiff::Span::new().days(10));
    Ok(match hours {
        Hours::Always => always_open(from, DAYS, DEFAULT_DAY_ROLL)?,
        Hours::Real => nyse(from, DAYS, DEFAULT_DAY_ROLL)?,
    })
}

fn run(
    runtime: &Runtime,
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    market: Quotes,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        let service = router(Arc::clone(&shared)).into_make_service_with_connect_info::<Tap>();
        tokio::select! {
            _ = axum::serve(TapListener(listener), service) => {}
            () = tick(&shared, market) => {}
            _ = stopped => {}
        }
    });
}

async fn tick(shared: &Shared, mut market: Quotes) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks: u32 = 0;
    loop {
        interval.tick().await;
        ticks = ticks.wrapping_add(1);
        let now = wall_clock();
        let mut inner = shared.lock();
        inner.core.advance(now);
        if market.synthetic && ticks.is_multiple_of(TICKS_PER_MOVE) {
            inner.core.wander();
        }
        let elapsed_ms = now.since(market.started) / 1_000_000;
        market.playback.play(elapsed_ms, &mut inner.core);
        inner.flush(now);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_venue_answers_on_its_socket_and_is_gone_when_it_is_stopped() {
        let handle = serve(VenueSettings {
            listen: "127.0.0.1:0".parse().expect("an address"),
            key: "K".to_owned(),
            secret: "S".to_owned(),
            seed: 1,
            market: Market::Manual,
            hours: Hours::Always,
            rate_limit: Some(200),
            admin: false,
            state: None,
        })
        .expect("a venue");
        let address = handle.address();
        let mut socket = TcpStream::connect(address).expect("a connection");
        let request = "GET /v2/account HTTP/1.1\r\nHost: venue\r\nAPCA-API-KEY-ID: K\r\n\
            APCA-API-SECRET-KEY: S\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("x-ratelimit-remaining: 199"), "{answer}");
        handle.stop();
        assert!(TcpStream::connect(address).is_err());
    }
}
