//! Owns the way to the run that is to be finished: which one it is, and all that it has left.
//!
//! Whatever is there is data that can be wrong, with a limit on its size. Never runs anything.

use serde::Deserialize;

use super::super::recording::{ENDS, LAST, folder};
use super::{Known, RECORD, RESULTS, SOURCES};
use crate::artifacts::{DestinationError, LARGEST_RESULTS, Ledger};
use crate::aws::FaultKind;
use crate::causes;
use crate::config::Resume;
use crate::exit_code::ExitCode;
use crate::record::{
    self, EndedStep, LastRun, Malformed, NodeLog, Past, PastStep, Present, RunRecord, StepEnds,
};
use crate::report::Resumed;

const NODES: &str = "nodes.ndjson";
const SUMMARY: &str = "summary.json";
/// What the runner itself has written.
const LARGEST_RECORD: u64 = 4 << 20;

/// Why the run that is to be finished cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("run {run_id} cannot be resumed: {why}")]
    Refused { run_id: String, why: String },
    #[error("run {run_id} cannot be resumed: it has left no record ({RECORD})")]
    Missing { run_id: String },
    #[error("run {run_id} cannot be resumed: its record {what}")]
    Malformed { run_id: String, what: String },
    #[error("run {run_id} cannot be resumed: its record cannot be read")]
    Unreadable {
        run_id: String,
        source: Box<DestinationError>,
    },
}

impl Error {
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Refused { .. } => ExitCode::Usage,
            Self::Missing { .. } | Self::Malformed { .. } => ExitCode::Credentials,
            Self::Unreadable { source, .. } => match source.fault() {
                Some(FaultKind::Denied | FaultKind::Unauthenticated) => ExitCode::Denied,
                Some(FaultKind::Unreachable | FaultKind::Unexpected) => ExitCode::Unavailable,
                Some(_) => ExitCode::Usage,
                None => ExitCode::Credentials,
            },
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } if source.fault().is_some() => source.hint(),
            Self::Missing { .. } => {
                Some("look below runs/ at the destination which runs there are".to_owned())
            }
            Self::Refused { .. } | Self::Malformed { .. } | Self::Unreadable { .. } => Some(
                "run without --resume, or with --resume last, which then runs everything"
                    .to_owned(),
            ),
        }
    }

    /// For the closing line, which names the run beside it.
    pub(crate) fn in_short(&self) -> String {
        match self {
            Self::Refused { why, .. } => why.clone(),
            Self::Missing { .. } => "it has left no record".to_owned(),
            Self::Malformed { what, .. } => format!("its record {what}"),
            Self::Unreadable { source, .. } => causes::in_one_line(source),
        }
    }
}

/// An earlier run that may be finished.
pub(super) struct Earlier {
    pub(super) record: RunRecord,
    pub(super) past: Past,
}

/// The run to finish, if one is to be and can be.
pub(super) async fn find(
    known: &Known<'_>,
    present: &Present<'_>,
) -> Result<(Option<Earlier>, Option<Resumed>), Error> {
    let Some(wanted) = &known.plan.resume else {
        return Ok((None, None));
    };
    let refused = |from: Option<String>, why: String| {
        let refused = Some(why);
        let note = None;
        let resumed = Resumed {
            from,
            refused,
            note,
        };
        Ok((None, Some(resumed)))
    };
    let run_id = match (wanted, &known.ledger) {
        (Resume::Run(run_id), Some(_)) => run_id.clone(),
        (Resume::Last, Some(ledger)) => match last(ledger).await {
            Ok(last) => last.run_id,
            Err(why) => return refused(None, why),
        },
        (wanted, None) => {
            let why = "nothing is published, so no run has left a record".to_owned();
            return match wanted {
                Resume::Last => refused(None, why),
                Resume::Run(run_id) => Err(Error::Refused {
                    run_id: run_id.clone(),
                    why,
                }),
            };
        }
    };
    match (Box::pin(load(known, present, &run_id)).await, wanted) {
        (Ok(earlier), _) => {
            let resumed = Resumed {
                from: Some(run_id),
                refused: None,
                note: None,
            };
            Ok((Some(earlier), Some(resumed)))
        }
        (Err(error), Resume::Last) => refused(Some(run_id), error.in_short()),
        (Err(error), Resume::Run(_)) => Err(error),
    }
}

