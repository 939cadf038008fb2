//! Signals and the deadline while credentials are fetched: the run ends at once, with nothing
//! started.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::aws::Aws;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::project::Scene;

#[test]
fn a_signal_ends_the_run_at_once() {
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
    ] {
        let scene = Scene::healthy();
        let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::Silence);
        let mut running = Aws::attach_at(scene.bare_runner(), &proxy.endpoint())
            .args(["--credentials", "glue:x"])
            .spawn();
        running.until("the request", |_| proxy.count("GetConnection") == 1);
        let sent = Instant::now();
        running.signal(signal);
        let run = running.wait();
        assert!(
            sent.elapsed() < Duration::from_secs(2),
            "it took {:?}",
            sent.elapsed()
        );
        run.assert_code(code).assert_nothing_left();
        let closing = run.closing();
        assert_eq!(closing["status"], "cancelled");
        assert!(
            closing["steps"]
                .as_array()
                .unwrap()
                .iter()
                .all(|step| step["status"] == "skipped"),
            "{run}"
        );
        assert!(scene.fake.steps().is_empty());
    }
}

#[test]
fn the_deadline_ends_the_run_with_124() {
    let scene = Scene::healthy();
    let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::Silence);
    let runner = Aws::attach_at(scene.bare_runner(), &proxy.endpoint()).args([
        "--credentials",
        "glue:x",
        "--deadline",
        "1s",
    ]);
    let run = runner.run();
    run.assert_code(124);
    assert_eq!(run.closing()["status"], "timed_out");
    assert!(run.elapsed < Duration::from_secs(4), "{run}");
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn a_signal_during_exec_ends_it_too() {
    let scene = Scene::healthy();
    let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::Silence);
    let runner = Aws::attach_at(scene.bare_runner(), &proxy.endpoint());
    let mut running = runner
        .args([
            "exec",
            "--credentials",
            "glue:x",
            "--",
            "/bin/sh",
            "-c",
            "echo started",
        ])
        .spawn();
    running.until("the request", |_| proxy.count("GetConnection") == 1);
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert_eq!(run.out(), "");
}

/// As on a host whose firewall drops what goes to the metadata service: the region and the
/// credentials are looked for there before anything is asked.
#[test]
fn a_signal_ends_a_command_whose_metadata_service_is_silent() {
    for command in [
        &["run", "--credentials", "glue:x", "--schema", "s"][..],
        &["env", "--credentials", "glue:x", "--schema", "s"],
        &[
            "exec",
            "--credentials",
            "glue:x",
            "--schema",
            "s",
            "--",
            "/bin/true",
        ],
    ] {
        let scene = Scene::healthy();
        let metadata = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", metadata.local_addr().unwrap());
        let running = scene
            .bare_runner()
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
            .args(command)
            .spawn();
        let (mut asked, _) = metadata.accept().unwrap();
        assert!(asked.read(&mut [0; 64]).unwrap() > 0, "the request");
        let sent = Instant::now();
        running.signal(Signal::SIGTERM);
        let run = running.wait();
        let took = sent.elapsed();
        assert!(took < Duration::from_secs(1), "{command:?}: {took:?}");
        run.assert_code(143).assert_nothing_left();
        assert!(scene.fake.steps().is_empty());
    }
}

/// As on a network file system that has gone away.
#[test]
fn a_signal_ends_a_command_that_waits_for_a_file_of_the_aws_cli() {
    for command in [&["run"][..], &["env"], &["exec", "--", "/bin/true"]] {
        let scene = Scene::healthy();
        let pipe = scene.project.path().join("config");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let running = scene
            .bare_runner()
            .env("AWS_CONFIG_FILE", &pipe)
            .env("DBT_ENTRYPOINT_CREDENTIALS", "glue:x")
            .args(command)
            .spawn();
        // Opens as soon as somebody reads.
        let _writer = std::fs::File::options().write(true).open(&pipe).unwrap();
        let sent = Instant::now();
        running.signal(Signal::SIGTERM);
        let run = running.wait();
        let took = sent.elapsed();
        assert!(took < Duration::from_secs(1), "{command:?}: {took:?}");
        run.assert_code(143).assert_nothing_left();
    }
}
