//! Owns how numbers, times, names and states are put into words.
//!
//! Pure. Never decides what is said.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use crate::artifacts::Nodes;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const NUMBERS: [&str; 11] = [
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];

/// A moment, for the reader and for the script that shows it in the zone of the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    pub(super) iso: String,
    pub(super) words: String,
}

impl Moment {
    /// `at`: seconds since 1970.
    pub(super) fn new(at: f64) -> Self {
        let seconds = Duration::try_from_secs_f64(at.max(0.0)).unwrap_or_default();
        let time = UNIX_EPOCH + Duration::from_secs(seconds.as_secs().min(LAST));
        let iso = humantime::format_rfc3339_seconds(time).to_string();
        let words = format!(
            "{}, {} UTC",
            date(&iso),
            iso.get(11..16).unwrap_or_default()
        );
        Self { iso, words }
    }

    /// `2026-11-22T06:14:42Z`.
    pub(super) fn of_iso(iso: &str) -> Self {
        Self::new(seconds_of(iso))
    }

    /// Only the day: `2026-11-22`.
    pub(super) fn day(&self) -> &str {
        self.iso.get(..10).unwrap_or_default()
    }
}

/// The end of the year 9999, after which there is no such text.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970; the beginning of that year for what is no time.
pub(super) fn seconds_of(iso: &str) -> f64 {
    humantime::parse_rfc3339(iso)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default()
        .as_secs_f64()
}

/// `Sun 22 Nov 2026`.
pub(super) fn date(iso: &str) -> String {
    let number = |range| {
        iso.get(range)
            .and_then(|part: &str| part.parse::<usize>().ok())
    };
    let day = number(8..10).unwrap_or_default();
    let month = MONTHS[number(5..7).unwrap_or(1).clamp(1, 12) - 1];
    let midnight = format!("{}T00:00:00Z", iso.get(..10).unwrap_or_default());
    let days = Duration::try_from_secs_f64(seconds_of(&midnight)).unwrap_or_default();
    let weekday = DAYS[usize::try_from(days.as_secs() / 86_400 % 7).unwrap_or_default()];
    format!(
        "{weekday} {day} {month} {}",
        iso.get(..4).unwrap_or_default()
    )
}

/// `22 Nov`.
pub(super) fn short_date(iso: &str) -> String {
    let date = date(iso);
    let mut parts = date.split(' ').skip(1);
    let (day, month) = (parts.next(), parts.next());
    format!("{} {}", day.unwrap_or_default(), month.unwrap_or_default())
}

