//! What can go wrong with the process that imports dbt: each time the run ends as it would without it, and one line says what happened.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fake::Fake;
use crate::support::installation::{becomes, calls, in_the_host, install};
use crate::support::processes;
use crate::support::project::Scene;
use crate::support::repo;
use crate::support::result::Finished;

const ALL: [&str; 6] = ["deps", "debug", "run", "test", "source", "docs"];

/// A dbt that does this where it is imported for a session, and else is the fake.
fn faulty(fake: Fake, fault: &str) -> Scene {
    with_modules(fake, &[("cli/main.py", &in_the_host(fault, &becomes(&repo::fake_dbt())))])
}

fn with_modules(fake: Fake, modules: &[(&str, &str)]) -> Scene {
    let dbt = install(&fake.path().join("faulty"), modules);
    Scene::new(fake.by(dbt))
}

/// When the host says that for the `count`th time, this happens: `tell()` says it.
fn on_word(word: &str, count: u32, fault: &str) -> String {
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

fn engine_lines(run: &Finished) -> Vec<String> {
    run.err().lines().filter(|line| line.contains("engine: ")).map(str::to_owned).collect()
}

/// The run went well without a session: no step was left out, none ran twice.
#[track_caller]
fn assert_process(scene: &Scene, run: &Finished, why: &str) {
    run.assert_code(0).assert_nothing_left();
    assert_eq!(scene.fake.steps(), ALL, "{run}");
    let lines = engine_lines(run);
    assert_eq!(lines.len(), 1, "{run}");
    assert!(lines[0].contains("engine: process, since ") && lines[0].contains(why) && lines[0].contains("INFO"), "{run}");
}

/// The same, after steps that were forked.
#[track_caller]
fn assert_process_from_here_on(scene: &Scene, run: &Finished, why: &str) {
    run.assert_code(0).assert_nothing_left();
    assert_eq!(scene.fake.steps(), ALL, "{run}");
    assert_lost(run, why);
}

#[track_caller]
fn assert_lost(run: &Finished, why: &str) {
    let lines = engine_lines(run);
    assert_eq!(lines.len(), 2, "{run}");
    assert!(lines[0].contains("engine: session, since "), "{run}");
    let expected = "engine: process from here on, since the session is lost: ";
    assert!(lines[1].contains(expected) && lines[1].contains(why) && lines[1].contains("WARN"), "{run}");
}

#[test]
fn a_dbt_that_cannot_be_imported_is_run_as_it_is() {
    for (fault, why) in [
        ("raise ImportError('there is no agate')", "dbt cannot be imported (ImportError: there is no agate)"),
        ("sys.exit(3)", "dbt cannot be imported (SystemExit: 3)"),
        ("raise KeyboardInterrupt", "dbt cannot be imported (KeyboardInterrupt"),
        ("import os; os._exit(3)", "its host ended (exit status: 3)"),
        ("import os; os.kill(os.getpid(), 9)", "its host ended (signal: 9"),
        ("import os; os.close(0); os.closerange(3, 100)", "its host ended"),
    ] {
        let scene = faulty(Fake::new(), fault);
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, why);
    }
}

#[test]
fn a_dbt_that_nobody_can_import_fails_as_it_does_by_itself() {
    let ended = ["process", "auto"].map(|engine| {
        let scene = with_modules(Fake::new(), &[("cli/main.py", "raise ImportError('there is no agate')\n")]);
        let run = scene.runner().args(["--engine", engine]).run();
        run.assert_code(1).assert_err_has(&["ImportError: there is no agate"]).assert_nothing_left();
        run.steps()
    });
    assert_eq!(ended[0], ended[1]);
    assert_eq!(ended[0][0], ("deps".to_owned(), "failed".to_owned()));
}

#[test]
fn a_dbt_that_is_too_old_is_run_as_it_is() {
    for (version, why) in
        [("'1.4.9'", "dbt-core 1.4.9 is older than 1.5"), ("'unknown'", "dbt cannot be imported"), ("None", "dbt cannot be imported")]
    {
        let main = becomes(&repo::fake_dbt());
        let scene = with_modules(Fake::new(), &[("cli/main.py", &main), ("version.py", &format!("__version__ = {version}\n"))]);
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, why);
    }
}

