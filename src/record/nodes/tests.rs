//! Owns the tests of what is known of a step's nodes: events, and what follows from them.
//!
//! Never runs a dbt.

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
    let run = |id: &str, status: &str| NodeRun {
        id: id.to_owned(),
        state: NodeState::of(status),
        status: status.to_owned(),
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
        run("begun", "pass"),
        run("told", "pass"),
        run("bad", "runtime error"),
        run("skipped", "skipped"),
        run("not selected", "success"),
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
        [end("begun", "pass"), end("bad", "runtime error")],
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
