//! Owns the fuzzing of the JDBC parser: URLs that were right until something happened to them.
//!
//! `PROPTEST_CASES=1000000 cargo test --bin dbt-entrypoint fuzz` takes longer and looks closer;
//! `PROPTEST_RNG_SEED` repeats a run. Never needs more than text.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Of what a URL consists, and what turns up in URLs by mistake.
const PIECES: [&str; 30] = [
    "jdbc:",
    "redshift:",
    "iam:",
    "postgresql:",
    "//",
    "/",
    ":",
    "@",
    "[",
    "]",
    "?",
    "&",
    ";",
    "=",
    ",",
    ".",
    "%",
    "%2",
    "%40",
    "%ff",
    "%00",
    "+",
    " ",
    "\n",
    "ü",
    "::1",
    "5439",
    "65536",
    "host",
    "user",
];

/// What can happen to a text.
#[derive(Debug, Clone)]
enum Accident {
    Insert(Index, &'static str),
    Remove(Index, Index),
    Repeat(Index, Index),
    Replace(Index, &'static str),
}

impl Accident {
    fn happen(&self, text: &mut Vec<char>) {
        let at = |index: &Index, length: usize| index.index(length + 1);
        let span = |from: &Index, to: &Index, length: usize| {
            let (from, to) = (at(from, length), at(to, length));
            from.min(to)..from.max(to)
        };
        let length = text.len();
        match self {
            Self::Insert(place, piece) => {
                drop(text.splice(at(place, length)..at(place, length), piece.chars()));
            }
            Self::Remove(from, to) => drop(text.drain(span(from, to, length))),
            Self::Repeat(from, to) => text.extend_from_within(span(from, to, length)),
            Self::Replace(place, piece) => {
                let start = at(place, length);
                text.splice(start..length.min(start + 1), piece.chars());
            }
        }
    }
}

fn accident() -> impl Strategy<Value = Accident> {
    let index = any::<Index>;
    prop_oneof![
        (index(), select(&PIECES[..])).prop_map(|(place, piece)| Accident::Insert(place, piece)),
        (index(), index()).prop_map(|(from, to)| Accident::Remove(from, to)),
        (index(), index()).prop_map(|(from, to)| Accident::Repeat(from, to)),
        (index(), select(&PIECES[..])).prop_map(|(place, piece)| Accident::Replace(place, piece)),
    ]
}

const STARTS: [&str; 4] = [
    "jdbc:redshift://",
    "jdbc:redshift:iam://",
    "jdbc:postgresql://",
    "JDBC:Redshift://",
];
const LOGINS: [&str; 5] = ["", "ZZZ:QQQ@", "ZZZ@", "ZZZ:Q%40Q@", "ZZZ:Q+Q%2FQ@"];
const PLACES: [&str; 5] = [
    "h",
    "c.abc.eu-west-1.redshift.amazonaws.com",
    "[::1]",
    "[2001:db8::5]",
    "10.0.0.1",
];
const PORTS: [&str; 4] = ["", ":5439", ":1", ":65535"];
const TAILS: [&str; 8] = [
    "",
    "/",
    "/dev",
    "/d%20x",
    "/dev?user=ZZZ&password=QQQ",
    "/dev;UID=ZZZ;PWD=QQQ",
    "/d?currentSchema=s&password=Q%26Q",
    ";PWD=QQQ",
];

/// A right URL in which only the login has the letters Q (password) and Z (user), and no error has
/// them.
fn url() -> impl Strategy<Value = String> {
    (
        select(&STARTS[..]),
        select(&LOGINS[..]),
        select(&PLACES[..]),
        select(&PORTS[..]),
        select(&TAILS[..]),
    )
        .prop_map(|(start, login, place, port, tail)| format!("{start}{login}{place}{port}{tail}"))
}

#[test]
fn the_unharmed_urls_are_right() {
    proptest!(|(url in url())| prop_assert!(parse(&url).is_ok(), "{url}"));
}

proptest! {
    #[test]
    fn a_damaged_url_is_read_or_refused_without_repeating_the_login(url in url(),
        accidents in vec(accident(), 1..6)) {
        let mut damaged: Vec<char> = url.chars().collect();
        for accident in &accidents {
            accident.happen(&mut damaged);
        }
        let damaged: String = damaged.into_iter().collect();
        match parse(&damaged) {
            Ok(connection) => {
                let host = connection.host.unwrap_or_default();
                prop_assert!(!host.is_empty() && !host.contains(['[', ']', '@', '/', '?', ';', '%',
                    ' ', ',']), "{damaged} gave {host}");
                prop_assert!(!host.contains(':') || host.parse::<Ipv6Addr>().is_ok(),
                    "{damaged} gave {host}");
                prop_assert!(connection.port.is_some_and(|port| port > 0), "{damaged}");
                let texts = [connection.user, connection.database, connection.schema];
                prop_assert!(texts.iter().flatten().all(|text| !text.is_empty()), "{damaged}");
                prop_assert!(connection.password.is_none_or(|password| !password.is_empty()),
                    "{damaged}");
            }
            Err(error) => {
                let text = format!("{error} {error:?}");
                prop_assert!(!text.contains(['Q', 'Z']), "{damaged} gave {text}");
            }
        }
    }

    #[test]
    fn pieces_in_any_order_are_read_or_refused(pieces in vec(select(&PIECES[..]), 0..20),
        start in select(&["", "jdbc:redshift://", "jdbc:redshift:iam://["][..])) {
        if let Ok(connection) = parse(&format!("{start}{}", pieces.concat())) {
            let host = connection.host.unwrap_or_default();
            prop_assert!(!host.is_empty() && !host.contains(['[', ']']));
        }
    }
}
