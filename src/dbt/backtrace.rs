//! Owns how the backtraces of a dbt without symbols look, which dbt 2 prints after an error:
//! fifteen lines `N: <unknown>` that say nothing.
//!
//! Never touches dbt's own output: only what the runner repeats of it.

/// A text without the lines of backtraces.
pub(crate) fn without_backtrace(text: &str) -> String {
    let mut backtrace = Backtrace::default();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !backtrace.has_line(line))
        .collect();
    lines.join("\n").trim_end().to_owned()
}

/// Whether one line after the other belongs to a backtrace.
#[derive(Debug, Default)]
pub(crate) struct Backtrace {
    /// The line before was a frame, so the next one may say where its code is.
    after_frame: bool,
}

impl Backtrace {
    pub(crate) fn has_line(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        let is_indented = trimmed.len() < line.len();
        let is_place = self.after_frame && is_indented && trimmed.starts_with("at ");
        self.after_frame = is_indented && is_frame(trimmed);
        self.after_frame || is_place
    }
}

/// `N: <unknown>`, or `N: ` and the name of a function, which has no blank in it.
fn is_frame(line: &str) -> bool {
    line.trim_end()
        .split_once(": ")
        .is_some_and(|(number, name)| {
            !number.is_empty()
                && number.len() <= 3
                && number.bytes().all(|digit| digit.is_ascii_digit())
                && !name.is_empty()
                && !name.contains(' ')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backtraces_are_left_out() {
        for (text, expected) in [
            (
                "no such host\n   0: <unknown>\n  10: <unknown>\n  12: start_thread\n             \
                    at ./nptl/pthread_create.c:442:8\n  13: clone3\n             at \
                    ./misc/clone3.S:81:0\n\n",
                "no such host",
            ),
            ("a\n   0: <unknown>\nb\n", "a\nb"),
            ("one\r\n   0: <unknown>\r\ntwo", "one\ntwo"),
            ("  at once\n", "  at once"),
            ("12: the twelfth", "12: the twelfth"),
            ("   12: the twelfth", "   12: the twelfth"),
            ("  line 3: x", "  line 3: x"),
            ("3: x", "3: x"),
            ("", ""),
            ("   0: <unknown>", ""),
        ] {
            assert_eq!(without_backtrace(text), expected, "{text:?}");
        }
    }
}
