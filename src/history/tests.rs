//! Owns the proof that a history keeps its form and its limits, whatever is read or added.
//!
//! Never reads a file.

use serde_json::json;

use super::*;

fn id(number: usize) -> String {
    let (day, hour) = (1 + number / 24, number % 24);
    format!("202611{day:02}T{hour:02}1442Z-{number:08x}")
}

fn entry(id: &str) -> Entry {
    let summary = json!({"run_id": id, "status": "success", "exit_code": 0});
    Entry::of_summary(summary.to_string().as_bytes()).unwrap()
}

#[test]
fn the_file_has_the_promised_form() {
    let summary = json!({"status": "failed", "exit_code": 1,
        "run_id": "20261122T061442Z-1a2b3c4d", "resumed": {"from": "20261121T061442Z-00000000"},
        "steps": [
            {"name": "run", "status": "success", "seconds": 12.3,
                "nodes": {"success": 29, "error": 0, "warn": 0, "skipped": 0}},
            {"name": "test", "status": "failed", "seconds": 2.0,
                "nodes": {"success": 1, "error": 1, "warn": 1, "skipped": 0}},
            {"name": "docs", "status": "skipped", "seconds": 0.0, "nodes": null}],
        "failed": [{"step": "test", "node": "test.shop.unique_a", "message": "no"}]});
    let mut entry = Entry::of_summary(summary.to_string().as_bytes()).unwrap();
    let node = |id: &str, seconds| NodeRun {
        id: id.to_owned(),
        state: NodeState::Success,
        status: String::new(),
        span: None,
        seconds,
        thread: None,
        rows: None,
        message: None,
        age: id.starts_with("source.").then_some(90.4),
        warns_after: None,
        fails_after: None,
    };
    let nodes = [
        node("model.shop.a", 1.0),
        node("model.shop.b", 2.0),
        node("source.shop.raw.a", 0.5),
    ];
    entry.complete(15.25, nodes.iter());
    let mut history = History::default();
    history.add(entry);
    let expected = json!({"v": 1, "runs": [{"id": "20261122T061442Z-1a2b3c4d",
        "started": "2026-11-22T06:14:42Z", "seconds": 15.25, "status": "failed", "code": 1,
        "resumes": "20261121T061442Z-00000000",
        "steps": [["run", "success", 12.3], ["test", "failed", 2.0], ["docs", "skipped", 0.0]],
        "nodes": {"success": 30, "error": 1, "warn": 1, "skipped": 0},
        "failed": ["test.shop.unique_a"],
        "slow": [["model.shop.b", 2.0], ["model.shop.a", 1.0]],
        "fresh": [["source.shop.raw.a", "pass", 90.0]]}]});
    let written = history.written();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
    assert_eq!(History::read(&written), Read::History(history));
}

#[test]
fn two_hundred_runs_are_kept_in_the_order_of_their_start() {
    let mut history = History::default();
    // Each second run ends before the one that began earlier.
    for pair in 0..150 {
        history.add(entry(&id(2 * pair + 1)));
        history.add(entry(&id(2 * pair)));
        history.add(entry(&id(2 * pair)));
    }
    let expected: Vec<String> = (100..300).map(id).collect();
    let found: Vec<String> = history.runs.iter().map(|run| run.id.clone()).collect();
    assert_eq!(found, expected);
}

#[test]
fn runs_that_waited_for_another_one_make_room_first() {
    let refused = |number| {
        let steps = json!([{"name": "run", "status": "skipped", "seconds": 0.0}]);
        let summary = json!({"run_id": id(number), "status": "error", "exit_code": 75,
            "steps": steps});
        Entry::of_summary(summary.to_string().as_bytes()).unwrap()
    };
    let mut history = History::default();
    history.add(entry(&id(0)));
    for number in 1..100 {
        history.add(refused(number));
    }
    assert_eq!(history.runs.len(), 100);
    for number in 100..290 {
        history.add(entry(&id(number)));
    }
    assert_eq!(history.runs.len(), MOST_RUNS);
    assert_eq!(history.runs[0].id, id(0));
    let refused = history.runs.iter().filter(|run| run.was_refused()).count();
    assert_eq!(refused, 9);
}

#[test]
fn what_a_summary_says_that_it_finished_is_a_run_or_nothing() {
    for (from, expected) in [
        (
            "20261121T061442Z-00000000",
            Some("20261121T061442Z-00000000"),
        ),
        ("javascript:alert(1)", None),
    ] {
        let summary = json!({"run_id": id(1), "status": "success", "exit_code": 0,
            "resumed": {"from": from, "refused": null}});
        let entry = Entry::of_summary(summary.to_string().as_bytes()).unwrap();
        assert_eq!(entry.resumes.as_deref(), expected);
    }
}

#[test]
fn its_size_is_bounded_whatever_the_names() {
    let long = "n".repeat(20_000);
    let mut history = History::default();
    for number in 0..200 {
        let failed: Vec<_> = (0..50).map(|_| json!({"node": long})).collect();
        let summary = json!({"run_id": id(number), "status": "failed", "exit_code": 1,
            "failed": failed});
        let mut entry = Entry::of_summary(summary.to_string().as_bytes()).unwrap();
        entry.slow = vec![(shortened(&long), 1.0); MOST_SLOW];
        history.add(entry);
    }
    let written = history.written();
    assert!(written.len() <= LARGEST_WRITTEN, "{} bytes", written.len());
    let Read::History(read) = History::read(&written) else {
        panic!("what was written cannot be read");
    };
    assert!(read.runs.len() > 50, "{} runs are left", read.runs.len());
    assert_eq!(read.runs.last().unwrap().id, id(199));
}

#[test]
fn what_is_not_a_history_is_told_from_one_of_a_later_version() {
    let sound = serde_json::to_value(entry(&id(1))).unwrap();
    let with = |name: &str, value: Value| {
        let mut entry = sound.clone();
        entry[name] = value;
        json!({"v": 1, "runs": [entry]}).to_string()
    };
    for (content, expected) in [
        (String::new(), Read::Malformed),
        ("[]".to_owned(), Read::Malformed),
        ("{\"v\": 1}".to_owned(), Read::Malformed),
        ("{\"runs\": []}".to_owned(), Read::Malformed),
        ("{\"v\": \"1\", \"runs\": []}".to_owned(), Read::Malformed),
        ("{\"v\": 2, \"anything\": []}".to_owned(), Read::Later),
        (with("id", json!("../../index.html")), Read::Malformed),
        (with("started", json!("yesterday")), Read::Malformed),
        (with("seconds", json!(-1)), Read::Malformed),
        (with("steps", json!([["run"]])), Read::Malformed),
        (with("code", json!(-1)), Read::Malformed),
        (
            with("resumes", json!("javascript:alert(1)")),
            Read::Malformed,
        ),
        (
            with("resumes", json!("https://evil.example/x")),
            Read::Malformed,
        ),
    ] {
        assert_eq!(History::read(content.as_bytes()), expected, "{content}");
    }
    let more = with("more", json!("than this version knows"));
    assert!(matches!(History::read(more.as_bytes()), Read::History(_)));
}

#[test]
fn a_summary_that_is_none_is_no_run() {
    for summary in [
        "",
        "{}",
        "{\"run_id\": \"x\", \"status\": \"success\", \"exit_code\": 0}",
        "{\"run_id\": \"20261122T061442Z-1a2b3c4d\", \"status\": \"success\"}",
    ] {
        assert_eq!(Entry::of_summary(summary.as_bytes()), None, "{summary}");
    }
}