/// Which run was the last one; else why nobody knows.
async fn last(ledger: &Ledger) -> Result<LastRun, String> {
    match ledger.shared(LAST, LARGEST_RECORD).await {
        Ok(Some(content)) => LastRun::read(&content).map_err(|Malformed(what)| {
            format!("which run was the last one is not known: {LAST} {what}")
        }),
        Ok(None) => Err("there is no earlier run".to_owned()),
        Err(error) => {
            let what = causes::in_one_line(&error);
            Err(format!("which run was the last one is not known: {what}"))
        }
    }
}

/// Reads the record of a run, and all that it has left, if it may be finished.
async fn load(known: &Known<'_>, present: &Present<'_>, run_id: &str) -> Result<Earlier, Error> {
    /// The closing line, as far as it matters here.
    #[derive(Deserialize)]
    struct Closing {
        status: String,
        steps: Vec<EndedStep>,
    }
    let Some(ledger) = &known.ledger else {
        let run_id = run_id.to_owned();
        return Err(Error::Missing { run_id });
    };
    let unreadable = |source: DestinationError| Error::Unreadable {
        run_id: run_id.to_owned(),
        source: Box::new(source),
    };
    let content = ledger.fetch(run_id, RECORD, LARGEST_RECORD).await;
    let content = content.map_err(unreadable)?.ok_or_else(|| Error::Missing {
        run_id: run_id.to_owned(),
    })?;
    let record = RunRecord::read(&content, run_id).map_err(|Malformed(what)| Error::Malformed {
        run_id: run_id.to_owned(),
        what,
    })?;
    // What may be missing is denied to a role that may not list the bucket.
    let optional = async |name: &str, limit| match ledger.fetch(run_id, name, limit).await {
        Err(error) if error.fault() == Some(FaultKind::Denied) => Ok(None),
        // Too large, or no file: it says nothing.
        Err(error) if error.fault().is_none() => {
            tracing::warn!("not taken over: {}", causes::in_one_line(&error));
            Ok(None)
        }
        fetched => fetched.map_err(unreadable),
    };
    let closing = optional(SUMMARY, LARGEST_RECORD).await?;
    let closing = closing.and_then(|content| serde_json::from_slice::<Closing>(&content).ok());
    let status = closing.as_ref().map(|closing| closing.status.as_str());
    if let Some(why) = record::refusal(&record, status, present) {
        let run_id = run_id.to_owned();
        return Err(Error::Refused { run_id, why });
    }
    let ends = optional(ENDS, LARGEST_RECORD).await?;
    let ends = ends.map(|content| StepEnds::read(&content)).transpose();
    let ends = ends.unwrap_or_else(|Malformed(what)| {
        tracing::warn!("not taken over: {ENDS} of {run_id} {what}");
        None
    });
    let ended = match (ends, closing) {
        (Some(ends), _) => ends.steps,
        (None, Some(closing)) => closing.steps.into_iter().map(Some).collect(),
        // So an earlier version of this program has left it.
        (None, None) => match last(ledger).await {
            Ok(last) if last.run_id == run_id && !last.steps.is_empty() => {
                last.steps.into_iter().map(Some).collect()
            }
            _ => {
                tracing::warn!(
                    "how the steps of {run_id} have ended is not known: those after the first one \
                     are run in full"
                );
                Vec::new()
            }
        },
    };
    let mut past = Past::default();
    for (index, step) in present.steps.iter().enumerate() {
        let folder = folder(index, step);
        let name = |file: &str| format!("{folder}/{file}");
        let (nodes, results, sources) = (name(NODES), name(RESULTS), name(SOURCES));
        let (nodes, results, sources) = tokio::join!(
            optional(&nodes, LARGEST_RESULTS),
            optional(&results, LARGEST_RESULTS),
            optional(&sources, LARGEST_RESULTS),
        );
        let whole = |file: &str, content: Option<Vec<u8>>| {
            let is_whole = content.as_deref().is_none_or(record::are_results);
            if !is_whole {
                tracing::warn!("not taken over: {} of {run_id} is malformed", name(file));
            }
            content.filter(|_| is_whole)
        };
        let mut past_step = PastStep {
            ended: ended.get(index).cloned().flatten(),
            nodes: nodes?.map(|content| NodeLog::read(&content)),
            results: whole(RESULTS, results?),
            sources: whole(SOURCES, sources?),
        };
        past_step.restore_results(step, present.dbt.version.as_deref());
        past.steps.push(past_step);
    }
    Ok(Earlier { record, past })
}
