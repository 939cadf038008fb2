//! Owns the tests of the decision: what is known of an earlier run, and what is left of it.
//!
//! Never reads a file: each case is a line of a table.

use super::*;
use crate::artifacts::Nodes;
use crate::config::OnFailure;

const PLAN: &str = "{\"t\":\"plan\",\"ids\":[\"a\",\"b\",\"c\"]}";
const A: &str = "{\"t\":\"end\",\"id\":\"a\",\"status\":\"success\"}";
const B: &str = "{\"t\":\"end\",\"id\":\"b\",\"status\":\"success\"}";
const C: &str = "{\"t\":\"end\",\"id\":\"c\",\"status\":\"success\"}";
const PART: &str = "{\"t\":\"plan\",\"ids\":[\"a\"],\"total\":3}";
const RESULTS: &str = "{\"results\":[{\"unique_id\":\"a\",\"status\":\"success\"},\
    {\"unique_id\":\"b\",\"status\":\"error\"},{\"unique_id\":\"c\",\"status\":\"error\"}]}";

fn step(name: &str, command: &str) -> Step {
    Step {
        name: name.to_owned(),
        command: command.split(' ').map(str::to_owned).collect(),
        on_failure: OnFailure::Stop,
        timeout: None,
    }
}

fn ended(status: &str, code: u8) -> EndedStep {
    EndedStep {
        status: status.to_owned(),
        exit_code: Some(code),
        nodes: None,
    }
}

fn decided(past: &Past, steps: &[Step], version: Option<&str>) -> Vec<Todo> {
    let (fingerprint, redactor) = (Fingerprint::default(), Redactor::default());
    let dbt = Identity {
        version: version.map(str::to_owned),
        ..Identity::default()
    };
    let present = Present {
        env: "dev",
        project: None,
        fingerprint: &fingerprint,
        dbt: &dbt,
        steps,
        redactor: &redactor,
        now: SystemTime::UNIX_EPOCH,
        within: Duration::MAX,
    };
    decide(past, &present, &Variables::new(), |step| {
        step.subcommand() == "docs"
    })
}

/// What becomes of a step, in a word or two.
fn in_short(todo: &Todo) -> String {
    match todo {
        Todo::Nothing => "nothing".to_owned(),
        Todo::Again => "again".to_owned(),
        Todo::All { why: None } => "all".to_owned(),
        Todo::All { why: Some(why) } => format!("all, since {why}"),
        Todo::Rest(rest) => {
            let left = results::statuses(&rest.state);
            let left = left.filter(|(_, status)| !is_success(status));
            let left: Vec<&str> = left.map(|(id, _)| id).collect();
            assert_eq!(
                left,
                rest.left.iter().map(String::as_str).collect::<Vec<_>>()
            );
            assert_eq!(rest.done, 3 - left.len());
            left.join(" ")
        }
    }
}

/// How a step ended, what its nodes have told, its results; and what is left of it.
#[test]
fn all_that_was_selected_and_is_not_known_to_be_done_is_left() {
    let unknown = "all, since what it had selected is not known";
    let (killed, failed, broken) = (None, Some(ended("failed", 1)), Some(ended("failed", 2)));
    let (cancelled, warned) = (Some(ended("cancelled", 2)), Some(ended("warned", 1)));
    for (ended, nodes, results, expected) in [
        (killed.clone(), vec![], None, "all"),
        (killed.clone(), vec![PLAN], None, "all"),
        (killed.clone(), vec![PLAN, A], None, "b c"),
        (killed.clone(), vec![PLAN, A, B], None, "c"),
        // Its end is not known, so the last node is run once more.
        (killed.clone(), vec![PLAN, A, B, C], None, "c"),
        (killed.clone(), vec![PLAN, C, B, A], None, "a"),
        (killed.clone(), vec![A, B], None, unknown),
        (killed.clone(), vec![PART, A], None, unknown),
        (killed.clone(), vec![PART, A, B], None, unknown),
        (
            killed.clone(),
            vec![
                PART,
                A,
                B,
                "{\"t\":\"plan\",\"ids\":[\"b\",\"c\"],\"total\":0}",
            ],
            None,
            "c",
        ),
        // Results alone say what was selected only if dbt ended by itself.
        (killed.clone(), vec![], Some(RESULTS), unknown),
        (cancelled.clone(), vec![], Some(RESULTS), unknown),
        (broken.clone(), vec![], Some(RESULTS), unknown),
        (failed.clone(), vec![], Some(RESULTS), "b c"),
        (failed.clone(), vec![], Some("{\"results\":"), unknown),
        (failed.clone(), vec![], None, "all"),
        // It may have been stopped by its timeout.
        (warned.clone(), vec![], Some(RESULTS), unknown),
        (warned, vec![PLAN, A], Some(RESULTS), "b c"),
        // Each knows of another node.
        (cancelled.clone(), vec![PLAN, B], Some(RESULTS), "c"),
        (cancelled.clone(), vec![PART, B], Some(RESULTS), "c"),
        (failed.clone(), vec![PLAN, B], Some("nonsense"), "a c"),
        // What was not selected is nobody's business.
        (
            failed,
            vec![PLAN, "{\"t\":\"end\",\"id\":\"z\",\"status\":\"success\"}"],
            None,
            "all",
        ),
    ] {
        let known = PastStep {
            ended: ended.clone(),
            nodes: (!nodes.is_empty()).then(|| NodeLog::read(nodes.join("\n").as_bytes())),
            results: results.map(|results| results.as_bytes().to_vec()),
            sources: None,
        };
        let past = Past { steps: vec![known] };
        let todo = decided(&past, &[step("run", "run")], Some("1.11.16"));
        assert_eq!(
            in_short(&todo[0]),
            expected,
            "{ended:?} {nodes:?} {results:?}"
        );
    }
}

