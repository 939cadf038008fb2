//! Owns the keeping of a run's record while it runs: what became of each step, and of its nodes, at
//! the destination seconds later.
//!
//! Never fails a run: what cannot be recorded is a warning.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::artifacts::{Error, Ledger, NodeRun, Results, has_nodes};
use crate::causes;
use crate::config::Step;
use crate::dbt::NodeEvent;
use crate::lease::Tenure;
use crate::pipeline::{Outcome, Status};
use crate::record::{EndedStep, LastRun, NodeLog, StepEnds, fill_in};
use crate::redact::Redactor;

/// At the destination the record is behind by this and the time of an upload.
const BETWEEN: Duration = Duration::from_secs(10);
/// What comes after the record needs time, too: the page and the closing line.
const AFTER_STOP: Duration = Duration::from_secs(3);
const NODES: &str = "nodes.ndjson";
/// How the steps have ended.
pub(super) const ENDS: &str = "steps.json";
/// Which run was the last one.
pub(super) const LAST: &str = "state/last.json";

/// The record of a run that is under way.
pub(super) struct Recorder {
    shared: Arc<Shared>,
    /// Sends what has changed, again and again.
    sending: Option<JoinHandle<()>>,
    uploads: JoinSet<()>,
    has_told_of_silence: bool,
}

struct Shared {
    /// `None` where nothing is kept.
    ledger: Option<Ledger>,
    /// `None` where any run may be the last one.
    tenure: Option<Tenure>,
    redactor: Arc<Redactor>,
    /// By step.
    logs: Mutex<BTreeMap<usize, Kept>>,
    last: LastRun,
    /// It could not be written. Else the run before stays the last one, though this one has changed
    /// what that had done.
    lacks_last: AtomicBool,
    ends: Mutex<StepEnds>,
    folders: Vec<String>,
    /// One at a time, so that no older state replaces a newer one.
    turn: tokio::sync::Mutex<()>,
    has_failed: Mutex<bool>,
}

#[derive(Default)]
struct Kept {
    log: NodeLog,
    /// Why dbt tells nothing, where it says so.
    why_silent: Option<String>,
    sent: usize,
}

/// The folder of a step in the ledger.
pub(super) fn folder(index: usize, step: &Step) -> String {
    format!("{:02}-{}", index + 1, step.name)
}