#[test]
fn nonsense_instead_of_an_answer_ends_the_session_and_not_the_run() {
    let nonsense = [
        ("tell(b'Traceback (most recent call last):')", "its host cannot be understood"),
        ("tell(b'\\0\\0\\0\\2{}')", "its host cannot be understood"),
        ("tell(b'\\0\\0\\0\\2\\xff\\xff')", "its host cannot be understood"),
        ("tell(b'\\0\\0\\0\\x0b{\"code\": 0}')", "its host gave an unexpected answer"),
        ("tell(b'\\0\\0'); os._exit(0)", "its host ended"),
        ("os.kill(os.getpid(), 9)", "its host ended (signal: 9"),
    ];
    for (fault, why) in nonsense {
        let scene = faulty(Fake::new(), &on_word("ready", 1, fault));
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, why);
        // The child of the third step is there by then, and must not do its work beside the process that takes its place.
        let scene = faulty(Fake::new(), &on_word("started", 3, fault));
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process_from_here_on(&scene, &run, why);
    }
}

#[test]
fn a_host_that_is_lost_between_two_steps_is_not_missed() {
    for fault in ["tell(); os.kill(os.getpid(), 9)", "tell(); os._exit(1)", "tell(data + b'\\xff' * 9)"] {
        let fault = on_word("code", 2, fault);
        let scene = with_modules(Fake::new(), &[("cli/main.py", &in_the_host(&fault, &calls(&repo::fake_dbt())))]);
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process_from_here_on(&scene, &run, "");
    }
}

#[test]
fn a_step_that_had_started_is_reported_as_it_ended_although_the_host_is_gone() {
    for (code, signal) in [(0, Signal::SIGKILL), (1, Signal::SIGKILL), (2, Signal::SIGTERM)] {
        let fake = Fake::new().on("debug", "ready", "").on("debug", "wait-for", "go").on("debug", "exit", code.to_string());
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
            assert_process_from_here_on(&scene, &run, "");
        } else {
            assert_eq!(run.step("debug")["status"], "failed", "{run}");
            assert_eq!(scene.fake.steps(), ["deps", "debug"]);
        }
    }
}

