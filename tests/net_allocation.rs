//! In steady state the wire allocates nothing: neither a request with its response nor a WebSocket message.
//!
//! Runs on: the test runner, alone in its process; a server thread on the loopback interface.
//! Owns: a counting allocator.
//! Never: counts what the server allocates.

#[path = "common/allocations.rs"]
mod allocations;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use shrike::net::http::{Method, Outcome, Template};
use shrike::net::{
    Endpoint, HttpClient, HttpClientSettings, Resolver, SendOptions, SocketEvent, WebSocketClient,
    WebSocketClientSettings,
};
use shrike::types::Nanos;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const WARM_UP: usize = 50;
const COUNTED: usize = 500;
const PATIENCE: Duration = Duration::from_secs(30);

struct Clock(Instant);

impl Clock {
    fn now(&self) -> Nanos {
        assert!(self.0.elapsed() < PATIENCE, "no end in {PATIENCE:?}");
        Nanos(1 + self.0.elapsed().as_nanos() as u64)
    }
}

fn read_head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        tcp.read_exact(&mut octet).expect("a head");
        head.push(octet[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

/// Answers every POST of 400 octets with 600, the second half chunked.
fn answer(listener: &TcpListener) {
    let (mut tcp, _) = listener.accept().expect("a client");
    tcp.set_nodelay(true).expect("TCP");
    let fixed = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{}",
        "y".repeat(600)
    );
    let chunk = format!("258\r\n{}\r\n0\r\n\r\n", "y".repeat(600));
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    let mut body = [0; 400];
    for number in 0..WARM_UP + COUNTED {
        read_head(&mut tcp);
        tcp.read_exact(&mut body).expect("a body");
        let answer = if number % 2 == 0 { &fixed } else { &chunked };
        tcp.write_all(answer.as_bytes()).expect("a reader");
    }
}

#[test]
fn requests_and_messages_allocate_nothing_once_buffers_have_grown() {
    exchange();
    converse();
    // The counter counts.
    let before = allocations::of_this_thread();
    drop(std::hint::black_box(Box::new(7_u64)));
    assert!(allocations::of_this_thread() > before);
}

fn exchange() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || answer(&listener));
    let resolver = Resolver::spawn().expect("a thread");
    let endpoint = Endpoint::parse(&address).expect("an address");
    let template = Template::builder(Method::Post, &endpoint.authority(), "/v2/orders")
        .field("Authorization", "key")
        .with_body()
        .build()
        .expect("sound");
    let mut settings = HttpClientSettings::new(endpoint, None);
    settings.connections = 1;
    let mut client = HttpClient::new(settings, resolver.dialler(), 1);
    let clock = Clock(Instant::now());
    while client.warm() == 0 {
        client.poll(clock.now());
        std::thread::yield_now();
    }
    let mut before = 0;
    for number in 0..WARM_UP + COUNTED {
        if number == WARM_UP {
            before = allocations::of_this_thread();
        }
        let options = SendOptions::default();
        let id = client
            .send(&template, "", &[b'x'; 400], options, clock.now())
            .expect("warm");
        while client.outcome(id).is_none() {
            client.poll(clock.now());
        }
        assert_eq!(client.outcome(id), Some(Outcome::Response));
        assert_eq!(
            client.response(id).map(|response| response.body().len()),
            Some(600)
        );
        client.release(id, clock.now());
    }
    assert_eq!(
        allocations::of_this_thread() - before,
        0,
        "in {COUNTED} exchanges"
    );
    server.join().expect("served");
}

/// Shakes hands, then sends frames of 200 octets, a ping before every tenth, one for each that comes.
fn converse_back(listener: &TcpListener) {
    let (mut tcp, _) = listener.accept().expect("a client");
    tcp.set_nodelay(true).expect("TCP");
    let head = read_head(&mut tcp);
    let key = head
        .split("Sec-WebSocket-Key: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next());
    let text = format!(
        "{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
        key.expect("a key")
    );
    let digest = sha1_smol::Sha1::from(text).digest().bytes();
    let accept = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    tcp.write_all(answer.as_bytes()).expect("a reader");
    // Two octets of header and two of length, four of mask.
    let mut frame = [0; 8 + 200];
    for number in 0..WARM_UP + COUNTED {
        tcp.read_exact(&mut frame).expect("a frame");
        let mut out = Vec::new();
        if number % 10 == 0 {
            out.extend_from_slice(&[0x89, 2, b'h', b'i']);
        }
        out.extend_from_slice(&[0x82, 126, 0, 200]);
        out.extend_from_slice(&[7; 200]);
        tcp.write_all(&out).expect("a reader");
        if number % 10 == 0 {
            tcp.read_exact(&mut frame[..8]).expect("a pong");
        }
    }
}

fn converse() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = format!("ws://{}/stream", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || converse_back(&listener));
    let resolver = Resolver::spawn().expect("a thread");
    let endpoint = Endpoint::parse(&address).expect("an address");
    let settings = WebSocketClientSettings::new(endpoint, None);
    let mut client = WebSocketClient::new(settings, resolver.dialler());
    let clock = Clock(Instant::now());
    while !client.is_open() {
        client.poll(clock.now(), &mut |_| {});
        std::thread::yield_now();
    }
    let (mut before, mut heard) = (0, 0);
    for number in 0..WARM_UP + COUNTED {
        if number == WARM_UP {
            before = allocations::of_this_thread();
        }
        client.send_binary(&[9; 200]).expect("open");
        let expected = number + 1;
        while heard < expected {
            client.poll(clock.now(), &mut |event| {
                heard += usize::from(
                    matches!(event, SocketEvent::Binary(octets) if octets.len() == 200),
                );
            });
        }
    }
    assert_eq!(
        allocations::of_this_thread() - before,
        0,
        "in {COUNTED} messages"
    );
    // The last pong is read before the server ends.
    server.join().expect("served");
}
