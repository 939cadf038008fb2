//! Owns the comparison of the documents, `--help` and the program.
//!
//! Never tests what the program does: here it only has to be what the documents say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken set-up should stop at the place that broke"
)]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the files are the repository's own"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

#[path = "documentation/links.rs"]
mod links;
#[path = "documentation/markdown.rs"]
mod markdown;
#[path = "documentation/sources.rs"]
mod sources;

use markdown::{Document, codes, quoted, root, table};

const BINARY: &str = env!("CARGO_BIN_EXE_dbt-entrypoint");

/// Runs the program with these variables, without AWS and without a login.
fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(directory).env_clear();
    command
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", directory)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn help(command: &[&str]) -> String {
    let output = run(root(), &[command, &["--help"]].concat(), &[]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a dbt project and nothing else.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("dbt_project.yml"),
        "name: shop\nprofile: shop\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("profiles.yml"),
        "shop: {target: dev, outputs: {dev: {type: duckdb}}}\n",
    )
    .unwrap();
    folder
}

fn closing(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout
        .lines()
        .last()
        .unwrap_or_else(|| panic!("no closing line: {output:?}"));
    serde_json::from_str(last).unwrap()
}

#[test]
fn the_readme_and_help_have_the_same_exit_codes() {
    let rows = table(Document::read("README.md").section("## Exit codes"), "code");
    let readme = codes(rows.iter().map(|row| row[0].as_str()));
    for command in [&[][..], &["run"], &["exec"]] {
        let help = help(command);
        let listed = help
            .split("Exit codes:\n")
            .nth(1)
            .unwrap_or_else(|| panic!("{command:?}"));
        // Columns are two blanks apart.
        let help = codes(
            listed
                .lines()
                .filter_map(|line| line.trim().split("  ").next())
                .filter(|code| !code.is_empty()),
        );
        assert_eq!(readme, help, "{command:?}");
    }
}

/// Exit code, arguments, variables.
type Case<'a> = (i32, &'a [&'a str], &'a [(&'a str, &'a str)]);

