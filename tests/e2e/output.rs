//! dbt's output on its way: at once, to the stream it was for, without secrets, in bounded memory.

use std::fmt::Write as _;
use std::time::Duration;

use crate::support::fake::Fake;
use crate::support::processes;
use crate::support::project::{PASSWORD, Scene};
use crate::support::sentinel;

#[test]
fn stdout_and_stderr_stay_what_they_are() {
    let fake = Fake::new()
        .on("run", "stdout", "to stdout\n")
        .on("run", "stderr", "to stderr\n");
    let scene = Scene::new(fake);
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(0);
    assert!(
        run.out().contains("to stdout\n") && !run.err().contains("to stdout"),
        "{run}"
    );
    assert!(
        run.err().contains("to stderr\n") && !run.out().contains("to stderr"),
        "{run}"
    );
}

#[test]
fn a_line_arrives_while_the_step_still_runs() {
    let scene = Scene::new(
        Fake::new()
            .on("run", "stdout", "early\n")
            .on("run", "wait-for", "go"),
    );
    let mut running = scene.runner().args(["--steps", "run"]).spawn();
    running.until("the line", |running| running.stdout().contains("early\n"));
    scene.fake.release("go");
    running.wait().assert_code(0);
}

#[test]
fn a_last_line_without_an_end_is_not_lost() {
    let scene = Scene::new(Fake::new().on("run", "stdout", "the very last words"));
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(0);
    assert!(run.out().contains("the very last words"));
    // It does not swallow the table or the closing line either.
    run.closing();
}

#[test]
fn bytes_that_are_not_utf8_come_through_as_they_are_and_hide_no_secret() {
    let line = [
        b"caf\xe9 \xff\xfe\x80 ".as_slice(),
        PASSWORD.as_bytes(),
        b" \xc3\n\xf0\x9f after\n",
    ]
    .concat();
    let scene = Scene::new(
        Fake::new()
            .on("run", "stdout", &line)
            .on("run", "stderr", &line),
    );
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    for stream in [&run.stdout, &run.stderr] {
        assert!(
            sentinel::holds(stream, b"caf\xe9 \xff\xfe\x80 ***** \xc3\n\xf0\x9f after\n"),
            "{run}"
        );
    }
}

#[test]
fn the_password_is_replaced_in_every_form() {
    let escaped = serde_json::to_string(PASSWORD).unwrap();
    let encoded = "Sentinel-7f3a9c%27%22%24%26";
    let text = format!("raw {PASSWORD} json {escaped} url postgres://u:{encoded}@h/db\n");
    let scene = Scene::new(
        Fake::new()
            .on("run", "stdout", &text)
            .on("run", "stderr", &text),
    );
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    let expected = "raw ***** json \"*****\" url postgres://u:*****@h/db\n";
    assert!(
        run.out().contains(expected) && run.err().contains(expected),
        "{run}"
    );
}

#[test]
fn secrets_of_dbt_and_of_aws_are_replaced_too() {
    let values = [
        "git-token-0123456789",
        "wJalrXUtnFEMI/K7MDENG",
        "session-token/abc+def==",
        "Basic container/token==",
        "eyJhbGciOi.in-a-file",
        "eyJhbGciOi.for-a-role",
    ];
    let text = format!("{}\n", values.join(" "));
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, token: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{token}\n")).unwrap();
        path
    };
    let scene = Scene::new(Fake::new().on("run", "stdout", &text));
    let runner = scene
        .runner()
        .env("DBT_ENV_SECRET_GIT_TOKEN", values[0])
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", values[1])
        .env("AWS_SESSION_TOKEN", values[2])
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", values[3])
        .env(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            file("container", values[4]),
        )
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", file("role", values[5]));
    let run = runner.args(["--steps", "run"]).run();
    run.assert_code(0);
    for value in values {
        run.assert_lacks(value.as_bytes());
    }
    assert!(
        run.out().contains("***** ***** ***** ***** ***** *****\n"),
        "{run}"
    );
}

