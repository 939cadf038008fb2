//! Owns the nodes of one step, as `nodes.ndjson` has them: what it has selected, and what has
//! become of each node so far.
//!
//! What is not certain counts as not done: a node is rather run twice than never.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use crate::artifacts::{NodeRun, NodeState, is_success, time};
use crate::dbt::NodeEvent;
use crate::redact::Redactor;

/// More events than any project has; more could fill the memory.
const MOST_EVENTS: usize = 1_000_000;
const LONGEST_MESSAGE: usize = 500;

/// What is known of a step's nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NodeLog {
    /// What the step has selected, as far as that is known.
    ids: BTreeSet<String>,
    is_planned: bool,
    /// dbt has told some of it while it ran, in whichever attempt.
    is_told: bool,
    /// How many there are, where not all are known by name.
    total: Option<usize>,
    states: BTreeMap<String, State>,
    /// Each event as a line.
    lines: Vec<(String, String)>,
}

/// The batches of a microbatch model have its id: it has ended when all have that began.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    starts: usize,
    ends: usize,
    /// The last end.
    end: Option<NodeEvent>,
}

impl NodeLog {
    /// Takes in what dbt tells, without secrets.
    pub(crate) fn hear(&mut self, event: NodeEvent, redactor: &Redactor) {
        self.is_told |= !matches!(event, NodeEvent::Silent { .. });
        self.take_in(event, redactor);
    }

    fn take_in(&mut self, event: NodeEvent, redactor: &Redactor) {
        if self.lines.len() >= MOST_EVENTS {
            return;
        }
        let event = match event {
            NodeEvent::Plan { ids, total } => {
                self.is_planned = true;
                self.ids.extend(ids);
                if total.is_some() {
                    self.total = self.total.max(total);
                }
                return;
            }
            NodeEvent::Silent { .. } => return,
            NodeEvent::End {
                id,
                ts,
                thread,
                status,
                s,
                rows,
                msg,
            } => NodeEvent::End {
                msg: msg.map(|msg| shortened(&msg, redactor)),
                id,
                ts,
                thread,
                status,
                s,
                rows,
            },
            start @ NodeEvent::Start { .. } => start,
        };
        let Ok(line) = serde_json::to_string(&event) else {
            return;
        };
        let (NodeEvent::Start { id, .. } | NodeEvent::End { id, .. }) = &event else {
            return;
        };
        let id = id.clone();
        let state = self.states.entry(id.clone()).or_default();
        if matches!(event, NodeEvent::End { .. }) {
            // Some ends are told twice, the second time with less.
            if state.ends > 0 && state.ends >= state.starts {
                return;
            }
            state.ends += 1;
            state.end = Some(event);
        } else {
            state.starts += 1;
        }
        self.lines.push((id, redactor.text(&line).into_owned()));
    }

