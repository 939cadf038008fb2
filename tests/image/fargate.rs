//! The task as Fargate starts it: its credentials from the task role's endpoint alone, half a CPU,
//! one gigabyte, a read-only root.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::container::Container;
use crate::engine::{docker, needs_engine};
use crate::pipeline::Lab;
use crate::support::aws::REGION;
use crate::support::http::Message;

const ACCESS_KEY: &str = "ASIATASKROLEEXAMPLE1";
const SECRET_KEY: &str = "task-role-secret-key/0123456789abcdefghi";
const SESSION_TOKEN: &str = "task-role-session-token-0123456789abcdef";
const AUTHORIZATION: &str = "of-the-agent-0123456789";

/// What the agent of ECS serves to a task. It is over when the test is: the thread ends with the
/// process.
struct TaskRole {
    port: u16,
    asked: Arc<Mutex<Vec<Message>>>,
}

impl TaskRole {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                drop(answer(&stream, &log));
            }
        });
        Self { port, asked }
    }
}

fn answer(stream: &TcpStream, log: &Mutex<Vec<Message>>) -> std::io::Result<()> {
    let request = Message::read_head(&mut BufReader::new(stream))?.unwrap_or_default();
    let authorized = request.get("authorization") == Some(AUTHORIZATION);
    log.lock().unwrap().push(request);
    let body = serde_json::json!({
        "RoleArn": "arn:aws:iam::123456789012:role/dbt-task",
        "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET_KEY,
        "Token": SESSION_TOKEN,
        "Expiration": "2099-01-01T00:00:00Z",
    });
    let status = if authorized {
        "HTTP/1.1 200 OK"
    } else {
        "HTTP/1.1 403 Forbidden"
    };
    let response = Message::new(status)
        .header("Content-Type", "application/json")
        .header("Connection", "close");
    response.body(body.to_string()).write(&mut &*stream, false)
}

/// A container without any AWS credentials of its own.
fn task(lab: &Lab, role: &TaskRole) -> Container {
    lab.settings(Container::new())
        .env("AWS_ENDPOINT_URL", lab.deployment.proxy.endpoint())
        .env("AWS_REGION", REGION)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://127.0.0.1:{}/v2/credentials/dbt", role.port),
        )
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", AUTHORIZATION)
}

#[test]
fn the_whole_job_with_half_a_cpu_one_gigabyte_and_a_read_only_root() {
    needs_engine!();
    let (lab, role) = (Lab::new(), TaskRole::new());
    let limits = [
        "--cpus",
        "0.5",
        "--memory",
        "1g",
        "--memory-swap",
        "1g",
        "--read-only",
        "--cap-drop",
        "ALL",
    ];
    let mut started = task(&lab, &role).flags(limits).start();
    // At that speed it takes longer than one wait may last.
    for step in ["debug", "run", "test", "freshness", "docs"] {
        started.until(&format!("step {step}"), |running| {
            running.stderr().contains(&format!("step {step}: dbt"))
        });
    }
    let (run, container) = started.wait();
    lab.assert_all_done(&run);
    assert_eq!(
        docker(&[
            "inspect",
            "--format",
            "{{.State.OOMKilled}}",
            &container.name
        ]),
        "false"
    );

    let asked = role.asked.lock().unwrap();
    assert!(
        !asked.is_empty()
            && asked
                .iter()
                .all(|request| request.start.starts_with("GET /v2/credentials/dbt "))
    );
    let log = lab.deployment.proxy.log();
    assert!(!log.is_empty());
    for seen in &log {
        let header = seen.request.get("authorization").unwrap_or_default();
        assert!(
            header.contains(&format!("Credential={ACCESS_KEY}/")),
            "{} was signed as {header:?}",
            seen.line
        );
        assert_eq!(
            seen.request.get("x-amz-security-token"),
            Some(SESSION_TOKEN),
            "{}",
            seen.line
        );
    }
    for secret in [SECRET_KEY, SESSION_TOKEN] {
        run.assert_lacks(secret.as_bytes());
        lab.deployment.bucket.assert_lacks(secret.as_bytes());
    }
}

#[test]
fn a_task_role_endpoint_that_refuses_is_said_so() {
    needs_engine!();
    let (lab, role) = (Lab::new(), TaskRole::new());
    let run = task(&lab, &role)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-somebody-else")
        .run();
    run.assert_code(77)
        .assert_err_has(&["HTTP status 403"])
        .assert_lacks(AUTHORIZATION.as_bytes());
    assert_eq!(run.closing()["status"], "error");
    assert!(
        lab.deployment.proxy.log().is_empty(),
        "nothing is asked of AWS without credentials: {run}"
    );
}
