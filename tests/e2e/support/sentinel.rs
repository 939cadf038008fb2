//! Looks for a secret in everything that a run produced.
//!
//! Owns the forms in which a value may show, made here by hand and not by the program's own code,
//! which would share its mistakes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty()
        && haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

/// The value itself, escaped as JSON (by Python, which also escapes what is not ASCII, and by
/// serde), and URL-encoded.
pub fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    let encoded = |safe: &[u8]| {
        secret.iter().fold(String::new(), |mut text, byte| {
            if byte.is_ascii_alphanumeric() || safe.contains(byte) {
                text.push(char::from(*byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
            text
        })
    };
    forms.push(encoded(b"-_.~").into_bytes());
    forms.push(encoded(b"-_.~/").into_bytes());
    if let Ok(text) = str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap();
        forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
        let ascii = json.chars().fold(String::new(), |mut ascii, character| {
            if character.is_ascii() {
                ascii.push(character);
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
            ascii
        });
        forms.push(ascii.as_bytes()[1..ascii.len() - 1].to_vec());
    }
    forms.sort();
    forms.dedup();
    forms
}

/// No file below the folder holds the value in any form.
#[track_caller]
pub fn assert_folder_lacks(folder: &Path, secret: &[u8]) {
    let forms = forms(secret);
    let mut files = 0;
    for entry in WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
    {
        files += 1;
        let content = fs::read(entry.path()).unwrap();
        assert!(
            !forms.iter().any(|form| holds(&content, form)),
            "{} holds the secret",
            entry.path().display()
        );
    }
    assert!(files > 0, "{} has no file to look into", folder.display());
}
