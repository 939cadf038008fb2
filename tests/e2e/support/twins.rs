//! The same run with both engines, side by side, and every difference between the two.
//!
//! Owns what may differ: times, ids, places. All else has to be the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

use super::project::{Project, with_real_dbt};
use super::result::Finished;
use super::runner::Runner;

pub const ENGINES: [&str; 2] = ["process", "session"];

/// Fields that say when something happened, or to which invocation it belongs.
const VOLATILE: [&str; 21] = [
    "_invocation_id",
    "compiled_at",
    "completed_at",
    "created_at",
    "elapsed_time",
    "engine",
    "execution_time",
    "fingerprint",
    "generated_at",
    "invocation_id",
    "invocation_started_at",
    "max_loaded_at",
    "max_loaded_at_time_ago_in_s",
    "run_id",
    "run_started_at",
    "seconds",
    "snapshotted_at",
    "started",
    "started_at",
    "thread_id",
    "timing",
];

/// What the runner says of the engine itself, and of what only the session tells.
const OF_THE_ENGINE: [&str; 2] = ["engine: ", "this dbt tells nothing of its nodes"];

/// What only the session can tell, and pages and the history, which are made of times.
fn is_of_the_runner(file: &str) -> bool {
    let is_page = file.ends_with("/index.html") && file.contains("/runs/");
    let is_other = ["/nodes.ndjson", "/run.html", "/state/history.json"];
    is_page || is_other.iter().any(|end| file.ends_with(end))
}

/// One of the two.
pub struct Twin {
    pub run: Finished,
    pub project: Project,
    /// What differs by its place, and what stands for it.
    places: Vec<(String, String)>,
    published: TempDir,
}

/// Runs with both engines at once. `runner` adds to a run on the real dbt of the project that
/// `project` made.
pub fn both(
    project: impl Fn() -> Project + Sync,
    runner: impl Fn(Runner) -> Runner + Sync,
) -> [Twin; 2] {
    both_with(
        || (project(), ()),
        |built, ()| runner(built),
        |()| Vec::new(),
    )
}

