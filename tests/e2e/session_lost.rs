//! A session that is lost in the middle of a run: what has started is reported as it ended, and the
//! rest goes on without it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fake::Fake;
use crate::support::faulty::{
    assert_process, assert_process_from_here_on, faulty, on_word, with_modules,
};
use crate::support::installation::{becomes, calls, in_the_host};
use crate::support::processes;
use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::repo;
use crate::support::twins::{assert_same, both};

#[test]
fn nonsense_instead_of_an_answer_ends_the_session_and_not_the_run() {
    let nonsense = [
        (
            "tell(b'Traceback (most recent call last):')",
            "its host sent something invalid",
        ),
        ("tell(b'\\0\\0\\0\\2{}')", "its host sent something invalid"),
        (
            "tell(b'\\0\\0\\0\\2\\xff\\xff')",
            "its host sent something invalid",
        ),
        (
            "tell(b'\\0\\0\\0\\x0b{\"code\": 0}')",
            "its host gave an unexpected answer",
        ),
        ("tell(b'\\0\\0'); os._exit(0)", "its host ended"),
        ("os.kill(os.getpid(), 9)", "its host ended (signal: 9"),
    ];
    for (fault, why) in nonsense {
        let scene = faulty(Fake::new(), &on_word("ready", 1, fault));
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, "WARN", why);
        // The child of the third step is there by then, and must not do its work beside the process
        // that takes its place.
        let scene = faulty(Fake::new(), &on_word("started", 3, fault));
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process_from_here_on(&scene, &run, why);
    }
}

#[test]
fn a_host_that_is_lost_between_two_steps_is_not_missed() {
    for fault in [
        "tell(); os.kill(os.getpid(), 9)",
        "tell(); os._exit(1)",
        "tell(data + b'\\xff' * 9)",
    ] {
        let fault = on_word("code", 2, fault);
        let scene = with_modules(
            Fake::new(),
            &[(
                "cli/main.py",
                &in_the_host(&fault, &calls(&repo::fake_dbt())),
            )],
        );
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process_from_here_on(&scene, &run, "");
    }
}

#[test]
fn a_step_that_had_started_is_reported_as_it_ended_although_the_host_is_gone() {
    for (code, signal) in [
        (0, Signal::SIGKILL),
        (1, Signal::SIGKILL),
        (2, Signal::SIGTERM),
    ] {
        let fake = Fake::new()
            .on("debug", "ready", "")
            .on("debug", "wait-for", "go")
            .on("debug", "exit", code.to_string());
        let scene = with_modules(fake, &[("cli/main.py", &calls(&repo::fake_dbt()))]);
        let mut running = scene.runner().args(["--engine", "auto"]).spawn();
        running.until("the step", |_| scene.fake.is_ready("debug"));
        let host = processes::host(running.pid(), running.marker()).expect("a host");
        kill(Pid::from_raw(host), signal).unwrap();
        running.until("the host's end", |_| processes::environ(host).is_empty());
        scene.fake.release("go");
        let run = running.wait();
        run.assert_code(code).assert_nothing_left();
        assert_eq!(run.step("debug")["exit_code"], code, "{run}");
        if code == 0 {
            assert_process_from_here_on(&scene, &run, "its host ended");
        } else {
            assert_eq!(run.step("debug")["status"], "failed", "{run}");
            assert_eq!(scene.fake.steps(), ["deps", "debug"]);
        }
    }
}

#[test]
fn a_step_that_is_killed_with_or_after_the_host_ends_as_it_was_killed() {
    for (signal, code, words) in [
        (Signal::SIGKILL, 137, "killed by signal 9"),
        // Not SIGSEGV, which the fake survives once: its runtime handles it.
        (Signal::SIGABRT, 134, "killed by signal 6, SIGABRT"),
    ] {
        let fake = Fake::new().on("debug", "ready", "").on("debug", "hang", "");
        let scene = with_modules(fake, &[("cli/main.py", &becomes(&repo::fake_dbt()))]);
        let mut running = scene.runner().args(["--engine", "auto"]).spawn();
        running.until("the step", |_| scene.fake.is_ready("debug"));
        let host = processes::host(running.pid(), running.marker()).expect("a host");
        let step = scene.fake.call("debug")["process"]["pid"].as_i64().unwrap();
        for pid in [host, i32::try_from(step).unwrap()] {
            kill(Pid::from_raw(pid), signal).unwrap();
        }
        let run = running.wait();
        run.assert_code(code)
            .assert_nothing_left()
            .assert_err_has(&[words]);
        assert_eq!(run.step("debug")["status"], "killed", "{run}");
    }
}