/// Those that need neither AWS nor dbt; `tests/e2e` has them all.
#[test]
fn the_program_exits_as_the_readme_says() {
    let folder = project();
    let none = [("DBT_ENTRYPOINT_CREDENTIALS", "none")];
    let glue = [
        ("DBT_ENTRYPOINT_CREDENTIALS", "glue:redshift"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    let keys = [
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let unreachable = [&glue[..], &keys].concat();
    let cases: &[Case] = &[
        (0, &["exec", "--", "true"], &none),
        (0, &["--steps", "run", "--dbt", "/bin/true"], &none),
        (1, &["--steps", "run", "--dbt", "/bin/false"], &none),
        (5, &["exec", "--", "sh", "-c", "exit 5"], &none),
        (64, &["--no-such-flag"], &[]),
        (64, &["env"], &[]),
        (69, &["env"], &unreachable),
        (
            74,
            &[
                "--steps",
                "run",
                "--dbt",
                "/bin/true",
                "--destination",
                "file:///dev/null/docs",
            ],
            &none,
        ),
        (77, &["env"], &glue),
        (
            124,
            &["exec", "--deadline", "200ms", "--", "sleep", "60"],
            &none,
        ),
        (126, &["exec", "--", "/etc/passwd"], &none),
        (127, &["exec", "--", "no-such-program"], &none),
        (143, &["exec", "--", "sh", "-c", "kill -TERM $$"], &none),
    ];
    for (code, arguments, variables) in cases {
        let output = run(folder.path(), arguments, variables);
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{arguments:?}: {output:?}"
        );
    }
}

#[test]
fn every_flag_is_documented_and_every_documented_flag_exists() {
    let help = help(&["run"]);
    let flags: BTreeSet<String> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .flat_map(|line| line.split([' ', ',']).filter(|word| word.starts_with("--")))
        .map(|flag| flag.trim_end_matches('.').to_owned())
        .filter(|flag| !["--help", "--verbose", "--quiet"].contains(&flag.as_str()))
        .collect();
    assert!(flags.len() > 20, "{flags:?}");
    let document = Document::read("docs/settings.md");
    let text = document.section("## Settings");
    let settings = table(text, "setting");
    let nodes = table(text, "flag");
    let prose = ["--env-file".to_owned(), "--config".to_owned()];
    assert!(prose.iter().all(|flag| text.contains(flag.as_str())));
    let cells = settings
        .iter()
        .map(|row| &row[1])
        .chain(nodes.iter().map(|row| &row[0]));
    let documented: BTreeSet<String> = cells
        .flat_map(|cell| quoted(cell))
        .filter(|flag| flag.starts_with("--"))
        .chain(prose)
        .collect();
    assert_eq!(flags, documented);
}

#[test]
fn every_variable_of_help_is_in_the_row_of_its_flag() {
    // Lines that were broken to fit are one again.
    let help = help(&["run"])
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let mut with_variable = 0;
    for row in table(
        Document::read("docs/settings.md").section("## Settings"),
        "setting",
    ) {
        let (flags, variables) = (quoted(&row[1]), quoted(&row[2]));
        assert_eq!(variables.len(), 1, "{row:?}");
        let Some(flag) = flags.iter().find(|flag| flag.starts_with("--")) else {
            continue;
        };
        let (_, about) = help
            .split_once(&format!(" {flag} <"))
            .unwrap_or_else(|| panic!("{flag} is not in the help"));
        let about = about.split(" --").next().unwrap();
        assert!(
            about.contains(&format!("[env: {}]", variables[0])),
            "{flag}: {about}"
        );
        with_variable += 1;
    }
    assert_eq!(
        help.matches("[env: ").count(),
        with_variable + 1,
        "all but the one of -v, which is no --flag with a value"
    );
}

#[test]
fn the_keys_of_the_settings_file_are_the_documented_ones() {
    let folder = project();
    fs::write(folder.path().join("dbt-entrypoint.yml"), "no_such_key: 1\n").unwrap();
    let output = run(
        folder.path(),
        &["env"],
        &[("DBT_ENTRYPOINT_CREDENTIALS", "none")],
    );
    assert_eq!(output.status.code(), Some(64));
    let message = String::from_utf8(output.stderr).unwrap();
    let known = message
        .split("known are ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
    let documented: BTreeSet<String> = table(
        Document::read("docs/settings.md").section("## Settings"),
        "setting",
    )
    .iter()
    .flat_map(|row| quoted(&row[3]))
    .collect();
    assert_eq!(known, documented);
}

#[test]
fn the_example_of_a_settings_file_is_accepted() {
    let folder = project();
    fs::write(
        folder.path().join("dbt-entrypoint.yml"),
        Document::read("docs/settings.md").block("# dbt-entrypoint.yml"),
    )
    .unwrap();
    let arguments = [
        "--dbt",
        "/bin/true",
        "--publish",
        "never",
        "--credentials",
        "none",
    ];
    let output = run(folder.path(), &arguments, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let closing = closing(&output);
    let names: Vec<&str> = closing["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "deps",
            "debug",
            "run",
            "test",
            "nightly",
            "freshness",
            "docs"
        ]
    );
}

#[test]
fn the_example_of_an_env_file_is_accepted() {
    let folder = project();
    let example = root().join("scripts/sandbox.env.example");
    let arguments = [
        "exec",
        "--env-file",
        example.to_str().unwrap(),
        "--credentials",
        "none",
        "--",
        "sh",
        "-c",
        "echo $ENV $DBT_SANDBOX_USER",
    ];
    let output = run(folder.path(), &arguments, &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"local ann\n");
}

#[test]
fn the_example_of_a_closing_line_has_the_fields_of_a_real_one() {
    let folder = project();
    let output = run(
        folder.path(),
        &["--steps", "run", "--dbt", "/bin/false"],
        &[("DBT_ENTRYPOINT_CREDENTIALS", "none")],
    );
    let real = closing(&output);
    let document = Document::read("docs/operations.md");
    let line = document
        .text
        .lines()
        .find(|line| line.starts_with("{\"status\""))
        .unwrap();
    let example: Value = serde_json::from_str(line).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&real), keys(&example));
    assert_eq!(keys(&real["steps"][0]), keys(&example["steps"][0]));
    let fields: BTreeSet<String> = table(document.section("## The closing line"), "field")
        .iter()
        .flat_map(|row| quoted(&row[0]))
        .collect();
    let expected: BTreeSet<String> = keys(&real).into_iter().collect();
    assert_eq!(fields, expected);
}

/// `module::test` in SECURITY.md is a test of that name in a file or folder of that name.
#[test]
fn each_promise_of_security_has_the_test_that_it_names() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let named: Vec<(&str, &str)> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once("::"))
        .collect();
    assert!(named.len() > 15, "{named:?}");
    let is_there = |(module, test): &(&str, &str)| {
        let file = format!("{module}.rs");
        let files = ["src", "tests"].into_iter().flat_map(|folder| {
            walkdir::WalkDir::new(root().join(folder))
                .into_iter()
                .filter_map(Result::ok)
        });
        files
            .filter(|entry| entry.file_name() == file.as_str())
            .any(|entry| {
                let source = fs::read_to_string(entry.path()).unwrap();
                source.contains(&format!("fn {test}("))
            })
    };
    let lost: Vec<_> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(lost.is_empty(), "no such test: {lost:?}");
}

/// Whoever copies it gets a lease, and runs that can be resumed.
#[test]
fn the_policy_for_publishing_lets_a_run_read_what_runs_share() {
    let document = Document::read("docs/iam.md");
    let policy = document.section("## Publishing").split("```").nth(1);
    let policy: Value = serde_json::from_str(policy.unwrap().trim_start_matches("json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let reads = |statement: &&Value| statement["Action"] == "s3:GetObject";
    let read = statements.iter().find(reads).unwrap();
    let bucket = "arn:aws:s3:::dbt-documentation-live/shop";
    let folders = ["state", "runs"].map(|folder| format!("{bucket}/{folder}/*"));
    assert_eq!(read["Resource"], serde_json::json!(folders));
}
