//! Owns the reading of what dbt writes of its nodes while it still writes: each time what has been
//! added, in bounded memory.
//!
//! Never waits for more, and passes over what it does not understand.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::nodes::NodeEvent;
use super::spans;
use crate::regular_file;

/// So much is read at once; the rest waits for the next time.
const AT_ONCE: usize = 4 << 20;
/// No event is longer; the queries among the spans may be.
const LONGEST_LINE: usize = 1 << 20;
/// Ten thousand nodes take some 50 MB.
const LARGEST: u64 = 256 << 20;

/// A file that grows.
#[derive(Debug)]
pub(crate) struct Feed {
    source: Source,
    /// `None` until it is there.
    file: Option<File>,
    read: u64,
    /// Of a line, as far as it has come.
    begun: Vec<u8>,
    /// The rest of a line that is too long.
    is_skipping: bool,
    /// The nodes of which a query was cancelled.
    cancelled: BTreeSet<String>,
}

#[derive(Debug)]
enum Source {
    /// Lines that are events already.
    Events,
    /// What dbt 2 writes.
    Spans(PathBuf),
}

impl Feed {
    /// Of the session.
    pub(crate) fn of_events(file: File) -> Self {
        Self::of(Source::Events, Some(file), 0)
    }

    /// Of a file that dbt 2 will write, or already has written to: then from its end on.
    pub(crate) fn of_spans(path: PathBuf) -> Self {
        let written = regular_file::open(&path).and_then(|file| file.metadata());
        let length = written.map_or(0, |metadata| metadata.len());
        Self::of(Source::Spans(path), None, length)
    }

    fn of(source: Source, file: Option<File>, read: u64) -> Self {
        Self {
            source,
            file,
            read,
            begun: Vec::new(),
            is_skipping: false,
            cancelled: BTreeSet::new(),
        }
    }

    /// Calls back for each event that has come since the last time. Says whether there may be more
    /// at once.
    pub(crate) fn read(&mut self, mut heard: impl FnMut(NodeEvent)) -> bool {
        if let (None, Source::Spans(path)) = (&self.file, &self.source) {
            self.file = regular_file::open(path).ok();
        }
        let Some(file) = &self.file else {
            return false;
        };
        let mut content = vec![0; AT_ONCE];
        let mut length = 0;
        while length < AT_ONCE && self.read < LARGEST {
            match file.read_at(&mut content[length..], self.read) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    length += count;
                    self.read += count as u64;
                }
            }
        }
        for part in content[..length].split_inclusive(|byte| *byte == b'\n') {
            let is_whole = part.ends_with(b"\n");
            if self.begun.len() + part.len() > LONGEST_LINE {
                self.is_skipping = true;
            }
            if self.is_skipping {
                self.begun.clear();
                self.is_skipping = !is_whole;
                continue;
            }
            self.begun.extend_from_slice(part);
            if is_whole {
                match self.source {
                    Source::Events => serde_json::from_slice(&self.begun).ok(),
                    Source::Spans(_) => spans::event_in(&self.begun, &mut self.cancelled),
                }
                .into_iter()
                .for_each(&mut heard);
                self.begun.clear();
            }
        }
        length == AT_ONCE
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn start(id: &str) -> String {
        format!("{{\"t\":\"start\",\"id\":\"{id}\",\"ts\":\"now\",\"thread\":null}}\n")
    }

    #[test]
    fn each_event_is_told_once_and_half_of_one_not_at_all() {
        let mut written = tempfile::tempfile().unwrap();
        let mut feed = Feed::of_events(written.try_clone().unwrap());
        let ids = |feed: &mut Feed| {
            let mut ids = Vec::new();
            feed.read(|event| {
                if let NodeEvent::Start { id, .. } = event {
                    ids.push(id);
                }
            });
            ids
        };
        assert!(ids(&mut feed).is_empty());
        let (begin, end) = (&start("b")[..9], &start("b")[9..]);
        write!(written, "{}nonsense\n{{}}\n{begin}", start("a")).unwrap();
        assert_eq!(ids(&mut feed), ["a"]);
        write!(written, "{end}").unwrap();
        assert_eq!(ids(&mut feed), ["b"]);
        let long = "x".repeat(2 * LONGEST_LINE);
        write!(written, "{long}\n{}", start("c")).unwrap();
        assert_eq!(ids(&mut feed), ["c"]);
        assert!(ids(&mut feed).is_empty());
    }

    #[test]
    fn spans_of_an_earlier_step_are_none_of_this_one() {
        let span = |id: &str| {
            format!(
                "{{\"record_type\":\"SpanStart\",\"start_time_unix_nano\":\"1\",\"event_type\":\
                 \"v1.NodeProcessed\",\"attributes\":{{\"unique_id\":\"{id}\",\"in_selection\":\
                 true}}}}\n"
            )
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spans.jsonl");
        let mut heard = 0;
        let mut late = Feed::of_spans(path.clone());
        assert!(!late.read(|_| heard += 1));
        std::fs::write(&path, span("a")).unwrap();
        late.read(|_| heard += 1);
        assert_eq!(heard, 1);
        let mut next = Feed::of_spans(path.clone());
        std::fs::write(&path, span("a") + &span("b")).unwrap();
        let mut events = Vec::new();
        next.read(|event| events.push(event));
        assert!(
            matches!(&events[..], [NodeEvent::Plan { ids, .. }] if ids == &["b"]),
            "{events:?}"
        );
    }
}
