//! Owns the tables for people.
//!
//! Pure: a summary in, text out.

use std::fmt::Write as _;

use serde_json::json;

use super::Summary;
use super::printable::one_line;
use crate::config::LogFormat;
use crate::redact::MASK;

/// Longer messages are cut: dbt's own output above has them whole.
const LONGEST: usize = 300;
/// A failed test suite can have hundreds; the first few say enough.
const MOST_FAILED: usize = 20;

/// Step, result, time and counts; then the failed nodes.
pub(super) fn render(summary: &Summary) -> String {
    if summary.steps.is_empty() {
        return String::new();
    }
    let width = summary
        .steps
        .iter()
        .map(|step| step.name.len())
        .max()
        .unwrap_or_default()
        .max("step".len());
    let mut out = format!(
        "\n{:width$}  {:<9}  {:>9}  {:>7}  {:>5}  {:>4}  {:>7}\n",
        "step", "result", "time", "success", "error", "warn", "skipped"
    );
    for step in &summary.steps {
        let time = if step.exit_code.is_some() {
            format!("{:.1} s", step.seconds)
        } else {
            String::new()
        };
        let _ = write!(out, "{:width$}  {:<9}  {time:>9}", step.name, step.status);
        if let Some(nodes) = step.nodes {
            let _ = write!(
                out,
                "  {:>7}  {:>5}  {:>4}  {:>7}",
                nodes.success, nodes.error, nodes.warn, nodes.skipped
            );
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    if let Some(resumed) = &summary.resumed {
        let from = resumed.from.as_deref().unwrap_or("an earlier run");
        let note = resumed.note.as_deref().unwrap_or_default();
        let line = resumed.refused.as_ref().map_or_else(
            || format!("resumed from {from}: {note}"),
            |why| format!("not resumed from {from}: {why}"),
        );
        out.push_str(&one_line(&line));
        out.push('\n');
    }
    for node in summary.failed.iter().take(MOST_FAILED) {
        let message: String = node
            .message
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(LONGEST)
            .collect();
        let line = format!("{}: {}: {message}", node.step, node.node);
        out.push_str(&one_line(&line));
        out.push('\n');
    }
    if summary.failed.len() > MOST_FAILED {
        let _ = writeln!(out, "… and {} more", summary.failed.len() - MOST_FAILED);
    }
    out
}

/// Name, masked value, origin.
pub(super) fn injected<'a>(
    format: LogFormat,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let variables: Vec<_> = variables.collect();
    let width = variables
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let mut out = String::new();
    for (name, origin) in variables {
        let _ = match format {
            LogFormat::Text => writeln!(out, "{name:width$}  {MASK}  {origin}"),
            LogFormat::Json => writeln!(
                out,
                "{}",
                json!({ "name": name, "value": MASK, "origin": origin })
            ),
        };
    }
    out
}
