//! Owns the fuzzing of the redactor: streams full of whole, broken and interlocked secrets, against
//! a reference that sees it all at once.
//!
//! `PROPTEST_CASES=1000000 cargo test --bin dbt-entrypoint fuzz` takes longer and looks closer;
//! `PROPTEST_RNG_SEED` repeats a run. Never uses the automaton to judge the automaton: the
//! reference compares bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// The whole input with every occurrence of every form replaced, those that overlap by one mask.
fn reference(forms: &[Vec<u8>], input: &[u8]) -> Vec<u8> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for start in 0..input.len() {
        let longest = forms
            .iter()
            .filter(|form| input[start..].starts_with(form))
            .map(Vec::len)
            .max();
        let Some(end) = longest.map(|length| start + length) else {
            continue;
        };
        match found.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => found.push((start, end)),
        }
    }
    let (mut out, mut next) = (Vec::new(), 0);
    for (start, end) in found {
        out.extend_from_slice(&input[next..start]);
        out.extend_from_slice(MASK.as_bytes());
        next = end;
    }
    out.extend_from_slice(&input[next..]);
    out
}

/// Secrets of few different bytes share beginnings and ends; those of any bytes have forms that
/// differ.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => vec(prop_oneof![Just(b'a'), Just(b'b')], 1..14),
        2 => vec(prop_oneof![Just(b'a'), Just(b'/'), Just(b'"'), Just(b'\\'), Just(b' '), Just(b'%')], 8..12),
        1 => vec(any::<u8>(), 8..24),
        1 => "\\PC{8,12}".prop_map(String::into_bytes),
    ]
}

/// A piece of a stream, in terms of the secrets that the case has.
#[derive(Debug, Clone)]
enum Piece {
    /// One form of one secret.
    Whole(Index),
    /// A part of a form.
    Part(Index, Index, Index),
    /// A form with one byte changed.
    Broken(Index, Index, u8),
    Noise(Vec<u8>),
}

impl Piece {
    fn bytes(&self, forms: &[Vec<u8>]) -> Vec<u8> {
        if forms.is_empty() {
            return if let Self::Noise(noise) = self {
                noise.clone()
            } else {
                Vec::new()
            };
        }
        match self {
            Self::Whole(which) => which.get(forms).clone(),
            Self::Part(which, from, to) => {
                let form = which.get(forms);
                let (from, to) = (from.index(form.len() + 1), to.index(form.len() + 1));
                form[from.min(to)..from.max(to)].to_vec()
            }
            Self::Broken(which, place, byte) => {
                let mut form = which.get(forms).clone();
                let place = place.index(form.len());
                form[place] ^= byte;
                form
            }
            Self::Noise(noise) => noise.clone(),
        }
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    let index = any::<Index>;
    prop_oneof![
        3 => index().prop_map(Piece::Whole),
        4 => (index(), index(), index()).prop_map(|(which, from, to)| Piece::Part(which, from, to)),
        1 => (index(), index(), 1_u8..).prop_map(|(which, place, byte)| Piece::Broken(which, place, byte)),
        1 => vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n'), any::<u8>()], 0..6).prop_map(Piece::Noise),
    ]
}

proptest! {
    #[test]
    fn the_stream_in_any_chunks_is_what_the_reference_makes_of_the_whole(
        secrets in vec(secret(), 0..4),
        pieces in vec(piece(), 0..20),
        sizes in vec(prop_oneof![3 => 0_usize..12, 1 => 12_usize..400], 1..20),
    ) {
        let mut forms: Vec<Vec<u8>> = secrets.iter().filter(|secret| secret.len() >= SHORTEST).flat_map(|secret| forms::of(secret)).collect();
        forms.sort_unstable();
        forms.dedup();
        let input: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes(&forms)).collect();
        let expected = reference(&forms, &input);

        let redactor = Redactor::new(&secrets.into_iter().map(Secret::new).collect::<Vec<_>>());
        let longest = forms.iter().map(Vec::len).max().unwrap_or_default();
        let (mut stream, mut out, mut rest) = (redactor.stream(), Vec::new(), &input[..]);
        // Sizes of nothing alone would never end it.
        for size in sizes.iter().cycle().take(input.len() * sizes.len() + sizes.len()) {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            stream.push(chunk, &mut out);
            prop_assert!(stream.held.len() < longest.max(1), "{} bytes are held", stream.held.len());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        stream.push(rest, &mut out);
        stream.finish(&mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected), "of {:?}", String::from_utf8_lossy(&input));
        prop_assert_eq!(&out, &expected);

        let held = expected != input;
        prop_assert_eq!(redactor.is_in(&input), held);
        prop_assert_eq!(redactor.is_in_reader(&input[..]).unwrap(), held);
        if let Ok(text) = std::str::from_utf8(&input) {
            let expected = String::from_utf8_lossy(&expected);
            prop_assert_eq!(redactor.text(text).into_owned(), expected);
        }
    }
}
