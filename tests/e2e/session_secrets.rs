//! The process that imports dbt never sees a secret, and neither does what it leaves for the next
//! run.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use aho_corasick::AhoCorasick;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::aws::{Aws, SECRET_KEY};
use crate::support::deployment::run_id;
use crate::support::processes;
use crate::support::project::{DUCKDB_PROFILE, PASSWORD, Project, REDSHIFT_PROFILE, with_real_dbt};
use crate::support::repo::unique;
use crate::support::runner::Runner;
use crate::support::sentinel;
use crate::support::standin::Standin;

/// Whether the memory of a process holds the value, in any form. Reading it needs the same user, or
/// to be root.
fn remembers(pid: i32, secret: &[u8]) -> bool {
    let (maps, memory) = (format!("/proc/{pid}/maps"), format!("/proc/{pid}/mem"));
    let mut list = String::new();
    File::open(maps).unwrap().read_to_string(&mut list).unwrap();
    let memory = File::open(&memory).unwrap_or_else(|error| {
        panic!("{memory}: {error}; these tests need to be root, or ptrace_scope 0")
    });
    let forms = AhoCorasick::new(sentinel::forms(secret)).unwrap();
    let mut bytes = 0;
    let mut found = false;
    for line in list.lines().filter(|line| {
        line.split(' ')
            .nth(1)
            .is_some_and(|rights| rights.starts_with("rw"))
    }) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let mut content = vec![0; usize::try_from(address(to) - address(from)).unwrap()];
        // The kernel's own pages cannot be read.
        let count = memory.read_at(&mut content, address(from)).unwrap_or(0);
        bytes += count;
        found |= forms.is_match(&content[..count]);
    }
    assert!(
        bytes > 1 << 20,
        "only {bytes} bytes of the memory of {} could be read",
        processes::describe(pid)
    );
    found
}

/// Two models, one of which runs until it is cancelled.
fn project() -> Project {
    let project = Project::new(REDSHIFT_PROFILE);
    project.write("models/quick.sql", "select '{{ target.user }}' as id\n");
    project.write(
        "models/slow.sql",
        "{{ config(materialized='table') }}\nselect \
        pg_sleep(600)::text as slept from {{ ref('quick') }}\n",
    );
    project
}

/// A login of one's own, since the stand-in's is for all tests of the run.
fn role(standin: &Standin, password: &str) -> String {
    let role = standin.database.clone();
    standin.sql(&format!(
        "create role {role} login password $pw${password}$pw$; grant create on \
        database {role} to {role}"
    ));
    role
}

#[test]
fn neither_the_importing_process_nor_the_saved_parse_holds_a_secret() {
    let (standin, project, aws) = (Standin::database(), project(), Aws::shared());
    let role = role(&standin, PASSWORD);
    let connection = unique("connection");
    let url = format!(
        "jdbc:redshift://127.0.0.1:{}/{}?currentSchema=analytics",
        standin.port(),
        standin.database
    );
    aws.connection(
        &connection,
        &json!({"JDBC_CONNECTION_URL": url, "USERNAME": role, "PASSWORD": PASSWORD}),
        &json!({}),
    );
    let token = "git-token-0123456789";
    let runner = aws
        .attach(with_real_dbt(Runner::new(project.path())))
        .env("DBT_ENV_SECRET_GIT_TOKEN", token);
    let runner = runner.env("MY_URL", format!("https://user:{token}@git.example.com"));
    let runner = runner.args([
        "--engine",
        "session",
        "--credentials",
        &format!("glue:{connection}"),
        "--steps",
        "debug,run",
    ]);
    let mut running = runner.spawn();
    running.until("the query in pg_stat_activity", |_| {
        standin.active("pg_sleep") == 1
    });
    let host = processes::host(running.pid(), running.marker()).expect("a host");
    // No child that has parsed, and no interpreter that keeps track of locks.
    let children = processes::with_marker(running.marker())
        .into_iter()
        .filter(|pid| processes::parent(*pid) == Some(host));
    let [step] = children.collect::<Vec<_>>()[..] else {
        panic!("not the step alone: {:?}", running.stderr())
    };
    assert_eq!(
        processes::with_marker(running.marker()).len(),
        3,
        "the runner, the host, the step"
    );
    for secret in [PASSWORD, token, SECRET_KEY] {
        assert!(
            !remembers(host, secret.as_bytes()),
            "the host's memory holds {secret}"
        );
        assert!(
            !sentinel::holds(&processes::environ(host), secret.as_bytes()),
            "the host's environment holds {secret}"
        );
    }
    for pid in [host, step] {
        for form in sentinel::forms(PASSWORD.as_bytes()) {
            assert!(
                !sentinel::holds(&processes::cmdline(pid), &form),
                "{}",
                processes::describe(pid)
            );
        }
    }
    // The control: what a process was given is found in its memory.
    assert!(remembers(step, PASSWORD.as_bytes()) && remembers(step, token.as_bytes()));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143)
        .assert_nothing_left()
        .assert_err_has(&["engine: session, since"])
        .assert_lacks(PASSWORD.as_bytes());
    assert!(
        project.path().join("target/partial_parse.msgpack").exists(),
        "{run}"
    );
    for folder in ["target", "logs"] {
        for secret in [PASSWORD, token, SECRET_KEY] {
            sentinel::assert_folder_lacks(&project.path().join(folder), secret.as_bytes());
        }
    }
}

