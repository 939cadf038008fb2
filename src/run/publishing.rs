//! Owns the end of a run: the docs if they are due, the ledger in any case, inside the stop budget
//! when there is one.
//!
//! Never masks what dbt said: a failure to publish decides the exit code only of a run that was a
//! success until then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep_until, timeout};

use super::{Surroundings, closing};
use crate::artifacts::{Destination, Error, Publisher};
use crate::exit_code::ExitCode;
use crate::pipeline::Shutdown;
use crate::redact::Redactor;
use crate::report::{self, RunStatus, Summary};
use crate::session::ParsedBy;

/// How long a run that failed before its first step waits for its ledger.
const EARLY: Duration = Duration::from_secs(5);

/// What is published besides the ledger.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) docs: bool,
    /// What the parse of this run belongs to, if it is to be kept.
    pub(super) parse: Option<ParsedBy>,
}

/// Publishes what is due and says how the run ends.
pub(super) async fn publish(
    publisher: &mut Publisher,
    due: Due,
    summary: &mut Summary,
    code: ExitCode,
    budget: Duration,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    let all = async {
        let mut errors = publisher.finish_ledger().await;
        let mut files = 0;
        if due.docs {
            let (count, failed) = publisher.publish_docs().await;
            files = count;
            errors.extend(failed);
        }
        (files, errors)
    };
    let Some((files, errors)) = finish_within_budget(all, budget, shutdown).await else {
        return record_abort(summary, code, shutdown);
    };
    summary.published = files;
    if files > 0 {
        tracing::info!(
            "published {files} files to {}",
            summary.destination.as_deref().unwrap_or_default()
        );
    }
    let code = record_publish_errors(&errors, summary, code, surroundings);
    if let Some(by) = due
        .parse
        .filter(|_| errors.is_empty() && shutdown.requested().is_none())
    {
        // It saves the next run a little time, which is nothing to be waited for once this one
        // should stop.
        tokio::select! {
            biased;
            _ = shutdown.stopped() => tracing::info!("the parse of this project is not saved, since the run should stop"),
            () = publisher.keep_parse(by) => {}
        }
    }
    // The last object of the ledger says how the run ended, so it comes after everything else has.
    summary.exit_code = code.number();
    let line = surroundings.console.line(summary);
    // Where something has failed already, the summary will hardly fare better: it is not waited for
    // as long.
    let limit = if errors.is_empty() {
        Duration::MAX
    } else {
        EARLY
    };
    match finish_within_budget(timeout(limit, publisher.summarise(&line)), budget, shutdown).await {
        Some(Ok(Ok(())) | Err(_)) => code,
        Some(Ok(Err(error))) => record_publish_errors(&[error], summary, code, surroundings),
        None => record_abort(summary, code, shutdown),
    }
}

/// The ledger of a run that failed before its first step: only its summary, if it can be had
/// quickly.
pub(super) async fn publish_early_summary(
    destination: Option<Destination>,
    summary: &mut Summary,
    code: ExitCode,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) {
    // The one is known to be unusable; AWS, where it did not answer, would have to be waited for
    // once more.
    let is_out_of_reach = match (&destination, code) {
        (None, _) | (_, ExitCode::Publish) | (Some(Destination::S3(_)), ExitCode::Unavailable) => {
            true
        }
        (Some(_), _) => false,
    };
    if is_out_of_reach {
        return;
    }
    let nowhere = std::path::Path::new("");
    let publisher = Publisher::new(
        destination,
        nowhere,
        &summary.run_id,
        Arc::new(Redactor::default()),
    );
    let line = surroundings.console.line(summary);
    match finish_within_budget(timeout(EARLY, publisher.summarise(&line)), EARLY, shutdown).await {
        Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => tracing::warn!(
            "the summary of this run is not in the ledger: {}",
            report::chain(&error)
        ),
        Some(Err(_)) | None => {
            tracing::warn!("the summary of this run is not in the ledger: it took too long");
        }
    }
}

/// Waits for the work; once the run should stop, no longer than the budget allows, and not at all
/// when somebody insists.
async fn finish_within_budget<T>(
    work: impl Future<Output = T>,
    budget: Duration,
    shutdown: &mut Shutdown,
) -> Option<T> {
    tokio::pin!(work);
    let stop = tokio::select! {
        biased;
        result = &mut work => return Some(result),
        stop = shutdown.stopped() => stop,
    };
    tokio::select! {
        biased;
        result = &mut work => Some(result),
        () = sleep_until(stop.at + budget) => None,
        () = shutdown.second_signal() => None,
    }
}

/// The upload did not finish in time: the stop decides, unless dbt had failed before.
fn record_abort(summary: &mut Summary, code: ExitCode, shutdown: &Shutdown) -> ExitCode {
    tracing::error!("the upload was given up; what is published is incomplete");
    summary.error = Some("the upload was given up".to_owned());
    match (code, shutdown.requested()) {
        (ExitCode::Success, Some(stop)) => closing::record_stop(stop, summary),
        _ => code,
    }
}

fn record_publish_errors(
    errors: &[Error],
    summary: &mut Summary,
    code: ExitCode,
    surroundings: &Surroundings,
) -> ExitCode {
    for error in errors {
        surroundings.console.error(error, error.hint().as_deref());
    }
    let Some(first) = errors.first() else {
        return code;
    };
    let more = if errors.len() > 1 {
        format!(" (and {} more)", errors.len() - 1)
    } else {
        String::new()
    };
    summary
        .error
        .get_or_insert_with(|| format!("{}{more}", report::chain(first)));
    if code != ExitCode::Success {
        return code;
    }
    summary.status = RunStatus::Error;
    ExitCode::Publish
}
