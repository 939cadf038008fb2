//! Owns the end of what a step printed, and which of it says why dbt gave up.
//!
//! Bounded; sees only what has passed the redactor.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::dbt::without_backtrace;

/// Room for the reason, also as lines of JSON.
const KEPT: usize = 16 * 1024;
/// Characters of the closing line.
const LONGEST: usize = 500;
/// What dbt says before its reason.
const BEFORE_THE_REASON: &str = "Encountered an error";

/// The end of stdout and stderr together. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastWords(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    bytes: VecDeque<u8>,
    /// When something was said last.
    heard: Instant,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            bytes: VecDeque::new(),
            heard: Instant::now(),
        }
    }
}

/// A line of dbt's own JSON log.
#[derive(Deserialize)]
struct Event {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    msg: String,
}

impl LastWords {
    pub(super) fn hear(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.heard = Instant::now();
        let kept = &mut kept.bytes;
        kept.extend(&bytes[bytes.len().saturating_sub(KEPT)..]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }

    /// For how long nothing has been said.
    pub(crate) fn silence(&self) -> Duration {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.heard.elapsed()
    }

    /// The reason that dbt gives, or else its last lines. `None` where it said nothing.
    pub(crate) fn tell(&self) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut kept.bytes;
        let is_cut = kept.len() == KEPT;
        let text = without_backtrace(&String::from_utf8_lossy(kept.make_contiguous()));
        let lines = text
            .lines()
            .skip(usize::from(is_cut && text.contains('\n')));
        let lines: Vec<String> = lines
            .flat_map(|line| {
                let event = serde_json::from_str::<Event>(line)
                    .map(|event| without_backtrace(&event.info.msg));
                let line = without_colours(&event.unwrap_or_else(|_| line.to_owned()));
                line.lines()
                    .map(|line| without_time(line).trim_end().to_owned())
                    .collect::<Vec<_>>()
            })
            .filter(|line| !line.is_empty())
            .collect();
        let reason = lines
            .iter()
            .rposition(|line| line.contains(BEFORE_THE_REASON))
            .map(|at| lines[at + 1..].join("\n"))
            .filter(|reason| !reason.is_empty());
        if let Some(reason) = reason {
            return Some(shortened(&reason));
        }
        let mut last = lines.last().map(|line| shortened(line))?;
        for line in lines.iter().rev().skip(1) {
            if last.chars().count() + 1 + line.chars().count() > LONGEST {
                break;
            }
            last = format!("{line}\n{last}");
        }
        Some(last)
    }
}

/// At most as many characters as the closing line has room for.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

/// Without the sequences that set colours: an escape, `[`, parameters, a letter.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(
            part.trim_start_matches(|char: char| char.is_ascii_digit() || char == ';')
                .get(1..)
                .unwrap_or_default(),
        );
    }
    plain
}

/// Without dbt's `20:12:01  ` at the beginning.
fn without_time(line: &str) -> &str {
    let is_time = |time: &str| {
        let mut bytes = time.bytes().enumerate();
        bytes.all(|(index, byte)| match index {
            2 | 5 => byte == b':',
            _ => byte.is_ascii_digit(),
        })
    };
    match line.split_at_checked(8) {
        Some((time, rest)) if is_time(time) => rest.strip_prefix("  ").unwrap_or(rest),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        let words = LastWords::default();
        text.as_bytes()
            .chunks(7)
            .for_each(|bytes| words.hear(bytes));
        words.tell()
    }

    #[test]
    fn the_reason_is_what_stands_behind_dbts_own_introduction() {
        for (text, expected) in [
            ("", None),
            ("\n\n", None),
            (
                "Env var required but not provided: X\n",
                Some("Env var required but not provided: X"),
            ),
            (
                "no such host\n   0: <unknown>\n  12: start_thread\n             at ./x.c:442:8\n",
                Some("no such host"),
            ),
            (
                "20:12:01  Running with dbt=1.11.16\n20:12:02  Encountered an error:\nParsing \
                    Error\n  Env var required but not provided: 'X'\n",
                Some("Parsing Error\n  Env var required but not provided: 'X'"),
            ),
            (
                "\u{1b}[0m20:12:02  \u{1b}[31mEncountered an error:\u{1b}[0m\n\u{1b}[1;31mRuntime \
                    Error\u{1b}[0m\n  no\n",
                Some("Runtime Error\n  no"),
            ),
            (
                "{\"info\": {\"level\": \"error\", \"msg\": \"Encountered an error:\\nRuntime \
                    Error\\n  no\"}, \"data\": {}}\n",
                Some("Runtime Error\n  no"),
            ),
            (
                "first\n\nTraceback\nImportError: no dbt",
                Some("first\nTraceback\nImportError: no dbt"),
            ),
            (
                "20:12:02  Encountered an error:\n",
                Some("Encountered an error:"),
            ),
        ] {
            assert_eq!(told(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn there_are_never_more_than_five_hundred_characters() {
        let long = "ä".repeat(20_000);
        for text in [
            long.clone(),
            format!("Encountered an error:\n{}", "ö".repeat(2_000)),
            format!("{long}\nlast"),
            "some words\n".repeat(3_000),
        ] {
            let told = told(&text).unwrap();
            assert!((4..=LONGEST).contains(&told.chars().count()), "{told}");
        }
        assert_eq!(told(&format!("{long}\nlast")).unwrap(), "last");
        let reason = format!("Encountered an error:\n{}", "ö".repeat(2_000));
        assert!(told(&reason).unwrap().starts_with("öö"));
    }
}