    /// What another run has left. A line that is malformed, or cut off, says nothing.
    pub(crate) fn read(content: &[u8]) -> Self {
        let mut log = Self::default();
        let nothing = Redactor::default();
        for line in content.split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice(line) {
                log.hear(event, &nothing);
            }
        }
        log
    }

    /// One JSON object a line, the plan first; `None` where dbt has told nothing.
    pub(crate) fn text(&self) -> Option<String> {
        if !self.is_told {
            return None;
        }
        let plan = NodeEvent::Plan {
            ids: self.ids.iter().cloned().collect(),
            // Zero where not even the number is known: then nobody takes the ids for all.
            total: match self.plan() {
                Some(_) => None,
                None => Some(self.total.unwrap_or_default()),
            },
        };
        let mut text = serde_json::to_string(&plan).ok()?;
        text.push('\n');
        for (_, line) in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        Some(text)
    }

    /// How much has been heard; grows with each event.
    pub(crate) fn size(&self) -> usize {
        self.lines.len() + self.ids.len() + usize::from(self.is_planned)
    }

    /// Whether dbt has told any of it while it ran.
    pub(crate) fn is_told(&self) -> bool {
        self.is_told
    }

    /// All that the step has selected; `None` where that is not known for certain.
    pub(crate) fn plan(&self) -> Option<&BTreeSet<String>> {
        let is_whole = self
            .total
            .is_none_or(|total| total > 0 && self.ids.len() >= total);
        (self.is_planned && is_whole).then_some(&self.ids)
    }

    /// Adds the names of nodes that have results to a plan that may lack some.
    pub(crate) fn complete_plan<'a>(&mut self, ids: impl IntoIterator<Item = &'a String>) {
        if self.is_planned {
            self.ids.extend(ids.into_iter().cloned());
        }
    }

    /// Adds the ends of nodes that have results, where dbt has told none of them.
    pub(crate) fn complete_ends(&mut self, runs: &[NodeRun], redactor: &Redactor) {
        for run in runs {
            if run.state.has_run() && self.ids.contains(&run.id) && !self.has_run(&run.id) {
                self.take_in(end_of(run), redactor);
            }
        }
    }

    /// Sets the plan of a step that has told none itself.
    pub(super) fn set_plan(&mut self, ids: BTreeSet<String>) {
        self.is_planned = true;
        self.total = None;
        self.ids = ids;
    }

    /// The last end of each node that has succeeded.
    pub(super) fn succeeded(&self) -> impl Iterator<Item = (&str, &NodeEvent)> {
        self.states.iter().filter_map(|(id, state)| {
            let end = state.end.as_ref()?;
            let NodeEvent::End { status, .. } = end else {
                return None;
            };
            (state.ends >= state.starts && is_success(status)).then_some((id.as_str(), end))
        })
    }

    /// How a node has ended last, if it has.
    pub(super) fn end(&self, id: &str) -> Option<&NodeEvent> {
        self.states.get(id)?.end.as_ref()
    }

    /// Those of the nodes that have not run to an end.
    pub(crate) fn not_run<'a>(&self, ids: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
        let ids = ids.filter(|id| !self.has_run(id));
        ids.map(String::as_str).collect()
    }

    fn has_run(&self, id: &str) -> bool {
        match self.end(id) {
            Some(NodeEvent::End { status, .. }) => NodeState::of(status).has_run(),
            _ => false,
        }
    }

    /// The nodes that have ended, as far as their ends say how they ran.
    pub(crate) fn ended(&self) -> Vec<NodeRun> {
        let ends = self.states.values().filter_map(|state| state.end.as_ref());
        let runs = ends.filter_map(|end| match end {
            NodeEvent::End {
                id,
                ts,
                thread,
                status,
                s,
                msg,
                ..
            } => Some(NodeRun {
                id: id.clone(),
                state: NodeState::of(status),
                span: time(ts).map(|end| (end - s.max(0.0), end)),
                seconds: s.max(0.0),
                thread: thread.clone(),
                rows: None,
                message: msg.clone(),
                age: None,
                warns_after: None,
                fails_after: None,
            }),
            _ => None,
        });
        runs.collect()
    }

    /// The nodes that have begun and not ended.
    pub(crate) fn running(&self) -> Vec<String> {
        let states = self.states.iter();
        let running = states.filter(|(_, state)| state.ends < state.starts);
        running.map(|(id, _)| id.clone()).collect()
    }

    /// The node that has succeeded last.
    pub(super) fn last_success(&self) -> Option<&str> {
        let succeeded: BTreeSet<&str> = self.succeeded().map(|(id, _)| id).collect();
        let ids = self.lines.iter().rev().map(|(id, _)| id.as_str());
        ids.into_iter().find(|id| succeeded.contains(id))
    }

    /// Forgets all nodes but these, of what has happened; the plan stays.
    pub(super) fn keep_only(&mut self, done: &BTreeSet<String>) {
        self.lines.retain(|(id, _)| done.contains(id));
        self.states.retain(|id, _| done.contains(id));
    }
}

/// The end of a node by its result.
fn end_of(run: &NodeRun) -> NodeEvent {
    let end = run
        .span
        .map(|(_, end)| UNIX_EPOCH + Duration::from_secs_f64(end));
    NodeEvent::End {
        id: run.id.clone(),
        ts: end.map_or_else(String::new, |end| {
            humantime::format_rfc3339_micros(end).to_string()
        }),
        thread: run.thread.clone(),
        status: run.state.word().to_owned(),
        s: run.seconds,
        #[expect(clippy::cast_possible_truncation, reason = "dbt told a whole number")]
        rows: run.rows.map(|rows| rows as i64),
        msg: run.message.clone(),
    }
}

