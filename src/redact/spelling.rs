//! Owns how a character may be spelled in text: as it is, or by an escape of JSON, Python, SQL, a
//! shell, an URL or HTML, whose own characters may be escaped once more.
//!
//! An escape is undone wherever one stands, not looked up in a list of forms: any mixture of them
//! is read, in either case of hex. Never knows a secret, and never says which reading is meant.

use std::cell::Cell;
use std::ops::Range;

use super::entities::{LONGEST_NAME, named};

/// So often text is unescaped: JSON inside of JSON is two.
pub(super) const DEPTH: usize = 2;
/// HTML allows leading zeros without end, and what is held back of a stream has to have one.
pub(super) const MOST_DIGITS: usize = 24;

/// What a spelling stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// A byte as it is.
    Byte(u8),
    /// A number that some escape gave: of a character, a half of one in UTF-16, or a byte.
    Number(u32),
}

impl Unit {
    fn ascii(self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(byte),
            Self::Number(number) => u8::try_from(number).ok(),
        }
        .filter(u8::is_ascii)
    }
}

/// Which characters would be of use where one is read. Most escapes say nothing but the character
/// that they begin with, so where that is of no use they need no look.
type Wanted<'a> = &'a dyn Fn(u8) -> bool;

const NOTHING: Wanted<'static> = &|_| false;

/// Whether an escape that could spell something of use begins with this character.
pub(super) fn introduces(character: u8, wanted: Wanted<'_>) -> bool {
    match character {
        b'\\' | b'%' | b'&' => true,
        b'+' => wanted(b' '),
        b'\'' | b'"' | b'`' | b'$' | b'{' | b'}' | b']' => wanted(character),
        _ => false,
    }
}

