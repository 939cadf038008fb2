//! Owns a slow judge of the redactor: it writes down every spelling of a value, where the redactor
//! reads what stands there.
//!
//! Never uses the redactor's reading of text; the names of HTML alone are the same table.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::entities;
use super::spelling::{DEPTH, MOST_DIGITS};
use super::{MASK, parts};

/// A piece of an escape. Each of its characters may be escaped itself.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Byte(u8),
    /// A letter, in either case.
    Letter(u8),
    /// A hex digit, in either case.
    Hex(u8),
    /// None, or up to so many of them.
    Zeros(usize),
    /// Twice, spelled alike.
    Doubled(u8),
}

type Form = Vec<Piece>;
type Forms = Vec<(usize, Form)>;

/// The whole input with every secret replaced, those that overlap by one mask.
pub(super) fn redacted(secrets: &[Vec<u8>], input: &[u8]) -> Vec<u8> {
    let values: Vec<&[u8]> = secrets.iter().flat_map(|secret| parts(secret)).collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for start in 0..input.len() {
        let ends: Vec<usize> = values
            .iter()
            .flat_map(|value| ends_of(value, input, start))
            .collect();
        let Some(mut end) = ends.iter().max().copied() else {
            continue;
        };
        let last = &input[..end];
        if (last.ends_with(br#"\"""#) || last.ends_with(br"\''")) && ends.contains(&(end - 1)) {
            end -= 1;
        }
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

/// Where the spellings of the value that begin here end.
fn ends_of(value: &[u8], text: &[u8], start: usize) -> Vec<usize> {
    // By how much of the value is behind: where that may end.
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); value.len() + 1];
    places[0].push(start);
    for offset in 0..value.len() {
        for at in distinct(std::mem::take(&mut places[offset])) {
            let mut from = vec![at];
            if offset > 0 {
                for seam in [&b"''"[..], b"'$'", b"\\\n"] {
                    let seam: Form = seam.iter().copied().map(Piece::Byte).collect();
                    from.extend(ends(&seam, text, at, DEPTH - 1));
                }
            }
            for at in from {
                for (length, end) in characters(&value[offset..], text, at, DEPTH) {
                    places[offset + length].push(end);
                }
            }
        }
    }
    places.pop().unwrap_or_default()
}

/// How many bytes of the value the text may spell here, and where it goes on.
fn characters(value: &[u8], text: &[u8], at: usize, depth: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let Some(first) = text.get(at) else {
        return found;
    };
    if *first == value[0] {
        found.push((1, at + 1));
    }
    // Nothing else begins an escape; without this, it would take forever.
    if depth > 0 && b"\\%&+'\"`${}]".contains(first) {
        for (length, form) in forms(value).iter() {
            let ends = ends(form, text, at, depth - 1);
            found.extend(ends.into_iter().map(|end| (*length, end)));
        }
    }
    found
}

/// Where the form may end.
fn ends(form: &[Piece], text: &[u8], at: usize, depth: usize) -> Vec<usize> {
    let Some((first, rest)) = form.split_first() else {
        return vec![at];
    };
    let one = |byte: u8| characters(&[byte], text, at, depth);
    let after = match *first {
        Piece::Byte(byte) => one(byte),
        Piece::Doubled(byte) => {
            let found = one(byte).into_iter();
            let alike = found.filter(|(_, end)| text[*end..].starts_with(&text[at..*end]));
            alike.map(|(one, end)| (one, 2 * end - at)).collect()
        }
        Piece::Letter(letter) => {
            let mut found = one(letter.to_ascii_lowercase());
            found.extend(one(letter.to_ascii_uppercase()));
            found
        }
        Piece::Hex(digit) => {
            let character = char::from_digit(digit.into(), 16).unwrap();
            let mut found = one(character as u8);
            if digit > 9 {
                found.extend(one(character.to_ascii_uppercase() as u8));
            }
            found
        }
        Piece::Zeros(most) => {
            let mut found = ends(rest, text, at, depth);
            if most > 0 {
                let fewer = [&[Piece::Zeros(most - 1)], rest].concat();
                for (_, at) in one(b'0') {
                    found.extend(ends(&fewer, text, at, depth));
                }
            }
            return distinct(found);
        }
    };
    distinct(
        after
            .into_iter()
            .flat_map(|(_, at)| ends(rest, text, at, depth))
            .collect(),
    )
}

fn distinct(mut places: Vec<usize>) -> Vec<usize> {
    places.sort_unstable();
    places.dedup();
    places
}

/// Every escape for the beginning of the value, with how much of it that is.
fn forms(value: &[u8]) -> Rc<Forms> {
    thread_local! {
        static KNOWN: RefCell<HashMap<Vec<u8>, Rc<Forms>>> = RefCell::default();
    }
    let first = &value[..value.len().min(4)];
    KNOWN.with_borrow_mut(|known| {
        let forms = known.entry(first.to_owned());
        Rc::clone(forms.or_insert_with(|| Rc::new(written_down(first))))
    })
}

fn written_down(value: &[u8]) -> Forms {
    let mut found = Vec::new();
    let byte = value[0];
    let character = (1..=value.len().min(4))
        .find_map(|length| std::str::from_utf8(&value[..length]).ok()?.chars().next());
    if let Some(character) = character {
        let length = character.len_utf8();
        let all = numbers(character.into())
            .into_iter()
            .chain(entities::names_of(character).into_iter().flat_map(named))
            .chain(in_halves(character));
        found.extend(all.map(|form| (length, form)));
    }
    if byte >= 0x80 {
        for number in [u32::from(byte), 0xdc00 + u32::from(byte)] {
            found.extend(numbers(number).into_iter().map(|form| (1, form)));
        }
    }
    if b"'\"`$%{}]".contains(&byte) {
        found.push((1, vec![Piece::Doubled(byte)]));
    }
    if byte.is_ascii() {
        found.extend(of_ascii(byte).into_iter().map(|form| (1, form)));
    }
    found
}

fn of_ascii(byte: u8) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut add = |text: &[u8]| forms.push(text.iter().copied().map(Piece::Byte).collect());
    if !byte.is_ascii_alphanumeric() {
        add(&[b'\\', byte]);
    }
    match byte {
        b' ' => add(b"+"),
        b'\'' => {
            add(br"'\''");
            add(br#"'"'"'"#);
        }
        27 => {
            add(br"\e");
            add(br"\E");
        }
        7..=13 => add(&[b'\\', b"abtnvfr"[usize::from(byte - 7)]]),
        _ => {}
    }
    forms
}

fn named(name: &str) -> Vec<Form> {
    let means_the_same =
        |other: String| entities::named(other.as_bytes()) == entities::named(name.as_bytes());
    // É is no é.
    let is_blind = means_the_same(name.to_uppercase()) && means_the_same(name.to_lowercase());
    let piece = |byte: u8| match byte {
        letter if is_blind && letter.is_ascii_alphabetic() => Piece::Letter(letter),
        byte => Piece::Byte(byte),
    };
    vec![format!("&{name};").bytes().map(piece).collect()]
}

/// Two escapes for one character, as everything writes it that counts in UTF-16.
fn in_halves(character: char) -> Vec<Form> {
    let mut units = [0; 2];
    if character.encode_utf16(&mut units).len() == 1 {
        return Vec::new();
    }
    let lows = numbers(units[1].into());
    let pairs = numbers(units[0].into())
        .into_iter()
        .flat_map(|high| lows.iter().map(move |low| [&high[..], low].concat()));
    pairs.collect()
}

/// Every way to write a number.
fn numbers(number: u32) -> Vec<Form> {
    let hex = |digits: usize| -> Option<Form> {
        let text = format!("{number:0digits$x}");
        let digits = text.chars().map(|digit| digit.to_digit(16).unwrap());
        Some(
            digits
                .map(|digit| Piece::Hex(digit.to_le_bytes()[0]))
                .collect(),
        )
    };
    let fixed = |prefix: &str, digits: usize| -> Option<Form> {
        let form = hex(digits).filter(|form| form.len() == digits)?;
        Some(prefix.bytes().map(Piece::Byte).chain(form).collect())
    };
    let padded = |prefix: &str, digits: Form, most: usize, suffix: u8| -> Option<Form> {
        let zeros = most.checked_sub(digits.len())?;
        let start = prefix.bytes().map(Piece::Byte).chain([Piece::Zeros(zeros)]);
        Some(start.chain(digits).chain([Piece::Byte(suffix)]).collect())
    };
    let decimal: Form = number.to_string().bytes().map(Piece::Byte).collect();
    let mut forms: Vec<Form> = [
        fixed(r"\u", 4),
        fixed(r"\U", 8),
        fixed(r"\x", 2),
        fixed("%", 2),
        fixed("%u", 4),
        padded(r"\u{", hex(1).unwrap(), 6, b'}'),
        padded("&#", decimal, MOST_DIGITS, b';'),
        padded("&#x", hex(1).unwrap(), MOST_DIGITS, b';'),
        padded("&#X", hex(1).unwrap(), MOST_DIGITS, b';'),
    ]
    .into_iter()
    .flatten()
    .collect();
    let octal = format!("{number:o}");
    for digits in octal.len()..=3 {
        let text = format!("\\{number:0digits$o}");
        forms.push(text.bytes().map(Piece::Byte).collect());
    }
    forms
}

/// One of the spellings, by choices that come from outside.
pub(super) fn spelled(
    value: &[u8],
    depth: usize,
    choose: &mut dyn FnMut(usize) -> usize,
) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), value);
    while !rest.is_empty() {
        let forms = forms(rest);
        // As it is, as often as not.
        let chosen = if depth == 0 {
            0
        } else {
            choose(2 * forms.len())
        };
        let Some((length, form)) = forms.get(chosen.wrapping_sub(1)) else {
            out.push(rest[0]);
            rest = &rest[1..];
            continue;
        };
        let mut text = Vec::new();
        if let [Piece::Doubled(byte)] = form[..] {
            let once = spelled(&[byte], depth - 1, choose);
            out.extend([&once[..], &once].concat());
        }
        for piece in form {
            match *piece {
                Piece::Byte(byte) => text.push(byte),
                Piece::Doubled(_) => {}
                Piece::Letter(letter) => text.push(match choose(2) {
                    0 => letter.to_ascii_lowercase(),
                    _ => letter.to_ascii_uppercase(),
                }),
                Piece::Hex(digit) => {
                    let digit = char::from_digit(digit.into(), 16).unwrap();
                    let is_upper = choose(2) == 1;
                    text.push(if is_upper {
                        digit.to_ascii_uppercase()
                    } else {
                        digit
                    } as u8);
                }
                Piece::Zeros(most) => text.resize(text.len() + choose(most.min(4) + 1), b'0'),
            }
        }
        out.extend(spelled(&text, depth - 1, choose));
        rest = &rest[*length..];
    }
    out
}
