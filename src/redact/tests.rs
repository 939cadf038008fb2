//! Owns the tests of the redactor: examples, chunk borders and properties.
//!
//! Never needs a child process.

use proptest::prelude::*;

use super::*;

fn redactor(secrets: &[&str]) -> Redactor {
    Redactor::new(
        &secrets
            .iter()
            .map(|secret| Secret::new(*secret))
            .collect::<Vec<_>>(),
    )
}

/// The stream's output when the input arrives in pieces of the given size.
fn streamed(redactor: &Redactor, input: &[u8], size: usize) -> Vec<u8> {
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    input
        .chunks(size.max(1))
        .for_each(|chunk| stream.push(chunk, &mut out));
    stream.finish(&mut out);
    out
}

fn is_found(redactor: &Redactor, content: &[u8]) -> bool {
    let mut search = redactor.search();
    content.chunks(1000).any(|chunk| search.push(chunk)) || search.finish()
}

#[test]
fn replaces_a_secret_wherever_the_chunk_ends() {
    let redactor = redactor(&["correct-horse", "battery/staple+1"]);
    let input = b"a correct-horse b battery/staple+1 correct-hors c battery%2Fstaple%2B1 \
        correct-horsecorrect-horse";
    let expected = "a ***** b ***** correct-hors c ***** **********";
    for size in 1..=input.len() {
        assert_eq!(
            String::from_utf8(streamed(&redactor, input, size)).unwrap(),
            expected,
            "chunks of {size}"
        );
    }
}

#[test]
fn a_secret_that_begins_or_overlaps_another_leaves_nothing() {
    let redactor = redactor(&["password-one", "password-one-longer", "longer-and-on"]);
    for size in 1..40 {
        let out = streamed(
            &redactor,
            b"x password-one y password-one-longer z password-one-longer-and-on.",
            size,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "x ***** y ***** z *****.",
            "chunks of {size}"
        );
    }
}

#[test]
fn a_secret_inside_of_another_does_not_let_its_beginning_out() {
    let redactor = redactor(&["secret-word", "https://ada:secret-word@git.example"]);
    for size in 1..60 {
        let out = streamed(
            &redactor,
            b"x https://ada:secret-word@git.example y secret-word",
            size,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "x ***** y *****",
            "chunks of {size}"
        );
    }
}

#[test]
fn a_secret_of_one_repeated_letter_is_one_mask() {
    let redactor = redactor(&["aaaaaaaa"]);
    for size in 1..20 {
        assert_eq!(
            streamed(&redactor, b"b aaaaaaaaaaaaa b", size),
            b"b ***** b",
            "chunks of {size}"
        );
    }
}

/// A secret, and what a program makes of it on the way into a log or a file.
#[derive(serde::Deserialize)]
struct Spelling {
    by: String,
    secret: String,
    text: String,
}

fn spellings() -> Vec<Spelling> {
    serde_json::from_str(include_str!("tests/spellings.json")).unwrap()
}

#[test]
fn undoes_what_programs_do_to_a_secret() {
    for Spelling { by, secret, text } in spellings() {
        let redactor = redactor(&[&secret]);
        let masked = redactor.text(&text).into_owned();
        assert!(masked.contains(MASK), "{by}: {text} became {masked}");
        // What is left belongs to the surroundings; the names of these are not in the secrets.
        let lines = secret
            .lines()
            .map(str::trim)
            .filter(|line| line.len() >= SHORTEST);
        for line in lines {
            for part in line.as_bytes().windows(4) {
                assert!(
                    !masked.as_bytes().windows(4).any(|left| left == part),
                    "{by}: {text} became {masked}"
                );
            }
        }
        for size in 1..text.len() {
            let streamed = streamed(&redactor, text.as_bytes(), size);
            assert_eq!(
                String::from_utf8(streamed).unwrap(),
                masked,
                "{by}, by {size}"
            );
        }
        assert!(is_found(&redactor, text.as_bytes()), "{by}");
    }
}

