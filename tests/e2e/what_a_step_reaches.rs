//! What a step can reach of the runner through `/proc`: it has the same user id, and a user may
//! read and write much of what is his.

use crate::support::attacks::{REACH, RUNNER};
use crate::support::fake::Fake;
use crate::support::project::{PASSWORD, Scene};
use crate::support::result::Finished;

/// A run whose user is nobody special: root may look everywhere.
fn run(script: &str) -> (Scene, Finished) {
    let scene = Scene::new(Fake::new().on("run", "bash", format!("{RUNNER}{script}")));
    for path in [scene.project.path(), scene.fake.path()] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
    }
    let user = [
        "/usr/bin/setpriv",
        "--reuid=54323",
        "--regid=54323",
        "--clear-groups",
        "--",
    ];
    let run = scene
        .runner()
        .env("ONLY_THE_RUNNER_HAS_IT", "yes")
        .args(["--steps", "run"])
        .under(user)
        .run();
    (scene, run)
}

#[test]
fn neither_environment_nor_memory_nor_streams_of_the_runner() {
    let (scene, run) = run(&format!("{REACH}exit 0"));
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    let reached = std::fs::read_to_string(scene.fake.path().join("reached"));
    assert!(reached.is_err(), "{}\n{run}", reached.unwrap());
    assert!(!run.out().contains("forged"), "{run}");
    // A step is an ordinary process, and the script did look.
    let own = std::fs::read(scene.fake.path().join("own")).unwrap();
    let name = b"ONLY_THE_RUNNER_HAS_IT=yes";
    assert!(own.windows(name.len()).any(|part| part == name));
}

#[test]
fn a_step_may_write_core_files_as_before_and_the_runner_may_not() {
    let script = "ulimit -Sc > step; grep 'Max core' /proc/$runner/limits > runner; exit 0";
    let scene = Scene::new(Fake::new().on("run", "bash", format!("{RUNNER}{script}")));
    let limit = ["/usr/bin/prlimit", "--core=8192:16384"];
    let run = scene.runner().args(["--steps", "run"]).under(limit).run();
    run.assert_code(0);
    let read = |name| std::fs::read_to_string(scene.fake.path().join(name)).unwrap();
    assert_eq!(read("step").trim(), "8", "in blocks of 1 KiB");
    let runner = read("runner");
    let soft = runner.split_whitespace().nth(4);
    assert_eq!(soft, Some("0"), "{runner}");
}
