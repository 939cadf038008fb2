//! Owns what happens to secret values in bytes that leave the program: their replacement in a
//! stream, and the search for them in a file.
//!
//! Pure: bytes in, bytes out. Never writes anywhere, and never keeps more of a stream than one
//! spelling of the longest secret.

use std::borrow::Cow;

use crate::secret::Secret;

mod entities;
mod finder;
mod matcher;
mod spelling;

use finder::{Beginnings, Finder};
use matcher::{Followed, Matcher};

/// What stands in the place of a secret. The length says nothing about it.
pub(crate) const MASK: &str = "*****";

/// Shorter values would be found inside ordinary words and ruin the output, and Redshift allows
/// none as a password.
pub(crate) const SHORTEST: usize = 8;

/// All secrets, ready to be looked for.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    matcher: Matcher,
    beginnings: Beginnings,
}

impl Redactor {
    /// Takes the secret values; those under [`SHORTEST`] bytes are left out.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let parts = secrets
            .into_iter()
            .flat_map(|secret| parts(secret.expose()))
            .map(Secret::new);
        let matcher = Matcher::new(parts.collect());
        Self {
            beginnings: Beginnings::of(&matcher),
            matcher,
        }
    }

    /// Starts on a stream of its own; matches do not reach from one stream into another.
    pub(crate) fn stream(&self) -> Stream<'_> {
        Stream {
            redactor: self,
            finder: Finder::default(),
            held: Vec::new(),
            masked: 0,
            found: false,
        }
    }

    /// The text with every secret replaced.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.is_in(text.as_bytes()) {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut stream = self.stream();
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    /// Whether any secret stands in the bytes, however it is spelled.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let known = (&self.matcher, &self.beginnings);
        let followed = &mut Followed::default();
        Finder::default()
            .find(known, bytes, 0, true, followed)
            .is_some()
    }

    /// The same for content that comes in pieces, in bounded memory.
    pub(crate) fn search(&self) -> Search<'_> {
        Search {
            stream: self.stream(),
            out: Vec::new(),
        }
    }
}

/// The search for secrets in content that nobody changes.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    stream: Stream<'a>,
    out: Vec<u8>,
}

impl Search<'_> {
    /// Whether there is a secret in what has been pushed so far.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> bool {
        self.stream.push(chunk, &mut self.out);
        self.out.clear();
        self.stream.found
    }

    /// Whether there was a secret in it: nothing more will come.
    pub(crate) fn finish(mut self) -> bool {
        self.stream.finish(&mut self.out);
        self.stream.found
    }
}

/// What of a secret is looked for: programs drop the blanks and line ends around a value, and print
/// a value of several lines line by line.
fn parts(secret: &[u8]) -> Vec<&[u8]> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let trimmed = secret.trim_ascii();
    let lines = trimmed.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut parts: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
    parts.push(trimmed);
    parts.retain(|part| part.len() >= SHORTEST);
    if trimmed.len() < SHORTEST {
        parts.push(secret);
    }
    parts
}

/// One stream on its way through the redactor.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    redactor: &'a Redactor,
    finder: Finder,
    /// The end of what was pushed, as far as it may begin a secret.
    held: Vec<u8>,
    /// How many bytes of `held` belong to a secret whose mask is already out.
    masked: usize,
    /// There was a secret in it.
    found: bool,
}

impl Stream<'_> {
    /// Appends to `out` what can be said of the stream so far. What may be part of a secret is kept
    /// until more is known.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            self.scan(chunk, false, out);
        } else {
            let mut data = std::mem::take(&mut self.held);
            data.extend_from_slice(chunk);
            self.scan(&data, false, out);
        }
    }

    /// Appends what was kept: the stream is over, so nothing in it can become a longer secret.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.scan(&held, true, out);
    }

    fn scan(&mut self, data: &[u8], is_whole: bool, out: &mut Vec<u8>) {
        // Where the bytes begin that are neither written nor masked.
        let mut next = std::mem::take(&mut self.masked);
        let mut from = 0;
        let known = (&self.redactor.matcher, &self.redactor.beginnings);
        let mut followed = Followed::default();
        while let Some((start, hit)) = self.finder.find(known, data, from, is_whole, &mut followed)
        {
            if let Some(end) = hit.end {
                self.found = true;
                // What overlaps is one secret to those who read, and has one mask.
                if start >= next {
                    out.extend_from_slice(&data[next..start]);
                    out.extend_from_slice(MASK.as_bytes());
                }
                next = next.max(end);
            }
            if hit.is_open {
                if next < start {
                    out.extend_from_slice(&data[next..start]);
                }
                self.held.clear();
                self.held.extend_from_slice(&data[start..]);
                self.masked = next.saturating_sub(start);
                return;
            }
            from = start + 1;
        }
        out.extend_from_slice(&data[next..]);
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