#[test]
fn masks_a_whole_escape_and_nothing_beside_it() {
    let redactor = redactor(&[
        "it's \"100%\"",
        "  pass-word\n",
        "long-enough\nshort\nsecond-line",
    ]);
    for (text, expected) in [
        (r#"{"p": "it's \"100%\""}"#, r#"{"p": "*****"}"#),
        ("'it''s \"100%%\"'", "'*****'"),
        ("<b>it&#x27;s &quot;100%&quot;</b>", "<b>*****</b>"),
        ("'  pass-word\n'\n", "'  *****\n'\n"),
        ("x = 'pass-word'", "x = '*****'"),
        (r"C:\pass-word\more", r"C:\*****\more"),
        (
            "  long-enough\r\n  short\r\n  second-line",
            "  *****\r\n  short\r\n  *****",
        ),
        ("long-enough\nshort\nsecond-line\n", "*****\n"),
        (
            "its \"100%\" pass_word pass-w\\u006frx",
            "its \"100%\" pass_word pass-w\\u006frx",
        ),
        ("%70ass-wor%64 %70ass-wor%65", "***** %70ass-wor%65"),
        ("pass''-word pass'-word", "***** pass'-word"),
    ] {
        assert_eq!(redactor.text(text), expected, "{text}");
    }
}

#[test]
fn leaves_short_values_and_other_bytes_alone() {
    let redactor = redactor(&["short", "long-enough"]);
    let input = b"short \xff\xfe long-enough\xf0 short";
    assert_eq!(
        streamed(&redactor, input, 3),
        b"short \xff\xfe *****\xf0 short"
    );
    assert_eq!(streamed(&Redactor::default(), input, 3), input);
    let short_only = Redactor::new(&[Secret::new("short"), Secret::new("")]);
    assert_eq!(streamed(&short_only, input, 3), input);
}

#[test]
fn looks_for_a_value_that_is_short_without_its_blanks_only_as_it_is() {
    let redactor = redactor(&["short   \n", "a\nb\nc\nd\ne\n"]);
    assert_eq!(redactor.text("short short   \nx"), "short *****x");
    assert_eq!(redactor.text("a\nb\nc\nd\ne\n"), "*****\n");
}

#[test]
fn a_line_is_out_when_it_ends() {
    let redactor = redactor(&["secret-word"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    stream.push(b"all is well\n", &mut out);
    assert_eq!(out, b"all is well\n");
}

#[test]
fn keeps_no_more_than_one_spelling_of_the_longest_secret() {
    let redactor = redactor(&["secret-word", r"\\\\\\\\"]);
    for endless in [
        "secret-wo",
        "s&#0000",
        "&#",
        "0",
        "secret-word",
        "\\",
        "''",
        "s''",
        "s'$'",
        "s\\\n",
        "%",
        "%25",
        "&amp;",
        "\\u00",
        "%5C",
    ] {
        let (mut stream, mut out) = (redactor.stream(), Vec::new());
        stream.push(b"s", &mut out);
        for _ in 0..1000 {
            stream.push(endless.as_bytes(), &mut out);
            assert!(
                stream.held.len() < 400,
                "{} bytes are held of {endless}",
                stream.held.len()
            );
        }
    }
}

#[test]
fn readings_that_meet_again_are_followed_once() {
    // Each place could be read in thousands of ways.
    let redactor = redactor(&[r"\\\\\\\\\\\\"]);
    assert_eq!(redactor.text(&"\\".repeat(100)), MASK);
}

#[test]
fn places_that_lead_to_the_same_are_followed_once() {
    // Minutes, if each place of the text were the only one.
    let start = std::time::Instant::now();
    for (value, text) in [("\\", "\\"), ("'", "'"), ("%", "%25")] {
        let redactor = redactor(&[&value.repeat(48)]);
        assert_eq!(redactor.text(&text.repeat(400)), MASK);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn finds_a_secret_in_pieces() {
    let redactor = redactor(&["secret-word"]);
    let mut data = vec![b'x'; 1 << 20];
    assert!(!is_found(&redactor, &data));
    data.extend_from_slice(b"secret-word");
    assert!(is_found(&redactor, &data));
}

proptest! {
    #[test]
    fn chunks_make_no_difference(secret in "[ab]{8,12}", other in "[ab]{8,16}",
        input in "[abc]{0,200}", size in 1_usize..50) {
        let redactor = redactor(&[&secret, &other]);
        let whole = streamed(&redactor, input.as_bytes(), usize::MAX);
        prop_assert_eq!(streamed(&redactor, input.as_bytes(), size), whole.clone());
        prop_assert!(!redactor.is_in(&whole));
    }

    #[test]
    fn any_secret_is_gone_in_any_surroundings(
        secret in proptest::collection::vec(1_u8.., 8..64), before: Vec<u8>, after: Vec<u8>,
            size in 1_usize..80,
    ) {
        let redactor = Redactor::new(&[Secret::new(secret.clone())]);
        let input = [&before[..], &secret[..], &after[..]].concat();
        let out = streamed(&redactor, &input, size);
        prop_assert!(!redactor.is_in(&out) || redactor.is_in(MASK.as_bytes()), "{:?}", out);
    }
}
