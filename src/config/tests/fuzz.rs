//! Owns the fuzzing of the files that people write: settings, the project's own, an env-file, each
//! right until something happened to it.
//!
//! `scripts/test fuzz` takes longer and looks closer. Never judges what a setting means.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Stands for a password: no message may repeat it.
const MARKER: &str = "hunter2-hunter2";

/// What YAML, Jinja and settings consist of, and what turns up in them by mistake.
const YAML: [&str; 44] = [
    "env: ",
    "steps: ",
    "name: ",
    "project_name: ",
    "vars: ",
    "target-path: ",
    "destination: ",
    "command: ",
    "on_failure: ",
    "timeout: ",
    "<<: ",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "!!str ",
    "!!binary ",
    "!x ",
    "|\n",
    ">-\n",
    "\n",
    "\n  ",
    "\n    ",
    "\"",
    "'",
    "# ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\t",
    "\u{feff}",
    "\u{85}",
    "ü",
    "20m",
    "[run, test]",
    "{{ env_var('ENV', 'x') | trim }}",
    "{{ ",
    "{% for i in range(9) %}",
];
const LINES: [&str; 14] = [
    "=", "\n", "\r\n", " ", "#", "export ", "'", "\"", "\\", "\0", "\u{feff}", "ENV", "9A", "ü",
];

fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![8 => select(pieces).prop_map(str::to_owned), 1 => "\\PC{0,5}"];
    vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused_with_words_that_hold_no_password(
        settings in text(&YAML),
        project in text(&YAML),
        before in text(&LINES),
        between in text(&LINES),
        after in text(&LINES),
    ) {
        let name = "DBT_REDSHIFT_PASSWORD";
        let scene = Scene::new()
            .settings(&settings)
            .env_file(&format!("{before}\n{name}{between}{MARKER}{after}"));
        scene.write("dbt_project.yml", &project);
        if let Err(error) = scene.resolve() {
            prop_assert!(!error.faults.is_empty());
            for fault in error.faults {
                // In a line of its own it may be the value of ENV, which is told.
                let is_of_env = between.contains("ENV=") || between.contains("ENV =");
                prop_assert!(is_of_env || !fault.contains(MARKER), "{}", fault);
            }
        }
    }
}
