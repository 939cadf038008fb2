//! Owns a step of dbt 2: what it is asked for beside its command, what it has to leave behind, and
//! which of its nodes had run before it was stopped.
//!
//! Never publishes and never reads results: dbt 2 that was interrupted calls every node an error.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use tokio::time::Instant;

use super::child::{Ended, Program, StopCause};
use super::listening::Listening;
use super::output::Framing;
use super::shutdown::Shutdown;
use super::{Outcome, Stage, run_program};
use crate::config::{OnFailure, Step, Variables, variable};
use crate::dbt::{Feed, SPANS, Told, catalog_error, read_spans};
use crate::process::{Ending, Error};

/// Makes dbt 2 write catalog.json, whatever the command.
const WRITE_CATALOG: &str = "DBT_WRITE_CATALOG";
/// Where dbt 2 writes the site, if not into the target directory.
const OUTPUT_DIR: &str = "DBT_DOCS_OUTPUT_DIR";
const PAGE: &str = "index.html";
const CATALOG: &str = "catalog.json";
const MANIFEST: &str = "manifest.json";
const SOURCES: &str = "sources.json";
/// Options that `compile --write-catalog` cannot be given, and whether a value follows.
const ONLY_DOCS: [(&str, bool); 7] = [
    ("--output-dir", true),
    ("--duckdb-cdn-base", true),
    ("--compile", false),
    ("--no-compile", false),
    ("--empty-catalog", false),
    ("--static", false),
    // It is there already.
    ("--write-catalog", false),
];

/// Runs a step of dbt 2. `version`: as far as it is known.
pub(super) async fn run(
    step: &Step,
    stage: &Stage,
    version: Option<&str>,
    framing: &Framing,
    mut listening: Listening<'_>,
    until: Option<Instant>,
    shutdown: &mut Shutdown,
) -> Outcome {
    let start = Instant::now();
    let mut variables = stage.environment.variables.clone();
    let spans = Spans::ask_for(&mut variables, step, stage);
    let feed = spans
        .as_ref()
        .map(|spans| Feed::of_spans(spans.file.clone()));
    let docs = step.makes_docs().then(|| Docs::before(step, stage));
    let sources = is_freshness(step).then(|| Before::of(target_directory(step, stage), &[SOURCES]));
    if docs.is_some() {
        // Of other commands it would be that of the nodes they run.
        variables.insert(WRITE_CATALOG.into(), "true".into());
    }
    let command = run_command(&step.command, &variables, stage, framing, until, shutdown);
    let mut ended = listening.during(feed, command).await;
    if let Some(docs) = docs.as_ref().filter(|_| is_success(&ended))
        && !docs.target.has_new(CATALOG)
    {
        tracing::info!(
            "step {}: dbt compile --write-catalog, since docs generate left no {CATALOG}",
            step.name
        );
        let command = catalog_command(step);
        ended = run_command(&command, &variables, stage, framing, until, shutdown).await;
    }
    let is_complete = is_success(&ended);
    let mut outcome = Outcome::of(&step.name, step.on_failure, start.elapsed(), ended);
    if let Some(missing) = docs
        .filter(|_| is_complete)
        .and_then(|docs| docs.missing(version, step.on_failure))
    {
        outcome = outcome.lacking(step.on_failure, stage.code_without_docs, missing);
    }
    if sources.is_some_and(|before| is_complete && !before.has_new(SOURCES)) {
        let version = version.unwrap_or("2");
        let what =
            format!("dbt {version} ended with 0 and wrote no {SOURCES}: it checked no source");
        outcome = outcome.lacking(OnFailure::Warn, 0, what);
    }
    if !is_complete {
        let stopped = moment_of_stop(outcome.stopped, until, shutdown);
        let told = spans
            .as_ref()
            .map_or_else(Told::default, |spans| spans.read(stopped));
        outcome.told = Some(told);
    }
    outcome
}

async fn run_command(
    command: &[String],
    variables: &Variables,
    stage: &Stage,
    framing: &Framing,
    until: Option<Instant>,
    shutdown: &mut Shutdown,
) -> Result<Ended, Error> {
    let program = Program {
        path: stage.dbt.clone(),
        arguments: command.iter().map(OsString::from).collect(),
        variables,
        directory: Some(stage.directory.clone()),
        stdin: Stdio::null(),
    };
    run_program(
        program,
        framing,
        &stage.redactor,
        until,
        stage.stop_timeout,
        shutdown,
    )
    .await
}

