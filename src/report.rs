//! Owns what the runner tells people and machines: its log, errors with their hints, the table and
//! the closing line.
//!
//! Never decides how a run ended, and never prints a secret: all text passes the redactor.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use nix::libc;
use serde::Serialize;

use crate::causes;
use crate::config::LogFormat;
use crate::redact::Redactor;

mod log;
mod metrics;
mod printable;
mod stderr;
mod summary;
mod table;

pub(crate) use metrics::Measured;
pub(crate) use printable::is_harmless;
use printable::message as message_of;
use stderr::Stderr;
pub(crate) use summary::{NO_LEASE, Resumed, RunStatus, StepLine, Summary};

/// Writes the runner's log to stderr, and the table and the closing line to stdout. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    format: LogFormat,
    /// Set once the secrets are known.
    redactor: Arc<OnceLock<Arc<Redactor>>>,
    stderr: Arc<Stderr>,
}

/// An error as a line of the JSON log.
#[derive(Serialize)]
struct JsonError<'a> {
    level: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    caused_by: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Console {
    /// A console without a log.
    pub(crate) fn new(format: LogFormat) -> Self {
        Self {
            format,
            redactor: Arc::new(OnceLock::new()),
            stderr: Arc::new(Stderr::new()),
        }
    }

    /// Sends the runner's log to stderr from now on. `coloured`: whether a terminal shows it.
    pub(crate) fn start(format: LogFormat, filter: &str, coloured: bool) -> Self {
        let console = Self::new(format);
        log::start(format, filter, coloured, &console.redactor, &console.stderr);
        console
    }

    /// Masks these secrets in everything that is written from now on.
    pub(crate) fn hide(&self, redactor: &Arc<Redactor>) {
        // A run learns its secrets once; a second call would be a mistake without consequences.
        let _ = self.redactor.set(Arc::clone(redactor));
    }

    /// `error: …`, `  caused by: …` for each cause, `hint: …`.
    pub(crate) fn error(&self, error: &(dyn Error + 'static), hint: Option<&str>) {
        let mut told = causes::told(error).into_iter();
        let message = self.redacted(&told.next().unwrap_or_default());
        let causes: Vec<String> = told.map(|cause| self.redacted(&cause)).collect();
        let hint = hint.map(|hint| self.redacted(hint));
        let text = match self.format {
            LogFormat::Json => json(&JsonError {
                level: "error",
                message: &message,
                caused_by: &causes,
                hint: hint.as_deref(),
            }),
            LogFormat::Text => {
                let mut parts = vec![format!("error: {message}")];
                parts.extend(causes.iter().map(|cause| format!("  caused by: {cause}")));
                parts.extend(hint.map(|hint| format!("hint: {hint}")));
                let parts: Vec<String> = parts.iter().map(|part| message_of(part)).collect();
                parts.join("\n") + "\n"
            }
        };
        self.stderr.write_or_drop(text.as_bytes());
    }

    /// Prints the table, in text format, and the closing line, which also goes to the file if one
    /// is named. Nothing is written after it.
    pub(crate) fn close(&self, summary: &Summary, line: &str, file: Option<&Path>) {
        if let Some(path) = file {
            write_summary(path, line).unwrap_or_else(|error| {
                let path = path.display();
                tracing::warn!("cannot write the closing line to {path}: {error}");
            });
        }
        let table = if self.format == LogFormat::Text {
            table::render(summary)
        } else {
            String::new()
        };
        print(&format!("{table}{line}\n"));
    }

    /// The injected names, the origin of each value, and the values masked.
    pub(crate) fn injected<'a>(&self, variables: impl Iterator<Item = (&'a str, &'a str)>) {
        print(&table::injected(self.format, variables));
    }

    /// The closing line of a summary, with every secret masked.
    pub(crate) fn line(&self, summary: &mut Summary) -> String {
        summary.each_text(|text| {
            let redacted = self.redacted(text);
            *text = redacted;
        });
        summary.line()
    }

    /// A text with every secret masked.
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.redactor.get().map_or_else(
            || text.to_owned(),
            |redactor| redactor.text(text).into_owned(),
        )
    }
}

/// Writes in place: files such as /dev/termination-log are mounted and cannot be replaced. A pipe
/// that nobody reads is an error; nothing waits for it.
pub(crate) fn write_summary(path: &Path, line: &str) -> io::Result<()> {
    let mut options = File::options();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NONBLOCK);
    writeln!(options.open(path)?, "{line}")
}

/// Prints a text to stdout: a completion script, the manual page.
pub(crate) fn print(text: &str) {
    // A reader that has gone needs no error either.
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .map(|line| line + "\n")
        .unwrap_or_default()
}
