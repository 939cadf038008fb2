//! What dbt finds in its environment: every value byte for byte, the resolved settings, and the
//! rest as it was.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::json;

use crate::support::aws::Aws;
use crate::support::project::Scene;
use crate::support::repo::unique;

/// Every kind of character that a shell, a URL, a template or a log could trip over.
fn passwords() -> Vec<String> {
    vec![
        (b' '..=b'~').map(char::from).collect(),
        "it's \"quoted\" \\ and \\\\ more".to_owned(),
        "$HOME ${PATH} $(id) `id` $$".to_owned(),
        "{% raw %}{{ env_var('HOME') }}{% endraw %}".to_owned(),
        "two\nlines\r\nand a\ttab".to_owned(),
        "Grüße-日本語-🔑-\u{7f}".to_owned(),
        "%41%2F+&=?#;:@/".to_owned(),
        " leading and trailing ".to_owned(),
        "x".repeat(4096),
    ]
}

#[test]
fn a_fetched_password_arrives_byte_for_byte() {
    for password in passwords() {
        let (scene, name) = (Scene::healthy(), unique("secret"));
        let secret = json!({"host": "h.example.com", "username": "u", "password": password,
            "dbname": "d", "schema": "s"});
        Aws::shared().secret(&name, &secret.to_string());
        let runner = Aws::shared()
            .attach(scene.bare_runner())
            .args(["--credentials", &format!("secretsmanager:{name}")]);
        let run = runner.args(["--steps", "run"]).run();
        run.assert_code(0).assert_lacks(password.as_bytes());
        assert_eq!(
            scene.fake.variable("run", "DBT_REDSHIFT_PASSWORD").as_ref(),
            Some(&password)
        );
        assert_eq!(
            scene
                .fake
                .variable("run", "DBT_ENV_SECRET_REDSHIFT_PASSWORD")
                .as_ref(),
            Some(&password)
        );
    }
}

#[test]
fn a_password_in_a_glue_connection_arrives_byte_for_byte() {
    for password in passwords() {
        let (scene, name) = (Scene::healthy(), unique("connection"));
        let url = "jdbc:redshift://h.example.com/d?currentSchema=s";
        let properties = json!({"JDBC_CONNECTION_URL": url, "USERNAME": "u", "PASSWORD": password});
        Aws::shared().connection(&name, &properties, &json!({}));
        let runner = Aws::shared()
            .attach(scene.bare_runner())
            .args(["--credentials", &format!("glue:{name}")]);
        runner.args(["--steps", "run"]).run().assert_code(0);
        assert_eq!(
            scene.fake.variable("run", "DBT_REDSHIFT_PASSWORD"),
            Some(password)
        );
    }
}

#[test]
fn bytes_that_are_not_utf8_pass_from_the_environment() {
    let scene = Scene::healthy();
    let odd: &[u8] = b"p\xff\xfe\x80ssword-\xc3\n$x";
    let runner = scene
        .runner()
        .env("DBT_REDSHIFT_PASSWORD", OsStr::from_bytes(odd));
    let run = runner
        .env("UNRELATED", OsStr::from_bytes(b"\xf0\x28"))
        .args(["--steps", "run"])
        .run();
    run.assert_code(0).assert_lacks(odd);
    let environment = scene.fake.environment("run");
    assert_eq!(environment["DBT_REDSHIFT_PASSWORD"], odd);
    assert_eq!(environment["DBT_ENV_SECRET_REDSHIFT_PASSWORD"], odd);
    assert_eq!(environment["UNRELATED"], b"\xf0\x28");
}

#[test]
fn every_step_gets_the_login() {
    let scene = Scene::healthy();
    scene.runner().run().assert_code(0);
    for step in ["deps", "debug", "run", "test", "source", "docs"] {
        let value = scene.fake.variable(step, "DBT_REDSHIFT_HOST");
        assert_eq!(value.as_deref(), Some("warehouse.example.com"), "{step}");
    }
}

#[test]
fn the_resolved_settings_are_injected_and_paths_are_absolute() {
    let scene = Scene::healthy();
    let directory = scene.project.path().parent().unwrap();
    let folder = scene.project.path().file_name().unwrap();
    let runner = scene
        .runner()
        .directory(directory)
        .arg("--project-dir")
        .arg(folder);
    let run = runner.args(["--env", "sandbox", "--steps", "run"]).run();
    run.assert_code(0);
    let variable = |name: &str| scene.fake.variable("run", name).unwrap_or_default();
    assert_eq!(variable("ENV"), "sandbox");
    assert_eq!(variable("PROJECT_NAME"), "shop");
    assert_eq!(variable("DBT_ENTRYPOINT_DEPLOYMENTS"), "dev,live");
    for name in ["DBT_PROJECT_DIR", "DBT_PROFILES_DIR"] {
        let path = std::path::PathBuf::from(variable(name));
        assert!(path.is_absolute(), "{name}={}", path.display());
        assert_eq!(
            path.canonicalize().unwrap(),
            scene.project.canonical(),
            "{name}"
        );
    }
}

#[test]
fn the_default_port_is_injected() {
    let scene = Scene::healthy();
    scene
        .runner()
        .env_remove("DBT_REDSHIFT_PORT")
        .args(["--steps", "run"])
        .run()
        .assert_code(0);
    assert_eq!(
        scene.fake.variable("run", "DBT_REDSHIFT_PORT").as_deref(),
        Some("5439")
    );
}

#[test]
fn whatever_else_was_set_is_inherited() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .env("MY_TEAMS_VARIABLE", "as it was")
        .env("DBT_SANDBOX_USER", "ada")
        .args(["--steps", "run"])
        .run();
    run.assert_code(0);
    assert_eq!(
        scene.fake.variable("run", "MY_TEAMS_VARIABLE").as_deref(),
        Some("as it was")
    );
    assert_eq!(
        scene.fake.variable("run", "DBT_SANDBOX_USER").as_deref(),
        Some("ada")
    );
}
