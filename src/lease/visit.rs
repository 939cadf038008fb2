//! Owns what a person does with the lease: look at it, and take it away.
//!
//! Never takes it away from a run that nobody has seen.

use std::time::Duration;

use super::place::Place;
use super::record::Record;
use super::standing::{Holder, Standing, judge, seq};
use crate::artifacts::{DestinationError, Saved, Stored};

/// A run that renews may be faster so many times.
const ATTEMPTS: u32 = 5;
/// For a lease that does not say its own.
const TTL: Duration = Duration::from_secs(90);

/// What the lease says.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// `record`: of who held it last, if anybody did.
    Free {
        record: Option<Record>,
    },
    Held {
        holder: Holder,
        is_expired: bool,
    },
}

/// What became of the wish to take it away.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Nobody held it.
    WasFree,
    From(Holder),
    /// Somebody else has taken it meanwhile.
    No(Holder),
    Conflict,
    /// What lies there is somebody's, and no lease.
    NoLease,
}

impl Place {
    pub(crate) async fn look(&self) -> Result<Seen, DestinationError> {
        Ok(see(self.read().await?.as_ref()))
    }

    pub(crate) async fn break_lease(&self) -> Result<Broken, DestinationError> {
        let mut first: Option<Holder> = None;
        for _ in 0..ATTEMPTS {
            let stored = self.read().await?;
            if self.has_been_mistaken(stored.as_ref()) {
                return Ok(Broken::NoLease);
            }
            let holder = match see(stored.as_ref()) {
                Seen::Free { .. } => {
                    return Ok(first.map_or(Broken::WasFree, Broken::From));
                }
                Seen::Held { holder, .. } => holder,
            };
            let of = |holder: &Holder| holder.record.as_ref().and_then(|it| it.holder.clone());
            match &first {
                Some(first) if of(first) != of(&holder) => return Ok(Broken::No(holder)),
                _ => {}
            }
            let record = Record {
                holder: None,
                seq: seq(stored.as_ref()).saturating_add(1),
                ..holder.record.clone().unwrap_or_default()
            };
            let tag = stored.map(|stored| stored.tag);
            let saved = self.write(record, tag.as_ref()).await?;
            if saved != Saved::Conflict {
                return Ok(Broken::From(holder));
            }
            first.get_or_insert(holder);
        }
        Ok(Broken::Conflict)
    }
}

fn see(stored: Option<&Stored>) -> Seen {
    // No run has an empty name.
    match judge(stored, "", TTL) {
        Standing::Held(holder) => Seen::Held {
            holder,
            is_expired: false,
        },
        Standing::Expired(holder) => Seen::Held {
            holder,
            is_expired: true,
        },
        Standing::Missing | Standing::Free | Standing::Mine => Seen::Free {
            record: stored.and_then(|stored| Record::parse(stored.content.as_deref()?)),
        },
    }
}
