//! Owns the run record: what a run set out to do (`run.json`), what became of its steps and nodes,
//! and what is left of it for the next attempt.
//!
//! Pure: values in, values out. Whatever comes from the destination is data that can be wrong.

use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{OnFailure, Step};
use crate::dbt::Identity;
use crate::redact::Redactor;

pub(crate) mod fingerprint;
mod nodes;
mod progress;
mod results;
mod resume;

pub(crate) use fingerprint::Fingerprint;
pub(crate) use nodes::NodeLog;
pub(crate) use progress::{EndedStep, LastRun, StepEnds};
pub(crate) use results::{are_results, fill_in};
pub(crate) use resume::{Past, PastStep, Present, Todo, decide, refusal};

/// Of the format. A later one may mean anything.
const VERSION: u64 = 1;

/// `run.json`, its keys in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    v: u64,
    pub(crate) run_id: String,
    started: String,
    env: String,
    project: Option<String>,
    /// The first one is 1.
    pub(crate) attempt: u32,
    pub(crate) resumes: Option<String>,
    dbt: Dbt,
    fingerprint: Fingerprint,
    steps: Vec<Planned>,
}

/// Which dbt it is, as the closing line has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Dbt {
    version: Option<String>,
    adapter: Option<String>,
    engine: Option<String>,
}

/// One step, as it was meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Planned {
    n: usize,
    name: String,
    command: Vec<String>,
    on_failure: String,
}

impl Planned {
    fn of(index: usize, step: &Step, redactor: &Redactor) -> Self {
        let on_failure = match step.on_failure {
            OnFailure::Stop => "stop",
            OnFailure::Continue => "continue",
            OnFailure::Warn => "warn",
        };
        Self {
            n: index + 1,
            name: step.name.clone(),
            command: step
                .command
                .iter()
                .map(|word| redactor.text(word).into_owned())
                .collect(),
            on_failure: on_failure.to_owned(),
        }
    }
}

/// Why a record says nothing, as what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl Malformed {
    /// Without what was found, which may have any length, and without the names of Rust's types.
    fn by(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let mut what = text.strip_suffix(&place).unwrap_or(&text);
        if error.is_data() {
            what = what.split([':', ',']).next().unwrap_or_default();
        }
        Self(format!("is malformed ({what}{place})"))
    }
}

impl RunRecord {
    /// Of a run that begins now. `resumes`: the record of the run that it finishes.
    pub(crate) fn new(run_id: &str, present: &Present<'_>, resumes: Option<&Self>) -> Self {
        let Identity {
            version,
            adapter,
            engine,
        } = present.dbt.clone();
        Self {
            v: VERSION,
            run_id: run_id.to_owned(),
            started: humantime::format_rfc3339_seconds(present.now).to_string(),
            env: present.env.to_owned(),
            project: present.project.map(str::to_owned),
            attempt: resumes.map_or(1, |earlier| earlier.attempt.saturating_add(1)),
            resumes: resumes.map(|earlier| earlier.run_id.clone()),
            dbt: Dbt {
                version,
                adapter,
                engine: engine.map(str::to_owned),
            },
            fingerprint: present.fingerprint.clone(),
            steps: commands(present),
        }
    }

    /// The record of this run, as it was read.
    pub(crate) fn read(content: &[u8], run_id: &str) -> Result<Self, Malformed> {
        let record: Self = parse(content)?;
        if record.started().is_none() {
            let what = "is malformed (it does not say when the run began)";
            return Err(Malformed(what.to_owned()));
        }
        if record.run_id != run_id {
            return Err(Malformed("is of another run".to_owned()));
        }
        Ok(record)
    }

    /// One line of JSON.
    pub(crate) fn text(&self) -> String {
        // Texts and numbers always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    fn started(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(&self.started).ok()
    }
}

/// Of an object in this version of the format.
fn parse<T: DeserializeOwned>(content: &[u8]) -> Result<T, Malformed> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = serde_json::from_slice(content).map_err(|error| Malformed::by(&error))?;
    if v != VERSION {
        let what = format!("has version {v} of the format, and this program knows {VERSION}");
        return Err(Malformed(what));
    }
    serde_json::from_slice(content).map_err(|error| Malformed::by(&error))
}

