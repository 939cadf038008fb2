//! Owns the forms in which a secret turns up in output: as it is, inside a JSON string, inside a
//! URL.
//!
//! Never decides what a secret is.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What `urllib.parse.quote(value, safe="")` and RFC 3986 leave as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// `urllib.parse.quote` as it is called most often.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
/// JavaScript's `encodeURIComponent`.
const COMPONENT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// `application/x-www-form-urlencoded`, as browsers and Java write it.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*');

/// Every form of the value, some of them twice.
pub(super) fn of(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    for set in [UNRESERVED, PATH, COMPONENT, FORM] {
        let upper = percent_encode(value, set).to_string();
        for encoded in [lower_hex(&upper), upper] {
            forms.push(encoded.replace("%20", "+").into_bytes());
            forms.push(encoded.into_bytes());
        }
    }
    for ascii_only in [false, true] {
        let escaped = json(value, ascii_only);
        // A JSON log line often carries another JSON document as its message.
        forms.push(json(&escaped, false));
        forms.push(replace_slashes(&escaped));
        forms.push(escaped);
    }
    forms
}

/// The inside of a JSON string. With `ascii_only`, as Python's `json.dumps` writes it, bytes that
/// are not UTF-8 as lone surrogates.
fn json(value: &[u8], ascii_only: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(br#"\""#),
                '\\' => out.extend_from_slice(br"\\"),
                '\n' => out.extend_from_slice(br"\n"),
                '\r' => out.extend_from_slice(br"\r"),
                '\t' => out.extend_from_slice(br"\t"),
                '\u{8}' => out.extend_from_slice(br"\b"),
                '\u{c}' => out.extend_from_slice(br"\f"),
                control if control < ' ' => escape(u32::from(control), &mut out),
                // Python counts it among what is not ASCII.
                '\u{7f}' if ascii_only => escape(0x7f, &mut out),
                other if other.is_ascii() || !ascii_only => {
                    out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => other
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| escape(u32::from(*unit), &mut out)),
            }
        }
        for byte in chunk.invalid() {
            if ascii_only {
                escape(0xdc00 + u32::from(*byte), &mut out);
            } else {
                out.push(*byte);
            }
        }
    }
    out
}

fn escape(unit: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
}

/// `\/`, which PHP and some Java libraries write.
fn replace_slashes(escaped: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(escaped.len());
    for byte in escaped {
        if *byte == b'/' {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// `%2f` for `%2F`.
fn lower_hex(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let _ = write!(out, "{}", rest[at..at + 3].to_ascii_lowercase());
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    out
}