/// What a step that is done has told and left, and what becomes of it and of the next one.
#[test]
fn results_that_are_lost_are_made_of_what_was_told_or_the_step_is_run_again() {
    let lost = "all, since an earlier attempt has run it, but its results cannot be had; all";
    let unknown = "all, since what it had selected is not known; all";
    let all = [PLAN, A, B, C].join("\n");
    for (command, nodes, results, expected) in [
        ("run", None, Some(RESULTS), "nothing; nothing"),
        ("run", None, None, lost),
        ("run", Some(all.clone()), None, "nothing; nothing"),
        ("run", Some([PLAN, A].join("\n")), None, "b c; all"),
        ("run", Some([PART, A].join("\n")), None, unknown),
        ("source freshness", None, Some(RESULTS), lost),
        ("source freshness", Some(all), None, lost),
    ] {
        let steps = [step("one", command), step("two", "test")];
        let end = EndedStep {
            nodes: Some(Nodes::default()),
            ..ended("success", 0)
        };
        let mut first = PastStep {
            ended: Some(end),
            nodes: nodes.as_ref().map(|nodes| NodeLog::read(nodes.as_bytes())),
            results: results.map(|results| results.as_bytes().to_vec()),
            sources: None,
        };
        first.restore_results(&steps[0], Some("1.11.16"));
        let second = PastStep {
            ended: Some(ended("success", 0)),
            ..PastStep::default()
        };
        let past = Past {
            steps: vec![first, second],
        };
        let todo = decided(&past, &steps, Some("1.11.16"));
        let todo: Vec<String> = todo.iter().map(in_short).collect();
        assert_eq!(todo.join("; "), expected, "{command} {nodes:?} {results:?}");
    }
}

/// When a run began, by the clock of its machine, and how long ago that may be.
#[test]
fn a_run_that_began_too_long_ago_or_in_the_future_is_not_finished() {
    let fingerprint = Fingerprint {
        project: Some("aa".to_owned()),
        profile: Some("bb".to_owned()),
        ..Fingerprint::default()
    };
    let (redactor, dbt) = (Redactor::default(), Identity::default());
    let at = |time: &str| Present {
        env: "dev",
        project: None,
        fingerprint: &fingerprint,
        dbt: &dbt,
        steps: &[],
        redactor: &redactor,
        now: humantime::parse_rfc3339(time).unwrap(),
        within: Duration::from_hours(6),
    };
    for (started, expected) in [
        ("2026-11-22T06:00:00Z", None),
        ("2026-11-22T00:00:01Z", None),
        ("2026-11-21T23:59:59Z", Some("it began more than 6h ago")),
        ("1970-01-01T00:00:00Z", Some("it began more than 6h ago")),
        ("2026-11-22T06:05:00Z", None),
        (
            "2199-01-01T00:00:00Z",
            Some("it begins more than 6h from now"),
        ),
    ] {
        let record = RunRecord::new("x", &at(started), None);
        let found = refusal(&record, None, &at("2026-11-22T06:00:00Z"));
        assert_eq!(found.is_some(), expected.is_some(), "{started}: {found:?}");
        let said = found.as_deref().unwrap_or_default();
        assert!(
            said.contains(expected.unwrap_or_default()),
            "{started}: {said}"
        );
    }
}

