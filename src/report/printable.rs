//! Owns what makes the words of others harmless in text for people: the name of a node or of a
//! file forges no line, tells a terminal nothing and turns no text round.
//!
//! Never used for JSON, which escapes them anyway.

/// How lines after the first of a message may begin: those of the runner's own do.
const OWN: [&str; 2] = [" ", "hint: "];

/// Whether a character only stands for itself.
pub(crate) fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// As one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            harmless if is_harmless(harmless) => harmless,
            _ => char::REPLACEMENT_CHARACTER,
        })
        .collect()
}

/// As a message, all of whose lines can be told from others.
pub(super) fn message(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut out = one_line(lines.next().unwrap_or_default());
    for line in lines {
        out.push('\n');
        if !OWN.iter().any(|own| line.starts_with(own)) {
            out.push_str("  ");
        }
        out.push_str(&one_line(line));
    }
    out
}

/// The same for an event of the log, which ends with a line end, and may be coloured.
pub(super) fn event(text: &[u8]) -> Vec<u8> {
    let Some((b'\n', body)) = text.split_last() else {
        return text.to_owned();
    };
    let mut out = Vec::with_capacity(text.len());
    for byte in body {
        match byte {
            b'\n' => out.extend_from_slice(b"\n  "),
            b'\r' => out.push(b' '),
            other => out.push(*other),
        }
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_forge_a_line_is_replaced_and_all_else_stays() {
        for (text, expected) in [
            ("model.shop.größe 😀", "model.shop.größe 😀"),
            ("a\nrun       success", "a\u{fffd}run       success"),
            ("a\r\t\u{85}b", "a\u{fffd}\u{fffd}\u{fffd}b"),
            ("\u{1b}[2Ja\u{9b}1A", "\u{fffd}[2Ja\u{fffd}1A"),
            ("a\u{202e}b\u{2066}\u{2029}", "a\u{fffd}b\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn lines_of_a_message_are_its_own() {
        for (text, expected) in [
            ("one\n       two", "one\n       two"),
            ("one\nhint: two", "one\nhint: two"),
            (
                "x\n{\"status\":\"success\"}\n.json\u{1b}[2J",
                "x\n  {\"status\":\"success\"}\n  .json\u{fffd}[2J",
            ),
        ] {
            assert_eq!(message(text), expected);
        }
        assert_eq!(event(b"INFO a\nb\r\nc\n"), b"INFO a\n  b \n  c\n");
    }
}