impl Recorder {
    /// Needs a running runtime.
    pub(super) fn new(
        ledger: Option<Ledger>,
        tenure: Option<Tenure>,
        redactor: Arc<Redactor>,
        run_id: &str,
        steps: &[Step],
    ) -> Self {
        let named = steps.iter().enumerate();
        let shared = Arc::new(Shared {
            ledger,
            tenure,
            redactor,
            logs: Mutex::default(),
            last: LastRun::new(run_id),
            lacks_last: AtomicBool::new(false),
            ends: Mutex::new(StepEnds::new(steps.len(), Vec::new())),
            folders: named.map(|(index, step)| folder(index, step)).collect(),
            turn: tokio::sync::Mutex::default(),
            has_failed: Mutex::default(),
        });
        let sending = shared.ledger.is_some().then(|| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                loop {
                    sleep(BETWEEN).await;
                    for index in 0..shared.folders.len() {
                        shared.send_nodes(index).await;
                    }
                    if shared.lacks_last.load(Ordering::Relaxed) {
                        shared.send_last().await;
                    }
                }
            })
        });
        Self {
            shared,
            sending,
            uploads: JoinSet::new(),
            has_told_of_silence: false,
        }
    }

    /// Takes over what earlier attempts have told of a step's nodes.
    pub(super) fn go_on_with(&self, index: usize, log: NodeLog) {
        self.shared.logs().insert(
            index,
            Kept {
                log,
                ..Kept::default()
            },
        );
    }

    /// Sends all that earlier attempts have left, `ends` of their steps, at once, when their
    /// results are there (`uploaded`). From then on this is the last run. Goes on also where nobody
    /// waits.
    pub(super) async fn begin(
        &mut self,
        ends: Vec<Option<EndedStep>>,
        uploaded: impl Future<Output = ()> + Send + 'static,
    ) {
        *self.shared.ends() = StepEnds::new(self.shared.folders.len(), ends);
        let shared = Arc::clone(&self.shared);
        let (done, is_done) = oneshot::channel();
        self.uploads.spawn(async move {
            uploaded.await;
            for index in 0..shared.folders.len() {
                shared.send_nodes(index).await;
            }
            shared.send_ends().await;
            shared.send_last().await;
            // It may have taken too long.
            let _ = done.send(());
        });
        let _ = is_done.await;
    }

    /// Takes in what dbt tells of a node.
    pub(super) fn hear(&self, index: usize, event: NodeEvent) {
        let mut logs = self.shared.logs();
        let kept = logs.entry(index).or_default();
        match event {
            NodeEvent::Silent { why } => kept.why_silent = Some(why),
            event => kept.log.hear(event, &self.shared.redactor),
        }
    }

    /// Puts what dbt has told of a step's nodes into results that call them something to do.
    pub(super) fn complete(&self, index: usize, results: &mut Value) {
        if let Some(kept) = self.shared.logs().get(&index) {
            fill_in(results, &kept.log);
        }
    }

    /// Those of a step's nodes of which nobody has told that they ran to an end.
    pub(super) fn not_run<'a>(
        &self,
        index: usize,
        ids: impl Iterator<Item = &'a String>,
    ) -> Vec<&'a str> {
        match self.shared.logs().get(&index) {
            Some(kept) => kept.log.not_run(ids),
            None => ids.map(String::as_str).collect(),
        }
    }

    /// Records how a step has ended, when its results are at the destination (`uploaded`), and of
    /// its nodes what dbt has left beyond what it has told.
    pub(super) fn end_step(
        &mut self,
        index: usize,
        step: &Step,
        outcome: &Outcome,
        results: Option<&Results>,
        uploaded: impl Future<Output = ()> + Send + 'static,
    ) {
        let (is_told, why_silent) = {
            let mut logs = self.shared.logs();
            let kept = logs.entry(index).or_default();
            if let Some(results) = results {
                kept.log.complete_plan(&results.ids);
                kept.log.complete_ends(&results.runs, &self.shared.redactor);
            }
            (kept.log.is_told(), kept.why_silent.take())
        };
        let is_silent = has_nodes(step) && !is_told && outcome.status != Status::Resumed;
        if is_silent && self.shared.ledger.is_some() && !self.has_told_of_silence {
            self.has_told_of_silence = true;
            let why = why_silent.map_or_else(String::new, |why| format!(", since {why}"));
            tracing::info!(
                "this dbt tells nothing of its nodes while it runs{why}: there is no {NODES}, and \
                 a step that is killed will be resumed from its beginning"
            );
        }
        let end = EndedStep {
            status: outcome.status.to_string(),
            exit_code: outcome.exit_code,
            nodes: results.map(|results| results.nodes),
        };
        let shared = Arc::clone(&self.shared);
        self.uploads.spawn(async move {
            shared.send_nodes(index).await;
            uploaded.await;
            shared.ends().add(index, end);
            shared.send_ends().await;
        });
    }

    /// Whether it is known what a step had selected: dbt has told it, or an earlier attempt has
    /// left all of its results.
    pub(super) fn has_plan(&self, index: usize) -> bool {
        let logs = self.shared.logs();
        logs.get(&index)
            .is_some_and(|kept| kept.log.plan().is_some())
    }

    /// What is known of a step that has left no results, or not all: its nodes, and those that had
    /// not ended.
    pub(super) fn heard(&self, index: usize) -> (Vec<NodeRun>, Vec<String>) {
        let logs = self.shared.logs();
        let log = logs.get(&index).map(|kept| &kept.log);
        log.map(|log| (log.ended(), log.running()))
            .unwrap_or_default()
    }

    /// Waits until all is at the destination, or as long as a run that should stop (`is_stopped`)
    /// has for it.
    pub(super) async fn finish(&mut self, is_stopped: bool) {
        if let Some(sending) = self.sending.take() {
            sending.abort();
        }
        let all = async {
            while self.uploads.join_next().await.is_some() {}
            if self.shared.lacks_last.load(Ordering::Relaxed) {
                self.shared.send_last().await;
            }
        };
        let limit = if is_stopped {
            AFTER_STOP
        } else {
            Duration::MAX
        };
        if timeout(limit, all).await.is_err() {
            tracing::warn!(
                "the record of this run is incomplete: the destination did not answer in time"
            );
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(sending) = &self.sending {
            sending.abort();
        }
    }
}

impl Shared {
    fn logs(&self) -> MutexGuard<'_, BTreeMap<usize, Kept>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> MutexGuard<'_, StepEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_ends(&self) {
        let _turn = self.turn.lock().await;
        let text = self.ends().text();
        self.put(ENDS, &text).await;
    }

    async fn send_last(&self) {
        let Some(ledger) = &self.ledger else {
            return;
        };
        let text = self.last.text();
        // On the heap, since it is large.
        let sending = Box::pin(ledger.share(LAST, &text));
        // Whoever has taken the lease over is the last run now. One that was renewed meanwhile is
        // known only by the next attempt.
        let sent = match &self.tenure {
            Some(tenure) => tenure.within(sending).await,
            None => Some(sending.await),
        };
        let is_lacking = sent.is_none_or(|sent| !self.note(sent));
        self.lacks_last.store(is_lacking, Ordering::Relaxed);
    }

    /// Sends what is known of a step's nodes, if that has changed.
    async fn send_nodes(&self, index: usize) {
        if self.ledger.is_none() {
            return;
        }
        let _turn = self.turn.lock().await;
        let unsent = {
            let logs = self.logs();
            let kept = logs.get(&index).filter(|kept| kept.log.size() != kept.sent);
            kept.and_then(|kept| Some((kept.log.size(), kept.log.text()?)))
        };
        let Some((size, text)) = unsent else {
            return;
        };
        let name = format!("{}/{NODES}", self.folders[index]);
        if self.put(&name, &text).await
            && let Some(kept) = self.logs().get_mut(&index)
        {
            kept.sent = size;
        }
    }

    /// Says whether it is there.
    async fn put(&self, name: &str, text: &str) -> bool {
        match &self.ledger {
            Some(ledger) => self.note(ledger.put(name, text).await),
            None => false,
        }
    }

    /// Says whether it went well, and of several failures tells one.
    fn note(&self, put: Result<(), Error>) -> bool {
        let Err(error) = put else {
            return true;
        };
        let mut has_failed = self
            .has_failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*has_failed {
            *has_failed = true;
            tracing::warn!(
                "the record of this run is incomplete: {}",
                causes::in_one_line(&error)
            );
        }
        false
    }
}
