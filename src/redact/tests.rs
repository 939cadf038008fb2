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

#[test]
fn replaces_a_secret_wherever_the_chunk_ends() {
    let redactor = redactor(&["correct-horse", "battery/staple+1"]);
    let input = b"a correct-horse b battery/staple+1 correct-hors c battery%2Fstaple%2B1 correct-horsecorrect-horse";
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

#[test]
fn knows_the_escaped_forms() {
    let password = "pä\"s\\s/wö\nrd $1 😀";
    let redactor = redactor(&[password]);
    let forms = [
        serde_json::to_string(password).unwrap(),
        r#""p\u00e4\"s\\s/w\u00f6\nrd $1 \ud83d\ude00""#.to_owned(),
        r#""p\u00e4\"s\\s\/w\u00f6\nrd $1 \ud83d\ude00""#.to_owned(),
        "p%C3%A4%22s%5Cs%2Fw%C3%B6%0Ard%20%241%20%F0%9F%98%80".to_owned(),
        "p%c3%a4%22s%5cs%2fw%c3%b6%0ard+%241+%f0%9f%98%80".to_owned(),
        serde_json::to_string(&serde_json::to_string(password).unwrap()).unwrap(),
    ];
    for form in forms {
        let text = redactor.text(&form).into_owned();
        assert!(
            text.contains(MASK) && !text.contains("rd"),
            "{form} became {text}"
        );
    }
}

#[test]
fn knows_how_python_writes_a_delete_character() {
    let redactor = redactor(&["pass\u{7f}word"]);
    assert_eq!(
        redactor.text(r#"{"password": "pass\u007fword"}"#),
        r#"{"password": "*****"}"#
    );
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
}

#[test]
fn a_line_is_out_when_it_ends() {
    let redactor = redactor(&["secret-word"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    stream.push(b"all is well\n", &mut out);
    assert_eq!(out, b"all is well\n");
}

#[test]
fn keeps_no_more_than_the_longest_secret() {
    let redactor = redactor(&["secret-word"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for _ in 0..1000 {
        stream.push(b"secret-wo", &mut out);
        assert!(
            stream.held.len() < 33,
            "{} bytes are held",
            stream.held.len()
        );
    }
}

#[test]
fn finds_a_secret_in_a_reader() {
    let redactor = redactor(&["secret-word"]);
    let mut data = vec![b'x'; 1 << 20];
    assert!(!redactor.is_in_reader(&data[..]).unwrap());
    data.extend_from_slice(b"secret-word");
    assert!(redactor.is_in_reader(&data[..]).unwrap());
}

proptest! {
    #[test]
    fn chunks_make_no_difference(secret in "[ab]{8,12}", other in "[ab]{8,16}", input in "[abc]{0,200}", size in 1_usize..50) {
        let redactor = redactor(&[&secret, &other]);
        let whole = streamed(&redactor, input.as_bytes(), usize::MAX);
        prop_assert_eq!(streamed(&redactor, input.as_bytes(), size), whole.clone());
        prop_assert!(!redactor.is_in(&whole));
    }

    #[test]
    fn any_secret_is_gone_in_any_surroundings(
        secret in proptest::collection::vec(1_u8.., 8..64), before: Vec<u8>, after: Vec<u8>, size in 1_usize..80,
    ) {
        let redactor = Redactor::new(&[Secret::new(secret.clone())]);
        let input = [&before[..], &secret[..], &after[..]].concat();
        let out = streamed(&redactor, &input, size);
        prop_assert!(!redactor.is_in(&out) || redactor.is_in(MASK.as_bytes()), "{:?}", out);
    }
}
