//! Owns the lease of a run as the run sees it: what it asks for, what a refusal means, and what the
//! two commands print.
//!
//! Never reads or writes the lease itself.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Surroundings;
use super::closing::Run;
use super::prepare::Error;
use crate::artifacts::{Destination, DestinationError};
use crate::aws::{self, Aws};
use crate::causes;
use crate::cli::LeaseCommand;
use crate::config::{self, Location, LogFormat, Pipeline, Publish};
use crate::exit_code::ExitCode;
use crate::lease::{Broken, Claim, Holder, Lease, Place, Refusal, Seen, Terms};
use crate::pipeline::{Cause, Shutdown, Stop};
use crate::report;

/// How long a run waits at its end until the lease is given back.
const GIVE_BACK: Duration = Duration::from_secs(10);
/// The same for a run that should stop, whatever is left of its budget.
const QUICKLY: Duration = Duration::from_secs(1);

/// Begins to ask for the lease. `None` where the settings want none. `opened`: the destination of
/// the artifacts, which knows already whose bucket it is.
pub(super) fn ask(
    plan: &Pipeline,
    opened: Option<&Destination>,
    run_id: &str,
    aws: Option<&Aws>,
) -> Option<Lease> {
    let wanted = plan.lease.clone()?;
    let destination = match (&plan.publish, opened) {
        (Publish::To { location, .. }, Some(opened)) if *location == wanted.location => {
            opened.clone()
        }
        _ => Destination::new(&wanted.location, aws)?,
    };
    let place = place(&wanted, destination);
    let shown = wanted.to_string();
    let (holder, aws) = (run_id.to_owned(), aws.cloned());
    Some(Lease::ask(shown.clone(), async move {
        Terms {
            place,
            claim: Claim {
                holder,
                task: whereabouts(aws.as_ref()).await,
                since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
                ttl: wanted.ttl,
            },
            wait: wanted.wait,
            shown,
        }
    }))
}

/// Waits for the lease. By default a run goes on without one where it may not have any: it did so
/// before there were leases.
pub(super) async fn hold(
    lease: &mut Option<Lease>,
    wanted: Option<&config::Lease>,
) -> Result<(), Error> {
    let (Some(asked), Some(wanted)) = (&*lease, wanted) else {
        return Ok(());
    };
    let Err(refusal) = asked.held().await else {
        return Ok(());
    };
    *lease = None;
    if wanted.is_spelt_out || !refusal.is_for_good() {
        return Err(Error::Lease(refusal));
    }
    let hint = refusal.hint();
    tracing::warn!(
        "this run holds no lease, so another one may write at the same time: {}; {hint}",
        causes::in_one_line(&*refusal)
    );
    Ok(())
}

fn place(wanted: &config::Lease, destination: Destination) -> Place {
    Place {
        destination,
        key: wanted.key.clone(),
        is_named: wanted.is_named,
    }
}

/// Where this run is, for people.
async fn whereabouts(aws: Option<&Aws>) -> String {
    let task = match aws {
        Some(aws) => aws.task_arn().await,
        None => None,
    };
    let host = || nix::unistd::gethostname().ok()?.into_string().ok();
    task.map(str::to_owned)
        .or_else(host)
        .unwrap_or_else(|| "unknown host".to_owned())
}

impl Run<'_> {
    /// That the lease is lost, and what that means for the run.
    pub(super) fn record_loss(&mut self) {
        if let Some(what) = self.lease.as_ref().and_then(Lease::lost) {
            tracing::error!(
                "{what}; nothing more is published but the ledger; --resume {} finishes what is \
                 left, if no other run has done it",
                self.summary.run_id
            );
            self.summary.error = Some(what);
        }
    }

    pub(super) fn has_lost_lease(&self) -> bool {
        self.lease.as_ref().and_then(Lease::lost).is_some()
    }

    /// Ready when the lease is lost.
    pub(super) fn lease_lost(&self) -> impl Future<Output = ()> + use<> {
        let loss = self.lease.as_ref().map(Lease::loss);
        async move {
            match loss {
                Some(loss) => loss.await,
                None => pending().await,
            }
        }
    }

    pub(super) fn record_loss_while_publishing(&mut self) -> ExitCode {
        let (cause, at) = (Cause::LeaseLost, Instant::now());
        self.record_stop(Stop { cause, at })
    }

    /// After everything that the lease stands for, within the stop budget.
    pub(super) async fn give_back_lease(&mut self) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        let limit = self.shutdown.requested().map_or(GIVE_BACK, |stop| {
            let budget = stop.at + self.stop_timeout;
            let left = budget.saturating_duration_since(Instant::now());
            left.clamp(QUICKLY, GIVE_BACK)
        });
        lease.give_back(limit).await;
    }
}

