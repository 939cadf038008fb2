//! Owns what becomes of the words of others before they stand on a page: harmless, redacted, and no
//! longer than the page can hold.
//!
//! Never escapes HTML: the templates do that to everything.

use crate::report::is_harmless;

/// All messages of a page together, as they stand there: one of a megabyte fits, a hundred do not.
/// HTML writes some letters with several.
const MOST_BYTES: usize = 2 << 20;
/// So much of a message stands there even if the others have used up all.
const LEAST_BYTES: usize = 300;

/// Makes texts fit for a page, and counts what they take.
pub(super) struct Texts<'a> {
    redact: &'a dyn Fn(&str) -> String,
    left: usize,
}

/// What dbt says of a node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Message {
    /// The first lines, which are always in sight.
    pub(super) head: String,
    /// The whole of a long one.
    pub(super) whole: Option<String>,
    /// How many bytes do not stand here.
    pub(super) cut: usize,
}

const LINES_IN_SIGHT: usize = 8;
const BYTES_IN_SIGHT: usize = 700;

impl<'a> Texts<'a> {
    pub(super) fn new(redact: &'a dyn Fn(&str) -> String) -> Self {
        Self {
            redact,
            left: MOST_BYTES,
        }
    }

    /// As one line, such as a name.
    pub(super) fn line(&self, text: &str) -> String {
        let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
        self.clean(text, |text| {
            text.chars()
                .filter(|letter| letter.is_control() || is_harmless(*letter))
                .map(plain)
                .collect()
        })
    }

    /// Without secrets, before and after anything is taken out: that may join one again.
    fn clean(&self, text: &str, harmless: impl Fn(&str) -> String) -> String {
        let redacted = (self.redact)(text);
        let clean = harmless(&without_colours(&redacted));
        if clean == redacted {
            clean
        } else {
            (self.redact)(&clean)
        }
    }

    /// As it stands, with its line ends.
    pub(super) fn message(&mut self, text: &str) -> Message {
        let kept = |letter: &char| matches!(letter, '\n' | '\t') || is_harmless(*letter);
        let text = self.clean(text, |text| text.chars().filter(kept).collect());
        let text = text.trim_end();
        let allowed = self.left.max(LEAST_BYTES);
        let shown = up_to_in_html(text, allowed);
        self.left = self
            .left
            .saturating_sub(shown.chars().map(bytes_in_html).sum());
        let lines_end = shown.match_indices('\n').nth(LINES_IN_SIGHT - 1);
        let head = up_to(
            &shown[..lines_end.map_or(shown.len(), |(at, _)| at)],
            BYTES_IN_SIGHT,
        );
        Message {
            head: head.to_owned(),
            whole: (head.len() < shown.len()).then(|| shown.to_owned()),
            cut: text.len() - shown.len(),
        }
    }
}

/// The beginning of a text, whole characters only.
fn up_to(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The same, by how many bytes it has once it is escaped.
fn up_to_in_html(text: &str, bytes: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, letter)| {
        used += bytes_in_html(*letter);
        used > bytes
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// How the templates write a letter.
fn bytes_in_html(letter: char) -> usize {
    match letter {
        '<' | '>' => "&lt;".len(),
        '&' => "&amp;".len(),
        '"' => "&quot;".len(),
        '\'' | '/' => "&#x27;".len(),
        letter => letter.len_utf8(),
    }
}

/// Without the escape sequences with which programs colour a terminal.
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = after.find(|letter: char| !matches!(letter, '0'..='9' | ';' | '?'));
        rest = end.map_or("", |end| {
            let last = after[end..].chars().next().map_or(0, char::len_utf8);
            &after[end + last..]
        });
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) -> String {
        text.replace("hunter2-hunter2", "*****")
    }

    #[test]
    fn no_text_turns_a_page_round_or_shows_a_secret() {
        let texts = Texts::new(&same);
        for (text, expected) in [
            ("orders", "orders"),
            ("a\u{202e}b\u{2066}c", "abc"),
            ("a\nb\tc", "a b c"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[31", ""),
            ("شراء 🛒", "شراء 🛒"),
            ("is hunter2-hunter2", "is *****"),
            ("is hunter2\u{1b}[0m-hunter2", "is *****"),
            ("is hunter2-\u{202e}hunter2", "is *****"),
        ] {
            assert_eq!(texts.line(text), expected, "{text:?}");
            let mut texts = Texts::new(&same);
            let secret = texts.message(text).head.contains("hunter2");
            assert!(!secret, "{text:?}");
        }
    }

    #[test]
    fn long_messages_are_folded_and_whole() {
        let mut texts = Texts::new(&same);
        let short = texts.message("one\ntwo\n");
        assert_eq!(
            (short.head.as_str(), short.whole, short.cut),
            ("one\ntwo", None, 0)
        );
        let long = "é".repeat(500_000);
        let folded = texts.message(&long);
        assert!(folded.head.len() <= BYTES_IN_SIGHT);
        assert_eq!(
            (folded.whole.as_deref(), folded.cut),
            (Some(long.as_str()), 0)
        );
        let lines = "line\n".repeat(20);
        let folded = texts.message(&lines);
        assert_eq!(folded.head.lines().count(), LINES_IN_SIGHT);
    }

    #[test]
    fn a_page_has_room_for_so_much_and_says_what_is_not_there() {
        let mut texts = Texts::new(&same);
        let long = "x".repeat(MOST_BYTES - 10);
        assert_eq!(texts.message(&long).cut, 0);
        let cut = texts.message(&long);
        let shown = cut.whole.as_ref().unwrap_or(&cut.head);
        assert_eq!(
            (shown.len(), cut.cut),
            (LEAST_BYTES, long.len() - LEAST_BYTES)
        );
    }

    #[test]
    fn the_room_is_that_of_the_page_not_of_the_text() {
        let mut texts = Texts::new(&same);
        let long = "<".repeat(500_000);
        assert_eq!(texts.message(&long).cut, 0);
        let second = texts.message(&long);
        let expected = long.len() - (MOST_BYTES - 4 * long.len()) / 4;
        assert_eq!(second.cut, expected);
        for letter in ["<", ">", "&", "\"", "'", "/", "é"] {
            let mut html = minijinja::Environment::new();
            html.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
            let html = html
                .render_str("{{ letter }}", minijinja::context!(letter))
                .unwrap();
            assert_eq!(
                html.len(),
                letter.chars().map(bytes_in_html).sum::<usize>(),
                "{letter}"
            );
        }
    }
}
