//! Runs that are killed anywhere, each finished by others until it is green, on a real dbt and
//! DuckDB: no node is lost, and none that is known to be done is run once more.
//!
//! `DBT_ENTRYPOINT_TEST_KILLS` says how many, and `DBT_ENTRYPOINT_TEST_SEED` which.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::deployment::run_id;
use crate::support::processes;
use crate::support::project::{DUCKDB_PROFILE, Project, REDSHIFT_PROFILE, with_real_dbt};
use crate::support::repo;
use crate::support::result::Finished;
use crate::support::runner::{Runner, Running};
use crate::support::standin::Standin;

const MODELS: usize = 20;
const TESTS: usize = 10;
/// So many runs are killed in the suite; more by hand.
const KILLS: u64 = 2;

/// Twenty models in four layers, and a test for each second one.
fn project() -> Project {
    let project = Project::new(if on_standin() {
        REDSHIFT_PROFILE
    } else {
        DUCKDB_PROFILE
    });
    let mut tests = "models:\n".to_owned();
    for model in 0..MODELS {
        let from = match model.checked_sub(5) {
            Some(parent) => format!("select id from {{{{ ref('m{parent:02}') }}}}"),
            None if on_standin() => "select generate_series(1, 1000) as id".to_owned(),
            None => "select range as id from range(1000)".to_owned(),
        };
        let sql = format!("{{{{ config(materialized='table') }}}}\n{from}\n");
        project.write(&format!("models/m{model:02}.sql"), sql);
        if model % 2 == 0 {
            writeln!(
                tests,
                "  - name: m{model:02}\n    columns: [{{name: id, data_tests: [not_null]}}]"
            )
            .unwrap();
        }
    }
    project.write("models/tests.yml", tests);
    project
}

/// By hand, the stand-in of Redshift takes the place of DuckDB.
fn on_standin() -> bool {
    repo::number("DBT_ENTRYPOINT_TEST_KILLS_ON_STANDIN", 0) == 1
}

fn runner(project: &Project, place: &Path, standin: Option<&Standin>) -> Runner {
    let runner = with_real_dbt(Runner::new(project.path()));
    let runner = match standin {
        Some(standin) => standin.attach(runner),
        None => runner.env("DBT_ENTRYPOINT_CREDENTIALS", "none"),
    };
    runner
        .env("DBT_ENTRYPOINT_STEPS", "run,test")
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", place.display()),
        )
        .args(["--publish", "always", "--resume", "last"])
}

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

#[derive(Debug, Clone, Copy)]
enum Kill {
    /// Of the runner.
    Stop(Signal),
    /// Of dbt alone, as by the kernel for lack of memory, or by somebody.
    Dbt(Signal),
    /// Of all at once, as a container dies.
    Container,
}

const KINDS: [Kill; 6] = [
    Kill::Stop(Signal::SIGINT),
    Kill::Stop(Signal::SIGTERM),
    Kill::Dbt(Signal::SIGKILL),
    Kill::Dbt(Signal::SIGINT),
    Kill::Container,
    Kill::Container,
];