#[test]
fn another_password_is_no_reason_to_parse_again() {
    let (standin, project) = (Standin::database(), project());
    project.write("models/slow.sql", "select 1 as id\n");
    let role = role(&standin, "first-password-0123");
    let run = |password: &str| {
        let runner = standin
            .attach(with_real_dbt(Runner::new(project.path())))
            .args(["--engine", "session", "--steps", "debug,run"]);
        let run = runner
            .env("DBT_REDSHIFT_USER", &role)
            .env("DBT_REDSHIFT_PASSWORD", password)
            .run();
        run.assert_code(0)
            .assert_nothing_left()
            .assert_err_has(&["engine: session, since"]);
        run
    };
    let first = run("first-password-0123");
    assert!(
        first
            .out()
            .contains("Unable to do partial parsing because saved manifest not found"),
        "{first}"
    );
    standin.sql(&format!(
        "alter role {role} password 'second-password-4567'"
    ));
    let second = run("second-password-4567");
    assert!(
        !second.out().contains("Unable to do partial parsing"),
        "{second}"
    );
    for password in ["first-password-0123", "second-password-4567"] {
        sentinel::assert_folder_lacks(&project.path().join("target"), password.as_bytes());
    }
    // The control: another user shows in the relations that a manifest holds, and dbt does parse
    // again.
    project.write(
        "profiles.yml",
        REDSHIFT_PROFILE.replace("sslmode: disable", "sslmode: disable\n      role: ''"),
    );
    let third = run("second-password-4567");
    assert!(
        third.out().contains("Unable to do partial parsing"),
        "{third}"
    );
}

/// What a node says may be cut, but never in the midst of a secret: nobody would know the rest.
#[test]
fn no_part_of_a_secret_is_left_where_a_message_is_cut() {
    let project = Project::new(DUCKDB_PROFILE);
    let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLE00";
    for (name, before) in [("often", 0), ("late", 440)] {
        let model = format!(
            "{{% if execute %}}{{{{ exceptions.raise_compiler_error('x' * {before} ~ \
             (env_var('AWS_SECRET_ACCESS_KEY') ~ ' ') * 40) }}}}{{% endif %}}"
        );
        project.write(&format!("models/{name}.sql"), model);
    }
    let docs = project.path().join("published");
    let run = with_real_dbt(Runner::new(project.path()))
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", key)
        .args(["--engine", "session", "--credentials", "none"])
        .args(["--steps", "run", "--publish", "always"])
        .args(["--destination", &format!("file://{}", docs.display())])
        .run();
    let record = docs.join(format!("runs/{}/01-run/nodes.ndjson", run_id(&run)));
    let record = fs::read_to_string(record).unwrap_or_else(|error| panic!("{error}: {run}"));
    let messages: Vec<Value> = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["msg"].take())
        .filter(Value::is_string)
        .collect();
    assert_eq!(messages.len(), 2, "{record}");
    for message in messages {
        let message = message.as_str().unwrap();
        assert!(message.contains("*****"), "{message}");
        assert!(message.chars().count() <= 500, "{message}");
        for at in 0..key.len() - 8 {
            assert!(!message.contains(&key[at..at + 8]), "{message}");
        }
    }
}

/// Python's resource tracker, which dbt starts, looks for its modules in the working directory.
#[test]
fn a_module_in_the_project_is_not_taken_for_one_of_python() {
    let project = Project::new(DUCKDB_PROFILE);
    project.write("models/one.sql", "select 1 as id\n");
    for module in ["pickle", "signal", "json", "dbt", "yaml"] {
        let script = format!("open('{}/taken', 'w')\n", project.path().display());
        project.write(&format!("{module}.py"), script);
    }
    let run = with_real_dbt(Runner::new(project.path()))
        .args(["--engine", "session", "--credentials", "none"])
        .args(["--steps", "run,test"])
        .run();
    run.assert_code(0).assert_nothing_left();
    assert!(!project.path().join("taken").exists(), "{run}");
}
