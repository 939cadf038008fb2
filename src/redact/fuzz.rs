//! Owns the fuzzing of the redactor: streams full of whole, broken and interlocked secrets in any
//! mixture of spellings, against a reference that sees it all at once.
//!
//! `scripts/test fuzz` takes longer and looks closer. Never judges: that is for the reference.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::reference::{redacted, spelled};
use super::spelling::DEPTH;
use super::*;

/// Secrets of few different bytes share beginnings and ends; others are of what escapes are made
/// of, or of any bytes.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    let escapes: Vec<u8> = br#"'"\%&+$`{}];#x u0n27/"#.iter().copied().chain([b'\n']).collect();
    prop_oneof![
        2 => vec(prop_oneof![Just(b'a'), Just(b'b')], 1..14),
        3 => vec(proptest::sample::select(escapes), 8..14),
        1 => vec(any::<u8>(), 8..24),
        2 => "\\PC{8,12}".prop_map(String::into_bytes),
        1 => "[ \n]{0,2}[a-c]{5,9}\r?\n[ a-c]{6,9}[ \n]{0,2}".prop_map(String::into_bytes),
    ]
}

/// A piece of a stream, in terms of the secrets that the case has.
#[derive(Debug, Clone)]
enum Piece {
    /// A secret, in one of its spellings.
    Whole(Index, Choices),
    /// A part of one.
    Part(Index, Choices, Index, Index),
    /// One with a byte changed.
    Broken(Index, Choices, Index, u8),
    Noise(Vec<u8>),
}

type Choices = Vec<u16>;

impl Piece {
    fn bytes(&self, secrets: &[Vec<u8>]) -> Vec<u8> {
        let secret = |which: &Index, choices: &Choices| {
            if secrets.is_empty() {
                return Vec::new();
            }
            let mut choices = choices.iter().cycle();
            let secret: &Vec<u8> = which.get(secrets);
            spelled(secret, DEPTH, &mut |count| {
                usize::from(*choices.next().unwrap()) % count.max(1)
            })
        };
        match self {
            Self::Whole(which, choices) => secret(which, choices),
            Self::Part(which, choices, from, to) => {
                let text = secret(which, choices);
                let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
                text[from.min(to)..from.max(to)].to_vec()
            }
            Self::Broken(which, choices, place, byte) => {
                let mut text = secret(which, choices);
                let length = text.len().max(1);
                if let Some(changed) = text.get_mut(place.index(length)) {
                    *changed ^= byte;
                }
                text
            }
            Self::Noise(noise) => noise.clone(),
        }
    }
}

/// Mostly as it is, mostly escaped, or all by the same escape.
fn choices() -> impl Strategy<Value = Choices> {
    prop_oneof![
        Just(vec![0]),
        vec(prop_oneof![2 => Just(0), 1 => any::<u16>()], 1..40),
        vec(any::<u16>(), 1..40),
        any::<u16>().prop_map(|same| vec![same]),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    let index = any::<Index>;
    let noise = vec(
        prop_oneof![
            Just(b'a'),
            Just(b'b'),
            Just(b'\n'),
            Just(b'\\'),
            Just(b'\''),
            any::<u8>()
        ],
        0..6,
    );
    prop_oneof![
        4 => (index(), choices()).prop_map(|(which, choices)| Piece::Whole(which, choices)),
        2 => (index(), choices(), index(), index())
            .prop_map(|(which, choices, from, to)| Piece::Part(which, choices, from, to)),
        1 => (index(), choices(), index(), 1_u8..)
            .prop_map(|(which, choices, place, byte)| Piece::Broken(which, choices, place, byte)),
        1 => noise.prop_map(Piece::Noise),
    ]
}

proptest! {
    // The reference takes its time. `PROPTEST_CASES` counts all the same.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn the_stream_in_any_chunks_is_what_the_reference_makes_of_the_whole(
        secrets in vec(secret(), 0..4),
        pieces in vec(piece(), 0..8),
        sizes in vec(prop_oneof![3 => 0_usize..12, 1 => 12_usize..400], 1..20),
    ) {
        let input: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes(&secrets)).collect();
        let expected = redacted(&secrets, &input);

        let redactor = Redactor::new(&secrets.into_iter().map(Secret::new).collect::<Vec<_>>());
        let (mut stream, mut out, mut rest) = (redactor.stream(), Vec::new(), &input[..]);
        // Sizes of nothing alone would never end it.
        for size in sizes.iter().cycle().take(input.len() * sizes.len() + sizes.len()) {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            stream.push(chunk, &mut out);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        stream.push(rest, &mut out);
        stream.finish(&mut out);
        prop_assert_eq!(
            String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected),
            "of {:?}", String::from_utf8_lossy(&input)
        );
        prop_assert_eq!(&out, &expected);

        let has_secret = expected != input;
        prop_assert_eq!(redactor.is_in(&input), has_secret);
        let mut search = redactor.search();
        prop_assert_eq!(search.push(&input) || search.finish(), has_secret);
        if let Ok(text) = std::str::from_utf8(&input) {
            let expected = String::from_utf8_lossy(&expected);
            prop_assert_eq!(redactor.text(text).into_owned(), expected);
        }
    }
}