/// The beginning of a message, without secrets.
fn shortened(message: &str, redactor: &Redactor) -> String {
    let mut redacted = Vec::new();
    let mut stream = redactor.stream();
    stream.push(message.as_bytes(), &mut redacted);
    // A longer one may have been cut in the midst of a secret: what may begin one is left out.
    if message.len() <= LONGEST_MESSAGE {
        stream.finish(&mut redacted);
    }
    let redacted = String::from_utf8_lossy(&redacted);
    redacted.chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::secret::Secret;

    fn log(events: &[Value]) -> NodeLog {
        let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
        NodeLog::read(lines.join("\n").as_bytes())
    }

    fn start(id: &str) -> Value {
        json!({"t": "start", "id": id, "ts": "…", "thread": "Thread-1"})
    }

    fn end(id: &str, status: &str) -> Value {
        json!({"t": "end", "id": id, "ts": "…", "thread": "Thread-1", "status": status, "s": 1.5,
            "rows": 7, "msg": "SELECT 7"})
    }

    #[test]
    fn the_file_has_the_promised_form() {
        let mut log = log(&[
            json!({"t": "plan", "ids": ["b", "a"]}),
            start("a"),
            end("a", "success"),
        ]);
        let expected = concat!(
            "{\"t\":\"plan\",\"ids\":[\"a\",\"b\"]}\n",
            "{\"t\":\"start\",\"id\":\"a\",\"ts\":\"…\",\"thread\":\"Thread-1\"}\n",
            "{\"t\":\"end\",\"id\":\"a\",\"ts\":\"…\",\"thread\":\"Thread-1\",",
            "\"status\":\"success\",\"s\":1.5,\"rows\":7,\"msg\":\"SELECT 7\"}\n",
        );
        assert_eq!(log.text().unwrap(), expected);
        let secret = Secret::new("Sup3r/Secret@Pass".to_owned());
        let message = format!("no: Sup3r/Secret@Pass {}", "ü".repeat(600));
        let event = json!({"t": "end", "id": "b", "status": "error", "msg": message});
        let event = serde_json::from_value(event).unwrap();
        log.hear(event, &Redactor::new([&secret]));
        let text = log.text().unwrap();
        assert!(
            text.contains("no: ***** ü") && !text.contains("Sup3r"),
            "{text}"
        );
        assert!(text.lines().last().unwrap().chars().count() < 620, "{text}");
        assert_eq!(NodeLog::default().text(), None);
    }

    /// A message, and what is kept of it.
    #[test]
    fn no_part_of_a_secret_is_left_where_a_message_is_cut() {
        let long = "0123456789abcdef".repeat(400);
        let (short, long) = (
            Secret::new("Sup3r/Secret@Pass".to_owned()),
            Secret::new(long),
        );
        let redactor = Redactor::new([&short, &long]);
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let (short, long) = (text(&short), text(&long));
        for (message, expected) in [
            (format!("no: {short}"), "no: *****"),
            // Of a whole message, what only looks like the beginning of a secret stays.
            ("no: Sup3r".to_owned(), "no: Sup3r"),
            (format!("no: {long} {long}"), "no: ***** *****"),
            (format!("no: {long} {}", &long[..6_000]), "no: ***** "),
            (format!("no: {}", &long[..6_000]), "no: "),
            (format!("no: {long} {}", &short[..16]), "no: ***** "),
        ] {
            assert_eq!(shortened(&message, &redactor), expected);
        }
    }

    #[test]
    fn results_stand_in_for_ends_that_nobody_told() {
        let plan = json!({"t": "plan", "ids": ["bad", "begun", "told", "never", "skipped"]});
        let mut log = log(&[plan, start("begun"), start("told"), end("told", "pass")]);
        let run = |id: &str, state| NodeRun {
            id: id.to_owned(),
            state,
            span: Some((1.0, 3.5)),
            seconds: 2.5,
            thread: Some("Thread-1".to_owned()),
            rows: Some(7.0),
            message: None,
            age: None,
            warns_after: None,
            fails_after: None,
        };
        let runs = [
            run("begun", NodeState::Success),
            run("told", NodeState::Success),
            run("bad", NodeState::Error),
            run("skipped", NodeState::Skipped),
            run("not selected", NodeState::Success),
        ];
        log.complete_ends(&runs, &Redactor::default());
        let text = log.text().unwrap();
        let ends: Vec<&str> = text.lines().skip(4).collect();
        let end = |id, status| {
            format!(
                "{{\"t\":\"end\",\"id\":\"{id}\",\"ts\":\"1970-01-01T00:00:03.500000Z\",\
                 \"thread\":\"Thread-1\",\"status\":\"{status}\",\"s\":2.5,\"rows\":7,\
                 \"msg\":null}}"
            )
        };
        assert_eq!(
            ends,
            [end("begun", "success"), end("bad", "error")],
            "{text}"
        );
        let running = log.running();
        assert_eq!(running, Vec::<String>::new());
    }

    /// Events, and what has succeeded by them.
    #[test]
    fn only_what_has_ended_well_is_done() {
        for (events, expected) in [
            (vec![start("a")], ""),
            (vec![start("a"), end("a", "success")], "a"),
            (vec![start("a"), end("a", "Pass")], "a"),
            (vec![start("a"), end("a", "warn")], "a"),
            (vec![start("a"), end("a", "no-op")], "a"),
            (vec![end("a", "success")], "a"),
            (vec![start("a"), end("a", "error")], ""),
            (vec![start("a"), end("a", "fail")], ""),
            (vec![start("a"), end("a", "skipped")], ""),
            (vec![start("a"), end("a", "canceled")], ""),
            (vec![start("a"), end("a", "something new")], ""),
            (
                vec![
                    start("a"),
                    end("a", "error"),
                    start("a"),
                    end("a", "success"),
                ],
                "a",
            ),
            (vec![start("a"), end("a", "error"), end("a", "success")], ""),
            // Batches of a microbatch model, which end before it does.
            (vec![start("a"), start("a"), end("a", "success")], ""),
            (
                vec![
                    start("a"),
                    start("a"),
                    end("a", "success"),
                    end("a", "partial success"),
                ],
                "",
            ),
            (
                vec![
                    start("a"),
                    start("a"),
                    end("a", "success"),
                    end("a", "success"),
                ],
                "a",
            ),
        ] {
            let log = log(&events);
            let done: Vec<&str> = log.succeeded().map(|(id, _)| id).collect();
            assert_eq!(done.join(" "), expected, "{events:?}");
        }
    }

    /// Events, and whether what the step has selected is known by them.
    #[test]
    fn a_plan_is_known_only_if_it_is_whole() {
        for (events, expected) in [
            (vec![], None),
            (vec![start("a"), end("a", "success")], None),
            (vec![json!({"t": "plan", "ids": []})], Some("")),
            (vec![json!({"t": "plan", "ids": ["a", "b"]})], Some("a b")),
            (
                vec![
                    json!({"t": "plan", "ids": ["a"]}),
                    json!({"t": "plan", "ids": ["b"]}),
                ],
                Some("a b"),
            ),
            (vec![json!({"t": "plan", "ids": ["a"], "total": 2})], None),
            (vec![json!({"t": "plan", "ids": ["a"], "total": 0})], None),
            (
                vec![
                    json!({"t": "plan", "ids": [], "total": 2}),
                    json!({"t": "plan", "ids": ["a"], "total": 0}),
                    start("b"),
                ],
                None,
            ),
            (
                vec![
                    json!({"t": "plan", "ids": [], "total": 2}),
                    json!({"t": "plan", "ids": ["a"], "total": 0}),
                    json!({"t": "plan", "ids": ["b"], "total": 0}),
                ],
                Some("a b"),
            ),
            (vec![json!({"t": "plan", "ids": "a"})], None),
            (vec![json!({"t": "plan"})], None),
        ] {
            let log = log(&events);
            let plan = log.plan().map(|ids| {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                ids.join(" ")
            });
            assert_eq!(plan.as_deref(), expected, "{events:?}");
            // What is written is read as the same.
            if let Some(text) = log.text() {
                assert_eq!(NodeLog::read(text.as_bytes()).plan(), log.plan(), "{text}");
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_never_says_more() {
        let whole = log(&[
            json!({"t": "plan", "ids": ["a", "b"]}),
            start("a"),
            start("b"),
            end("a", "success"),
            end("b", "error"),
        ])
        .text()
        .unwrap();
        for length in 0..whole.len() {
            let log = NodeLog::read(&whole.as_bytes()[..length]);
            assert!(log.plan().is_none_or(|ids| ids.len() == 2), "{length}");
            assert!(log.succeeded().all(|(id, _)| id == "a"), "{length}");
        }
    }
}
