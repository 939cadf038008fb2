//! Owns `lease.json`: what it says, and what is made of one that says something else.
//!
//! Pure. Never decides who gets the lease.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// What this program writes. A later version may say more.
const VERSION: u64 = 1;
/// As of `--lease-ttl`: no run has a longer one.
const LONGEST_TTL: u64 = 366 * 24 * 60 * 60;
/// Names are shown in logs; longer ones are nobody's.
const LONGEST_NAME: usize = 300;

/// What the lease says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The run that holds the lease; `None` if nobody does.
    pub(crate) holder: Option<String>,
    /// Where that run is: the ARN of an ECS task, or a host.
    pub(crate) task: String,
    /// When it took the lease, by its own clock: for people alone.
    pub(crate) since: String,
    /// How often the lease has been written.
    pub(crate) seq: u64,
    /// How long the lease holds after it was last written. `None` where it does not say so.
    pub(crate) ttl: Option<Duration>,
    /// A later version has written it, which may renew by other rules.
    pub(crate) is_later: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u64,
    holder: Option<&'a str>,
    task: &'a str,
    since: &'a str,
    seq: u64,
    ttl: u64,
}

impl Record {
    /// `None` if nobody can say who holds it.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(content).ok()?;
        let holder = match value.get("holder")? {
            Value::Null => None,
            Value::String(holder) if !holder.is_empty() => Some(shown(holder)),
            _ => return None,
        };
        let text = |key| value.get(key).and_then(Value::as_str).map(shown);
        let seconds = value.get("ttl").and_then(Value::as_u64);
        Some(Self {
            holder,
            task: text("task").unwrap_or_default(),
            since: text("since").unwrap_or_default(),
            seq: value.get("seq").and_then(Value::as_u64).unwrap_or(0),
            ttl: seconds
                .filter(|seconds| (1..=LONGEST_TTL).contains(seconds))
                .map(Duration::from_secs),
            is_later: value.get("v").and_then(Value::as_u64) != Some(VERSION),
        })
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        // The order of the fields is that in which people read them.
        let record = Written {
            v: VERSION,
            holder: self.holder.as_deref(),
            task: &self.task,
            since: &self.since,
            seq: self.seq,
            ttl: self.ttl.unwrap_or_default().as_secs(),
        };
        let mut content = serde_json::to_vec(&record).unwrap_or_default();
        content.push(b'\n');
        content
    }
}

/// Anybody may have written it, so it is cut and has no control characters.
fn shown(name: &str) -> String {
    let plain = name.chars().filter(|character| !character.is_control());
    plain.take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for holder in [None, Some("20261122T061442Z-0a1b2c3d".to_owned())] {
            let record = Record {
                holder,
                task: "arn:aws:ecs:eu-north-1:123456789012:task/dbt/0a1b".to_owned(),
                since: "2026-11-22T06:14:42Z".to_owned(),
                seq: 17,
                ttl: Some(Duration::from_secs(90)),
                is_later: false,
            };
            assert_eq!(Record::parse(&record.content()), Some(record));
        }
    }

    #[test]
    fn the_form_is_that_of_the_documentation() {
        let record = Record {
            seq: 1,
            ttl: Some(Duration::from_secs(90)),
            ..Record::default()
        };
        let written: Value = serde_json::from_slice(&record.content()).unwrap();
        let expected = json!({"v": 1, "holder": null, "task": "", "since": "", "seq": 1,
            "ttl": 90});
        assert_eq!(written, expected);
    }

    #[test]
    fn what_does_not_name_a_holder_says_nothing() {
        for text in [
            "",
            "{",
            "null",
            "[]",
            "{}",
            r#"{"v":1}"#,
            r#"{"v":1,"holder":7}"#,
            r#"{"v":1,"holder":""}"#,
            r#"{"v":1,"holder":["a"]}"#,
            r#"{"v":1,"holder":"20261122T0614"#,
            "\u{0}\u{0}\u{0}",
        ] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Record::parse(b"\xff\xfe"), None);
    }

    #[test]
    fn what_is_missing_or_odd_beside_the_holder_is_not_needed() {
        for (text, seq, ttl) in [
            (r#"{"holder":"a"}"#, 0, None),
            (r#"{"v":1,"holder":"a","seq":3,"ttl":5}"#, 3, Some(5)),
            (r#"{"v":1,"holder":"a","seq":-3,"ttl":-5}"#, 0, None),
            (r#"{"v":1,"holder":"a","seq":"x","ttl":"90"}"#, 0, None),
            (r#"{"v":1,"holder":"a","ttl":0}"#, 0, None),
            (r#"{"v":1,"holder":"a","ttl":99999999999}"#, 0, None),
            (
                r#"{"v":2,"holder":"a","seq":3,"ttl":5,"more":{}}"#,
                3,
                Some(5),
            ),
        ] {
            let record = Record::parse(text.as_bytes()).unwrap();
            assert_eq!(record.holder.as_deref(), Some("a"), "{text}");
            assert_eq!(record.seq, seq, "{text}");
            assert_eq!(record.ttl, ttl.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn names_are_fit_for_a_log() {
        let text = json!({"v": 1, "holder": "a\n\u{1b}[31mb", "task": "x".repeat(10_000)});
        let record = Record::parse(text.to_string().as_bytes()).unwrap();
        assert_eq!(record.holder.as_deref(), Some("a[31mb"));
        assert_eq!(record.task.len(), LONGEST_NAME);
    }
}
