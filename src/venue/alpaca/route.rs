//! Which handler answers which request.
//!
//! Runs on: whoever owns the core.
//! Owns: the table of routes that need credentials.
//! Never: knows HTTP beyond method, path, query and body.

use serde_json::json;

use super::assets;
use super::core::Core;
use super::error::ApiError;
use super::request::{Answer, Reply, Request};
use crate::types::Nanos;

impl Core {
    /// Answers a request that carried the right credentials.
    ///
    /// # Errors
    /// What Alpaca answers when it refuses.
    pub fn handle(&mut self, now: Nanos, request: &Request) -> Answer {
        self.advance(now);
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["v2", "orders", ..] | ["v2", "orders:by_client_order_id"] => {
                self.order_routes(&path[1..], request)
            }
            ["v2", "positions", rest @ ..] => self.position_routes(rest, request),
            ["v2", "account", rest @ ..] => self.account_routes(rest, request),
            ["v2", "watchlists", rest @ ..] => self.watchlists(rest, request),
            ["v2", "stocks", rest @ ..] if request.method == "GET" => self.stocks(rest, request),
            ["v2", rest @ ..] if request.method == "GET" => self.reference_routes(rest, request),
            _ => missing(),
        }
    }

    fn order_routes(&mut self, path: &[&str], request: &Request) -> Answer {
        match (request.method.as_str(), path) {
            ("POST", ["orders"]) => self.post_order(request),
            ("GET", ["orders"]) => self.list_orders(request),
            ("DELETE", ["orders"]) => self.cancel_orders(),
            ("GET", ["orders:by_client_order_id"]) => self.get_order_by_client_id(request),
            ("GET", ["orders", id]) => self.get_order(id, request),
            ("PATCH", ["orders", id]) => self.replace_order(id, request),
            ("DELETE", ["orders", id]) => self.cancel_order(id),
            _ => missing(),
        }
    }

    fn position_routes(&mut self, path: &[&str], request: &Request) -> Answer {
        match (request.method.as_str(), path) {
            ("GET", []) => self.positions(),
            ("DELETE", []) => self.close_positions(request),
            ("GET", [name]) => self.position(name),
            ("DELETE", [name]) => self.close_position(name, request),
            ("POST", [_, "exercise"]) => Err(ApiError::not_found("position does not exist")),
            _ => missing(),
        }
    }

    fn account_routes(&mut self, path: &[&str], request: &Request) -> Answer {
        match (request.method.as_str(), path) {
            ("GET", []) => self.account(),
            ("GET", ["configurations"]) => self.configurations(),
            ("PATCH", ["configurations"]) => self.set_configurations(request),
            ("GET", ["activities"]) => self.list_activities(None, request),
            ("GET", ["activities", kind]) => self.list_activities(Some(kind), request),
            ("GET", ["portfolio", "history"]) => self.portfolio_history(request),
            _ => missing(),
        }
    }

    fn reference_routes(&mut self, path: &[&str], request: &Request) -> Answer {
        match path {
            ["clock"] => self.clock(),
            ["calendar"] => assets::calendar(request),
            ["assets"] => assets::list(request),
            ["assets", name] => assets::one(name),
            ["corporate_actions", "announcements"] => Ok(Reply::ok(json!([]))),
            ["corporate_actions", "announcements", id] => Err(ApiError::not_found(format!(
                "announcement not found for {id}"
            ))),
            ["options", "contracts"] => Ok(Reply::ok(
                json!({"option_contracts": [], "next_page_token": null}),
            )),
            ["options", "contracts", name] => Err(ApiError::not_found(format!(
                "option contract {name} not found"
            ))),
            _ => missing(),
        }
    }
}

fn missing() -> Answer {
    Err(ApiError::not_found("endpoint not found"))
}