#[test]
fn a_step_that_is_killed_together_with_the_host_was_killed() {
    let fake = Fake::new().on("debug", "ready", "").on("debug", "hang", "");
    let scene = with_modules(fake, &[("cli/main.py", &becomes(&repo::fake_dbt()))]);
    let mut running = scene.runner().args(["--engine", "auto"]).spawn();
    running.until("the step", |_| scene.fake.is_ready("debug"));
    let host = processes::host(running.pid(), running.marker()).expect("a host");
    let step = scene.fake.call("debug")["process"]["pid"].as_i64().unwrap();
    // As the kernel does it that is short of memory.
    for pid in [host, i32::try_from(step).unwrap()] {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
    let run = running.wait();
    run.assert_code(137).assert_nothing_left();
    assert_eq!(run.step("debug")["status"], "killed", "{run}");
}

#[test]
fn a_host_that_is_killed_while_it_imports_is_not_missed() {
    let waits = "import os, time\nopen(os.environ['FAKE_DBT_DIR'] + '/ready-import', 'w').close()\ntime.sleep(60)";
    let scene = faulty(Fake::new(), waits);
    let mut running = scene.runner().args(["--engine", "auto"]).spawn();
    running.until("the import", |_| scene.fake.is_ready("import"));
    kill(Pid::from_raw(processes::host(running.pid(), running.marker()).expect("a host")), Signal::SIGKILL).unwrap();
    assert_process(&scene, &running.wait(), "its host ended (signal: 9");
}

#[test]
fn a_host_that_dies_while_it_parses_is_not_missed() {
    for (fault, why) in [("os.kill(os.getpid(), 9)", "its host ended (signal: 9"), ("os._exit(7)", "its host ended (exit status: 7)")] {
        let fake = Fake::new();
        let modules = [
            ("cli/main.py", &*becomes(&repo::fake_dbt())),
            ("parser/__init__.py", ""),
            ("parser/manifest.py", &format!("import os\n{fault}\n")),
        ];
        let scene = with_modules(fake, &modules);
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process_from_here_on(&scene, &run, why);
        let parents: Vec<_> = scene.fake.calls().iter().map(|call| call["process"]["ppid"].clone()).collect();
        assert!(parents[0] == parents[1] && parents[1] != parents[2] && parents[2] == parents[5], "{parents:?}");
    }
}

#[test]
fn a_host_that_cannot_fork_is_left() {
    for error in ["OSError(11, 'Resource temporarily unavailable')", "MemoryError('none')", "BlockingIOError(11, 'no')"] {
        for (from, is_first) in [(1, true), (3, false)] {
            let fault = format!(
                "import os\n\
                 usual, forks = os.fork, []\n\
                 def fork():\n    forks.append(1)\n    if len(forks) >= {from}: raise {error}\n    return usual()\n\
                 os.fork = fork"
            );
            let scene = faulty(Fake::new(), &fault);
            let run = scene.runner().args(["--engine", "auto"]).run();
            assert_process_from_here_on(&scene, &run, "");
            let parents: Vec<_> = scene.fake.calls().iter().map(|call| call["process"]["ppid"].clone()).collect();
            assert_eq!(parents[0] == parents[5], is_first, "{parents:?}");
        }
    }
}

#[test]
fn a_child_that_ends_before_it_begins_has_not_started() {
    let scene = faulty(Fake::new(), "import os\ndef setsid(): raise PermissionError('no')\nos.setsid = setsid");
    let run = scene.runner().args(["--engine", "auto"]).run();
    assert_process_from_here_on(&scene, &run, "the child ended before it began");
}

const HANGS: &str = "import os, time\nopen(os.environ['FAKE_DBT_DIR'] + '/ready-import', 'w').close()\ntime.sleep(60)";

#[test]
fn a_host_that_hangs_is_ended_by_the_deadline() {
    let scene = faulty(Fake::new(), HANGS);
    let run = scene.runner().args(["--engine", "auto", "--deadline", "3s"]).run();
    run.assert_code(124).assert_nothing_left();
    assert_eq!(run.closing()["status"], "timed_out");
    assert!(scene.fake.is_ready("import"), "the deadline came before the import: {run}");
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn a_host_that_hangs_is_ended_by_a_signal() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let scene = faulty(Fake::new(), HANGS);
        let mut running = scene.runner().args(["--engine", "auto"]).spawn();
        running.until("the import and the first step", |running| scene.fake.is_ready("import") && running.stderr().contains("step deps:"));
        running.signal(signal);
        let run = running.wait();
        run.assert_code(code).assert_nothing_left();
        assert_eq!(
            (run.closing()["status"].as_str(), run.step("deps")["status"].as_str()),
            (Some("cancelled"), Some("cancelled")),
            "{run}"
        );
        assert!(scene.fake.steps().is_empty());
    }
}

#[test]
fn a_host_that_hangs_costs_the_step_its_timeout_and_no_more() {
    let ended = [("process", ""), ("auto", HANGS)].map(|(engine, fault)| {
        let fake = if engine == "process" { Fake::new().on("deps", "until-sigint", "2") } else { Fake::new() };
        let scene = faulty(fake, if fault.is_empty() { "pass" } else { fault });
        let yaml = "steps:\n  - {name: deps, command: [deps], on_failure: continue, timeout: 2s}\n  - debug\n  - run\n";
        scene.project.write("dbt-entrypoint.yml", yaml);
        let run = scene.runner().args(["--engine", engine]).run();
        run.assert_nothing_left();
        (run.code, run.steps())
    });
    assert_eq!(ended[0], ended[1]);
    assert_eq!(ended[1].0, Some(124));
}
