//! Watchlists: lists of symbols that the account keeps.
//!
//! Runs on: whoever owns the core.
//! Owns: the lists.
//! Never: trades.

use serde_json::{Map, Value, json};

use super::assets::{ASSETS, find};
use super::core::Core;
use super::error::ApiError;
use super::json::{instant, parse_uuid, uuid};
use super::request::{Answer, Reply, Request};
use crate::types::Nanos;

/// One list.
#[derive(Clone, Debug)]
pub struct Watchlist {
    id: u128,
    name: String,
    created_at: Nanos,
    updated_at: Nanos,
    assets: Vec<usize>,
}

impl Core {
    fn watchlist_json(&self, list: &Watchlist) -> Value {
        let assets = list.assets.iter().map(|row| ASSETS[*row].to_json());
        json!({
            "id": uuid(list.id),
            "account_id": uuid(self.account_id),
            "name": list.name,
            "created_at": instant(list.created_at),
            "updated_at": instant(list.updated_at),
            "assets": assets.collect::<Vec<_>>(),
        })
    }

    fn watchlist_at(&self, id: &str) -> Result<usize, ApiError> {
        let number = parse_uuid(id);
        self.watchlists
            .iter()
            .position(|list| Some(list.id) == number)
            .ok_or_else(|| ApiError::not_found(format!("watchlist not found for {id}")))
    }

    /// The watchlist routes; `path` is what follows `/v2/watchlists`.
    ///
    /// # Errors
    /// 400, 404, 422.
    pub fn watchlists(&mut self, path: &[&str], request: &Request) -> Answer {
        match (request.method.as_str(), path) {
            ("GET", []) => {
                let lists = self.watchlists.iter().map(|list| self.watchlist_json(list));
                Ok(Reply::ok(Value::Array(lists.collect())))
            }
            ("POST", []) => self.create_watchlist(&request.object()?),
            ("GET", [id]) => self.show_watchlist(self.watchlist_at(id)?),
            ("PUT", [id]) => {
                let at = self.watchlist_at(id)?;
                self.update_watchlist(at, &request.object()?)
            }
            ("POST", [id]) => {
                let at = self.watchlist_at(id)?;
                let fields = request.object()?;
                let row = listed(fields.get("symbol").and_then(Value::as_str).unwrap_or(""))?;
                if !self.watchlists[at].assets.contains(&row) {
                    self.watchlists[at].assets.push(row);
                }
                self.show_watchlist(at)
            }
            ("DELETE", [id]) => {
                let at = self.watchlist_at(id)?;
                self.watchlists.remove(at);
                Ok(Reply::empty())
            }
            ("DELETE", [id, symbol]) => {
                let at = self.watchlist_at(id)?;
                let row = listed(symbol)?;
                self.watchlists[at].assets.retain(|asset| *asset != row);
                self.show_watchlist(at)
            }
            _ => Err(ApiError::not_found("endpoint not found")),
        }
    }

    fn show_watchlist(&self, at: usize) -> Answer {
        Ok(Reply::ok(self.watchlist_json(&self.watchlists[at])))
    }

    fn create_watchlist(&mut self, fields: &Map<String, Value>) -> Answer {
        let name = fields
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .ok_or_else(|| ApiError::invalid("name is required"))?
            .to_owned();
        if self.watchlists.iter().any(|list| list.name == name) {
            return Err(ApiError::invalid("watchlist name must be unique"));
        }
        let assets = rows(fields)?.unwrap_or_default();
        let id = self.mint();
        self.watchlists.push(Watchlist {
            id,
            name,
            created_at: self.now,
            updated_at: self.now,
            assets,
        });
        self.show_watchlist(self.watchlists.len() - 1)
    }

    fn update_watchlist(&mut self, at: usize, fields: &Map<String, Value>) -> Answer {
        let assets = rows(fields)?;
        let now = self.now;
        let list = &mut self.watchlists[at];
        if let Some(name) = fields.get("name").and_then(Value::as_str) {
            name.clone_into(&mut list.name);
        }
        if let Some(assets) = assets {
            list.assets = assets;
        }
        list.updated_at = now;
        self.show_watchlist(at)
    }
}

fn listed(symbol: &str) -> Result<usize, ApiError> {
    find(symbol).ok_or_else(|| ApiError::unprocessable(format!("asset \"{symbol}\" not found")))
}

fn rows(fields: &Map<String, Value>) -> Result<Option<Vec<usize>>, ApiError> {
    let Some(Value::Array(symbols)) = fields.get("symbols") else {
        return Ok(None);
    };
    let symbols = symbols
        .iter()
        .map(|symbol| listed(symbol.as_str().unwrap_or("")));
    symbols.collect::<Result<_, _>>().map(Some)
}
