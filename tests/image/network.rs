//! Names and TLS: the static binary in an empty file system, and git in the image.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::container::{Container, readable, writable};
use crate::engine::{Made, docker, image, label, needs_engine};
use crate::support::aws::{ACCESS_KEY, REGION, SECRET_KEY};
use crate::support::project::{PASSWORD, Project, REDSHIFT_PROFILE, with_login};
use crate::support::repo;

/// A certificate authority and a certificate for these names, in that folder: ca.pem, server.pem,
/// key.pem.
fn make_certificates(folder: &Path, names: &str) {
    let openssl = repo::system_program(&["/usr/bin/openssl", "/usr/local/bin/openssl"], "openssl");
    let make = |arguments: &str| {
        let status = Command::new(&openssl)
            .current_dir(folder)
            .args(arguments.split_whitespace())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "openssl {arguments}");
    };
    make(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem \
            -addext keyUsage=critical,keyCertSign",
    );
    make("req -newkey rsa:2048 -nodes -subj /CN=server -keyout key.pem -out request.pem");
    fs::write(folder.join("names"), format!("subjectAltName={names}\n")).unwrap();
    make(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
            -out server.pem",
    );
    // The container's user has to read it; it opens nothing but this test.
    fs::set_permissions(folder.join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
}

/// An image of the binary and a CA bundle, and nothing else.
fn scratch(certificates: &Path) -> Made {
    let context = tempfile::TempDir::new().unwrap();
    let source = Made::container(docker(&["create", "--label", &label(), &image()]));
    let binary = context.path().join("dbt-entrypoint");
    docker(&[
        "cp",
        &format!("{}:/usr/local/bin/dbt-entrypoint", source.name),
        binary.to_str().unwrap(),
    ]);
    fs::copy(certificates.join("ca.pem"), context.path().join("ca.pem")).unwrap();
    let lines = "FROM scratch\nCOPY dbt-entrypoint ca.pem /\nUSER 65532\nENTRYPOINT \
        [\"/dbt-entrypoint\"]\n";
    fs::write(context.path().join("Dockerfile"), lines).unwrap();
    Made::image(context.path())
}

#[test]
fn the_binary_alone_resolves_names_and_speaks_tls() {
    needs_engine!();
    let folder = tempfile::TempDir::new().unwrap();
    make_certificates(folder.path(), "DNS:aws.test");
    let url = "jdbc:redshift://warehouse.example.com/dev?currentSchema=analytics";
    let answer = json!({"Connection": {"Name": "x", "ConnectionType": "JDBC",
        "ConnectionProperties":
        {"JDBC_CONNECTION_URL": url, "USERNAME": "dbt", "PASSWORD": PASSWORD}}});
    fs::write(folder.path().join("answer.json"), answer.to_string()).unwrap();
    fs::copy(
        repo::root().join("tests/image/tls_server.py"),
        folder.path().join("tls_server.py"),
    )
    .unwrap();
    readable(folder.path());

    let (network, scratch) = (Made::network(), scratch(folder.path()));
    let server = Container::of(&image())
        .flags([
            "--network",
            &network.name,
            "--network-alias",
            "aws.test",
            "--entrypoint",
            "/usr/bin/python3",
        ])
        .mount_read_only(folder.path(), "/server");
    let mut server = server
        .args(["-I", "-u", "/server/tls_server.py", "/server"])
        .start();
    server.until("the server", |running| running.stdout().contains("ready"));

    let caller = |of: &str, host: &str, arguments: &[&str]| {
        Container::of(of)
            .flags(["--network", &network.name, "--read-only"])
            .env("AWS_ENDPOINT_URL", format!("https://{host}:8443"))
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("DBT_ENTRYPOINT_CREDENTIALS", "glue:x")
            .args(arguments.iter().copied())
    };
    let alone = |host: &str, arguments: &[&str]| caller(&scratch.name, host, arguments);
    let trusting =
        |host: &str, arguments: &[&str]| alone(host, arguments).env("AWS_CA_BUNDLE", "/ca.pem");
    let listed = trusting("aws.test", &["env"]).run();
    listed.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    assert!(listed.out().contains("DBT_REDSHIFT_PASSWORD"), "{listed}");
    let run = trusting("aws.test", &["exec", "--", "/dbt-entrypoint", "--version"]).run();
    run.assert_code(0);
    assert!(run.out().starts_with("dbt-entrypoint "), "{run}");

    // It was the bundle that made the difference, and the name that was looked up.
    let distrusted = alone("aws.test", &["env"]).run();
    distrusted.assert_code(69);
    assert!(
        distrusted.err().to_lowercase().contains("certificate"),
        "{distrusted}"
    );
    trusting("nobody.test", &["env"])
        .run()
        .assert_code(69)
        .assert_err_has(&["nobody.test"]);

    // In the image itself Debian's bundle is what it trusts, without being told.
    let image = image();
    let system = caller(&image, "aws.test", &["env"]).mount_read_only(
        &folder.path().join("ca.pem"),
        "/etc/ssl/certs/ca-certificates.crt",
    );
    system.run().assert_code(0);
    caller(&image, "aws.test", &["env"]).run().assert_code(69);
}

/// Serves bare repositories over https until the test is over.
struct GitServer(Child);

impl Drop for GitServer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_git_of_the_image_fetches_a_package_over_https() {
    needs_engine!();
    let folder = tempfile::TempDir::new().unwrap();
    make_certificates(folder.path(), "DNS:localhost");
    let git = |arguments: &[&str]| {
        let name = [
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.com",
            "-c",
            "init.defaultBranch=main",
        ];
        let output = Command::new("git")
            .current_dir(folder.path())
            .args(name)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet", "work"]);
    fs::write(
        folder.path().join("work/dbt_project.yml"),
        "name: tiny\nversion: '1.0'\n",
    )
    .unwrap();
    git(&["-C", "work", "add", "."]);
    git(&["-C", "work", "commit", "--quiet", "--message", "a package"]);
    git(&["clone", "--quiet", "--bare", "work", "tiny.git"]);
    let revision = git(&["-C", "work", "rev-parse", "HEAD"]);

    let script = repo::root().join("tests/image/git_server.py");
    let server = Command::new(repo::venv("python"))
        .arg(script)
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn();
    let mut server = GitServer(server.unwrap());
    let mut port = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(server.0.stdout.take().unwrap()),
        &mut port,
    )
    .unwrap();

    let project = Project::new(REDSHIFT_PROFILE);
    project.write(
        "packages.yml",
        format!(
            "packages:\n  - git: https://localhost:{}/tiny.git\n    revision: {revision}\n",
            port.trim()
        ),
    );
    let container = Container::new()
        .mount(writable(project.path()), "/app/dbt")
        .mount_read_only(&folder.path().join("ca.pem"), "/ca.pem")
        .env("GIT_SSL_CAINFO", "/ca.pem")
        .with(with_login);
    let run = container.args(["run", "--steps", "deps"]).run();
    run.assert_code(0);
    assert!(run.out().contains("tiny.git"), "{run}");
    assert!(
        project
            .path()
            .join("dbt_packages/tiny/dbt_project.yml")
            .exists(),
        "{run}"
    );
}
