//! Owns the comparison: whether a value begins at a place of a text, however it is spelled, and
//! where it ends.
//!
//! Never looks for the place, never replaces anything, and keeps nothing of the text.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::spelling::{DEPTH, Text, Unit, introduces};
use crate::secret::Secret;

/// What a place of a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where the longest value that begins here ends.
    pub(super) end: Option<usize>,
    /// What follows the text could make it a value, or a longer one.
    pub(super) is_open: bool,
}

impl Hit {
    pub(super) fn is_any(self) -> bool {
        self.is_open || self.end.is_some()
    }
}

/// What the places of one text have led to so far: a rest of a value at a place of the text, and
/// the place where the value would begin. It never leads elsewhere than it did the first time, so
/// nobody follows it twice. A text of backslashes would take forever without this.
///
/// Rests that are as long and stand at the same place may be of two values, so the address counts.
#[derive(Debug, Default)]
pub(super) struct Followed(HashMap<(*const u8, usize), usize>);

/// As many are kept of a text at most: a megabyte and a half. Then all begin anew.
const MOST_FOLLOWED: usize = 1 << 15;

/// Values, sorted, so that those with the same first byte are neighbours.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    values: Vec<Secret>,
}

impl Matcher {
    pub(super) fn new(mut values: Vec<Secret>) -> Self {
        values.retain(|value| !value.is_empty());
        values.sort_unstable_by(|one, other| one.expose().cmp(other.expose()));
        values.dedup_by(|one, other| one.expose() == other.expose());
        Self { values }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What begins at this place. `is_whole`: no text follows.
    pub(super) fn at(&self, bytes: &[u8], start: usize, is_whole: bool) -> Hit {
        self.search(bytes, start, is_whole, &mut Followed::default())
            .0
    }

    /// Like `at`, for places that are asked in order. `followed` remembers what earlier places led
    /// to, none of which was left open. An end that an earlier place has reached already may not
    /// be reported again.
    pub(super) fn at_next(
        &self,
        bytes: &[u8],
        start: usize,
        is_whole: bool,
        followed: &mut Followed,
    ) -> Hit {
        if followed.0.len() > MOST_FOLLOWED {
            followed.0.clear();
        }
        let (hit, is_certain) = self.search(bytes, start, is_whole, followed);
        if is_certain {
            hit
        } else {
            self.at(bytes, start, is_whole)
        }
    }

    /// Also whether the end is that of a search which knows nothing of other places, or one that
    /// they have come to.
    fn search(
        &self,
        bytes: &[u8],
        start: usize,
        is_whole: bool,
        followed: &mut Followed,
    ) -> (Hit, bool) {
        let text = Text::new(bytes, is_whole);
        let mut search = Search {
            text: &text,
            start,
            left: Vec::new(),
            followed,
            met_others: false,
            ends: Vec::new(),
        };
        let begins_one = |byte| !self.beginning_with(byte).is_empty();
        text.read(start, DEPTH, &begins_one, &mut |unit, after| {
            text.bytes_of(unit, after, &mut |bytes, after| {
                for value in self.beginning_with(bytes[0]) {
                    if let Some(rest) = value.expose().strip_prefix(bytes) {
                        search.follow(rest, after);
                    }
                }
            });
        });
        search.run();
        let longest = search.ends.iter().max();
        let is_certain = !(search.met_others
            && longest.is_some_and(|end| ends_with_an_escaped_quote_and_another(&bytes[..*end])));
        let hit = Hit {
            end: end_of(&search.ends, bytes),
            is_open: text.is_open(),
        };
        (hit, is_certain)
    }

    fn beginning_with(&self, byte: u8) -> &[Secret] {
        let from = self
            .values
            .partition_point(|value| value.expose()[0] < byte);
        let same = self.values[from..].partition_point(|value| value.expose()[0] == byte);
        &self.values[from..from + same]
    }
}

/// The longest reading counts. Only where an escaped quote ends a value, the quote after it is the
/// one that ends the string of JSON or Python, not a doubled one.
fn end_of(ends: &[usize], text: &[u8]) -> Option<usize> {
    let longest = *ends.iter().max()?;
    if ends_with_an_escaped_quote_and_another(&text[..longest]) && ends.contains(&(longest - 1)) {
        Some(longest - 1)
    } else {
        Some(longest)
    }
}

fn ends_with_an_escaped_quote_and_another(text: &[u8]) -> bool {
    text.ends_with(br#"\"""#) || text.ends_with(br"\''")
}

/// One place of the text, with all that its readings lead to.
struct Search<'a> {
    text: &'a Text<'a>,
    start: usize,
    /// Rests of values that have come to an escape, and where.
    left: Vec<(&'a [u8], usize)>,
    followed: &'a mut Followed,
    /// Something was not followed, since an earlier place had led to it.
    met_others: bool,
    ends: Vec<usize>,
}

impl<'a> Search<'a> {
    /// Goes on with what is written as it is, which is nearly everything.
    fn follow(&mut self, mut rest: &'a [u8], mut at: usize) {
        loop {
            let Some((first, others)) = rest.split_first() else {
                self.ends.push(at);
                return;
            };
            let Some(byte) = self.text.byte(at) else {
                return;
            };
            // A seam begins with a quote, however little one is wanted.
            if byte == b'\'' || introduces(byte, &|character| character == *first) {
                match self.followed.0.entry((rest.as_ptr(), at)) {
                    Entry::Vacant(entry) => {
                        entry.insert(self.start);
                        self.left.push((rest, at));
                    }
                    Entry::Occupied(entry) => self.met_others |= *entry.get() != self.start,
                }
                return;
            }
            if byte != *first {
                return;
            }
            (rest, at) = (others, at + 1);
        }
    }

    fn run(&mut self) {
        let text = self.text;
        while let Some((rest, at)) = self.left.pop() {
            self.step(rest, at);
            text.seam(at, DEPTH, &mut |after| self.step(rest, after));
        }
    }

    /// One character of the value, however it is spelled.
    fn step(&mut self, rest: &'a [u8], at: usize) {
        let text = self.text;
        let wanted = |character| character == rest[0];
        text.read(at, DEPTH, &wanted, &mut |unit, after| {
            text.bytes_of(unit, after, &mut |bytes, after| {
                if let Some(rest) = rest.strip_prefix(bytes) {
                    self.follow(rest, after);
                }
            });
        });
    }
}

impl Text<'_> {
    /// The bytes that a unit can stand for, and where the text goes on after them.
    fn bytes_of(&self, unit: Unit, after: usize, found: &mut dyn FnMut(&[u8], usize)) {
        let number = match unit {
            Unit::Byte(byte) => return found(&[byte], after),
            Unit::Number(number) => number,
        };
        if let Some(character) = char::from_u32(number) {
            found(character.encode_utf8(&mut [0; 4]).as_bytes(), after);
        }
        match number {
            // Of a text in Latin-1, or of bytes; Python keeps a byte that is not UTF-8 in half a
            // character.
            0x80..=0xff | 0xdc80..=0xdcff => found(&[number.to_le_bytes()[0]], after),
            0xd800..=0xdbff => self.read(after, DEPTH, &|_| false, &mut |low, after| {
                if let Unit::Number(low @ 0xdc00..=0xdfff) = low
                    && let Some(character) =
                        char::from_u32(0x10000 + ((number - 0xd800) << 10) + (low - 0xdc00))
                {
                    found(character.encode_utf8(&mut [0; 4]).as_bytes(), after);
                }
            }),
            _ => {}
        }
    }
}
