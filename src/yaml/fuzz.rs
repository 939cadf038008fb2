//! Owns the fuzzing of the reader of YAML: files that were right until something happened to them.
//!
//! `scripts/test fuzz` takes longer and looks closer. Never needs more than text.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const WORD: &str = "hunter2";
const PIECES: [&str; 40] = [
    "a: ",
    "b: ",
    "hunter2",
    "hunter2: ",
    "<<: ",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "*b ",
    "!!str ",
    "!!int ",
    "!!binary ",
    "!!map ",
    "!x ",
    "|",
    "|2-\n",
    ">+\n",
    "\n",
    "\n  ",
    "\n   ",
    "\"",
    "'",
    "\\",
    "# ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\t",
    "\u{feff}",
    "\u{2028}",
    "0o7",
    "1:30",
    "~",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_words_that_hold_nothing_of_it(
        pieces in vec(prop_oneof![9 => select(&PIECES[..]).prop_map(str::to_owned),
            1 => "\\PC{0,4}"], 0..40),
    ) {
        let text = pieces.concat();
        match parse(&text) {
            Ok(document) => {
                let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
                prop_assert!(document.root.line <= lines);
                for key in &document.repeated {
                    prop_assert!((1..=lines).contains(&key.line));
                }
            }
            Err(error) => prop_assert!(!error.to_string().contains(WORD), "{}", error),
        }
    }
}
