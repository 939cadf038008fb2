//! Owns when the lease is asked for, renewed and given back.
//!
//! Never stops the run: it says that the lease is lost, and why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::place::{Claim, Hold, Place, Renewed, Taken};
use super::visit::Seen;
use super::{Refusal, State, Terms};
use crate::causes;

/// How often a run looks that waits for another one to end.
const LOOK: Duration = Duration::from_secs(2);
/// A store that does not answer must not hold up a run that waits.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// Two that write at the same time should not do so again.
const STEP_ASIDE: Duration = Duration::from_millis(40);
/// Conflicts in a row without anybody who holds the lease: no store that keeps its word.
const MOST_CONFLICTS: u32 = 20;
/// For a last word to a store that has not answered well.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Renewals in a TTL, so that two may fail.
const RENEWALS: u32 = 3;

pub(super) struct Keeper {
    pub(super) terms: Terms,
    pub(super) state: watch::Sender<State>,
    /// Whether the lease may be this run's, as far as anybody knows.
    pub(super) may_be_mine: Arc<AtomicBool>,
}

impl Keeper {
    /// Until the lease was given back, or cannot be had.
    pub(super) async fn run(self, mut give_back: oneshot::Receiver<()>) {
        let taken = tokio::select! {
            biased;
            _ = &mut give_back => None,
            taken = self.take() => Some(taken),
        };
        match taken {
            Some(Ok((hold, since))) => {
                self.count_from(since);
                if let Err(why) = self.keep(hold, since, &mut give_back).await {
                    self.may_be_mine.store(false, Ordering::SeqCst);
                    self.state.send_replace(State::Lost(why));
                    return;
                }
                self.give_back().await;
                self.state.send_replace(State::GivenBack);
            }
            Some(Err(refusal)) => {
                // A write without an answer may have been done.
                if self.may_be_mine.load(Ordering::SeqCst) {
                    let _ = timeout(LAST_WORD, self.place().free(self.claim())).await;
                }
                self.state.send_replace(State::Refused(Arc::new(refusal)));
            }
            None if self.may_be_mine.load(Ordering::SeqCst) => self.give_back().await,
            None => {}
        }
    }

    fn place(&self) -> &Place {
        &self.terms.place
    }

    fn claim(&self) -> &Claim {
        &self.terms.claim
    }

    fn count_from(&self, time: Instant) {
        self.state
            .send_replace(State::Held(time + self.claim().ttl));
    }

    /// Returns the hold and from when on it counts.
    async fn take(&self) -> Result<(Hold, Instant), Refusal> {
        let started = Instant::now();
        let mut conflicts = 0;
        let mut is_told = false;
        let mut has_told_trouble = false;
        let mut holder = None;
        let mut first_seen = None;
        loop {
            let began = Instant::now();
            let wait_left = self.terms.wait.saturating_sub(started.elapsed());
            // Where nobody is known to hold it, the destination's own limits are all there is.
            let limit = match holder {
                Some(_) => wait_left.clamp(LAST_WORD, LONGEST_LOOK),
                None => Duration::MAX,
            };
            let writing = || self.may_be_mine.store(true, Ordering::SeqCst);
            let look = self.place().take(self.claim(), &mut first_seen, writing);
            let trouble = match timeout(limit, look).await {
                Ok(Ok(Taken::Yes { hold, from })) => {
                    if let Some(from) = from {
                        tracing::warn!(
                            "took over the lease {}, which was not renewed for its TTL of {} s, \
                             from {from}",
                            self.terms.shown,
                            from.ttl.as_secs()
                        );
                    } else {
                        tracing::info!("took the lease {}", self.terms.shown);
                    }
                    return Ok((hold, began));
                }
                Ok(Ok(Taken::No(by))) => {
                    self.may_be_mine.store(false, Ordering::SeqCst);
                    conflicts = 0;
                    holder = Some(by);
                    None
                }
                Ok(Ok(Taken::Conflict)) if conflicts < MOST_CONFLICTS => {
                    conflicts += 1;
                    sleep(spread(STEP_ASIDE.saturating_mul(conflicts))).await;
                    continue;
                }
                Ok(Ok(Taken::Conflict)) => {
                    return Err(Refusal::Conflicts {
                        lease: self.terms.shown.clone(),
                    });
                }
                Ok(Ok(Taken::NoLease)) => {
                    return Err(Refusal::NoLease {
                        lease: self.terms.shown.clone(),
                    });
                }
                // Another run holds it, as far as anybody knows, also if this one may not read it
                // any more.
                Ok(Err(error)) if holder.is_some() => Some(causes::in_one_line(&error)),
                Ok(Err(source)) => {
                    return Err(Refusal::Unusable {
                        lease: self.terms.shown.clone(),
                        source,
                    });
                }
                Err(_) => Some(no_good_response(limit)),
            };
            if let Some(trouble) = trouble.filter(|_| !has_told_trouble) {
                has_told_trouble = true;
                tracing::warn!("cannot look at the lease {}: {trouble}", self.terms.shown);
            }
            let Some(by) = holder.clone() else { continue };
            let wait_left = self.terms.wait.saturating_sub(started.elapsed());
            if wait_left.is_zero() {
                return Err(Refusal::Held {
                    lease: self.terms.shown.clone(),
                    left: by.left(),
                    by: Box::new(by),
                });
            }
            if !is_told {
                is_told = true;
                tracing::info!(
                    "waiting up to {} for the lease {}, held by {by}",
                    humantime::format_duration(self.terms.wait),
                    self.terms.shown
                );
            }
            let pause = by.left().map_or(LOOK, |left| left.min(LOOK));
            sleep(spread(pause).min(wait_left)).await;
        }
    }