fn is_success(ended: &Result<Ended, Error>) -> bool {
    ended
        .as_ref()
        .is_ok_and(|ended| ended.stopped.is_none() && ended.ending == Ending::Code(0))
}

/// When the runner stopped the step, by the clock that dbt's spans go by.
fn moment_of_stop(
    stopped: Option<StopCause>,
    until: Option<Instant>,
    shutdown: &Shutdown,
) -> Option<SystemTime> {
    let at = match stopped? {
        StopCause::Run(_) => shutdown.requested()?.at,
        StopCause::StepTimeout => until?,
    };
    SystemTime::now().checked_sub(at.elapsed())
}

/// The file in which dbt 2 tells what becomes of its nodes. One of ours lies where dbt writes, so
/// that a run that is killed leaves it where the next one takes it away.
struct Spans {
    file: PathBuf,
    /// Not one that the user wants, to which each command adds.
    is_ours: bool,
    /// What was in it before the step.
    before: u64,
}

impl Spans {
    const FILE: &str = "dbt-entrypoint-spans.jsonl";

    /// `None` where there is no place for them, or where it is not known.
    fn ask_for(variables: &mut Variables, step: &Step, stage: &Stage) -> Option<Self> {
        if step.option(&["--otel-file-name"]).is_some() {
            return None;
        }
        if let Some(theirs) = variable(variables, SPANS).map(PathBuf::from) {
            // dbt puts a relative one among its logs, wherever those are.
            return theirs.is_absolute().then(|| Self {
                before: fs::metadata(&theirs).map_or(0, |file| file.len()),
                file: theirs,
                is_ours: false,
            });
        }
        let target = target_directory(step, stage);
        fs::create_dir_all(&target).ok()?;
        let spans = Self {
            file: target.join(Self::FILE),
            is_ours: true,
            before: 0,
        };
        spans.remove();
        variables.insert(SPANS.into(), spans.file.clone().into());
        Some(spans)
    }

    fn remove(&self) {
        if self.is_ours {
            // Mostly it is not there.
            drop(fs::remove_file(&self.file));
        }
    }

    /// Nothing where dbt wrote nothing: then nothing is known.
    fn read(&self, until: Option<SystemTime>) -> Told {
        read_spans(&self.file, self.before, until).unwrap_or_else(|_| Told {
            is_stopped: until.is_some(),
            ..Told::default()
        })
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether a step asks how old the sources are. What it finds may go to a file of the user's.
fn is_freshness(step: &Step) -> bool {
    let is_asked = step.subcommand() == "source"
        && (step.command.get(1)).is_some_and(|word| word.ends_with("freshness"));
    is_asked && step.option(&["--output", "-o"]).is_none()
}

/// Where a step writes.
fn target_directory(step: &Step, stage: &Stage) -> PathBuf {
    step.option(&["--target-path"])
        .map_or_else(|| stage.target.clone(), |path| stage.directory.join(path))
}

/// `compile --write-catalog` with the options of the step.
fn catalog_command(step: &Step) -> Vec<String> {
    let mut command = vec!["compile".to_owned(), "--write-catalog".to_owned()];
    let is_said = |word: &String| word == "docs" || word == "generate";
    let mut words = step.command.iter().skip_while(|word| is_said(word));
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        match ONLY_DOCS.iter().find(|(option, _)| *option == name) {
            Some((_, true)) if name == word => drop(words.next()),
            Some(_) => {}
            None => command.push(word.clone()),
        }
    }
    command
}

/// Where dbt 2 writes the site of a docs step, if not into the target directory of the step.
pub(crate) fn site_directory(
    step: &Step,
    variables: &Variables,
    directory: &Path,
    target: &Path,
) -> Option<PathBuf> {
    step.option(&["--output-dir"])
        .map(PathBuf::from)
        .or_else(|| variable(variables, OUTPUT_DIR).map(PathBuf::from))
        .map(|site| without_dots(&directory.join(site)))
        .filter(|site| *site != without_dots(target))
}

/// The same path without `.` and `..`.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// What lay in both directories before the step.
struct Docs {
    target: Before,
    site: Before,
}

impl Docs {
    fn before(step: &Step, stage: &Stage) -> Self {
        let target = target_directory(step, stage);
        let variables = &stage.environment.variables;
        let site = site_directory(step, variables, &stage.directory, &target)
            .unwrap_or_else(|| target.clone());
        Self {
            target: Before::of(target, &[CATALOG, MANIFEST]),
            site: Before::of(site, &[PAGE]),
        }
    }

