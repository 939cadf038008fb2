//! Owns the end of a run: the docs if they are due, the ledger in any case, within the stop budget
//! once the run should stop.
//!
//! Never masks dbt's result: a failure to publish decides the exit code only if everything before
//! was a success.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::closing::Run;
use super::pages::{Job, Pages};
use super::recording::Recorder;
use crate::artifacts::{Destination, Error, Keeping, Layout, Publisher};
use crate::causes;
use crate::exit_code::ExitCode;
use crate::redact::Redactor;
use crate::report::RunStatus;
use crate::session::ParseIdentity;

/// How long a run that failed before its first step waits for its ledger.
const EARLY: Duration = Duration::from_secs(5);

/// What the pages leave of the stop budget for the summary, which is worth more.
const SUMMARY: Duration = Duration::from_secs(2);
/// How long the pages may take.
const PAGES: Duration = Duration::from_secs(30);

/// What is published apart from the ledger.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) docs: bool,
    /// Whether what dbt wrote goes when the run ends.
    pub(super) is_copy: bool,
    /// Where a docs step that succeeded wrote, if there was one.
    pub(super) made_in: Option<PathBuf>,
    /// What the parse of this run belongs to, and how it is kept, if it is.
    pub(super) parse: Option<(ParseIdentity, Keeping)>,
}