/// A piece of text, read from any place.
#[derive(Debug)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    /// Nothing will follow.
    is_whole: bool,
    met_end: Cell<bool>,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8], is_whole: bool) -> Self {
        Self {
            bytes,
            is_whole,
            met_end: Cell::new(false),
        }
    }

    /// Whether a reading came to the end of the text, and more text could complete it.
    pub(super) fn is_open(&self) -> bool {
        self.met_end.get() && !self.is_whole
    }

    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        let byte = self.bytes.get(at).copied();
        if byte.is_none() {
            self.met_end.set(true);
        }
        byte
    }

    /// Every reading of what stands here, with the place after it. Some are told twice.
    pub(super) fn read(
        &self,
        at: usize,
        depth: usize,
        wanted: Wanted<'_>,
        found: &mut dyn FnMut(Unit, usize),
    ) {
        let Some(byte) = self.byte(at) else { return };
        found(Unit::Byte(byte), at + 1);
        // A character that begins an escape may be escaped itself, by one that begins here, too.
        let begins = |character| introduces(character, wanted);
        if depth == 0 || !begins(byte) {
            return;
        }
        self.read(at, depth - 1, &begins, &mut |unit, after| {
            if let Some(character) = unit.ascii().filter(|character| begins(*character)) {
                self.escape(character, at..after, depth - 1, wanted, found);
            }
        });
    }

    /// Where the text goes on after what a shell's quotes need and which stands for nothing: a
    /// change of quotes, a line that goes on.
    pub(super) fn seam(&self, at: usize, depth: usize, found: &mut dyn FnMut(usize)) {
        if matches!(self.bytes.get(at), Some(b'\'' | b'\\' | b'&' | b'%')) {
            for seam in ["''", "'$'", "\\\n"] {
                self.literal(seam.as_bytes(), at, depth - 1, found);
            }
        }
    }

    /// What follows the character that begins an escape and is spelled there.
    fn escape(
        &self,
        introducer: u8,
        spelled: Range<usize>,
        depth: usize,
        wanted: Wanted<'_>,
        found: &mut dyn FnMut(Unit, usize),
    ) {
        let at = spelled.end;
        match introducer {
            b'\\' => self.backslash(at, depth, wanted, found),
            b'%' => {
                self.percent(at, depth, found);
                self.again(spelled, &mut |after| found(Unit::Byte(b'%'), after));
            }
            b'&' => self.entity(at, depth, found),
            b'+' => found(Unit::Byte(b' '), at),
            quote => {
                let mut quoted = |after| found(Unit::Byte(quote), after);
                self.again(spelled, &mut quoted);
                if quote == b'\'' {
                    self.literal(br"\''", at, depth, &mut quoted);
                    self.literal(br#""'"'"#, at, depth, &mut quoted);
                }
            }
        }
    }

    fn backslash(
        &self,
        at: usize,
        depth: usize,
        wanted: Wanted<'_>,
        found: &mut dyn FnMut(Unit, usize),
    ) {
        self.characters(at, depth, wanted, &mut |character, after| {
            let mut number = |number, after| found(Unit::Number(number), after);
            match character {
                b'u' => {
                    self.digits(after, depth, (16, 4, 4), &mut number);
                    // As Rust and JavaScript have it.
                    self.literal(b"{", after, depth, &mut |digits| {
                        self.digits(digits, depth, (16, 1, 6), &mut |value, after| {
                            self.literal(b"}", after, depth, &mut |after| number(value, after));
                        });
                    });
                }
                b'U' => self.digits(after, depth, (16, 8, 8), &mut number),
                b'x' => self.digits(after, depth, (16, 2, 2), &mut number),
                // The first digit is read once more, as one of the number.
                b'0'..=b'7' => self.digits(at, depth, (8, 1, 3), &mut number),
                b'a' => number(7, after),
                b'b' => number(8, after),
                b't' => number(9, after),
                b'n' => number(10, after),
                b'v' => number(11, after),
                b'f' => number(12, after),
                b'r' => number(13, after),
                b'e' | b'E' => number(27, after),
                letter if letter.is_ascii_alphanumeric() => {}
                itself => found(Unit::Byte(itself), after),
            }
        });
    }

    /// The same once more, to the byte: a quote that opens a string of JSON and an escaped one that
    /// begins its content are not a doubled quote.
    fn again(&self, spelled: Range<usize>, found: &mut dyn FnMut(usize)) {
        let mut at = spelled.end;
        for known in spelled {
            if self.byte(at) != Some(self.bytes[known]) {
                return;
            }
            at += 1;
        }
        found(at);
    }

    fn percent(&self, at: usize, depth: usize, found: &mut dyn FnMut(Unit, usize)) {
        let mut number = |number, after| found(Unit::Number(number), after);
        self.digits(at, depth, (16, 2, 2), &mut number);
        // JavaScript's old `escape`.
        self.literal(b"u", at, depth, &mut |after| {
            self.digits(after, depth, (16, 4, 4), &mut number);
        });
    }

    fn entity(&self, at: usize, depth: usize, found: &mut dyn FnMut(Unit, usize)) {
        let mut number = |number, after| {
            self.literal(b";", after, depth, &mut |after| {
                found(Unit::Number(number), after);
            });
        };
        self.literal(b"#", at, depth, &mut |at| {
            self.digits(at, depth, (10, 1, MOST_DIGITS), &mut number);
            for x in [b"x", b"X"] {
                self.literal(x, at, depth, &mut |at| {
                    self.digits(at, depth, (16, 1, MOST_DIGITS), &mut number);
                });
            }
        });
        self.name(at, depth, &mut Vec::new(), &mut |name, after| {
            self.literal(b";", after, depth, &mut |after| {
                if let Some(character) = named(name) {
                    found(Unit::Number(u32::from(character)), after);
                }
            });
        });
    }

    /// Every beginning of a word, up to the longest name there is.
    fn name(
        &self,
        at: usize,
        depth: usize,
        name: &mut Vec<u8>,
        found: &mut dyn FnMut(&[u8], usize),
    ) {
        if name.len() == LONGEST_NAME {
            return;
        }
        self.characters(at, depth, NOTHING, &mut |character, after| {
            if character.is_ascii_alphanumeric() {
                name.push(character);
                found(name, after);
                self.name(after, depth, name, found);
                name.pop();
            }
        });
    }

    /// A number to the base, of at least and at most so many digits.
    fn digits(
        &self,
        at: usize,
        depth: usize,
        (base, least, most): (u32, usize, usize),
        found: &mut dyn FnMut(u32, usize),
    ) {
        self.more_digits(0, at, depth, (base, least, most), found);
    }

    fn more_digits(
        &self,
        value: u32,
        at: usize,
        depth: usize,
        (base, least, most): (u32, usize, usize),
        found: &mut dyn FnMut(u32, usize),
    ) {
        self.characters(at, depth, NOTHING, &mut |character, after| {
            let Some(digit) = char::from(character).to_digit(base) else {
                return;
            };
            let value = value.saturating_mul(base).saturating_add(digit);
            if least <= 1 {
                found(value, after);
            }
            if most > 1 {
                let limits = (base, least.saturating_sub(1), most - 1);
                self.more_digits(value, after, depth, limits, found);
            }
        });
    }

    /// Exactly these characters.
    fn literal(&self, text: &[u8], at: usize, depth: usize, found: &mut dyn FnMut(usize)) {
        let Some((first, rest)) = text.split_first() else {
            return found(at);
        };
        let wanted = |character| character == *first;
        self.characters(at, depth, &wanted, &mut |character, after| {
            if character == *first {
                self.literal(rest, after, depth, found);
            }
        });
    }

    fn characters(
        &self,
        at: usize,
        depth: usize,
        wanted: Wanted<'_>,
        found: &mut dyn FnMut(u8, usize),
    ) {
        self.read(at, depth, wanted, &mut |unit, after| {
            if let Some(character) = unit.ascii() {
                found(character, after);
            }
        });
    }
}
