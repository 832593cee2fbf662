//! What goes over the wire: an order of 400 bytes, its reply of 600, and a message of 200 that comes back.
//!
//! Runs on: the client's thread and the server's.
//! Owns: the bytes and their places.
//! Never: differs between the clients, but for the fields that a library adds by itself.

use memchr::memmem;

/// Bytes of the order's JSON, and of the WebSocket message (it is the same text).
pub const BODY_BYTES: usize = 200;
/// Bytes of a whole request of the raw client: head and body.
pub const REQUEST_BYTES: usize = 400;
/// Bytes of a whole reply: head and body.
pub const REPLY_BYTES: usize = 600;
/// Where the number of the order begins in a body, the server's or the client's, and how long it is.
const NUMBER_AT: usize = 20;
const NUMBER_BYTES: usize = 16;

pub const PATH: &str = "/v2/orders";
pub const KEY_NAME: &str = "APCA-API-KEY-ID";
pub const KEY: &str = "PKBENCHBENCHBENCHBEN";
pub const SECRET_NAME: &str = "APCA-API-SECRET-KEY";
pub const SECRET: &str = "bench0bench1bench2bench3bench4benc";

/// An order as JSON, its number still zero.
pub fn order() -> [u8; BODY_BYTES] {
    let text = concat!(
        r#"{"client_order_id":"0000000000000000","symbol":"AAPL","qty":"100","side":"buy","#,
        r#""type":"limit","time_in_force":"day","limit_price":"187.25","#,
        r#""extended_hours":false,"order_class":"simple","note":""}"#
    );
    padded(text)
}

/// `text`, an object of JSON, with spaces before its last brace.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    let (object, brace) = text.as_bytes().split_at(text.len() - 1);
    bytes[..object.len()].copy_from_slice(object);
    bytes[N - 1] = brace[0];
    bytes
}

/// Writes the number of an order into a body.
pub fn set_number(body: &mut [u8], number: u64) {
    let mut left = number;
    for digit in body[NUMBER_AT..NUMBER_AT + NUMBER_BYTES].iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
}

/// The number of the order in a body; None where there is none.
pub fn number(body: &[u8]) -> Option<u64> {
    let digits = body.get(NUMBER_AT..NUMBER_AT + NUMBER_BYTES)?;
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(number * 10 + u64::from(digit))
    })
}

/// The raw client's request, 400 bytes, and where its body begins.
pub fn request(port: u16) -> (Vec<u8>, usize) {
    let mut request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         {KEY_NAME}: {KEY}\r\n{SECRET_NAME}: {SECRET}\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    )
    .into_bytes();
    let body_at = request.len();
    request.extend_from_slice(&order());
    (request, body_at)
}

/// The server's reply, 600 bytes, and where its body begins.
pub fn reply() -> (Vec<u8>, usize) {
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nDate: Mon, 07 Oct 2013 14:30:00 GMT\r\n\
             Content-Type: application/json; charset=UTF-8\r\nContent-Length: {length}\r\n\
             Connection: keep-alive\r\nX-RateLimit-Limit: 200\r\nX-RateLimit-Remaining: 199\r\n\
             X-Request-ID: 0123456789abcdef0123456789abcdef\r\n\r\n"
        )
    };
    let length = REPLY_BYTES - head(100).len();
    let text = concat!(
        r#"{"client_order_id":"0000000000000000","id":"61e69015-8549-4bfd-b9c3-01e75843f47d","#,
        r#""created_at":"2013-10-07T14:30:00.000000Z","symbol":"AAPL","qty":"100","#,
        r#""filled_qty":"0","type":"limit","side":"buy","status":"accepted"}"#
    );
    assert!(text.len() <= length, "the text fits into the reply");
    let mut reply = head(length).into_bytes();
    let body_at = reply.len();
    reply.extend_from_slice(&padded::<REPLY_BYTES>(text)[..length - 1]);
    reply.push(b'}');
    (reply, body_at)
}

/// Length of a request's head with its blank line, once all of it is there.
pub fn head_bytes(input: &[u8]) -> Option<usize> {
    memmem::find(input, b"\r\n\r\n").map(|at| at + 4)
}

/// The value of a field of a head, its name without regard to case.
pub fn field<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let lines = std::str::from_utf8(head).ok()?.split("\r\n").skip(1);
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

/// A request for a WebSocket, for clients that leave the handshake to the caller.
pub fn upgrade(host: impl std::fmt::Display) -> String {
    format!(
        "GET /stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}