    /// What a site cannot do without, and the step did not write, in words with the remedy.
    fn missing(&self, version: Option<&str>, on_failure: OnFailure) -> Option<String> {
        let page = (&self.site, PAGE);
        let missing: Vec<_> = [page, (&self.target, MANIFEST), (&self.target, CATALOG)]
            .into_iter()
            .filter(|(before, name)| !before.has_new(name))
            .map(|(before, name)| before.directory.join(name).display().to_string())
            .collect();
        let version = version.unwrap_or("2");
        if missing.is_empty() {
            let catalog = self.target.directory.join(CATALOG);
            return catalog_error(&catalog).map(|error| {
                let catalog = catalog.display();
                format!("dbt {version} ended with 0 and {catalog} is incomplete: {error}")
            });
        }
        let remedy = match on_failure {
            _ if self.site.has_new(PAGE) => "read dbt's own output",
            OnFailure::Warn => "use a version of dbt that writes a site, or leave the step out",
            OnFailure::Stop | OnFailure::Continue => {
                "use a version of dbt that writes a site, leave the step out, or set on_failure: \
                    warn"
            }
        };
        Some(format!(
            "dbt {version} ended with 0 and wrote no {}; {remedy}",
            missing.join(", ")
        ))
    }
}

/// Inode, size and times of a file, which dbt may rewrite in place.
type Stamp = (u64, u64, i64, i64, i64, i64);

/// A directory with some of its files, as they were.
struct Before {
    directory: PathBuf,
    stamps: BTreeMap<&'static str, Option<Stamp>>,
}

impl Before {
    fn of(directory: PathBuf, names: &[&'static str]) -> Self {
        let stamps = names
            .iter()
            .map(|name| (*name, stamp(&directory.join(name))));
        Self {
            stamps: stamps.collect(),
            directory,
        }
    }

    fn has_new(&self, name: &str) -> bool {
        let now = stamp(&self.directory.join(name));
        now.is_some() && self.stamps.get(name) != Some(&now)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    Some((
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(command: &str) -> Step {
        Step {
            name: "docs".to_owned(),
            command: command.split(' ').map(str::to_owned).collect(),
            on_failure: OnFailure::Stop,
            timeout: None,
        }
    }

    #[test]
    fn the_catalogue_is_asked_for_with_the_options_of_the_step() {
        for (command, expected) in [
            ("docs generate", "compile --write-catalog"),
            ("docs", "compile --write-catalog"),
            (
                "docs generate --target live --vars {a:1}",
                "compile --write-catalog --target live --vars {a:1}",
            ),
            (
                "docs generate --output-dir site --write-catalog --no-compile --target-path out",
                "compile --write-catalog --target-path out",
            ),
            (
                "docs generate --duckdb-cdn-base=https://mirror -t live",
                "compile --write-catalog -t live",
            ),
        ] {
            assert_eq!(
                catalog_command(&step(command)).join(" "),
                expected,
                "{command}"
            );
        }
    }

    #[test]
    fn the_site_is_where_the_step_or_the_variable_says() {
        let variables = Variables::from([(OUTPUT_DIR.into(), "by/variable".into())]);
        let none = Variables::new();
        for (command, variables, expected) in [
            ("docs generate", &none, None),
            ("docs generate", &variables, Some("/p/by/variable")),
            (
                "docs generate --output-dir site",
                &variables,
                Some("/p/site"),
            ),
            ("docs generate --output-dir=/abs", &none, Some("/abs")),
            ("docs generate --output-dir ./site/../target/", &none, None),
            ("docs generate --output-dir .", &none, Some("/p")),
        ] {
            let (project, target) = (Path::new("/p"), Path::new("/p/target"));
            let found = site_directory(&step(command), variables, project, target);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{command}");
        }
    }
}