    /// Renews until the lease is to be given back. Fails if it is lost, with the reason.
    async fn keep(
        &self,
        mut hold: Hold,
        mut counts_from: Instant,
        give_back: &mut oneshot::Receiver<()>,
    ) -> Result<(), String> {
        let ttl = self.claim().ttl;
        let mut due = counts_from + ttl / RENEWALS;
        let mut is_told = false;
        let mut trouble: Option<String> = None;
        loop {
            tokio::select! {
                biased;
                _ = &mut *give_back => return Ok(()),
                () = sleep_until(due) => {}
            }
            let ends = counts_from + ttl;
            let began = Instant::now();
            let limit = (ttl / RENEWALS).min(ends.saturating_duration_since(began));
            if limit.is_zero() {
                return Err(self.why_lost(trouble).await);
            }
            let renewed = tokio::select! {
                biased;
                _ = &mut *give_back => return Ok(()),
                renewed = timeout(limit, self.place().renew(self.claim(), &mut hold)) => renewed,
            };
            trouble = match renewed {
                Ok(Ok(Renewed::Yes)) => {
                    if is_told {
                        tracing::info!("renewed the lease again");
                    }
                    (counts_from, is_told, trouble) = (began, false, None);
                    self.count_from(began);
                    due = began + ttl / RENEWALS;
                    continue;
                }
                Ok(Ok(Renewed::Lost(Some(holder)))) => {
                    return Err(format!("it was taken over by {holder}"));
                }
                Ok(Ok(Renewed::Lost(None))) => return Err("it was taken away".to_owned()),
                Ok(Ok(Renewed::Conflict)) => None,
                Ok(Err(error)) => Some(causes::in_one_line(&error)),
                // The last attempt may have had no time.
                Err(_) => Some(trouble.unwrap_or_else(|| no_good_response(limit))),
            };
            if let Some(trouble) = trouble.as_ref().filter(|_| !is_told) {
                is_told = true;
                tracing::warn!(
                    "cannot renew the lease {}: {trouble}; the run goes on for {} s at most",
                    self.terms.shown,
                    ends.saturating_duration_since(Instant::now()).as_secs()
                );
            }
            let pause = spread((ttl / 20).min(LOOK));
            due = (Instant::now() + pause).min(ends);
        }
    }

    /// Of a lease that this run may not count on any more. `trouble`: the last one, if it was not
    /// that somebody else has written.
    async fn why_lost(&self, trouble: Option<String>) -> String {
        let ttl = self.claim().ttl;
        let (trouble, by) = match trouble {
            Some(trouble) => (format!(": {trouble}"), None),
            None => (
                String::new(),
                timeout(LAST_WORD, self.place().look()).await.ok(),
            ),
        };
        match by {
            Some(Ok(Seen::Held { holder, .. })) if !holder.is_run(&self.claim().holder) => {
                format!("it was taken over by {holder}")
            }
            _ => format!(
                "it was not renewed for its TTL of {} s{trouble}",
                ttl.as_secs()
            ),
        }
    }

    async fn give_back(&self) {
        let mut failed = None;
        for _ in 0..RENEWALS {
            match self.place().free(self.claim()).await {
                Ok(true) => {
                    tracing::debug!("gave back the lease {}", self.terms.shown);
                    self.may_be_mine.store(false, Ordering::SeqCst);
                    return;
                }
                Ok(false) => sleep(spread(STEP_ASIDE)).await,
                Err(error) => failed = Some(error),
            }
        }
        let why = failed.map(|error| causes::in_one_line(&error));
        tracing::warn!(
            "cannot give back the lease {}: {}; the next run has to wait until it expires",
            self.terms.shown,
            why.unwrap_or_else(|| "conflicts without end".to_owned())
        );
    }
}

fn no_good_response(limit: Duration) -> String {
    format!("no good response within {:.1} s", limit.as_secs_f32())
}

/// Somewhere between half of a time and all of it, so that those who wait do not all look at once.
fn spread(time: Duration) -> Duration {
    let mut random = [0];
    // Without randomness all of it is as good.
    let part = getrandom::fill(&mut random).map_or(255, |()| random[0]);
    time / 2 + time * u32::from(part) / 510
}
