//! What a step sees and says of itself is its own, as in a process of its own: its invocation, its
//! script, its plugins and its parsing, which happens once.

use serde_json::Value;

use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::twins::{Twin, assert_same, both};

/// Notes each parsing of the project. As dbt's own source, since it is imported much later.
const COUNTED: &str = r#"import importlib.machinery as machinery
usual = machinery.SourceFileLoader.get_code
def get_code(self, fullname):
    if fullname != "dbt.parser.manifest":
        return usual(self, fullname)
    source = self.get_data(self.path) + b"""
_load = ManifestLoader.load
def _noted(self):
    with open("parsings.txt", "a") as file:
        file.write("parsing\\n")
    return _load(self)
ManifestLoader.load = _noted
"""
    return compile(source, self.path, "exec", dont_inherit=True)
machinery.SourceFileLoader.get_code = get_code
"#;

const PLUGIN: &str = "from dbt.plugins import dbt_hook, dbtPlugin
from dbt.plugins.manifest import PluginNodes
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

class Noisy(dbtPlugin):
    @dbt_hook
    def get_nodes(self):
        print('a printed word of a plugin')
        fire_event(Note(msg='a logged word of a plugin'))
        return PluginNodes()

plugins = [Noisy]
";

fn project(steps: &str) -> Project {
    let project = Project::new(DUCKDB_PROFILE);
    project.write("models/it.sql", "select 1 as id\n");
    project.write(
        "dbt-entrypoint.yml",
        format!("credentials: none\nsteps:\n{steps}"),
    );
    project
}

fn json(twin: &Twin, file: &str) -> Value {
    serde_json::from_str(&twin.project.read(file)).unwrap()
}

#[test]
fn the_invocation_in_a_config_is_the_one_that_has_parsed() {
    let make = || {
        let project = project("  - run\n");
        project.write(
            "models/it.sql",
            "{{ config(meta={'invocation_id': invocation_id, \
             'run_started_at': run_started_at | string}) }}\nselect 1 as id\n",
        );
        project
    };
    let twins = both(make, |runner| runner);
    twins[0].run.assert_code(0);
    for twin in &twins {
        let manifest = json(twin, "target/manifest.json");
        let meta = &manifest["nodes"]["model.shop.it"]["config"]["meta"];
        let results = json(twin, "target/run_results.json");
        assert_eq!(
            meta["invocation_id"], results["metadata"]["invocation_id"],
            "{}",
            twin.run
        );
        let started = meta["run_started_at"].as_str().unwrap();
        assert!(started.starts_with("20"), "{started}");
    }
    assert_same(&twins);
}

#[test]
fn a_python_model_finds_the_script_that_runs() {
    let make = || {
        let project = project("  - run\n");
        project.write(
            "models/place.py",
            "import __main__\n\n\ndef model(dbt, session):\n    place = __main__.__file__\n    \
             return session.sql(f\"select '{place}' as place\")\n",
        );
        project
    };
    let twins = both(make, |runner| runner);
    twins[0].run.assert_code(0);
    assert_same(&twins);
}

#[test]
fn a_plugin_that_logs_when_it_is_asked_for_nodes_is_heard_once_in_each_step() {
    let make = || {
        let project = project("  - run\n  - test\n");
        project.write("python/dbt_noisy.py", PLUGIN);
        project
    };
    let twins = both(make, |runner| runner.env("PYTHONPATH", "python"));
    twins[0].run.assert_code(0);
    for twin in &twins {
        let count = |words: &str| twin.run.out().matches(words).count();
        assert_eq!(count("a printed word of a plugin"), 2, "{}", twin.run);
        assert_eq!(count("a logged word of a plugin"), 2, "{}", twin.run);
    }
    assert_same(&twins);
}

#[test]
fn a_project_is_parsed_once_in_each_step_also_if_it_cannot_be() {
    for (text, code) in [("select 1 as id\n", 0), ("select {{ nothing\n", 2)] {
        let make = || {
            let project = project("  - debug\n  - run\n");
            project.write("models/it.sql", text);
            project.write("python/sitecustomize.py", COUNTED);
            project
        };
        let twins = both(make, |runner| runner.env("PYTHONPATH", "python"));
        twins[0].run.assert_code(code);
        for twin in &twins {
            let parsings = twin.project.read("parsings.txt");
            assert_eq!(parsings.lines().count(), 1, "{}", twin.run);
        }
        assert_same(&twins);
    }
}

#[test]
fn a_step_that_dies_before_it_parses_takes_no_warning_away() {
    let steps = "  - {name: lost, command: [run, --profile, nowhere], on_failure: continue}\n  \
                 - {name: wrong, command: [run, --no-such-option], on_failure: continue}\n  \
                 - run\n";
    let make = || {
        let project = project(steps);
        let more = "models:\n  shop:\n    nowhere:\n      +materialized: table\n";
        project.write("dbt_project.yml", project.read("dbt_project.yml") + more);
        project
    };
    let twins = both(make, |runner| runner);
    let warning = "Configuration paths exist in your dbt_project.yml";
    for twin in &twins {
        assert_eq!(twin.run.out().matches(warning).count(), 1, "{}", twin.run);
    }
    assert_same(&twins);
}