/// The table is the redactor's own; here each row goes through the whole program.
#[test]
fn what_programs_do_to_a_secret_on_its_way_into_a_log_is_undone() {
    #[derive(serde::Deserialize)]
    struct Spelling {
        by: String,
        secret: String,
        text: String,
    }
    let table = include_str!("../../src/redact/tests/spellings.json");
    let table: Vec<Spelling> = serde_json::from_str(table).unwrap();
    let (mut text, mut variables) = (String::new(), Vec::new());
    for (
        number,
        Spelling {
            by,
            secret,
            text: row,
        },
    ) in table.iter().enumerate()
    {
        let _ = writeln!(text, "<{number} {by}>{row}</{number}>");
        variables.push((format!("DBT_ENV_SECRET_{number}"), secret));
    }
    let scene = Scene::new(
        Fake::new()
            .on("run", "stdout", &text)
            .on("run", "stderr", &text),
    );
    let mut runner = scene.runner().args(["--steps", "run"]);
    for (name, secret) in &variables {
        runner = runner.env(name, secret);
    }
    let run = runner.run();
    run.assert_code(0);
    for stream in [run.out(), run.err()] {
        for (number, Spelling { by, text, .. }) in table.iter().enumerate() {
            let (start, end) = (format!("<{number} {by}>"), format!("</{number}>"));
            let row = stream.split_once(&start).unwrap().1;
            let row = row.split_once(&end).unwrap().0;
            assert!(row.contains("*****") && row != text, "{by}: {row}");
            assert!(row.len() < text.len(), "{by}: {text} became {row}");
        }
    }
}

#[test]
fn a_secret_is_found_wherever_a_read_ends() {
    // Every position of the password against the borders of small and of pipe-sized writes.
    let scene = Scene::healthy();
    let mut text = Vec::new();
    for padding in 0..64 {
        text.extend(vec![b'.'; padding]);
        text.extend(PASSWORD.as_bytes());
        text.extend(b"|");
    }
    for size in [4096_usize, 65536] {
        for offset in 1..PASSWORD.len() {
            text.resize(text.len().next_multiple_of(size) - offset, b'-');
            text.extend(PASSWORD.as_bytes());
        }
    }
    text.push(b'\n');
    scene.project.write("output.bin", &text);
    let path = scene.project.path().join("output.bin");
    for chunk in [1, 7, 4096, 65536] {
        // One byte at a time would be half a million writes; the start of the text is enough for
        // that.
        let limit = if chunk < 8 { 4_000 } else { text.len() };
        scene.project.write("output.bin", &text[..limit]);
        let fake = Fake::new().on("run", "stdout-file", format!("{} {chunk}", path.display()));
        let run = fake.attach(scene.runner()).args(["--steps", "run"]).run();
        run.assert_code(0);
        assert!(
            !sentinel::holds(&run.stdout, PASSWORD.as_bytes()),
            "with writes of {chunk} bytes"
        );
        assert!(
            sentinel::holds(&run.stdout, b"*****|.*****|"),
            "with writes of {chunk} bytes"
        );
    }
}

#[test]
fn of_two_secrets_that_begin_alike_the_longer_is_replaced_whole() {
    let (short, long) = ("beginning-of", "beginning-of-the-longer-one");
    let scene = Scene::new(Fake::new().on("run", "stdout", format!("{long} {short}\n")));
    let runner = scene
        .runner()
        .env("DBT_ENV_SECRET_SHORT", short)
        .env("DBT_ENV_SECRET_LONG", long);
    let run = runner.args(["--steps", "run"]).run();
    assert!(run.out().contains("***** *****\n"), "{run}");
    assert!(!run.out().contains("-the-longer-one"), "{run}");
}

#[test]
fn a_value_shorter_than_eight_bytes_is_left_alone_and_a_warning_says_so() {
    let scene = Scene::new(Fake::new().on("run", "stdout", "orders and an order\n"));
    let run = scene
        .runner()
        .env("DBT_ENV_SECRET_TINY", "order")
        .args(["--steps", "run"])
        .run();
    run.assert_code(0);
    assert!(run.out().contains("orders and an order\n"), "{run}");
    run.assert_err_has(&["DBT_ENV_SECRET_TINY"]);
    assert!(run.err().to_lowercase().contains("warn"), "{run}");
}

