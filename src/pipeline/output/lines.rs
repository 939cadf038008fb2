//! Owns the JSON log format of a child's output: lines that are JSON objects stay as they are,
//! every other line is wrapped.
//!
//! Pure, and in bounded memory: a line that is longer than a log event can be is wrapped piece by
//! piece.

use serde::Serialize;
use serde::de::IgnoredAny;

use super::Sink;

/// CloudWatch cuts events at 256 KiB; a wrapped piece stays below that with its escapes in all but
/// strange cases.
const LONGEST: usize = 128 * 1024;
/// A line of dbt's own JSON log is kept whole up to this length.
const LONGEST_JSON: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct JsonLines {
    step: String,
    line: Vec<u8>,
    /// The line was too long, so its beginning is already written.
    cut: bool,
}

#[derive(Serialize)]
struct Wrapped<'a> {
    level: &'static str,
    message: &'a str,
    step: &'a str,
}

impl JsonLines {
    pub(super) fn new(step: String) -> Self {
        Self {
            step,
            line: Vec::new(),
            cut: false,
        }
    }

    /// Appends the lines that are complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], sink: Sink, out: &mut Vec<u8>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.take(&bytes[..end], sink, out);
            self.end(sink, out);
            bytes = &bytes[end + 1..];
        }
        self.take(bytes, sink, out);
    }

    /// Appends the rest of a line that has no end.
    pub(super) fn finish(&mut self, sink: Sink, out: &mut Vec<u8>) {
        if !self.line.is_empty() {
            self.end(sink, out);
        }
    }

    fn take(&mut self, mut bytes: &[u8], sink: Sink, out: &mut Vec<u8>) {
        let first = self.line.first().or(bytes.first());
        let longest = if first == Some(&b'{') && !self.cut {
            LONGEST_JSON
        } else {
            LONGEST
        };
        while self.line.len() + bytes.len() > longest {
            let (head, tail) = bytes.split_at(longest.saturating_sub(self.line.len()));
            self.line.extend_from_slice(head);
            // A character that the cut would split goes into the next piece.
            let whole = self
                .line
                .utf8_chunks()
                .last()
                .filter(|last| last.invalid().len() < 4)
                .map_or(0, |last| last.invalid().len());
            let rest = self.line.split_off(self.line.len() - whole);
            self.wrap(sink, out);
            self.cut = true;
            self.line = rest;
            bytes = tail;
        }
        self.line.extend_from_slice(bytes);
    }

    fn end(&mut self, sink: Sink, out: &mut Vec<u8>) {
        let is_json = !self.cut
            && self.line.starts_with(b"{")
            && serde_json::from_slice::<IgnoredAny>(&self.line).is_ok();
        if is_json {
            out.extend_from_slice(&self.line);
            out.push(b'\n');
        } else if !self.cut || !self.line.is_empty() {
            self.wrap(sink, out);
        }
        self.line.clear();
        self.cut = false;
    }

    fn wrap(&self, sink: Sink, out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(&self.line);
        let level = if sink == Sink::Stdout { "info" } else { "warn" };
        let wrapped = Wrapped {
            level,
            message: text.trim_end_matches('\r'),
            step: &self.step,
        };
        if serde_json::to_writer(&mut *out, &wrapped).is_ok() {
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], size: usize) -> Vec<serde_json::Value> {
        let (mut lines, mut out) = (JsonLines::new("run".to_owned()), Vec::new());
        input
            .chunks(size)
            .for_each(|chunk| lines.push(chunk, Sink::Stdout, &mut out));
        lines.finish(Sink::Stdout, &mut out);
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn json_stays_and_text_is_wrapped() {
        let input = b"{\"a\": 1}\nWarning: \xff \"x\"\r\n[1]\n{broken\n\nlast";
        for size in 1..input.len() {
            let lines = lines(input, size);
            assert_eq!(lines[0], serde_json::json!({"a": 1}));
            assert_eq!(
                lines[1],
                serde_json::json!({"level": "info", "message": "Warning: \u{fffd} \"x\"",
                    "step": "run"})
            );
            let messages: Vec<_> = lines[2..]
                .iter()
                .map(|line| line["message"].as_str().unwrap())
                .collect();
            assert_eq!(messages, ["[1]", "{broken", "", "last"]);
        }
    }

    #[test]
    fn what_only_begins_like_json_loses_nothing_either() {
        let input = format!("{{{}", "ä".repeat(1_500_000));
        for size in [65_537, 1_000_001, 3_000_001] {
            let pieces = lines(input.as_bytes(), size);
            assert_eq!(
                pieces
                    .iter()
                    .map(|piece| piece["message"].as_str().unwrap())
                    .collect::<String>(),
                input
            );
        }
    }

    #[test]
    fn a_long_line_of_json_stays_whole() {
        let input = serde_json::json!({"sql": "x".repeat(500_000)});
        assert_eq!(lines(format!("{input}\n").as_bytes(), 65_536), [input]);
    }

    #[test]
    fn a_line_without_end_is_wrapped_piece_by_piece_and_loses_nothing() {
        let input = "ä".repeat(300_000);
        let pieces = lines(input.as_bytes(), 65_537);
        assert!(pieces.len() > 3);
        assert_eq!(
            pieces
                .iter()
                .map(|piece| piece["message"].as_str().unwrap())
                .collect::<String>(),
            input
        );
    }
}
