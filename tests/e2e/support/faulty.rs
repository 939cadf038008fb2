//! A dbt whose import by the session goes wrong in a chosen way, while it works by itself.
//!
//! Owns what such runs have in common: they end as they would have ended without a session, and the
//! log has one line that says why.

use super::fake::Fake;
use super::installation::{becomes, in_the_host, install};
use super::project::Scene;
use super::repo;
use super::result::Finished;

pub const ALL: [&str; 6] = ["deps", "debug", "run", "test", "source", "docs"];

/// A dbt that does this where it is imported for a session, and else is the fake.
pub fn faulty(fake: Fake, fault: &str) -> Scene {
    with_modules(
        fake,
        &[(
            "cli/main.py",
            &in_the_host(fault, &becomes(&repo::fake_dbt())),
        )],
    )
}

pub fn with_modules(fake: Fake, modules: &[(&str, &str)]) -> Scene {
    let dbt = install(&fake.path().join("faulty"), modules);
    Scene::new(fake.by(dbt))
}

/// When the host says that for the `count`th time, this happens: `tell()` says it.
pub fn on_word(word: &str, count: u32, fault: &str) -> String {
    format!(
        "import json, os, socket\n\
         usual, said = socket.socket.sendall, []\n\
         def sendall(self, data):\n    \
             tell = lambda data=data: usual(self, data)\n    \
             said.extend(json.loads(data[4:]))\n    \
             if said.count({word:?}) == {count} and said[-1] == {word:?}:\n        \
                 {fault}\n    \
             else:\n        \
                 tell()\n\
         socket.socket.sendall = sendall"
    )
}

pub fn engine_lines(run: &Finished) -> Vec<String> {
    run.err()
        .lines()
        // A fake has nothing of dbt's inside.
        .filter(|line| line.contains("engine: ") && !line.contains("engine: session without"))
        .map(str::to_owned)
        .collect()
}

/// The run went well without a session: no step was left out, none ran twice.
#[track_caller]
pub fn assert_process(scene: &Scene, run: &Finished, level: &str, why: &str) {
    run.assert_code(0).assert_nothing_left();
    assert_eq!(scene.fake.steps(), ALL, "{run}");
    let lines = engine_lines(run);
    assert_eq!(lines.len(), 1, "{run}");
    assert!(
        lines[0].contains("engine: process, since ")
            && lines[0].contains(why)
            && lines[0].contains(level),
        "{run}"
    );
}

/// The same, after steps that were forked.
#[track_caller]
pub fn assert_process_from_here_on(scene: &Scene, run: &Finished, why: &str) {
    run.assert_code(0).assert_nothing_left();
    assert_eq!(scene.fake.steps(), ALL, "{run}");
    assert_lost(run, why);
}

#[track_caller]
pub fn assert_lost(run: &Finished, why: &str) {
    let lines = engine_lines(run);
    assert_eq!(lines.len(), 2, "{run}");
    assert!(lines[0].contains("engine: session, since "), "{run}");
    let expected = "engine: process from here on, since the session is lost: ";
    assert!(
        lines[1].contains(expected) && lines[1].contains(why) && lines[1].contains("WARN"),
        "{run}"
    );
}