#[test]
fn a_line_of_50_mb_passes_in_bounded_memory() {
    let fake = Fake::new()
        .on("run", "flood", "50")
        .on("run", "stdout", PASSWORD)
        .on("run", "ready", "")
        .on("run", "wait-for", "go");
    let scene = Scene::new(fake);
    let mut running = scene.runner().args(["--steps", "run"]).spawn();
    running.until("50 MB to be written", |_| scene.fake.is_ready("run"));
    let peak = processes::peak_memory(running.pid());
    scene.fake.release("go");
    let run = running.wait();
    run.assert_code(0);
    assert!(
        run.stdout.len() > 50 << 20,
        "only {} bytes came through",
        run.stdout.len()
    );
    let tail = &run.stdout[run.stdout.len() - 20_000..];
    assert!(!sentinel::holds(tail, PASSWORD.as_bytes()) && sentinel::holds(tail, b"x*****"));
    // The whole line would be more than this; a debug build of the program alone takes about half.
    assert!(peak < 40 * 1024, "the runner had {peak} KiB at its peak");
}

#[test]
fn nothing_follows_the_closing_line() {
    let scene = Scene::new(
        Fake::new()
            .on("docs", "stderr", "noise\n")
            .on("docs", "stdout", "more noise")
            .on("docs", "exit", "1"),
    );
    let mut running = scene.runner().args(["--log-format", "text"]).spawn();
    running.until("the closing line", |running| {
        running.stdout().contains("\"exit_code\":1") || running.stdout().contains("run_id")
    });
    let run = running.wait();
    run.assert_code(1);
    run.closing();
}

#[test]
fn colours_are_off_where_nobody_looks() {
    let scene = Scene::healthy();
    let run = scene.runner().run();
    run.assert_code(0);
    assert!(
        !sentinel::holds(&run.stdout, b"\x1b[") && !sentinel::holds(&run.stderr, b"\x1b["),
        "{run}"
    );
    let value = scene
        .fake
        .variable("run", "DBT_USE_COLORS")
        .unwrap_or_default()
        .to_lowercase();
    assert!(
        value == "false" || value == "0",
        "DBT_USE_COLORS is {value:?}"
    );
}

#[test]
fn a_flood_on_both_streams_at_once_blocks_nothing() {
    let mut fake = Fake::new();
    for _ in 0..40 {
        fake = fake
            .on("run", "stderr", "e".repeat(60_000))
            .on("run", "stdout", "o".repeat(60_000));
    }
    let scene = Scene::new(fake);
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(0);
    let count = |stream: &[u8], letter: u8| stream.iter().filter(|byte| **byte == letter).count();
    assert!(count(&run.stdout, b'o') >= 40 * 60_000 && count(&run.stderr, b'e') >= 40 * 60_000);
    assert!(run.elapsed < Duration::from_secs(30));
}

#[test]
fn every_form_that_programs_make_of_a_password_is_replaced() {
    // As Python's json.dumps and urllib write it, and others with small hexadecimal digits.
    let password = "pä\"ss/wörd 日本🔑";
    let forms = [
        password,
        r#"pä\"ss/wörd 日本🔑"#,
        r#"p\u00e4\"ss/w\u00f6rd \u65e5\u672c\ud83d\udd11"#,
        "p%C3%A4%22ss%2Fw%C3%B6rd%20%E6%97%A5%E6%9C%AC%F0%9F%94%91",
        "p%C3%A4%22ss/w%C3%B6rd%20%E6%97%A5%E6%9C%AC%F0%9F%94%91",
        "p%C3%A4%22ss%2Fw%C3%B6rd+%E6%97%A5%E6%9C%AC%F0%9F%94%91",
        "p%c3%a4%22ss%2fw%c3%b6rd%20%e6%97%a5%e6%9c%ac%f0%9f%94%91",
    ];
    let text: Vec<_> = forms
        .iter()
        .enumerate()
        .map(|(index, form)| format!("{index}={form};\n"))
        .collect();
    let scene = Scene::new(Fake::new().on("run", "stdout", text.concat()));
    let run = scene
        .runner()
        .env("DBT_REDSHIFT_PASSWORD", password)
        .args(["--steps", "run"])
        .run();
    run.assert_code(0);
    for (index, form) in forms.iter().enumerate() {
        assert!(
            run.out().contains(&format!("{index}=*****;\n")),
            "form {index}, {form}: {run}"
        );
    }
}