impl Run<'_> {
    /// Publishes what is due and says how the run ends.
    pub(super) async fn publish(
        &mut self,
        publisher: &mut Publisher,
        recorder: &mut Recorder,
        due: Due,
        code: ExitCode,
    ) -> ExitCode {
        let lease_lost = self.lease_lost();
        let is_stopped = self.shutdown.requested().is_some();
        let all = async {
            let record = recorder.finish(is_stopped);
            let (mut errors, ()) = tokio::join!(publisher.finish_ledger(), record);
            let mut files = Some(0);
            if due.docs {
                files = tokio::select! {
                    biased;
                    () = lease_lost => None,
                    (count, failed) = publisher.publish_docs(due.made_in.as_deref()) => {
                        errors.extend(failed);
                        Some(count)
                    }
                };
            }
            (files, errors)
        };
        let Some((files, errors)) = self.within_budget(all, self.stop_timeout).await else {
            return self.record_abort(code);
        };
        // Without the lease, another run may publish its docs by now.
        let code = match files {
            None if code == ExitCode::Success => self.record_loss_while_publishing(),
            _ => code,
        };
        let files = files.unwrap_or(0);
        self.summary.published = files;
        if files > 0 {
            let destination = self.summary.destination.as_deref().unwrap_or_default();
            tracing::info!("published {files} files to {destination}");
        }
        let code = self.record_publish_errors(&errors, code);
        let is_in_a_hurry = !errors.is_empty() || self.shutdown.requested().is_some();
        let limit = if is_in_a_hurry { EARLY } else { PAGES };
        self.write_pages(publisher, code, !due.is_copy, limit).await;
        let may_keep =
            errors.is_empty() && self.shutdown.requested().is_none() && !self.has_lost_lease();
        if let Some((by, keeping)) = due.parse.filter(|_| may_keep) {
            // It saves the next run a little time, which is nothing to be waited for once this one
            // should stop.
            tokio::select! {
                biased;
                _ = self.shutdown.stopped() => {
                    tracing::info!("the parse of this project is not saved, since the run should \
                        stop");
                }
                () = publisher.keep_parse(by, &keeping) => {}
            }
        }
        self.measure();
        // The last object of the ledger says how the run ended, so everything else comes before it.
        self.summary.exit_code = code.number();
        let line = self.surroundings.console.line(&mut self.summary);
        // If something has failed already, the summary will hardly fare better, so it gets less
        // time.
        let limit = if errors.is_empty() {
            Duration::MAX
        } else {
            EARLY
        };
        let summarised = timeout(limit, publisher.summarise(&line));
        match self.within_budget(summarised, self.stop_timeout).await {
            Some(Ok(Ok(())) | Err(_)) => code,
            Some(Ok(Err(error))) => self.record_publish_errors(&[error], code),
            None => self.record_abort(code),
        }
    }

    /// The pages and the ledger of a run that failed before its first step: only its summary, if
    /// that is quick. `target`: where dbt would have written, if that is known and stays.
    pub(super) async fn publish_early_summary(&mut self, code: ExitCode, target: Option<&Path>) {
        let destination = self.destination.take();
        // The destination is known to be unusable; and an AWS that did not answer would only delay
        // the end once more.
        let destination = destination.filter(|destination| match destination {
            Destination::S3(_) => !matches!(code, ExitCode::PublishFailed | ExitCode::Unavailable),
            Destination::Directory(_) => code != ExitCode::PublishFailed,
        });
        if destination.is_none() && target.is_none() {
            return;
        }
        let redactor = Arc::new(Redactor::default());
        let run_id = &self.summary.run_id;
        let place = target.unwrap_or(Path::new(""));
        let publisher = Publisher::new(destination, place, &[], &Layout::Dbt1, run_id, redactor);
        self.write_pages(&publisher, code, target.is_some(), EARLY)
            .await;
        if publisher.destination().is_none() {
            return;
        }
        self.measure();
        self.summary.exit_code = code.number();
        let line = self.surroundings.console.line(&mut self.summary);
        let what = "the summary of this run is not in the ledger";
        match self
            .within_budget(timeout(EARLY, publisher.summarise(&line)), EARLY)
            .await
        {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => tracing::warn!("{what}: {}", causes::in_one_line(&error)),
            Some(Err(_)) | None => tracing::warn!("{what}: it took too long"),
        }
    }

    /// Writes the pages, if that is done in time.
    async fn write_pages(
        &mut self,
        publisher: &Publisher,
        code: ExitCode,
        stays_here: bool,
        limit: Duration,
    ) {
        let pages = std::mem::replace(&mut self.pages, Pages::begin(Instant::now()));
        self.summary.exit_code = code.number();
        let has_published = self.summary.published > 0;
        let console = &self.surroundings.console;
        let job = Job::new(pages, &self.summary, console, has_published);
        // On the heap, since it is large.
        let written = Box::pin(timeout(limit, job.write(publisher, stays_here)));
        let budget = self.stop_timeout.saturating_sub(SUMMARY);
        if let Some(Ok(page)) = self.within_budget(written, budget).await {
            self.summary.page = page;
        } else {
            tracing::warn!("the pages of this run are not complete: they took too long");
        }
    }

    /// Waits for the work. Once the run should stop, it waits no longer than the budget allows, and
    /// not at all after a second signal.
    pub(super) async fn within_budget<T>(
        &mut self,
        work: impl Future<Output = T>,
        budget: Duration,
    ) -> Option<T> {
        tokio::pin!(work);
        let stop = tokio::select! {
            biased;
            result = &mut work => return Some(result),
            stop = self.shutdown.stopped() => stop,
        };
        tokio::select! {
            biased;
            result = &mut work => Some(result),
            () = sleep_until(stop.at + budget) => None,
            () = self.shutdown.second_signal() => None,
        }
    }

    /// The upload did not finish in time: the stop decides, unless dbt had failed before.
    fn record_abort(&mut self, code: ExitCode) -> ExitCode {
        tracing::error!("the upload did not finish before the run had to stop; it is incomplete");
        let what = "the upload did not finish before the run had to stop";
        self.summary.error = Some(what.to_owned());
        match (code, self.shutdown.requested()) {
            (ExitCode::Success, Some(stop)) => self.record_stop(stop),
            _ => code,
        }
    }

    fn record_publish_errors(&mut self, errors: &[Error], code: ExitCode) -> ExitCode {
        for error in errors {
            self.surroundings
                .console
                .error(error, error.hint().as_deref());
        }
        let Some(first) = errors.first() else {
            return code;
        };
        let more = match errors.len() {
            1 => String::new(),
            all => format!(" (and {} more)", all - 1),
        };
        let summary = &mut self.summary;
        if summary.error.is_none() {
            summary.error = Some(format!("{}{more}", causes::in_one_line(first)));
            // What stands beside it on the page.
            self.pages.hint = first.hint();
        }
        if code != ExitCode::Success {
            return code;
        }
        summary.status = RunStatus::Error;
        ExitCode::PublishFailed
    }
}
