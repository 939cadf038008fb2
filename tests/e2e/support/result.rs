//! What a run left behind, and the questions that tests ask of it.
//!
//! Owns the reading of the closing line. Each question that fails shows both streams, or the
//! failure could not be understood.

use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::Value;

pub struct Finished {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub elapsed: Duration,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Processes of the run that were alive after it.
    pub survivors: Vec<String>,
}

impl Display for Finished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shorten = |text: String| {
            if text.len() > 20_000 {
                format!("{} bytes", text.len())
            } else {
                text
            }
        };
        write!(
            formatter,
            "exit {:?}, signal {:?}, {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.signal,
            self.elapsed,
            shorten(self.out()),
            shorten(self.err())
        )
    }
}

impl Finished {
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The closing line: the very last line of stdout, one JSON object, under 16 KiB, with a
    /// newline at its end.
    #[track_caller]
    pub fn closing(&self) -> Value {
        let out = self.out();
        assert!(
            out.ends_with('\n'),
            "stdout does not end with a newline: {self}"
        );
        let line = out.lines().last().unwrap_or_default();
        assert!(
            line.len() < 16 * 1024,
            "the closing line has {} bytes",
            line.len()
        );
        let value: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("no closing line ({error}): {self}"));
        for key in [
            "status",
            "exit_code",
            "run_id",
            "env",
            "project",
            "steps",
            "failed",
            "destination",
            "published",
            "error",
        ] {
            assert!(
                value.get(key).is_some(),
                "the closing line has no {key}: {line}"
            );
        }
        assert_eq!(
            value["exit_code"],
            self.code.unwrap_or(-1),
            "the closing line and the exit code differ: {self}"
        );
        value
    }

    /// `name` to `status` of every step, in order.
    #[track_caller]
    pub fn steps(&self) -> Vec<(String, String)> {
        let closing = self.closing();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        closing["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (text(&step["name"]), text(&step["status"])))
            .collect()
    }

    #[track_caller]
    pub fn step(&self, name: &str) -> Value {
        let closing = self.closing();
        let found = closing["steps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["name"] == name)
            .cloned();
        found.unwrap_or_else(|| panic!("no step {name}: {self}"))
    }

    #[track_caller]
    pub fn assert_err_has(&self, parts: &[&str]) -> &Self {
        let err = self.err();
        for part in parts {
            assert!(err.contains(part), "stderr lacks {part:?}: {self}");
        }
        self
    }

    /// Neither stream holds the value, nor its URL-encoded or JSON-escaped form.
    #[track_caller]
    pub fn assert_lacks(&self, secret: &[u8]) -> &Self {
        for form in super::sentinel::forms(secret) {
            for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
                let found = super::sentinel::holds(bytes, &form);
                assert!(
                    !found,
                    "{name} holds a secret as {:?}: {self}",
                    String::from_utf8_lossy(&form)
                );
            }
        }
        self
    }

    #[track_caller]
    pub fn assert_nothing_left(&self) -> &Self {
        assert!(
            self.survivors.is_empty(),
            "processes outlived the run: {:#?}\n{self}",
            self.survivors
        );
        self
    }
}
