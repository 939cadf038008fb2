//! Owns how far runs came: which one was the last (`state/last.json`), and of each run how its
//! steps have ended (`steps.json`).
//!
//! Pure. Written while the run goes on, since a run that is killed leaves no closing line.

use serde::{Deserialize, Serialize};

use super::{Malformed, VERSION, parse};
use crate::artifacts::Nodes;
use crate::config::is_run_id;

/// Which run was the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRun {
    v: u64,
    pub(crate) run_id: String,
    /// How its steps ended, if an earlier version of this program has written it: in order, those
    /// that did.
    #[serde(default, skip_serializing)]
    pub(crate) steps: Vec<EndedStep>,
}

/// How the steps of a run have ended, in this run or in one that it finishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepEnds {
    v: u64,
    /// One for each step; `None` of a step that nobody has seen end.
    pub(crate) steps: Vec<Option<EndedStep>>,
}

/// How a step has ended, as the closing line has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedStep {
    pub(crate) status: String,
    pub(crate) exit_code: Option<u8>,
    /// `None` of a step without results, and so of one that an earlier version has written down.
    #[serde(default)]
    pub(crate) nodes: Option<Nodes>,
}

impl LastRun {
    pub(crate) fn new(run_id: &str) -> Self {
        Self {
            v: VERSION,
            run_id: run_id.to_owned(),
            steps: Vec::new(),
        }
    }

    pub(crate) fn read(content: &[u8]) -> Result<Self, Malformed> {
        let last: Self = parse(content)?;
        if !is_run_id(&last.run_id) {
            return Err(Malformed("is malformed (it names no run)".to_owned()));
        }
        Ok(last)
    }

    /// One line of JSON.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

impl StepEnds {
    /// What is known of that many steps before the first one is run: how some of them ended in
    /// earlier attempts.
    pub(crate) fn new(count: usize, mut earlier: Vec<Option<EndedStep>>) -> Self {
        earlier.resize(count, None);
        Self {
            v: VERSION,
            steps: earlier,
        }
    }

    /// Takes in how a step has ended. One that an earlier attempt has done stays done: it is run
    /// again for what it leaves, as packages. One that has left all of its results has them still,
    /// together with what later attempts add.
    pub(crate) fn add(&mut self, index: usize, end: EndedStep) {
        let stays = |known: &EndedStep| known.is_done() || known.left_all_results();
        if let Some(known) = self.steps.get_mut(index)
            && (end.is_done() || !known.as_ref().is_some_and(stays))
        {
            *known = Some(end);
        }
    }

    pub(crate) fn read(content: &[u8]) -> Result<Self, Malformed> {
        parse(content)
    }

    /// One line of JSON.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

impl EndedStep {
    /// A step that was let through with a warning did not finish.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.status.as_str(), "success" | "resumed")
    }

    /// Whether dbt ended by itself, and said only that nodes have failed.
    pub(super) fn left_all_results(&self) -> bool {
        self.status == "failed" && self.exit_code == Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: &str) -> EndedStep {
        EndedStep {
            status: status.to_owned(),
            exit_code: Some(u8::from(status == "failed")),
            nodes: None,
        }
    }

    #[test]
    fn what_is_written_is_read_and_all_else_says_why_not() {
        let last = LastRun::new("20261122T061442Z-0a1b2c3d");
        let text = last.text();
        let expected = "{\"v\":1,\"run_id\":\"20261122T061442Z-0a1b2c3d\"}\n";
        assert_eq!(text, expected);
        assert_eq!(LastRun::read(text.as_bytes()).unwrap(), last);
        for length in 0..text.len() - 2 {
            assert!(LastRun::read(&text.as_bytes()[..length]).is_err());
        }
        for (content, expected) in [
            ("{\"v\":2}", "version 2"),
            ("{\"v\":1}", "malformed"),
            (
                "{\"v\":1,\"run_id\":\"../secret\",\"steps\":[]}",
                "names no run",
            ),
            ("[]", "malformed"),
        ] {
            let Malformed(what) = LastRun::read(content.as_bytes()).unwrap_err();
            assert!(what.contains(expected), "{content}: {what}");
        }
    }

    #[test]
    fn an_earlier_version_wrote_the_ends_beside_the_run() {
        let text = concat!(
            r#"{"v":1,"run_id":"20261122T061442Z-0a1b2c3d","#,
            r#""steps":[{"status":"success","exit_code":0}]}"#,
        );
        let last = LastRun::read(text.as_bytes()).unwrap();
        assert_eq!(last.steps, [ended("success")]);
    }

    #[test]
    fn what_is_done_stays_done_and_all_else_is_as_it_ended_last() {
        let earlier = ["success", "failed", "failed"].map(|status| Some(ended(status)));
        let mut ends = StepEnds::new(4, earlier.to_vec());
        for (index, status) in [
            (0, "failed"),
            (1, "killed"),
            (1, "success"),
            (2, "killed"),
            (3, "timed_out"),
            (3, "cancelled"),
            (9, "success"),
        ] {
            ends.add(index, ended(status));
        }
        let expected =
            ["success", "success", "failed", "cancelled"].map(|status| Some(ended(status)));
        assert_eq!(ends.steps, expected);
        let end = EndedStep {
            nodes: Some(Nodes::default()),
            ..ended("success")
        };
        let text = StepEnds::new(2, vec![Some(end.clone())]).text();
        let expected = concat!(
            r#"{"v":1,"steps":[{"status":"success","exit_code":0,"#,
            r#""nodes":{"success":0,"error":0,"warn":0,"skipped":0}},null]}"#,
            "\n"
        );
        assert_eq!(text, expected);
        let read = StepEnds::read(text.as_bytes()).unwrap();
        assert_eq!(read.steps, [Some(end), None]);
    }
}