/// How the steps ended, and what becomes of each.
#[test]
fn steps_that_are_done_are_left_out_up_to_the_first_that_is_not() {
    let steps = [
        step("deps", "deps"),
        step("run", "run"),
        step("docs", "docs generate"),
        step("test", "test"),
        step("fresh", "source freshness"),
    ];
    for (statuses, expected) in [
        ("", "all all all all all"),
        ("success", "nothing all all all all"),
        ("success success", "nothing nothing all all all"),
        (
            "success success success success",
            "nothing nothing again nothing all",
        ),
        (
            "success failed success success success",
            "nothing all all all all",
        ),
        (
            "success warned success success failed",
            "nothing all all all all",
        ),
        (
            "resumed resumed resumed resumed killed",
            "nothing nothing again nothing all",
        ),
        (
            "success success success success success",
            "nothing nothing again nothing nothing",
        ),
        (
            "success cancelled skipped skipped skipped",
            "nothing all all all all",
        ),
        (
            "skipped skipped skipped skipped skipped",
            "all all all all all",
        ),
        ("something new", "all all all all all"),
    ] {
        let past = Past {
            steps: statuses
                .split(' ')
                .map(|status| PastStep {
                    ended: Some(ended(status, 0)),
                    ..PastStep::default()
                })
                .collect(),
        };
        let todo = decided(&past, &steps, None);
        let todo: Vec<String> = todo.iter().map(in_short).collect();
        assert_eq!(todo.join(" "), expected, "{statuses}");
    }
}

/// A command, dbt's version; and the command that finishes it, or why none does.
#[test]
fn retry_does_the_same_or_is_not_asked() {
    let unknown = "all, since nobody knows the version of dbt, and so whether it has retry";
    for (command, version, expected) in [
        ("run", "1.11.16", "retry"),
        ("run", "1.6.0", "retry"),
        ("run", "1.5.11", "all, since dbt 1.5.11 has no retry"),
        ("run", "", unknown),
        ("run", "unknown", unknown),
        (
            "test -s a b --exclude c -t live",
            "1.8.0",
            "retry --target live",
        ),
        (
            "build --vars {a:1} --threads=4 -t x",
            "1.8.0",
            "retry --target x --vars {a:1} --threads 4",
        ),
        ("run --full-refresh", "1.11.16", "retry"),
        (
            "run -f",
            "1.6.3",
            "all, since dbt retry may not know its argument \"-f\"",
        ),
        (
            "run --empty",
            "1.11.16",
            "all, since dbt retry may not know its argument \"--empty\"",
        ),
        (
            "run --vars {a",
            "1.11.16",
            "all, since its --vars cannot be read without dbt",
        ),
        (
            "build --exclude test_type:generic",
            "2.0.0",
            "retry --exclude resource_type:test resource_type:unit_test",
        ),
        (
            "run",
            "2.0.0-alpha.4",
            "retry --exclude resource_type:test resource_type:unit_test",
        ),
        (
            "run -x",
            "2.0.0",
            "all, since dbt retry may not know its argument \"-x\"",
        ),
        ("compile", "1.11.16", "all"),
        ("run-operation x", "1.11.16", "all"),
    ] {
        let known = PastStep {
            nodes: Some(NodeLog::read([PLAN, A].join("\n").as_bytes())),
            ..PastStep::default()
        };
        let past = Past { steps: vec![known] };
        let todo = decided(&past, &[step("step", command)], Some(version));
        let found = match &todo[0] {
            Todo::Rest(rest) => rest.command.join(" "),
            other => in_short(other),
        };
        assert_eq!(found, expected, "{command} with {version}");
    }
}

#[test]
fn what_dbt_2_tests_is_left_out_only_if_no_test_was_selected() {
    for (other, expected) in [
        (
            "model.shop.b",
            "retry --exclude resource_type:test resource_type:unit_test",
        ),
        ("test.shop.b", "retry"),
        ("unit_test.shop.b", "retry"),
    ] {
        let plan = format!("{{\"t\":\"plan\",\"ids\":[\"a\",\"{other}\"]}}");
        let known = PastStep {
            nodes: Some(NodeLog::read([&plan, A].join("\n").as_bytes())),
            ..PastStep::default()
        };
        let past = Past { steps: vec![known] };
        let todo = decided(&past, &[step("step", "build")], Some("2.0.0"));
        let Todo::Rest(rest) = &todo[0] else {
            panic!("{other}: {todo:?}");
        };
        assert_eq!(rest.command.join(" "), expected, "{other}");
    }
}
