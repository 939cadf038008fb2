//! Owns what happens to secret values in bytes that leave the program: their replacement in a
//! stream, and the search for them in a file.
//!
//! Pure: bytes in, bytes out. Never writes anywhere, and never keeps more of a stream than the
//! longest secret.

use std::borrow::Cow;
use std::io::{self, Read};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::secret::Secret;

mod forms;

/// What stands in the place of a secret. The length says nothing about it.
pub(crate) const MASK: &str = "*****";

/// Shorter values would be found inside ordinary words and ruin the output, and Redshift allows
/// none as a password.
pub(crate) const SHORTEST: usize = 8;

/// Above this size of all forms together the automaton is built as an NFA: a table of all
/// transitions would cost tens of megabytes.
const LARGEST_TABLE: usize = 4096;

/// All forms of all secrets, ready to be looked for.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    automaton: Option<AhoCorasick>,
    forms: Vec<Secret>,
}

impl Redactor {
    /// Takes the secret values; those under [`SHORTEST`] bytes are left out.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            if secret.len() >= SHORTEST {
                forms.extend(forms::of(secret.expose()));
            }
        }
        forms.sort_unstable();
        forms.dedup();
        let size: usize = forms.iter().map(Vec::len).sum();
        let kind = if size > LARGEST_TABLE {
            AhoCorasickKind::ContiguousNFA
        } else {
            AhoCorasickKind::DFA
        };
        // `Standard` reports every overlapping match: with leftmost-longest, a secret that begins
        // inside another one would leave its tail.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(kind))
            .build(&forms)
            .ok();
        Self {
            automaton: automaton.filter(|_| !forms.is_empty()),
            forms: forms.into_iter().map(Secret::new).collect(),
        }
    }

    /// Starts on a stream of its own; matches do not reach from one stream into another.
    pub(crate) fn stream(&self) -> Stream<'_> {
        Stream {
            redactor: self,
            held: Vec::new(),
            masked: 0,
        }
    }

    /// The text with every secret replaced.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self
            .automaton
            .as_ref()
            .is_some_and(|automaton| automaton.is_match(text))
        {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut stream = self.stream();
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    /// Whether any form of any secret stands in the bytes.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        self.automaton
            .as_ref()
            .is_some_and(|automaton| automaton.is_match(bytes))
    }

    /// The same for what a reader gives, in bounded memory. Fails as the reader does.
    pub(crate) fn is_in_reader(&self, reader: impl Read) -> io::Result<bool> {
        match &self.automaton {
            Some(automaton) => automaton
                .stream_find_iter(reader)
                .next()
                .transpose()
                .map(|found| found.is_some()),
            None => Ok(false),
        }
    }

    /// How many bytes at the end may be the beginning of a secret whose rest has not arrived.
    fn open_end(&self, data: &[u8]) -> usize {
        let Some(last) = data.last() else { return 0 };
        let mut longest = 0;
        for form in &self.forms {
            let beginning = &form.expose()[..form.len() - 1];
            for end in (longest..beginning.len().min(data.len())).rev() {
                if beginning[end] == *last && data.ends_with(&beginning[..=end]) {
                    longest = end + 1;
                    break;
                }
            }
        }
        longest
    }
}

/// One stream on its way through the redactor.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    redactor: &'a Redactor,
    /// The end of what was pushed, as far as it may begin a secret.
    held: Vec<u8>,
    /// How many bytes of `held` belong to a secret whose mask is already out.
    masked: usize,
}

impl Stream<'_> {
    /// Appends to `out` what can be said of the stream so far. What may be part of a secret is kept
    /// until more is known.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.redactor.automaton.is_none() {
            out.extend_from_slice(chunk);
        } else if self.held.is_empty() {
            self.scan(chunk, 0, self.redactor.open_end(chunk), out);
        } else {
            let mut data = std::mem::take(&mut self.held);
            data.extend_from_slice(chunk);
            self.scan(&data, self.masked, self.redactor.open_end(&data), out);
        }
    }

    /// Appends what was kept: the stream is over, so nothing in it can become a longer secret.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.scan(&held, self.masked, 0, out);
    }

    /// `masked`: the mask for so many bytes at the start of the data is out already. `open`: so
    /// many bytes at its end may be the beginning of a secret. What is found in those alone waits,
    /// too: it may lie inside of that secret.
    fn scan(&mut self, data: &[u8], masked: usize, open: usize, out: &mut Vec<u8>) {
        let Some(automaton) = &self.redactor.automaton else {
            return;
        };
        let open = data.len() - open;
        // Where the bytes that are still to be written begin.
        let mut next = masked;
        // Most output holds no secret: one quick search settles it.
        if automaton.is_match(data) {
            for (start, end) in merged(automaton, data)
                .into_iter()
                .filter(|(start, _)| *start < open)
            {
                if start >= next {
                    out.extend_from_slice(&data[next..start]);
                    out.extend_from_slice(MASK.as_bytes());
                }
                next = next.max(end);
            }
        }
        if next < open {
            out.extend_from_slice(&data[next..open]);
        }
        self.held.clear();
        self.held.extend_from_slice(&data[open..]);
        self.masked = next.saturating_sub(open);
    }
}

/// The matches, those that overlap made one, in order.
fn merged(automaton: &AhoCorasick, data: &[u8]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = automaton
        .find_overlapping_iter(data)
        .map(|found| (found.start(), found.end()))
        .collect();
    found.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(found.len());
    for (start, end) in found {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
