//! HTTP: requests in, replies out, nothing else.
//!
//! Runs on: the venue's thread.
//! Owns: credentials, headers, the faults of the wire.
//! Never: knows what a request means.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::routing::{any, get};
use serde_json::Value;

use super::error::ApiError;
use super::fault::RequestFault;
use super::json::uuid;
use super::limiter::Budget;
use super::request::{Answer, Reply, Request};
use super::shared::{Shared, wall_clock};
use super::tap::Tap;
use super::{admin, data_stream, stream};

const PAGE: &str = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n\
    <body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n\
    <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// Every route.
pub fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new()
        .route("/stream", get(stream::upgrade))
        .route("/_venue/{what}", any(admin::handle));
    for feed in ["iex", "sip", "delayed_sip", "test"] {
        router = router.route(&format!("/v2/{feed}"), get(data_stream::upgrade));
    }
    router.fallback(rest).with_state(shared)
}

async fn rest(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(tap): ConnectInfo<Tap>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request = Request::new(
        method.as_str(),
        uri.path(),
        uri.query().unwrap_or_default(),
        body.to_vec(),
    );
    if !is_authorized(&shared, &headers) {
        return render(Err(ApiError::unauthorized()), None);
    }
    let (budget, fault) = {
        let mut inner = shared.lock();
        let budget = inner.limiter.take(wall_clock());
        let fault = inner.faults.for_request(&request);
        (budget, fault)
    };
    if !budget.within {
        return render(Err(ApiError::rate_limited()), Some(budget));
    }
    match fault {
        None => render(work(&shared, &request), Some(budget)),
        Some(fault) => faulty(&shared, &request, &tap, fault, budget).await,
    }
}

/// Lets the core answer and tells the streams.
fn work(shared: &Shared, request: &Request) -> Answer {
    let now = wall_clock();
    let mut inner = shared.lock();
    if let Some(state) = &mut inner.state {
        state.request(now, request);
    }
    let answer = inner.core.handle(now, request);
    inner.flush(now);
    answer
}

async fn faulty(
    shared: &Shared,
    request: &Request,
    tap: &Tap,
    fault: RequestFault,
    budget: Budget,
) -> Response<Body> {
    let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
    let answer = match fault {
        RequestFault::DelayWork(ms) => {
            pause(ms).await;
            work(shared, request)
        }
        RequestFault::DelayReply(ms) => {
            let answer = work(shared, request);
            pause(ms).await;
            answer
        }
        RequestFault::DropReply => {
            tap.cut_after(0, false);
            work(shared, request)
        }
        RequestFault::Reset(bytes) => {
            tap.cut_after(bytes, true);
            work(shared, request)
        }
        RequestFault::Hide(ms) => hidden(shared, request, ms),
        RequestFault::Status {
            status,
            accepted,
            html,
        } => {
            if accepted {
                let _ = work(shared, request);
            }
            if html {
                return page(status);
            }
            let mut error = match status {
                429 => ApiError::rate_limited(),
                422 => ApiError::unprocessable("order was not accepted"),
                _ => ApiError::internal("internal server error occurred"),
            };
            error.status = status;
            Err(error)
        }
    };
    render(answer, Some(budget))
}

/// Takes the order, but look-ups do not find it for a while.
fn hidden(shared: &Shared, request: &Request, ms: u64) -> Answer {
    let answer = work(shared, request);
    if let Ok(Reply {
        body: Some(body), ..
    }) = &answer
        && let Some(id) = body["id"].as_str()
    {
        let until = wall_clock().plus(ms.saturating_mul(1_000_000));
        shared.lock().core.hide(id, until);
    }
    answer
}

fn is_authorized(shared: &Shared, headers: &HeaderMap) -> bool {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (value("apca-api-key-id"), value("apca-api-secret-key")) {
        (Some(key), Some(secret)) => shared.knows(key, secret),
        _ => false,
    }
}

/// An answer as HTTP.
pub(super) fn render(answer: Answer, budget: Option<Budget>) -> Response<Body> {
    let (status, body) = match answer {
        Ok(Reply { status, body }) => (status, body),
        Err(error) => (error.status, Some(error.body())),
    };
    let text = body.map(|body| text_of(&body, status));
    let mut response = Response::new(text.map_or_else(Body::empty, Body::from));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    if status != 204 {
        let json = HeaderValue::from_static("application/json; charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, json);
    }
    if let Some(budget) = budget {
        headers.insert("x-ratelimit-limit", budget.limit.into());
        headers.insert("x-ratelimit-remaining", budget.remaining.into());
        headers.insert("x-ratelimit-reset", budget.reset_s.into());
    }
    if let Ok(id) = HeaderValue::from_str(&uuid(u128::from(wall_clock().0))) {
        headers.insert("x-request-id", id);
    }
    response
}

fn text_of(body: &Value, status: u16) -> String {
    let mut text = body.to_string();
    if status == 401 {
        text.push('\n');
    }
    text
}

fn page(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::from(PAGE));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let html = HeaderValue::from_static("text/html");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}