/// `lease show` and `lease break`.
pub(super) async fn command(
    command: &LeaseCommand,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    let done = tokio::select! {
        biased;
        stop = shutdown.stopped() => return stop.cause.into(),
        done = visit(command, surroundings) => done,
    };
    done.unwrap_or_else(|error| {
        let hint = match &error {
            Error::Lease(refusal) => refusal.remedy(),
            _ => error.hint(),
        };
        surroundings.console.error(&error, hint.as_deref());
        error.code()
    })
}

async fn visit(command: &LeaseCommand, surroundings: &Surroundings) -> Result<ExitCode, Error> {
    let (LeaseCommand::Show(args) | LeaseCommand::Break(args)) = command;
    let (config, plan) = config::resolve_lease(
        args,
        &surroundings.files,
        &surroundings.variables,
        &surroundings.working_directory,
    )?;
    let wanted = plan.lease.ok_or(Error::NoLease)?;
    let aws = match wanted.location {
        Location::S3 { .. } => Some(aws::load(&config.variables).await?),
        Location::Directory(_) => None,
    };
    let shown = wanted.to_string();
    let destination = Destination::new(&wanted.location, aws.as_ref()).ok_or(Error::NoLease)?;
    let place = place(&wanted, destination);
    let failed = |source: DestinationError| {
        let lease = shown.clone();
        Error::Lease(Arc::new(Refusal::Unusable { lease, source }))
    };
    match command {
        LeaseCommand::Show(_) => {
            let seen = place.look().await.map_err(failed)?;
            report::print(&describe(&shown, &seen, config.log_format));
        }
        LeaseCommand::Break(_) => {
            let lease = shown.clone();
            let from = match place.break_lease().await.map_err(failed)? {
                Broken::WasFree => Ok(None),
                Broken::From(holder) => Ok(Some(holder)),
                Broken::No(by) => {
                    let (by, left) = (Box::new(by), None);
                    Err(Refusal::Held { lease, by, left })
                }
                Broken::Conflict => Err(Refusal::Conflicts { lease }),
                Broken::NoLease => Err(Refusal::NoLease { lease }),
            };
            let from = from.map_err(|refusal| Error::Lease(Arc::new(refusal)))?;
            report::print(&describe_break(&shown, from.as_ref(), config.log_format));
        }
    }
    Ok(ExitCode::Success)
}

/// What `lease break` prints. `from`: who held it.
fn describe_break(lease: &str, from: Option<&Holder>, format: LogFormat) -> String {
    match (format, from) {
        (LogFormat::Json, _) => {
            let record = from.and_then(|from| from.record.as_ref());
            let from = record.and_then(|record| record.holder.as_deref());
            let line = serde_json::json!({"lease": lease, "state": "free", "taken_from": from});
            format!("{line}\n")
        }
        (LogFormat::Text, None) => format!("nobody holds the lease {lease}\n"),
        (LogFormat::Text, Some(from)) => format!("took the lease {lease} away from {from}\n"),
    }
}

/// What `lease show` prints.
fn describe(lease: &str, seen: &Seen, format: LogFormat) -> String {
    let (record, holder, state) = match seen {
        Seen::Free { record } => (record.clone(), None, "free"),
        Seen::Held { holder, is_expired } => {
            let state = if *is_expired { "expired" } else { "held" };
            (holder.record.clone(), Some(holder), state)
        }
    };
    let record = record.unwrap_or_default();
    let age = holder.and_then(|holder| holder.age);
    if format == LogFormat::Json {
        let line = serde_json::json!({
            "lease": lease,
            "state": state,
            "holder": record.holder,
            "task": record.task,
            "since": record.since,
            "seq": record.seq,
            "ttl": record.ttl.map(|ttl| ttl.as_secs()),
            "age": age.map(|age| age.as_secs()),
        });
        return format!("{line}\n");
    }
    let Some(holder) = holder else {
        return format!("lease    {lease}\nholder   nobody\n");
    };
    let renewed = age.map_or_else(
        || "nobody knows when".to_owned(),
        |age| format!("{} s ago", age.as_secs()),
    );
    let name = record.holder.as_deref().unwrap_or("somebody unknown");
    let note = match state {
        "expired" => "; expired, so the next run takes it over",
        _ => "",
    };
    format!(
        "lease    {lease}\nholder   {name}\ntask     {}\nsince    {}\nrenewed  {renewed} (TTL {} s)\
         {note}\n",
        record.task,
        record.since,
        holder.ttl.as_secs()
    )
}
