//! Owns how the lease stands for one run, by what was read of it.
//!
//! Pure. Never reads a clock: the age of the lease comes with it.

use std::fmt;
use std::time::Duration;

use super::record::Record;
use crate::artifacts::Stored;

/// How the lease stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has ever written it, or it was deleted.
    Missing,
    /// It was given back.
    Free,
    /// This run holds it.
    Mine,
    /// Another run holds it, or nobody can say who does.
    Held(Holder),
    /// The same, but it was not renewed for its TTL.
    Expired(Holder),
}

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// `None` if what lies there is no lease.
    pub(crate) record: Option<Record>,
    pub(crate) age: Option<Duration>,
    pub(crate) ttl: Duration,
}

impl Holder {
    pub(super) fn is_run(&self, run: &str) -> bool {
        let record = self.record.as_ref();
        record.and_then(|record| record.holder.as_deref()) == Some(run)
    }

    /// Until the lease may be taken over; `None` where nobody can say.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.ttl.saturating_sub(self.age?);
        // Both times are whole seconds, so one may have begun.
        Some(left.saturating_add(Duration::from_secs(1)))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record {
            Some(Record {
                holder: Some(holder),
                task,
                since,
                ..
            }) => {
                write!(formatter, "the run {holder}")?;
                if !task.is_empty() {
                    write!(formatter, " ({task})")?;
                }
                if !since.is_empty() {
                    write!(formatter, " since {since}")?;
                }
            }
            _ => formatter.write_str("somebody unknown: what lies there is no lease")?,
        }
        match self.age {
            Some(age) => write!(formatter, ", renewed {} s ago", age.as_secs()),
            None => Ok(()),
        }
    }
}

/// What `stored` means for the run `me`. `ttl`: for a lease that does not say its own.
pub(super) fn judge(stored: Option<&Stored>, me: &str, ttl: Duration) -> Standing {
    let Some(stored) = stored else {
        return Standing::Missing;
    };
    let record = stored.content.as_deref().and_then(Record::parse);
    match record.as_ref().map(|record| record.holder.as_deref()) {
        Some(None) => return Standing::Free,
        Some(Some(holder)) if holder == me => return Standing::Mine,
        _ => {}
    }
    let theirs = record
        .as_ref()
        .and_then(|record| match (record.ttl, record.is_later) {
            (Some(theirs), true) => Some(theirs.max(ttl)),
            (theirs, _) => theirs,
        });
    let holder = Holder {
        ttl: theirs.unwrap_or(ttl),
        age: stored.age,
        record,
    };
    // By less than a second more, the holder may still count on it.
    if holder.age.is_some_and(|age| age > holder.ttl) {
        Standing::Expired(holder)
    } else {
        Standing::Held(holder)
    }
}

/// How often the lease has been written, as far as that can be told.
pub(super) fn seq(stored: Option<&Stored>) -> u64 {
    let record = stored.and_then(|stored| Record::parse(stored.content.as_deref()?));
    record.map_or(0, |record| record.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::Tag;

    const ME: &str = "me";
    const TTL: Duration = Duration::from_secs(90);

    fn stand(content: Option<&str>, age: Option<u64>) -> &'static str {
        let stored = Stored {
            content: content.map(|content| content.as_bytes().to_owned()),
            tag: Tag::new("\"1\""),
            age: age.map(Duration::from_secs),
        };
        match judge(Some(&stored), ME, TTL) {
            Standing::Missing => "missing",
            Standing::Free => "free",
            Standing::Mine => "mine",
            Standing::Held(_) => "held",
            Standing::Expired(_) => "expired",
        }
    }

    #[test]
    fn how_the_lease_stands() {
        let other = r#"{"v":1,"holder":"other","task":"t","since":"s","seq":1,"ttl":30}"#;
        let later = r#"{"v":2,"holder":"other","ttl":30}"#;
        let longer = r#"{"v":2,"holder":"other","ttl":600}"#;
        let endless = r#"{"v":1,"holder":"other","ttl":18446744073709551615}"#;
        let mine = r#"{"v":1,"holder":"me","seq":1,"ttl":30}"#;
        let free = r#"{"v":1,"holder":null,"seq":1,"ttl":30}"#;
        for (content, age, expected) in [
            (Some(free), Some(0), "free"),
            (Some(free), None, "free"),
            (Some(mine), Some(1000), "mine"),
            (Some(mine), None, "mine"),
            (Some(other), Some(0), "held"),
            (Some(other), Some(30), "held"),
            (Some(other), Some(31), "expired"),
            (Some(other), None, "held"),
            // By a TTL that no run can have set, nobody would ever get it.
            (Some(endless), Some(90), "held"),
            (Some(endless), Some(91), "expired"),
            // A later version may renew by other rules, so the longer TTL counts, theirs or ours.
            (Some(longer), Some(91), "held"),
            (Some(longer), Some(600), "held"),
            (Some(longer), Some(601), "expired"),
            (Some(later), Some(31), "held"),
            (Some(later), Some(90), "held"),
            (Some(later), Some(91), "expired"),
            (Some(r#"{"v":1,"holder":"oth"#), Some(31), "held"),
            (Some(r#"{"v":1,"holder":"oth"#), Some(91), "expired"),
            (Some(""), Some(91), "expired"),
            (Some(""), None, "held"),
            // Larger than any lease.
            (None, Some(90), "held"),
            (None, Some(91), "expired"),
        ] {
            assert_eq!(stand(content, age), expected, "{content:?} {age:?}");
        }
        assert_eq!(judge(None, ME, TTL), Standing::Missing);
    }

    #[test]
    fn who_holds_it_is_told_in_words() {
        let holder = |record, age: Option<u64>| Holder {
            record,
            age: age.map(Duration::from_secs),
            ttl: TTL,
        };
        let record = Record::parse(
            br#"{"v":1,"holder":"20261122T061442Z-0a1b2c3d","task":"arn:task","since":"then"}"#,
        );
        assert_eq!(
            holder(record, Some(12)).to_string(),
            "the run 20261122T061442Z-0a1b2c3d (arn:task) since then, renewed 12 s ago"
        );
        assert_eq!(
            holder(None, None).to_string(),
            "somebody unknown: what lies there is no lease"
        );
    }
}
