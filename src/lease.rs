//! Owns the lease: at most one run at a time writes what the lease stands for.
//!
//! The lease is an object of a few words. A run takes it by a conditional write, renews it, and
//! gives it back; one that is not renewed may be taken over. Never deletes it, and never asks a
//! clock of this machine how old it is.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::artifacts::DestinationError;
use crate::aws::FaultKind;

mod keeper;
mod place;
mod record;
mod standing;
mod visit;

pub(crate) use place::{Claim, Place};
pub(crate) use standing::Holder;
pub(crate) use visit::{Broken, Seen};

use keeper::Keeper;

/// What a run asks for.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) place: Place,
    pub(crate) claim: Claim,
    /// How long to wait for a run that holds it.
    pub(crate) wait: Duration,
    /// The address of the lease, for people.
    pub(crate) shown: String,
}

const OTHER_NAME: &str = "name another object, or delete this one if nothing needs it";

/// Why a run does not get the lease.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the lease {lease} is held by {by}")]
    Held {
        lease: String,
        by: Box<Holder>,
        /// Until it may be taken over.
        left: Option<Duration>,
    },
    #[error("the lease {lease} cannot be written: each attempt is a conflict with another one")]
    Conflicts { lease: String },
    #[error("what lies at {lease} is no lease")]
    NoLease { lease: String },
    #[error("nobody keeps the lease {lease} any more: a fault of this program")]
    Unkept { lease: String },
    #[error("the lease {lease} cannot be used")]
    Unusable {
        lease: String,
        source: DestinationError,
    },
}

impl Refusal {
    /// What AWS has said, if it is that.
    pub(crate) fn kind(&self) -> Option<FaultKind> {
        match self {
            Self::Unusable { source, .. } => source.fault(),
            _ => None,
        }
    }

    /// Whether the store says that it never will: the run may not use the lease, nobody knows whose
    /// bucket it is, or the store knows no conditional writes.
    pub(crate) fn is_for_good(&self) -> bool {
        let Self::Unusable { source, .. } = self else {
            return false;
        };
        place::is_denied(source) || source.is_of_unknown_owner() || source.is_not_implemented()
    }

    /// What helps whoever looks at the lease or takes it away.
    pub(crate) fn remedy(&self) -> Option<String> {
        let again = || Some("try again later".to_owned());
        match self {
            Self::Unusable { source, .. } => source.hint().or_else(|| {
                let is_away = source.fault() == Some(FaultKind::Unreachable);
                again().filter(|_| is_away)
            }),
            Self::Held { .. } | Self::Conflicts { .. } => again(),
            Self::NoLease { .. } => Some(OTHER_NAME.to_owned()),
            Self::Unkept { .. } => None,
        }
    }

    /// What helps a run.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Held { left, .. } => {
                let when = left.map_or_else(String::new, |left| {
                    format!(" (if that run is gone, in {} s)", left.as_secs())
                });
                format!(
                    "try again later{when}, set --lease-wait to wait, or run dbt-entrypoint lease \
                     break if you know that it is gone"
                )
            }
            Self::Conflicts { .. } => "set --lease off for this store".to_owned(),
            Self::NoLease { .. } => OTHER_NAME.to_owned(),
            Self::Unkept { .. } => "set --lease off to run without one".to_owned(),
            Self::Unusable { .. } => {
                let off = "set --lease off to run without one";
                self.remedy()
                    .map_or_else(|| off.to_owned(), |hint| format!("{hint}; or {off}"))
            }
        }
    }
}

/// Where the lease is with this run.
#[derive(Debug, Clone)]
enum State {
    Asked,
    /// Until then, by the clock, whatever the store says.
    Held(Instant),
    Refused(Arc<Refusal>),
    /// And why.
    Lost(String),
    GivenBack,
}

/// The lease of one run.
#[derive(Debug)]
pub(crate) struct Lease {
    state: watch::Receiver<State>,
    may_be_mine: Arc<AtomicBool>,
    give_back: Option<oneshot::Sender<()>>,
    keeper: JoinHandle<()>,
    shown: String,
}

impl Lease {
    /// Begins to ask for the lease, in a task of its own. Needs a running runtime.
    pub(crate) fn ask(shown: String, terms: impl Future<Output = Terms> + Send + 'static) -> Self {
        let (sender, state) = watch::channel(State::Asked);
        let (give_back, asked_back) = oneshot::channel();
        let may_be_mine = Arc::new(AtomicBool::new(false));
        let may_be = Arc::clone(&may_be_mine);
        let keeper = async move {
            let keeper = Keeper {
                terms: terms.await,
                state: sender,
                may_be_mine: may_be,
            };
            keeper.run(asked_back).await;
        };
        Self {
            state,
            may_be_mine,
            give_back: Some(give_back),
            keeper: tokio::spawn(keeper),
            shown,
        }
    }

    /// Waits until this run holds the lease.
    pub(crate) async fn held(&self) -> Result<(), Arc<Refusal>> {
        let mut state = self.state.clone();
        let is_known = |state: &State| !matches!(state, State::Asked);
        let known = state.wait_for(is_known).await.map(|state| state.clone());
        match known {
            Ok(State::Refused(refusal)) => Err(refusal),
            // A lease that is lost by now stops the run.
            Ok(_) => Ok(()),
            Err(_) => Err(Arc::new(Refusal::Unkept {
                lease: self.shown.clone(),
            })),
        }
    }

    pub(crate) fn tenure(&self) -> Tenure {
        Tenure(self.state.clone())
    }

    /// Becomes ready when the lease is lost, and never otherwise.
    pub(crate) fn loss(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.state.clone();
        async move {
            let is_known = |state: &State| matches!(state, State::Lost(_) | State::GivenBack);
            // Nobody renews a lease without a keeper.
            let known = state.wait_for(is_known).await.map(|state| state.clone());
            if matches!(known, Ok(State::GivenBack)) {
                pending::<()>().await;
            }
        }
    }

    /// That the lease is lost, and why, if it is.
    pub(crate) fn lost(&self) -> Option<String> {
        let is_kept = self.state.has_changed().is_ok();
        let state = self.state.borrow();
        let why = match &*state {
            State::Lost(why) => why,
            State::Held(_) if !is_kept => "nobody renews it any more, a fault of this program",
            _ => return None,
        };
        Some(format!("the lease {} was lost: {why}", self.shown))
    }

    /// Gives the lease back if this run may hold it. Never takes longer than the limit.
    pub(crate) async fn give_back(&mut self, limit: Duration) {
        // A lease that was only asked for has nothing to be given back.
        if !self.may_be_mine.load(Ordering::SeqCst) {
            self.keeper.abort();
            return;
        }
        if let Some(give_back) = self.give_back.take() {
            // The keeper may have ended.
            let _ = give_back.send(());
        }
        if timeout(limit, &mut self.keeper).await.is_err() {
            self.keeper.abort();
            tracing::warn!(
                "the lease {} was not given back within {} s; the next run has to wait until it \
                 expires",
                self.shown,
                limit.as_secs()
            );
        }
    }
}

/// The time in which a run surely holds its lease. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tenure(watch::Receiver<State>);

impl Tenure {
    /// Does what only the holder may do; `None` if it is not done in time. The clock tells, since a
    /// run that stood still learns later that its lease is lost.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let ends = match *self.0.borrow() {
            State::Held(ends) if Instant::now() < ends => ends,
            _ => return None,
        };
        timeout_at(ends, work).await.ok()
    }
}

#[cfg(test)]
mod tests;
