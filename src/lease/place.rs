//! Owns the object that is the lease: how a run reads it, takes it, renews it, gives it back.
//!
//! Never waits and never decides when.

use std::time::Duration;

use tokio::time::Instant;

use super::record::Record;
use super::standing::{Holder, Standing, judge, seq};
use crate::artifacts::{Destination, DestinationError, Saved, Stored, Tag};
use crate::aws::FaultKind;

/// No lease is larger.
const LARGEST: u64 = 16 << 10;
/// Of a lease, also of one that was cut off.
const BEGINNING: &[u8] = b"{\"v\":";
/// A conflict may come before the object of the other run is there (409).
const MOST_FINDS: u32 = 2;

/// Where the lease lies, and who wants it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) destination: Destination,
    /// Below the destination.
    pub(crate) key: String,
    /// The user has named the key, and may have meant another one.
    pub(crate) is_named: bool,
}

/// What a run writes into the lease.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The run.
    pub(crate) holder: String,
    pub(crate) task: String,
    pub(crate) since: String,
    pub(crate) ttl: Duration,
}

/// A lease that this run holds.
#[derive(Debug)]
pub(super) struct Hold {
    /// `None` where a write got no answer: then the lease is read first.
    tag: Option<Tag>,
    seq: u64,
}

/// What became of an attempt to take the lease.
#[derive(Debug)]
pub(super) enum Taken {
    /// `from`: who did not renew it.
    Yes {
        hold: Hold,
        from: Option<Holder>,
    },
    No(Holder),
    /// Somebody else was writing, too.
    Conflict,
    /// What lies there is somebody's, and no lease.
    NoLease,
}

/// What became of a renewal.
#[derive(Debug)]
pub(super) enum Renewed {
    Yes,
    /// Somebody has taken the lease over, or away: then there is no holder.
    Lost(Option<Holder>),
    Conflict,
}

impl Place {
    pub(super) async fn read(&self) -> Result<Option<Stored>, DestinationError> {
        self.destination.read_state(&self.key, LARGEST).await
    }

    /// Reads the lease for a run that wants it. Who may not list a bucket is told that an object is
    /// denied where it is missing. Writing one then tells which, and it is one that nobody holds:
    /// a run that may not read the lease could not give it back. If that is a conflict, another run
    /// may have been first, and its lease can be read.
    async fn find(&self) -> Result<Option<Stored>, DestinationError> {
        let mut found = self.read().await;
        for _ in 0..MOST_FINDS {
            if !found.as_ref().is_err_and(is_denied) {
                break;
            }
            let unheld = Record::default().content();
            self.destination.create_state(&self.key, &unheld).await?;
            found = self.read().await;
        }
        found
    }

    /// `first_seen`: what an earlier attempt has found, and since when it has been the same.
    /// `writing`: called before the lease may be this run's.
    pub(super) async fn take(
        &self,
        claim: &Claim,
        first_seen: &mut Option<(Tag, Instant)>,
        writing: impl FnOnce(),
    ) -> Result<Taken, DestinationError> {
        let began = Instant::now();
        let stored = self.find().await?;
        let unchanged = unchanged(stored.as_ref(), first_seen, began);
        if self.has_been_mistaken(stored.as_ref()) {
            return Ok(Taken::NoLease);
        }
        let from = match judge(stored.as_ref(), &claim.holder, claim.ttl) {
            // Where the place does not tell how old it is, this run has to see it for its TTL.
            Standing::Held(holder) if holder.age.is_some() || unchanged <= holder.ttl => {
                return Ok(Taken::No(holder));
            }
            Standing::Held(holder) | Standing::Expired(holder) => Some(holder),
            Standing::Missing | Standing::Free | Standing::Mine => None,
        };
        let seq = seq(stored.as_ref()).saturating_add(1);
        let tag = stored.map(|stored| stored.tag);
        writing();
        Ok(match self.write(claim.record(seq), tag.as_ref()).await? {
            Saved::Done(tag) => Taken::Yes {
                hold: Hold {
                    tag: Some(tag),
                    seq,
                },
                from,
            },
            Saved::Conflict => Taken::Conflict,
        })
    }

