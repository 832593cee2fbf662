//! Shrike is a low-latency trading execution engine: risk-checked, journaled orders from an algorithm to the broker,
//! on pinned threads joined by lock-free rings.
//!
//! Runs on: the threads of the layout that its configuration or this machine gives it; see [`runtime::layout`].
//! Owns: the way of an order, from an algorithm's port through RISK, ORDER and a GATEWAY to a broker and back.
//! Never: sends an order before it is on record, calls an unknown outcome a failure, or lets missing data pass a check.
//!
//! It is a library that trading algorithms embed and a binary of the same name that one TOML file configures. This
//! page is its architecture; [`engine::ExecutionEngine`] is where a user begins.
//!
//! # The way of an order
//!
//! ```text
//!  algorithm --PortCommand--> RISK --RiskDecision--> ORDER --BrokerCommand--> GATEWAY --> broker
//!   (its port)            ^    ^                FastExecutionPath                |   (paper: the simulator)
//!       ^                 |    +-----Exposure-----------+  ^                     |
//!       |        dirty instruments                      |  +----BrokerReport-----+
//!       |        + quote board                          +--- journal: appended before every send and every effect
//!       +-------------own OrderReports------------------+
//!  market source --> MARKET: quote board, lossless ring to paper, dirty ids to RISK, a ring to each algorithm
//!  ORDER --Event--> COLD --> DELIVERY (handlers, subscribers)
//! ```
//!
//! Every arrow is one single-producer single-consumer ring of fixed-size `Copy` messages, listed once in
//! [`ring::TOPOLOGY`] with its writer, its reader and what happens when it is full. Between threads there are these
//! rings, the quote board, the kill word, a few published counters, and nothing else.
//!
//! An algorithm's port mints the order's identity and pushes the request. RISK chooses the broker, runs every check,
//! reserves the exposure and passes the order on or refuses it with a typed code and the two numbers compared. ORDER
//! writes the intent to the journal, then hands the command to the broker's gateway. The gateway reads the kill word
//! and sends. What the broker reports comes back to ORDER, is written to the journal, changes the order's state, and
//! goes on to RISK (exposure), to the order's own port, and to the cold side.
//!
//! # Agents and threads
//!
//! An agent is a state machine with `poll(now)` ([`runtime::Agent`]), the duty-cycle pattern of Aeron and Agrona. The
//! same agents run in every layout; only their composition onto threads differs ([`runtime::layout`]): `dedicated`,
//! `paired`, `shared_hot`, `shared`, and `invoker`, where the caller polls and time is virtual.
//!
//! | agent | owns | runs |
//! |---|---|---|
//! | RISK | limits, worst-case exposure, throttles, trading states, latches | hot |
//! | ORDER | the order table and each order's life cycle, routing's last word, the journal's pen | hot |
//! | GATEWAY, one a broker | that broker's session | hot |
//! | MARKET | the market data source, the quote board | cold thread |
//! | ALGORITHM, one each | user code behind a fence | a thread of its own |
//! | COLD | portfolio, positions, metrics, latency histograms | cold thread |
//! | JOURNAL | copying hot segments to disk, fsync, preparing segments | cold thread |
//! | DELIVERY | user event handlers and subscribers | cold thread |
//!
//! Architecture invariant: a hot agent allocates nothing after start, takes no lock, makes no system call but the
//! broker's write, logs nothing and waits for nothing. Tests count allocations and system calls.
//!
//! Architecture invariant: decisions are made on the `now` that an agent is handed. The stage clock
//! ([`runtime::Clock::stamp`]) is read where a stage ends and only copied into messages: stages are measured in real
//! nanoseconds even when time is virtual.
//!
//! # The wire
//!
//! [`net`] is the client that broker sessions speak through: HTTP/1.1 and WebSocket, plain or over TLS. Its protocols
//! are state machines without a socket ([`net::http`], [`net::websocket`]); around them lies thin I/O over mio that is
//! busy-polled from a duty cycle, or polled by whoever sleeps in a mio poller. Names are resolved, and TCP and TLS
//! handshakes made, by RESOLVER ([`net::Resolver`]), which hands over a connection that can be written to.
//!
//! Architecture invariant: a request ends as a response, as `NotSent` or as `Unknown`. `NotSent` is said only while no
//! server can hold the whole request; the transport itself sends no POST, PATCH or DELETE a second time.
//!
//! # What every order is promised
//!
//! 1. *On record before it leaves.* ORDER appends the intent to a pre-faulted segment in memory-backed storage before
//!    the gateway sees it; JOURNAL copies it to disk in groups. An order with the durable flag (or every order, with
//!    `fast_path_enabled = false`) leaves only after its intent is on disk.
//! 2. *One identity for life.* [`types::OrderId`]: boot epoch, port, sequence; the epoch is fsynced before the first
//!    order of a boot. On the wire it is 19 characters that carry their own check.
//! 3. *Unknown is a state.* An order whose outcome is unknown is `InDoubt`: it counts in full and is looked up; only
//!    evidence ends it. Nothing is ever sent twice.
//! 4. *Fail closed.* No account, no fresh quote, no instrument, an overflow: an order that adds risk is refused. An
//!    order that provably reduces risk may pass. A configured limit that this build does not enforce is an error.
//! 5. *The kill word is the last thing read before the write.*
//! 6. *Nothing is dropped in silence.* A full ring refuses new orders with a typed error. Broker reports, accepted
//!    intents and journal records wait where they are until there is room. The ring to COLD may drop: COLD counts the
//!    gap and rebuilds from the journal.
//!
//! # Data
//!
//! Prices and quantities are 64-bit integers of 10^-9, money is a 128-bit integer of 10^-18, so that every price times
//! quantity is exact; cost is kept as a sum and average prices are derived when somebody asks. No `f64` holds money.
//! Orders, instruments, brokers and strategies are small integers; hot tables are arrays and slabs indexed by them.
//!
//! # The tree
//!
//! | module | may use |
//! |---|---|
//! | `types` | nothing |
//! | `config` | types |
//! | `ring` | types |
//! | `runtime` | types |
//! | `journal` | types |
//! | `market` | types, ring, runtime |
//! | `net` | types |
//! | `sim` | types |
//! | `risk` | types, ring, runtime |
//! | `order` | types, ring, runtime, journal |
//! | `gateway` | types, ring, runtime, sim (paper only) |
//! | `cold` | types, ring, runtime, journal |
//! | `engine` | types, config, ring, runtime, journal, market, sim, risk, order, gateway, cold |
//! | `venue` | types, market, sim |
//! | `cli` | all |
//!
//! RISK, ORDER, gateways and the cold side never import each other: `engine` turns the configuration into each
//! module's own settings and wires the rings. A test reads this table and the sources and compares them.
//!
//! Architecture invariant: broker-neutral logic lives once. [`types::OrderState`] is the only order life cycle,
//! [`types::Position`] the only average-cost arithmetic, [`types::OrderSlab`] the only table of orders.
//!
//! # Threads and the library
//!
//! The library installs no signal handler, log subscriber, panic hook or allocator; two engines fit in one process. A
//! panic in an algorithm halts that strategy. A panic in any other agent sets the kill word, the gateways that are
//! left cancel, the process ends with an error, and the next start comes up halted.
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod cold;
pub mod config;
pub mod engine;
pub mod gateway;
pub mod journal;
pub mod market;
pub mod net;
pub mod order;
pub mod ring;
pub mod risk;
pub mod runtime;
pub mod sim;
pub mod types;
#[cfg(feature = "venue")]
pub mod venue;
