//! Owns where to look: it quickly skips text at which no value can begin.
//!
//! All it knows comes from asking the matcher about short beginnings of text, so the two can never
//! disagree. Never decides what is a value.

use std::fmt;

use super::matcher::{Followed, Hit, Matcher};

/// With which two bytes a value can begin, in any spelling: one bit for each pair. This look at
/// every byte of a stream is all that most of it costs.
pub(super) struct Beginnings(Box<[u64; 1024]>);

impl Default for Beginnings {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl Beginnings {
    pub(super) fn of(matcher: &Matcher) -> Self {
        let mut pairs = Self::default();
        for first in 0..=u8::MAX {
            if matcher.at(&[first], 0, false).is_any() {
                for second in 0..=u8::MAX {
                    if matcher.at(&[first, second], 0, false).is_any() {
                        let pair = usize::from(first) << 8 | usize::from(second);
                        pairs.0[pair / 64] |= 1 << (pair % 64);
                    }
                }
            }
        }
        pairs
    }

    /// The first place from here that is worth a look. The last byte always is, since nobody knows
    /// what follows it.
    fn first(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let found = rest.windows(2).position(|pair| {
            let pair = usize::from(pair[0]) << 8 | usize::from(pair[1]);
            self.0[pair / 64] >> (pair % 64) & 1 == 1
        });
        Some(from + found.unwrap_or(rest.len() - 1))
    }
}

impl fmt::Debug for Beginnings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They tell of the values.
        formatter.write_str("Beginnings")
    }
}

/// Text escapes the same characters again and again, and each takes the matcher some hundred
/// nanoseconds. So its answers are kept, as a tree of the beginnings that it was asked about.
#[derive(Debug, Default)]
pub(super) struct Finder {
    nodes: Vec<[u16; 256]>,
}

/// What a node says of the text that is longer by this byte: not asked yet, no value begins so, one
/// may have ended. Any other number is that of the node for this text.
const UNKNOWN: u16 = 0;
const DEAD: u16 = 1;
const ENDED: u16 = 2;
const FIRST_NODE: u16 = 3;
/// What is alive for longer than this is hardly ever something else than a value.
const LONGEST: usize = 16;
/// Half a kilobyte each. When there are more, all begin anew.
const MOST_NODES: usize = 2048;

impl Finder {
    /// The first place, not before `from`, at which a value begins or may begin. `is_whole`: no
    /// text follows. `followed`: what the places before `from` have led to.
    pub(super) fn find(
        &mut self,
        (matcher, beginnings): (&Matcher, &Beginnings),
        text: &[u8],
        from: usize,
        is_whole: bool,
        followed: &mut Followed,
    ) -> Option<(usize, Hit)> {
        if matcher.is_empty() {
            return None;
        }
        let mut from = from;
        while let Some(start) = beginnings.first(text, from) {
            if self.is_worth_a_look(matcher, &text[start..]) {
                let hit = matcher.at_next(text, start, is_whole, followed);
                if hit.is_any() {
                    return Some((start, hit));
                }
            }
            from = start + 1;
        }
        None
    }

    fn is_worth_a_look(&mut self, matcher: &Matcher, text: &[u8]) -> bool {
        if self.nodes.len() > MOST_NODES {
            self.nodes.clear();
        }
        if self.nodes.is_empty() {
            self.nodes.push([UNKNOWN; 256]);
        }
        let mut node = 0;
        for (place, byte) in text.iter().enumerate().take(LONGEST) {
            let byte = usize::from(*byte);
            let mut next = self.nodes[node][byte];
            if next == UNKNOWN {
                let hit = matcher.at(&text[..=place], 0, false);
                next = match (hit.end, hit.is_open) {
                    (Some(_), _) => ENDED,
                    (None, true) => {
                        self.nodes.push([UNKNOWN; 256]);
                        u16::try_from(self.nodes.len() - 1).map_or(ENDED, |new| new + FIRST_NODE)
                    }
                    (None, false) => DEAD,
                };
                self.nodes[node][byte] = next;
            }
            match next {
                DEAD => return false,
                ENDED => return true,
                next => node = usize::from(next - FIRST_NODE),
            }
        }
        true
    }
}
