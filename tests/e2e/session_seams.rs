//! Each symbol of dbt that the session relies on, renamed in dbt's own sources: the run is the
//! same, and the log names what is missing.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::repo;
use crate::support::twins::{assert_same, both};

/// Prints what the host fetches, by its full name.
const LIST: &str = "import sys
sys.path.insert(0, 'src/session')
from host import seams
usual = seams.fetch
def fetch(module, path, takes=None):
    print(f'{module}.{path}')
    return usual(module, path, takes)
seams.fetch = fetch
from dbt.version import __version__ as version
from host import versions
from host.layers import Layers
layers = Layers()
layers.choose(version, versions.minor_of(version))
layers.before_import()
import dbt.cli.main
layers.after_import()
";
/// Renames a word in all sources of dbt and of what makes its classes, as they are imported.
const RENAME: &str = r#"import importlib.machinery as machinery, re
import google.protobuf.json_format as protobuf
protobuf.other_ParseDict = protobuf.ParseDict
WORD = re.compile(rb"\bNAME\b")
usual = machinery.SourceFileLoader.get_code
def get_code(self, fullname):
    if fullname.split(".")[0] in ("dbt", "dbt_common", "jinja2"):
        source = self.get_data(self.path)
        if WORD.search(source) and fullname.startswith("WHERE"):
            return compile(WORD.sub(b"other_NAME", source), self.path, "exec", dont_inherit=True)
    return usual(self, fullname)
machinery.SourceFileLoader.get_code = get_code
"#;
/// A word that others use, too, and the module in which it is renamed.
const ELSEWHERE: [(&str, &str); 1] = [("ParseDict", "dbt_common.events.base_types")];
/// Parts that run side by side.
const PARTS: usize = 4;
/// What Mashumaro makes has names that stand in no source: dbt's own calls get the new name, and
/// the class has it alone.
const RENAME_MADE: &str = r#"import importlib.machinery as machinery
usual = machinery.SourceFileLoader.get_code
def get_code(self, fullname):
    if fullname not in ("dbt.parser.manifest", "dbt.contracts.graph.manifest"):
        return usual(self, fullname)
    source = self.get_data(self.path).replace(b".NAME(", b".other_NAME(")
    if fullname == "dbt.contracts.graph.manifest":
        source += b"\nManifest.other_NAME = vars(Manifest)['NAME']\nManifest.NAME = None\n"
    return compile(source, self.path, "exec", dont_inherit=True)
machinery.SourceFileLoader.get_code = get_code
"#;

fn symbols() -> BTreeSet<String> {
    let python = repo::venv("python");
    let mut command = Command::new(python);
    let output = command
        .args(["-c", LIST])
        .current_dir(repo::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The last word of a name that is dbt's own, and not a method of Python's.
fn word(symbol: &str) -> &str {
    let last = symbol
        .rsplit('.')
        .find(|word| !matches!(*word, "clear" | "compile" | "parse"));
    last.unwrap()
}

/// Runs a project with both engines, of which `word` is renamed in dbt's sources, and says what the
/// runner with a session has logged. The runs have to be the same.
fn log_of_renamed(word: &str) -> String {
    let place = ELSEWHERE.iter().find(|(it, _)| *it == word);
    let place = place.map_or("", |(_, place)| place);
    let patch = match word {
        "from_msgpack" | "to_msgpack" => RENAME_MADE,
        _ => RENAME,
    };
    let patch = patch.replace("NAME", word).replace("WHERE", place);
    let twins = both(
        || {
            let project = Project::new(DUCKDB_PROFILE);
            project.write("models/one.sql", "select 1 as id\n");
            project.write("python/sitecustomize.py", &patch);
            project
        },
        |runner| {
            runner
                .args(["--credentials", "none", "--steps", "run,test"])
                .env("PYTHONPATH", "python")
        },
    );
    twins[0].run.assert_code(0);
    let err = twins[1].run.err();
    assert!(!err.contains("engine: process"), "{word}: {}", twins[1].run);
    assert_same(&twins);
    err
}

/// One part of them, one after the other: each takes two runs.
fn assert_renamed(part: usize) {
    // Two symbols may have one name.
    let words: BTreeSet<_> = symbols()
        .iter()
        .map(|symbol| word(symbol).to_owned())
        .collect();
    assert!(words.len() > 3 * PARTS, "{words:?}");
    for word in words.iter().skip(part).step_by(PARTS) {
        let err = log_of_renamed(word);
        let mut lines = err.lines();
        let line = lines.find(|line| line.contains("engine: session without"));
        assert!(
            line.is_some_and(|line| line.contains("INFO") && line.contains(word.as_str())),
            "{word}: {err}"
        );
    }
}

#[test]
fn a_renamed_symbol_costs_its_layer_and_nothing_else_1() {
    assert_renamed(0);
}

#[test]
fn a_renamed_symbol_costs_its_layer_and_nothing_else_2() {
    assert_renamed(1);
}

#[test]
fn a_renamed_symbol_costs_its_layer_and_nothing_else_3() {
    assert_renamed(2);
}

#[test]
fn a_renamed_symbol_costs_its_layer_and_nothing_else_4() {
    assert_renamed(3);
}

#[test]
fn a_renamed_symbol_of_the_nodes_costs_what_is_told_of_them_and_nothing_else() {
    for word in ["get_selected_nodes", "GraphQueue"] {
        let err = log_of_renamed(word);
        assert!(
            err.contains(&format!(
                "tells nothing of its nodes while it runs, since \
                 dbt.graph.queue.GraphQueue{} is not there",
                if word == "GraphQueue" {
                    ""
                } else {
                    ".get_selected_nodes"
                }
            )),
            "{word}: {err}"
        );
        assert!(!err.contains("session without"), "{word}: {err}");
    }
}