/// The same with something of its own for each, such as a database. `names`: what of it shows, and
/// differs.
pub fn both_with<T: Send>(
    project: impl Fn() -> (Project, T) + Sync,
    runner: impl Fn(Runner, &T) -> Runner + Sync,
    names: impl Fn(&T) -> Vec<String> + Sync,
) -> [Twin; 2] {
    let one = |engine: &str| {
        let ((project, own), published) = (project(), TempDir::new().unwrap());
        let built = with_real_dbt(Runner::new(project.path())).args(["--engine", engine]);
        let built = built
            .env(
                "DBT_ENTRYPOINT_DESTINATION",
                format!("file://{}", published.path().display()),
            )
            .env("DBT_ENTRYPOINT_PUBLISH", "always");
        let run = runner(built, &own).run();
        let mut places = vec![
            (
                project.canonical().display().to_string(),
                "PROJECT".to_owned(),
            ),
            (
                published.path().display().to_string(),
                "PUBLISHED".to_owned(),
            ),
            (
                run.closing()["run_id"]
                    .as_str()
                    .unwrap_or("no run id")
                    .to_owned(),
                "RUN".to_owned(),
            ),
        ];
        places.extend(names(&own).into_iter().map(|name| (name, "OWN".to_owned())));
        Twin {
            run,
            project,
            places,
            published,
        }
    };
    thread::scope(|scope| {
        let twins = ENGINES.map(|engine| {
            let one = &one;
            scope.spawn(move || one(engine))
        });
        twins.map(|twin| {
            twin.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// Everything that a user can see is the same.
#[track_caller]
pub fn assert_same(twins: &[Twin; 2]) {
    let [process, session] = twins;
    for twin in twins {
        twin.run.assert_nothing_left();
    }
    let mut differences = Vec::new();
    if process.run.code != session.run.code {
        differences.push(format!(
            "exit code: {:?} and {:?}",
            process.run.code, session.run.code
        ));
    }
    let streams = [
        (
            "stdout",
            process.lines(&process.run.out()),
            session.lines(&session.run.out()),
        ),
        (
            "stderr",
            process.lines(&process.run.err()),
            session.lines(&session.run.err()),
        ),
    ];
    for (name, left, right) in streams {
        for (number, (left, right)) in left.iter().zip(&right).enumerate() {
            if left != right {
                differences.push(format!("{name}, line {number}:\n    {left}\n    {right}"));
                break;
            }
        }
        if left.len() != right.len() {
            differences.push(format!("{name}: {} and {} lines", left.len(), right.len()));
        }
    }
    let (left, right) = (process.files(), session.files());
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    if names(&left) != names(&right) {
        differences.push(format!(
            "files:\n    {:?}\n    {:?}",
            names(&left),
            names(&right)
        ));
    }
    for (name, left) in &left {
        let Some(right) = right.get(name) else {
            continue;
        };
        match (serde_json::from_str(left), serde_json::from_str(right)) {
            (Ok(left), Ok(right)) => compare(name, &left, &right, &mut differences),
            _ if left != right => differences.push(format!("{name} differs")),
            _ => {}
        }
    }
    assert!(
        differences.is_empty(),
        "process and session differ:\n{}\n{}\n{}",
        differences.join("\n"),
        process.run,
        session.run
    );
}

/// What dbt's own log has with the process engine alone, and what with the session alone.
pub fn log_differences([process, session]: &[Twin; 2]) -> [Vec<String>; 2] {
    let (process, session) = (process.dbt_log(), session.dbt_log());
    let only = |here: &[String], there: &[String]| {
        let mut others = there.to_vec();
        let mut has_none = |line: &&String| {
            others
                .iter()
                .position(|other| other == *line)
                .map(|place| others.swap_remove(place))
                .is_none()
        };
        here.iter().filter(&mut has_none).cloned().collect()
    };
    [only(&process, &session), only(&session, &process)]
}

impl Twin {
    /// What was published and what lies in the target directory, by its place.
    fn files(&self) -> BTreeMap<String, String> {
        let target = self.project.path().join("target");
        let artifacts = |folder: &Path, under: &'static str| {
            let entries = WalkDir::new(folder)
                .into_iter()
                .filter_map(Result::ok)
                .filter(|entry| entry.file_type().is_file());
            let read = |entry: walkdir::DirEntry| {
                let name = format!(
                    "{under}/{}",
                    entry.path().strip_prefix(folder).unwrap().display()
                );
                // What is not text, such as the saved parse, is compared by its presence.
                (
                    self.placeless(&name),
                    self.placeless(&fs::read_to_string(entry.path()).unwrap_or_default()),
                )
            };
            entries.map(read).collect::<Vec<_>>()
        };
        artifacts(&target, "target")
            .into_iter()
            .chain(artifacts(self.published.path(), "published"))
            .filter(|(name, _)| !is_of_the_runner(name))
            .collect()
    }

    /// Files of that name in the ledger, by the folder of their step.
    pub fn ledger(&self, name: &str) -> Vec<(String, String)> {
        let files = self
            .files()
            .into_iter()
            .filter(|(path, _)| path.starts_with("published/runs/") && path.ends_with(name));
        files.collect()
    }

    /// The lines of dbt's own log, without what differs from run to run: times, places, ids, and
    /// which thread got which connection.
    fn dbt_log(&self) -> Vec<String> {
        let chance = [
            "running dbt with arguments",
            "Set downloads directory",
            "onnection",
        ];
        let is_id = |word: &str| {
            word.len() >= 6
                && word
                    .chars()
                    .all(|letter| letter.is_ascii_hexdigit() || letter == '-')
        };
        let is_number = |word: &str| {
            word.chars()
                .all(|letter| letter.is_ascii_digit() || ".:-".contains(letter))
        };
        let without = |line: &String| {
            let words =
                line.split(|letter: char| !letter.is_alphanumeric() && !"-.:".contains(letter));
            words
                .filter(|word| !is_id(word) && !is_number(word))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let lines = self.lines(&self.project.read("logs/dbt.log"));
        lines
            .iter()
            .map(without)
            .filter(|line| !line.is_empty() && !chance.iter().any(|words| line.contains(words)))
            .collect()
    }

    fn placeless(&self, text: &str) -> String {
        self.places
            .iter()
            .fold(text.to_owned(), |text, (place, name)| {
                text.replace(place, name)
            })
    }

    /// The lines of a stream, without times and without what has to differ.
    fn lines(&self, text: &str) -> Vec<String> {
        let lines = self.placeless(text);
        lines
            .lines()
            .filter(|line| !OF_THE_ENGINE.iter().any(|words| line.contains(words)))
            .map(timeless)
            .collect()
    }
}

/// `12:34:56`, `1.23s` and such become zeros; the closing line loses its volatile fields.
fn timeless(line: &str) -> String {
    if let Ok(mut value @ Value::Object(_)) = serde_json::from_str(line) {
        prune(&mut value);
        return value.to_string();
    }
    let is_number = |word: &str| {
        word.contains(['.', ':'])
            && word
                .chars()
                .all(|letter| letter.is_ascii_digit() || ".:TZ-".contains(letter))
    };
    // Words end at what stands around a number in a sentence; blanks count once, since a longer
    // number takes one from the next column.
    let mut words = Vec::new();
    for word in line
        .split([' ', '[', ']', '(', ')'])
        .filter(|word| !word.is_empty())
    {
        let bare = word.trim_end_matches('s').trim_end_matches([',', '.']);
        words.push(if is_number(bare) { "0" } else { word });
    }
    words.join(" ")
}

/// Without volatile fields, and results in an order that does not depend on threads.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !VOLATILE.contains(&name.as_str()));
            fields.values_mut().for_each(prune);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(prune);
            if items.iter().all(|item| item.get("unique_id").is_some()) {
                items.sort_by_key(|item| item["unique_id"].to_string());
            }
        }
        _ => {}
    }
}

fn compare(path: &str, left: &Value, right: &Value, differences: &mut Vec<String>) {
    let (mut left, mut right) = (left.clone(), right.clone());
    prune(&mut left);
    prune(&mut right);
    difference(path, &left, &right, differences);
}

fn difference(path: &str, left: &Value, right: &Value, differences: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for name in names {
                difference(
                    &format!("{path} › {name}"),
                    &left[name],
                    &right[name],
                    differences,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (number, (one, other)) in one.iter().zip(other).enumerate() {
                difference(&format!("{path} › {number}"), one, other, differences);
            }
        }
        _ if left != right => {
            let short = |value: &Value| value.to_string().chars().take(200).collect::<String>();
            differences.push(format!(
                "{path}:\n    {}\n    {}",
                short(left),
                short(right)
            ));
        }
        _ => {}
    }
}
