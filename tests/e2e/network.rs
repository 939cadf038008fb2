//! The ways to AWS that companies have: a certificate authority of their own, a proxy, and hosts
//! that go past it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::aws::Aws;
use crate::support::eventually;
use crate::support::forward_proxy::ForwardProxy;
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::{self, unique};
use crate::support::runner::Runner;

/// The local AWS behind TLS, with a certificate that only its own authority vouches for.
struct Tls {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl Tls {
    fn before(aws: Aws) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let openssl =
            repo::system_program(&["/usr/bin/openssl", "/usr/local/bin/openssl"], "openssl");
        let make = |arguments: &str| {
            let words = arguments.split_whitespace();
            let status = Command::new(&openssl)
                .current_dir(folder.path())
                .args(words)
                .stderr(Stdio::null())
                .status();
            assert!(status.unwrap().success(), "openssl {arguments}");
        };
        make(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out \
                ca.pem -addext keyUsage=critical,keyCertSign",
        );
        make("req -newkey rsa:2048 -nodes -subj /CN=aws.test -keyout key.pem -out request.pem");
        std::fs::write(
            folder.path().join("names"),
            "subjectAltName=DNS:aws.test,DNS:localhost,IP:127.0.0.1\n",
        )
        .unwrap();
        make(
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile \
                names -out server.pem",
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Command::new(repo::venv("python"))
            .arg(repo::root().join("tests/e2e/support/tls_front.py"))
            .args([port.to_string(), aws.address.port().to_string()])
            .args([
                folder.path().join("server.pem"),
                folder.path().join("key.pem"),
            ])
            .spawn()
            .unwrap();
        let tls = Self {
            folder,
            port,
            server,
        };
        eventually("the TLS front", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        tls
    }

    fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn runner(&self, scene: &Scene, source: &str) -> Runner {
        let endpoint = format!("https://localhost:{}", self.port);
        Aws::attach_at(scene.bare_runner(), &endpoint).args([
            "--credentials",
            source,
            "--steps",
            "run",
        ])
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn connection() -> String {
    let name = unique("connection");
    let url = "jdbc:redshift://h.example.com/d?currentSchema=s";
    Aws::shared().connection(
        &name,
        &json!({"JDBC_CONNECTION_URL": url, "USERNAME": "u", "PASSWORD": PASSWORD}),
        &json!({}),
    );
    format!("glue:{name}")
}

#[test]
fn a_certificate_authority_of_ones_own_is_honoured() {
    let (tls, scene) = (Tls::before(Aws::shared()), Scene::healthy());
    tls.runner(&scene, &connection())
        .env("AWS_CA_BUNDLE", tls.authority())
        .run()
        .assert_code(0);
}

#[test]
fn without_it_the_certificate_is_refused_with_69() {
    let (tls, scene) = (Tls::before(Aws::shared()), Scene::healthy());
    let run = tls.runner(&scene, &connection()).run();
    run.assert_code(69);
    assert!(run.err().to_lowercase().contains("certificate"), "{run}");
}

#[test]
fn a_bundle_that_is_not_there_or_not_one_is_named() {
    let (tls, scene) = (Tls::before(Aws::shared()), Scene::healthy());
    scene
        .project
        .write("empty.pem", "this is not a certificate\n");
    for bundle in [
        "/nowhere/ca.pem".into(),
        scene.project.path().join("empty.pem"),
    ] {
        let run = tls
            .runner(&scene, &connection())
            .env("AWS_CA_BUNDLE", &bundle)
            .run();
        assert_ne!(run.code, Some(0));
        run.assert_err_has(&["AWS_CA_BUNDLE", bundle.to_str().unwrap()]);
    }
}

#[test]
fn https_proxy_is_used_and_no_proxy_goes_past_it() {
    let (tls, scene) = (Tls::before(Aws::shared()), Scene::healthy());
    let proxy = ForwardProxy::to(tls.port);
    let endpoint = format!("https://aws.test:{}", tls.port);
    let runner = |scene: &Scene| {
        Aws::attach_at(scene.bare_runner(), &endpoint)
            .args(["--credentials", &connection(), "--steps", "run"])
            .env("AWS_CA_BUNDLE", tls.authority())
            .env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port))
    };
    // No resolver knows that name: only the proxy can have taken the request there.
    runner(&scene).run().assert_code(0);
    let asked = proxy.asked();
    assert!(
        asked
            .iter()
            .all(|line| line.starts_with(&format!("CONNECT aws.test:{}", tls.port)))
            && !asked.is_empty(),
        "{asked:?}"
    );

    let with_port = format!("other,aws.test:{}", tls.port);
    for list in [
        "aws.test",
        "*",
        ".test",
        "*.test",
        " a , AWS.test",
        &with_port,
    ] {
        let run = runner(&scene).env("NO_PROXY", list).run();
        run.assert_code(69);
        assert_eq!(
            proxy.asked().len(),
            asked.len(),
            "the proxy was asked in spite of {list}"
        );
    }
    for list in ["aws.test:1", "ws.test", "10.0.0.0/8"] {
        runner(&scene).env("NO_PROXY", list).run().assert_code(0);
    }
}

#[test]
fn an_endpoint_for_s3_alone_in_the_profile_means_path_style() {
    let scene = Scene::healthy();
    let aws = Aws::shared();
    let bucket = aws.bucket();
    let config = format!(
        "[default]\nservices = local\n[services local]\ns3 =\n  endpoint_url = \
            http://localhost:{}\n",
        aws.address.port()
    );
    scene.project.write("aws-config", config);
    let runner = aws
        .attach(scene.runner())
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_CONFIG_FILE", scene.project.path().join("aws-config"));
    runner
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("s3://{}/shop", bucket.name),
        )
        .run()
        .assert_code(0);
    assert!(bucket.keys().contains(&"shop/index.html".to_owned()));
}