/// `0.04 s`, `2.3 s`, `31 s`, `1 min 46 s`, `2 h 3 min`, `3 d 4 h`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 0.995 {
        return format!("{:.2} s", seconds.max(0.0));
    }
    if seconds < 9.95 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    let whole = Duration::try_from_secs_f64(seconds.round())
        .unwrap_or_default()
        .as_secs();
    let pair = |large: u64, one: &str, small: u64, other: &str| match small {
        0 => format!("{large} {one}"),
        small => format!("{large} {one} {small} {other}"),
    };
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => pair(whole / 60, "min", whole % 60, "s"),
        3600..86_400 => pair(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => pair(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

/// A time on the axis: `0:20`, `12:00`, `1:05:00`.
pub(super) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Small numbers as words.
pub(super) fn number(count: usize) -> String {
    NUMBERS
        .get(count)
        .map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

/// `one test`, `12 tests`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{} {}", number(count), plural(count, noun))
}

/// `1 test`, `12 tests`.
pub(super) fn digits(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(count, noun))
}

pub(super) fn plural(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, noun) => noun.to_owned(),
        (_, noun) if noun.ends_with("ry") => format!("{}ies", noun.trim_end_matches('y')),
        (_, noun) => format!("{noun}s"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// With a capital and a full stop. The name of dbt is small everywhere.
pub(super) fn sentence(text: &str) -> String {
    if text.starts_with("dbt ") {
        return format!("{text}.");
    }
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What kind of node it is, by its ID: `model.shop.orders`.
pub(super) fn kind(id: &str) -> &str {
    match id.split('.').next().unwrap_or_default() {
        "unit_test" => "unit test",
        kind @ ("model" | "test" | "seed" | "snapshot" | "source" | "function") => kind,
        "operation" => "hook",
        _ => "node",
    }
}

pub(super) fn is_test(id: &str) -> bool {
    matches!(kind(id), "test" | "unit test")
}

/// What people call it: the ID without its kind, its package, and the hash of a test.
pub(super) fn name(id: &str) -> &str {
    let Some((_, rest)) = id.split_once('.') else {
        return id;
    };
    let name = rest.split_once('.').map_or(rest, |(_, name)| name);
    match name.rsplit_once('.') {
        Some((name, hash))
            if is_test(id)
                && hash.len() == 10
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            name
        }
        _ => name,
    }
}

/// The class of a state in style.css, its sign, and a word for it. A colour never stands alone.
pub(super) fn state(status: &str) -> (&'static str, &'static str) {
    match status {
        "success" | "resumed" => ("ok", "✓"),
        "warned" => ("warn", "!"),
        "failed" | "killed" | "timed_out" | "error" => ("bad", "✕"),
        "cancelled" => ("skip", "■"),
        _ => ("skip", "–"),
    }
}

/// `1 failed`, `17 fine`: what became of nodes, the worst first.
pub(super) fn counts(nodes: Nodes) -> Vec<String> {
    let counts = [
        (nodes.error, "failed"),
        (nodes.warn, "warned"),
        (nodes.success, "fine"),
        (nodes.skipped, "skipped"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts
        .map(|(count, word)| format!("{count} {word}"))
        .collect()
}

/// A text, of which what is too long is left out at its end.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The value in the middle.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => values.get(middle).copied(),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, expected) in [
            (-1.0, "0.00 s"),
            (0.04, "0.04 s"),
            (0.44, "0.44 s"),
            (0.999, "1.0 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.6, "1 min"),
            (106.0, "1 min 46 s"),
            (3600.0, "1 h"),
            (7380.0, "2 h 3 min"),
            (273_600.0, "3 d 4 h"),
            (f64::INFINITY, "0 s"),
        ] {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn days_have_their_names() {
        for (iso, expected) in [
            ("1970-01-01T00:00:00Z", "Thu 1 Jan 1970"),
            ("2024-02-29T23:59:59Z", "Thu 29 Feb 2024"),
            ("2026-11-22T06:14:42Z", "Sun 22 Nov 2026"),
            ("nonsense", "Thu 0 Jan nons"),
        ] {
            assert_eq!(date(iso), expected, "{iso}");
        }
        let moment = Moment::new(1_795_328_082.9);
        assert_eq!(moment.iso, "2026-11-22T06:14:42Z");
        assert_eq!(moment.words, "Sun 22 Nov 2026, 06:14 UTC");
        assert_eq!(Moment::new(f64::MAX).day(), "1970-01-01");
    }

    #[test]
    fn names_are_those_that_people_use() {
        for (id, expected_kind, expected) in [
            ("model.shop.orders", "model", "orders"),
            ("model.shop.dim_customers.v2", "model", "dim_customers.v2"),
            (
                "test.shop.unique_orders_id.fed79b3a6e",
                "test",
                "unique_orders_id",
            ),
            ("test.shop.assert_positive", "test", "assert_positive"),
            (
                "unit_test.shop.orders.adds_up",
                "unit test",
                "orders.adds_up",
            ),
            ("source.shop.raw.orders", "source", "raw.orders"),
            (
                "operation.shop.shop-on-run-end-0",
                "hook",
                "shop-on-run-end-0",
            ),
            ("odd", "node", "odd"),
            ("", "node", ""),
        ] {
            assert_eq!((kind(id), name(id)), (expected_kind, expected), "{id}");
        }
    }

    #[test]
    fn lists_and_numbers_read_well() {
        let parts = ["a", "b", "c"].map(str::to_owned);
        let lists = [
            list(&[]),
            list(&parts[..1]),
            list(&parts[..2]),
            list(&parts),
        ];
        assert_eq!(lists, ["", "a", "a and b", "a, b and c"]);
        assert_eq!(counted(1, "test"), "one test");
        assert_eq!(counted(12, "query"), "12 queries");
        assert_eq!(sentence("two tests failed"), "Two tests failed.");
        assert_eq!(sentence("dbt gave up"), "dbt gave up.");
        assert_eq!(clock(65), "1:05");
        assert_eq!(clock(3_905), "1:05:05");
    }
}