    /// Whether what lies there is not to be touched, since the user has named it, and nothing says
    /// that it ever was a lease.
    pub(super) fn has_been_mistaken(&self, stored: Option<&Stored>) -> bool {
        let may_be_ours = |content: &[u8]| {
            content.is_empty() || content.starts_with(BEGINNING) || Record::parse(content).is_some()
        };
        let is_ours = |stored: &Stored| stored.content.as_deref().is_some_and(may_be_ours);
        self.is_named && stored.is_some_and(|stored| !is_ours(stored))
    }

    pub(super) async fn renew(
        &self,
        claim: &Claim,
        hold: &mut Hold,
    ) -> Result<Renewed, DestinationError> {
        // Until there is an answer, nobody knows what is there.
        let mut tag = hold.tag.take();
        if tag.is_none() {
            let stored = self.read().await?;
            hold.seq = hold.seq.max(seq(stored.as_ref()));
            match judge(stored.as_ref(), &claim.holder, claim.ttl) {
                Standing::Missing | Standing::Mine => {}
                Standing::Free => return Ok(Renewed::Lost(None)),
                // What is no lease has taken nothing over.
                Standing::Held(holder) | Standing::Expired(holder) if holder.record.is_none() => {}
                Standing::Held(holder) | Standing::Expired(holder) => {
                    return Ok(Renewed::Lost(Some(holder)));
                }
            }
            tag = stored.map(|stored| stored.tag);
        }
        hold.seq = hold.seq.saturating_add(1);
        Ok(
            match self.write(claim.record(hold.seq), tag.as_ref()).await? {
                Saved::Done(tag) => {
                    hold.tag = Some(tag);
                    Renewed::Yes
                }
                Saved::Conflict => Renewed::Conflict,
            },
        )
    }

    /// Writes that nobody holds the lease, if this run does. Returns whether that is so now.
    pub(super) async fn free(&self, claim: &Claim) -> Result<bool, DestinationError> {
        let stored = self.read().await?;
        if judge(stored.as_ref(), &claim.holder, claim.ttl) != Standing::Mine {
            return Ok(true);
        }
        let record = Record {
            holder: None,
            ..claim.record(seq(stored.as_ref()).saturating_add(1))
        };
        let tag = stored.map(|stored| stored.tag);
        Ok(self.write(record, tag.as_ref()).await? != Saved::Conflict)
    }

    /// Over what is known to be there, or nothing.
    pub(super) async fn write(
        &self,
        record: Record,
        over: Option<&Tag>,
    ) -> Result<Saved, DestinationError> {
        let content = record.content();
        match over {
            None => self.destination.create_state(&self.key, &content).await,
            Some(tag) => {
                self.destination
                    .replace_state(&self.key, tag, &content)
                    .await
            }
        }
    }
}

impl Claim {
    fn record(&self, seq: u64) -> Record {
        Record {
            holder: Some(self.holder.clone()),
            task: self.task.clone(),
            since: self.since.clone(),
            seq,
            ttl: Some(self.ttl),
            is_later: false,
        }
    }
}

/// How long an object has been the same for sure. `began`: when it was asked for.
fn unchanged(
    stored: Option<&Stored>,
    first_seen: &mut Option<(Tag, Instant)>,
    began: Instant,
) -> Duration {
    let tag = stored.map(|stored| &stored.tag);
    match first_seen {
        Some((known, since)) if Some(&*known) == tag => began.saturating_duration_since(*since),
        _ => {
            *first_seen = tag.map(|tag| (tag.clone(), Instant::now()));
            Duration::ZERO
        }
    }
}

/// Whether this run is known and has no right to it. One whose credentials are refused may have
/// the right.
pub(super) fn is_denied(error: &DestinationError) -> bool {
    error.fault() == Some(FaultKind::Denied)
}