fn strike(running: &Running, kind: Kill) {
    let marker = running.marker().to_owned();
    match kind {
        Kill::Stop(signal) => running.signal(signal),
        Kill::Container => processes::kill_all(&marker),
        Kill::Dbt(signal) => {
            let host = processes::host(running.pid(), &marker);
            let parent = host.unwrap_or(running.pid());
            let steps = processes::with_marker(&marker)
                .into_iter()
                .filter(|pid| Some(*pid) != host && processes::parent(*pid) == Some(parent));
            // By now it may be gone.
            for pid in steps {
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
    }
}

/// Each step with its folder in the ledger, and how many nodes it has.
const STEPS: [(&str, &str, usize); 2] = [("run", "01-run", MODELS), ("test", "02-test", TESTS)];

/// The nodes of a step that are known to be done by what a run has left at the destination.
fn done(place: &Path, run: &str, folder: &str) -> BTreeSet<String> {
    let folder = place.join(format!("runs/{run}/{folder}"));
    let mut done = succeeded(&folder.join("run_results.json"));
    let lines = fs::read_to_string(folder.join("nodes.ndjson")).unwrap_or_default();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["t"] == "end" && is_done(&event["status"]) {
            done.insert(event["id"].as_str().unwrap().to_owned());
        }
    }
    done
}

fn is_done(status: &Value) -> bool {
    matches!(status.as_str(), Some("success" | "pass"))
}

fn succeeded(results: &Path) -> BTreeSet<String> {
    let Ok(content) = fs::read(results) else {
        return BTreeSet::new();
    };
    let results: Value = serde_json::from_slice(&content).unwrap();
    let nodes = results["results"].as_array().unwrap().iter();
    nodes
        .filter(|node| is_done(&node["status"]))
        .map(|node| node["unique_id"].as_str().unwrap().to_owned())
        .collect()
}

fn last_run(place: &Path) -> Option<String> {
    let content = fs::read(place.join("state/last.json")).ok()?;
    let last: Value = serde_json::from_slice(&content).unwrap();
    Some(last["run_id"].as_str().unwrap().to_owned())
}

/// Every node counts once in the last closing line, and has a success in the record of that run.
fn assert_whole(place: &Path, run: &Finished) {
    run.assert_code(0);
    for (step, folder, expected) in STEPS {
        let nodes = &run.step(step)["nodes"];
        assert_eq!(nodes["success"], expected, "{run}");
        for other in ["error", "warn", "skipped"] {
            assert_eq!(nodes[other], 0, "{run}");
        }
        let results = place.join(format!("runs/{}/{folder}/run_results.json", run_id(run)));
        assert_eq!(succeeded(&results).len(), expected, "{run}");
    }
}

/// What a success says has to be in the database.
fn assert_built(project: &Project) {
    let count = "import duckdb; tables = duckdb.connect('shop.duckdb').execute(\
        'select count(*) from information_schema.tables'); print(tables.fetchone()[0])";
    let mut python = Command::new(repo::venv("python"));
    let counted = python
        .args(["-c", count])
        .current_dir(project.path())
        .output()
        .unwrap();
    let counted = String::from_utf8_lossy(&counted.stdout).into_owned();
    assert_eq!(counted.trim(), MODELS.to_string());
}

/// Of what earlier attempts have done of a step, nothing is begun again, unless the log says why.
/// dbt itself tells what it begins, with any engine.
#[track_caller]
fn assert_nothing_twice(step: &str, before: &BTreeSet<String>, said: &str) {
    let reasons = [
        format!("step {step}: run in full, since"),
        format!("step {step}: all its nodes are done, but"),
        "not resuming".to_owned(),
    ];
    if reasons.iter().any(|reason| said.contains(reason)) {
        return;
    }
    let begun: BTreeSet<&str> = said
        .lines()
        .filter(|line| line.contains(" START "))
        .flat_map(|line| line.split([' ', '.']))
        .collect();
    // Of a test a digest follows the name.
    let again: Vec<_> = before
        .iter()
        .filter(|id| {
            id.split('.')
                .nth(2)
                .is_some_and(|name| begun.contains(name))
        })
        .collect();
    assert!(again.is_empty(), "{again:?} were run once more\n{said}");
}

#[test]
fn no_node_is_lost_and_none_is_run_twice_whatever_is_killed() {
    let kills = repo::number("DBT_ENTRYPOINT_TEST_KILLS", KILLS);
    let mut random = Random(repo::number("DBT_ENTRYPOINT_TEST_SEED", 20_261_126) | 1);
    let mut struck = 0;
    let mut whole = Duration::from_secs(6);
    while struck < kills {
        let project = project();
        let standin = on_standin().then(Standin::database);
        let place = project.path().join("published");
        let mut before = STEPS.map(|_| BTreeSet::new());
        let mut strikes = 1 + random.below(3);
        loop {
            let kind = KINDS[usize::try_from(random.below(KINDS.len() as u64)).unwrap()];
            let delay = random.below(u64::try_from(whole.as_millis()).unwrap());
            let mut running = runner(&project, &place, standin.as_ref()).spawn();
            let mut is_killed = false;
            if strikes > 0 {
                strikes -= 1;
                running.until("the first step", |running| {
                    running.stderr().contains("step run: ")
                });
                // At any moment of the run, or when some tests have passed: those are quick.
                let tests = random.below(2) * random.below(TESTS as u64);
                let until = Instant::now() + Duration::from_millis(delay);
                let is_due = |running: &Running| match tests {
                    0 => Instant::now() >= until,
                    _ => running.stdout().matches(" PASS ").count() as u64 >= tests,
                };
                while !is_due(&running)
                    && !running.stderr().contains("step test: success")
                    && !running.has_ended()
                {
                    thread::sleep(Duration::from_millis(5));
                }
                // It may have come to its end meanwhile.
                is_killed = !running.has_ended();
                if is_killed {
                    strike(&running, kind);
                    struck += 1;
                }
            }
            let begin = Instant::now();
            let run = running.wait();
            let said = format!("{}{}", run.out(), run.err());
            for (before, (step, _, _)) in before.iter().zip(STEPS) {
                assert_nothing_twice(step, before, &said);
            }
            if let Some(id) = last_run(&place) {
                before = STEPS.map(|(_, folder, _)| done(&place, &id, folder));
            }
            if run.code == Some(0) {
                assert_whole(&place, &run);
                if standin.is_none() {
                    assert_built(&project);
                }
                if !is_killed && said.contains("not resuming") {
                    whole = begin.elapsed();
                }
                break;
            }
            assert!(is_killed, "a run that nobody killed has failed: {run}");
        }
    }
    println!("{struck} kills");
}

/// What makes all of this necessary: after a stop, `dbt retry` by itself says that there is nothing
/// to do.
#[test]
fn dbt_retry_alone_loses_nodes() {
    if repo::engine() != "process" {
        return;
    }
    let project = project();
    // Slow enough to be stopped in the midst of it.
    let slow = "{{ config(materialized='table') }}\nselect count(*) as id from range(40000000) a, \
        range(40) b where hash(a.range * b.range) % 7 = 3";
    project.write("models/m05.sql", slow);
    let dbt = |words: &[&str]| {
        let mut command = Command::new(repo::venv("dbt"));
        command.args(words).current_dir(project.path());
        command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
        command
    };
    let mut running = dbt(&["run"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let log = project.path().join("logs/dbt.log");
    let is_slow = || fs::read_to_string(&log).is_ok_and(|text| text.contains("a.range * b.range"));
    while !is_slow() {
        assert!(running.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(300));
    kill(Pid::from_raw(running.id().cast_signed()), Signal::SIGINT).unwrap();
    running.wait().unwrap();
    let done = succeeded(&project.path().join("target/run_results.json")).len();
    assert!(done < MODELS, "it was too fast to be stopped");
    project.write("models/m05.sql", "select id from {{ ref('m00') }}");
    let retried = dbt(&["retry"]).output().unwrap();
    let said = String::from_utf8_lossy(&retried.stdout).into_owned();
    let more = succeeded(&project.path().join("target/run_results.json")).len();
    println!(
        "{done} of {MODELS} models were done; dbt retry ended with {:?}",
        retried.status
    );
    assert!(done + more < MODELS, "dbt retry has lost nothing: {said}");
}

/// The unit tests of a build are in none of dbt's queues.
#[test]
fn a_unit_test_that_did_not_pass_is_run_again() {
    let project = Project::new(DUCKDB_PROFILE);
    project.write("models/one.sql", "select 1 as id");
    project.write("models/two.sql", "select id from {{ ref('one') }}");
    let unit_test = "unit_tests:\n  - {name: fails, model: two, expect: {rows: [{id: 99}]}, \
        given: [{input: ref('one'), rows: [{id: 1}]}]}\n";
    project.write("models/tests.yml", unit_test);
    let place = TempDir::new().unwrap();
    let run = || {
        runner(&project, place.path(), None)
            .env("DBT_ENTRYPOINT_STEPS", "build")
            .run()
    };
    for _ in 0..2 {
        let run = run();
        run.assert_code(1);
        // `dbt retry` builds the model all the same.
        let nodes = &run.step("build")["nodes"];
        assert_eq!(nodes["error"], 1, "{run}");
        let others = ["success", "skipped"].map(|state| nodes[state].as_u64().unwrap());
        assert_eq!(others[0] + others[1], 2, "{run}");
        let plan = place
            .path()
            .join(format!("runs/{}/01-build/nodes.ndjson", run_id(&run)));
        // Only the session tells.
        if let Ok(plan) = fs::read_to_string(plan) {
            let plan: Value = serde_json::from_str(plan.lines().next().unwrap()).unwrap();
            assert_eq!(plan["ids"].as_array().unwrap().len(), 3, "{plan}");
        }
    }
}
