//! Owns `state/last.json`: which run was the last one, and how far it came.
//!
//! Pure. Written as each step ends, since a run that is killed leaves no closing line.

use serde::{Deserialize, Serialize};

use super::{Malformed, VERSION, parse};
use crate::config::is_run_id;

/// The last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRun {
    v: u64,
    pub(crate) run_id: String,
    /// Those that have ended, in order.
    pub(crate) steps: Vec<EndedStep>,
}

/// How a step has ended, as the closing line has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedStep {
    pub(crate) status: String,
    pub(crate) exit_code: Option<u8>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_all_else_says_why_not() {
        let mut last = LastRun::new("20261122T061442Z-0a1b2c3d");
        last.steps.push(EndedStep {
            status: "success".to_owned(),
            exit_code: Some(0),
        });
        let text = last.text();
        let expected = concat!(
            r#"{"v":1,"run_id":"20261122T061442Z-0a1b2c3d","#,
            r#""steps":[{"status":"success","exit_code":0}]}"#,
            "\n"
        );
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
            ("[]", "malformed (invalid length 0 at line 1"),
            (
                r#"{"v":1,"run_id":"20261122T061442Z-0a1b2c3d","steps":["x"]}"#,
                "malformed (invalid type at line 1",
            ),
        ] {
            let Malformed(what) = LastRun::read(content.as_bytes()).unwrap_err();
            assert!(what.contains(expected), "{content}: {what}");
        }
    }
}
