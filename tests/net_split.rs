//! Wherever the octets are cut, the same comes out: every response of the table at every place, without a socket.
//!
//! Runs on: the test runner.
//! Owns: the equality of outcome, place of the error, octets taken, and fitness for reuse.
//! Never: opens a socket.

#[path = "net_support/responses/mod.rs"]
#[allow(dead_code, reason = "the server's end is not needed here")]
mod responses;

use proptest::prelude::*;
use responses::{Case, Expected, Then};
use shrike::net::HttpLimits;
use shrike::net::http::{Exchange, Expect, Method, Outcome};
use shrike::types::Nanos;

/// All that can be seen of an exchange once the octets came.
#[derive(PartialEq, Debug)]
struct Seen {
    outcome: Option<Outcome>,
    status: u16,
    body: Vec<u8>,
    taken: usize,
    may_reuse: bool,
}

fn read(case: &Case, octets: &[u8], cuts: &[usize]) -> Seen {
    let mut exchange = Exchange::new(HttpLimits::DEFAULT);
    let expect = Expect {
        method: Method::from_name(case.method).expect("a method"),
        close_delimited: case.close_delimited,
    };
    exchange.begin(expect, 10, Nanos::MAX);
    exchange.wrote(10);
    let (mut taken, mut start) = (0, 0);
    let mut bounds = cuts.to_vec();
    bounds.push(octets.len());
    for end in bounds {
        // What comes behind the end is not the response's: the connection tells it is there.
        if exchange.outcome().is_none() && start < end {
            taken += exchange.received(&octets[start..end]).unwrap_or(0);
        } else if exchange.outcome() == Some(Outcome::Response) && start < end {
            let _ = exchange.received(&octets[start..end]);
        }
        start = end;
    }
    match case.then {
        Then::Open => {}
        Then::Close => exchange.end_of_stream(),
        Then::Reset => exchange.connection_died(),
    }
    let response = exchange.response();
    let is_answer = exchange.outcome() == Some(Outcome::Response);
    Seen {
        outcome: exchange.outcome(),
        status: if is_answer { response.status() } else { 0 },
        body: if is_answer {
            response.body().to_vec()
        } else {
            Vec::new()
        },
        taken: if is_answer { taken } else { 0 },
        may_reuse: exchange.may_reuse(),
    }
}

#[test]
fn the_table_holds_at_every_cut() {
    for case in responses::all() {
        let whole = read(&case, &case.octets, &[]);
        let is_right = match &case.expected {
            Expected::Keeps(status, body) => {
                (whole.status, &whole.body, whole.may_reuse) == (*status, body, true)
            }
            Expected::Ends(status, body) => {
                (whole.status, &whole.body, whole.may_reuse) == (*status, body, false)
            }
            Expected::Breaks("died") => matches!(whole.outcome, Some(Outcome::Unknown(_))),
            Expected::Breaks(rule) => match whole.outcome {
                Some(Outcome::Unknown(cause)) => {
                    cause.to_string().contains(&format!("rule {rule} at"))
                }
                _ => false,
            },
        };
        assert!(is_right, "{}: {whole:.500?}", case.name);
        let octets = &case.octets;
        let singly: Vec<usize> = (1..octets.len()).collect();
        assert_eq!(
            read(&case, octets, &singly),
            whole,
            "{} by octets",
            case.name
        );
        let step = octets.len() / 500 + 1;
        for at in (1..octets.len()).step_by(step) {
            assert_eq!(read(&case, octets, &[at]), whole, "{} at {at}", case.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// A response of the table with some of its octets changed, left out or doubled.
    #[test]
    fn what_is_changed_holds_at_every_cut(
        index in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3, any::<u8>()), 1..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        thread_local! {
            static CASES: Vec<Case> = {
                let mut cases = responses::all();
                cases.retain(|case| case.octets.len() < 2_000);
                cases
            };
        }
        let mut case = CASES.with(|cases| index.get(cases).clone());
        for (place, kind, octet) in changes {
            let at = place.index(case.octets.len().max(1));
            match kind {
                _ if case.octets.is_empty() => {}
                0 => case.octets[at] = octet,
                1 => drop(case.octets.remove(at)),
                _ => case.octets.insert(at, octet),
            }
        }
        let places = case.octets.len() + 1;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(places)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(read(&case, &case.octets, &cuts), read(&case, &case.octets, &[]));
    }
}