/// Without secrets, which a step may name among its arguments.
fn commands(present: &Present<'_>) -> Vec<Planned> {
    let steps = present.steps.iter().enumerate();
    steps
        .map(|(index, step)| Planned::of(index, step, present.redactor))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_record_has_the_promised_form() {
        let fingerprint = Fingerprint {
            project: Some("aa".to_owned()),
            profile: Some("bb".to_owned()),
            vars: Some("cc".to_owned()),
            image: None,
            git: Some("5eead41".to_owned()),
        };
        let dbt = Identity {
            version: Some("1.11.16".to_owned()),
            adapter: Some("redshift 1.11.2".to_owned()),
            engine: Some("session"),
        };
        let step = Step {
            name: "nightly".to_owned(),
            command: vec!["run".to_owned(), "--select".to_owned(), "a b".to_owned()],
            on_failure: OnFailure::Continue,
            timeout: None,
        };
        let present = Present {
            env: "dev",
            project: Some("shop"),
            fingerprint: &fingerprint,
            dbt: &dbt,
            steps: &[step],
            redactor: &Redactor::default(),
            now: humantime::parse_rfc3339("2026-11-22T06:14:42Z").unwrap(),
            within: Duration::from_mins(1),
        };
        let first = RunRecord::new("20261122T061442Z-0a1b2c3d", &present, None);
        let expected = concat!(
            r#"{"v":1,"run_id":"20261122T061442Z-0a1b2c3d","started":"2026-11-22T06:14:42Z","#,
            r#""env":"dev","project":"shop","attempt":1,"resumes":null,"#,
            r#""dbt":{"version":"1.11.16","adapter":"redshift 1.11.2","engine":"session"},"#,
            r#""fingerprint":{"project":"aa","profile":"bb","vars":"cc","image":null,"#,
            r#""git":"5eead41"},"#,
            r#""steps":[{"n":1,"name":"nightly","command":["run","--select","a b"],"#,
            r#""on_failure":"continue"}]}"#,
            "\n"
        );
        assert_eq!(first.text(), expected);
        let read = RunRecord::read(expected.as_bytes(), "20261122T061442Z-0a1b2c3d").unwrap();
        assert_eq!(read, first);
        let second = RunRecord::new("20261122T070000Z-00000000", &present, Some(&first));
        assert_eq!(
            (second.attempt, second.resumes.as_deref()),
            (2, Some("20261122T061442Z-0a1b2c3d"))
        );
    }

    #[test]
    fn a_record_that_cannot_be_read_says_why() {
        let id = "20261122T061442Z-0a1b2c3d";
        let record = json!({
            "v": 1, "run_id": id, "started": "2026-11-22T06:14:42Z", "env": "dev",
            "project": null, "attempt": 1, "resumes": null, "dbt": {}, "fingerprint": {},
            "steps": [],
        });
        let with = |key: &str, value: Value| {
            let mut record = record.clone();
            record[key] = value;
            record.to_string()
        };
        assert!(RunRecord::read(record.to_string().as_bytes(), id).is_ok());
        for (content, expected) in [
            (with("started", json!("yesterday")), "when the run began"),
            (
                with("started", json!(7)),
                "malformed (invalid type at line 1",
            ),
            (
                with("attempt", json!(-1)),
                "malformed (invalid value at line",
            ),
            (
                with("steps", json!(["x".repeat(99)])),
                "malformed (invalid type at",
            ),
            (with("run_id", json!("x")), "is of another run"),
            (with("v", json!("1")), "malformed"),
        ] {
            let Malformed(what) = RunRecord::read(content.as_bytes(), id).unwrap_err();
            assert!(what.contains(expected), "{content}: {what}");
            for rust in ["u32", "u64", "usize", "struct", "xxx"] {
                assert!(!what.contains(rust), "{what}");
            }
        }
        for (content, expected) in [
            ("", "malformed"),
            ("{\"v\":1,\"run_id\":\"20261122T0", "malformed"),
            ("[]", "malformed"),
            ("{\"v\":1}", "malformed"),
            ("{\"v\":2,\"anything\":[]}", "version 2"),
        ] {
            let Malformed(what) = RunRecord::read(content.as_bytes(), "x").unwrap_err();
            assert!(what.contains(expected), "{content}: {what}");
        }
    }
}
