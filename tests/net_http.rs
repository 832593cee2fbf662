//! The HTTP client without a socket: requests, responses, and what became of each.
//!
//! Runs on: tests.
//! Owns: the rules and limits of the wire, at the byte; any split equals the whole; nothing allocates when warm.
//! Never: opens a connection.

#[path = "net_http/allocation.rs"]
mod allocation;
#[path = "common/allocations.rs"]
mod allocations;
#[path = "net_http/chunk.rs"]
mod chunk;
#[path = "net_http/chunk_twin.rs"]
mod chunk_twin;
#[path = "net_http/exchange.rs"]
mod exchange;
#[path = "net_http/input.rs"]
mod input;
#[path = "net_http/response.rs"]
mod response;
#[path = "net_http/response_splits.rs"]
mod response_splits;
#[path = "net_http/template.rs"]
mod template;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