#[test]
fn a_host_that_dies_while_it_looks_at_dbts_inside_is_not_missed() {
    for (fault, why) in [
        ("os.kill(os.getpid(), 9)", "its host ended (signal: 9"),
        ("os._exit(7)", "its host ended (exit status: 7)"),
    ] {
        let fake = Fake::new();
        let modules = [
            ("cli/main.py", &*becomes(&repo::fake_dbt())),
            ("version.py", "__version__ = '1.8.0'\n"),
            ("parser/__init__.py", ""),
            ("parser/manifest.py", &format!("import os\n{fault}\n")),
        ];
        let scene = with_modules(fake, &modules);
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, "WARN", why);
    }
}

/// The real dbt, and a manifest that cannot be kept for the next step, or not be found again: each
/// step reads its own.
#[test]
fn a_manifest_that_cannot_be_shared_is_read_by_each_step() {
    for (function, fault) in [
        ("dump", "raise RuntimeError('no')"),
        ("dump", "raise MemoryError"),
        (
            "dump",
            "given[1].write(b'half'); raise OSError(28, 'No space left on device')",
        ),
        ("load", "raise AttributeError('another class')"),
        ("load", "return {'nodes': 1, 'nothing': 2}, []"),
    ] {
        let twins = both(
            || {
                let project = Project::new(DUCKDB_PROFILE);
                project.write("models/one.sql", "select 1 as id\n");
                // Only parsing warns of it.
                project.write("models/one.yml", "models:\n  - name: nowhere\n");
                let patch = "import pickle, sys\n\
                             usual = pickle.FUNCTION\n\
                             def faulty(*given, **options):\n    \
                                 name = sys._getframe(1).f_code.co_filename\n    \
                                 if name.startswith('dbt-entrypoint/'):\n        \
                                     open('python/lost', 'w').close()\n        \
                                     FAULT\n    \
                                 return usual(*given, **options)\n\
                             pickle.FUNCTION = faulty\n";
                let patch = patch.replace("FUNCTION", function);
                project.write("python/sitecustomize.py", patch.replace("FAULT", fault));
                project
            },
            |runner| {
                runner
                    .args(["--credentials", "none", "--steps", "seed,run,test"])
                    .env("PYTHONPATH", "python")
            },
        );
        twins[0].run.assert_code(0);
        let lost = twins
            .each_ref()
            .map(|twin| twin.project.path().join("python/lost").exists());
        assert_eq!(lost, [false, true], "{}", twins[1].run);
        assert!(
            !twins[1].run.err().contains("engine: process"),
            "{}",
            twins[1].run
        );
        assert!(twins[1].run.out().contains("nowhere"), "{}", twins[1].run);
        assert_same(&twins);
    }
}

#[test]
fn a_host_that_cannot_fork_is_left() {
    for error in [
        "OSError(11, 'Resource temporarily unavailable')",
        "MemoryError('none')",
        "BlockingIOError(11, 'no')",
    ] {
        for (from, is_first) in [(1, true), (3, false)] {
            let fault = format!(
                "import os\n\
                 usual, forks = os.fork, []\n\
                 def fork():\n    forks.append(1)\n    if len(forks) >= {from}: raise {error}\n    \
                 return usual()\n\
                 os.fork = fork"
            );
            let scene = faulty(Fake::new(), &fault);
            let run = scene.runner().args(["--engine", "auto"]).run();
            assert_process_from_here_on(&scene, &run, "");
            let parents: Vec<_> = scene
                .fake
                .calls()
                .iter()
                .map(|call| call["process"]["ppid"].clone())
                .collect();
            assert_eq!(parents[0] == parents[5], is_first, "{parents:?}");
        }
    }
}

#[test]
fn a_child_that_ends_before_it_begins_has_not_started() {
    let scene = faulty(
        Fake::new(),
        "import os\ndef setsid(): raise PermissionError('no')\nos.setsid = setsid",
    );
    let run = scene.runner().args(["--engine", "auto"]).run();
    assert_process_from_here_on(
        &scene,
        &run,
        "the process of the step ended before dbt started",
    );
}
