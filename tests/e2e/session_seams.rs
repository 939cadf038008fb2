//! Each symbol of dbt that the session relies on, renamed in dbt's own sources: the run is the
//! same, and the log names what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::repo;
use crate::support::twins::{assert_same, both};

/// Prints what the host fetches, by its full name.
const LIST: &str = "import sys
sys.path.insert(0, 'src/session')
from host import seams
usual, layer = seams.fetch, ['']
def fetch(module, path, takes=None):
    print(f'{layer[0]}: {module}.{path}')
    return usual(module, path, takes)
seams.fetch = fetch
from host.layers import Layers
layers = Layers()
attempt = layers.attempt
def named(it, action):
    layer[0] = it.name
    attempt(it, action)
layers.attempt = named
layers.choose('1.13.0', (1, 13))
layers.before_import()
import dbt.cli.main
layers.after_import()
";
/// Renames a word in all sources of dbt and of what makes its classes, as they are imported.
const RENAME: &str = r#"import importlib.machinery as machinery, json, re, sys
sys.modules["other_json"] = json
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
const ELSEWHERE: (&str, &str) = ("json", "dbt_common.clients.system");
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

/// By layer, what it fetches.
fn symbols() -> BTreeMap<String, BTreeSet<String>> {
    let python = repo::venv("python");
    let mut command = Command::new(python);
    let output = command
        .args(["-c", LIST])
        .current_dir(repo::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut symbols = BTreeMap::<_, BTreeSet<_>>::new();
    for line in text.lines() {
        let (layer, symbol) = line.split_once(": ").unwrap();
        symbols
            .entry(layer.to_owned())
            .or_default()
            .insert(symbol.to_owned());
    }
    symbols
}

/// The last word of a name that is dbt's own, and not a method of Python's.
fn word(symbol: &str) -> &str {
    let last = symbol
        .rsplit('.')
        .find(|word| !matches!(*word, "clear" | "compile" | "parse"));
    last.unwrap()
}

/// Those of these layers, one after the other.
fn assert_renamed(is_wanted: impl Fn(&str) -> bool) {
    let mut count = 0;
    let wanted = symbols()
        .into_iter()
        .filter(|(layer, _)| is_wanted(layer))
        .flat_map(|(_, symbols)| symbols);
    for symbol in wanted {
        count += 1;
        let word = word(&symbol);
        let place = if word == ELSEWHERE.0 { ELSEWHERE.1 } else { "" };
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
        let warning = err
            .lines()
            .find(|line| line.contains("engine: session without"));
        assert!(
            warning.is_some_and(|line| line.contains("WARN") && line.contains(word)),
            "{symbol}: {}",
            twins[1].run
        );
        assert!(
            !err.contains("engine: process"),
            "{symbol}: {}",
            twins[1].run
        );
        assert_same(&twins);
    }
    assert!(count > 2, "{count}");
}

const LARGE: [&str; 3] = ["the shared manifest", "the parse cache", "the warming up"];

// Each symbol takes two runs, so these are four tests that run side by side.

#[test]
fn a_renamed_symbol_of_the_shared_manifest_costs_that_and_nothing_else() {
    assert_renamed(|layer| layer == LARGE[0]);
}

#[test]
fn a_renamed_symbol_of_the_parse_cache_costs_that_and_nothing_else() {
    assert_renamed(|layer| layer == LARGE[1]);
}

#[test]
fn a_renamed_symbol_of_the_warming_up_costs_that_and_nothing_else() {
    assert_renamed(|layer| layer == LARGE[2]);
}

#[test]
fn a_renamed_symbol_of_another_shortcut_costs_that_and_nothing_else() {
    assert_renamed(|layer| !LARGE.contains(&layer));
}
