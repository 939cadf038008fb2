//! Where a login comes from: the four shapes of a Glue Connection, Secrets Manager, Parameter
//! Store, the environment, or nowhere.

use serde_json::{Value, json};

use crate::support::aws::Aws;
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::unique;
use crate::support::result::Finished;

const URL: &str = "jdbc:redshift://warehouse.example.com:5444/analytics_db?currentSchema=marts";

/// Runs one step with that source and returns what dbt was given, as `host:port user/password
/// schema db`.
#[track_caller]
fn fetched(scene: &Scene, source: &str) -> String {
    let runner =
        Aws::shared()
            .attach(scene.bare_runner())
            .args(["--credentials", source, "--steps", "run"]);
    let run = runner.run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    login(scene)
}

#[track_caller]
fn login(scene: &Scene) -> String {
    let value = |name: &str| {
        scene
            .fake
            .variable("run", name)
            .unwrap_or_else(|| format!("no {name}"))
    };
    format!(
        "{}:{} {}/{} {} {}",
        value("DBT_REDSHIFT_HOST"),
        value("DBT_REDSHIFT_PORT"),
        value("DBT_REDSHIFT_USER"),
        value("DBT_REDSHIFT_PASSWORD"),
        value("DBT_REDSHIFT_SCHEMA"),
        value("DBT_REDSHIFT_DB")
    )
}

fn expected() -> String {
    format!("warehouse.example.com:5444 dbt_user/{PASSWORD} marts analytics_db")
}

#[track_caller]
fn glue(properties: &Value, more: &Value) -> String {
    let (scene, name) = (Scene::healthy(), unique("connection"));
    Aws::shared().connection(&name, properties, more);
    fetched(&scene, &format!("glue:{name}"))
}

#[test]
fn glue_with_user_and_password_in_its_properties() {
    let properties =
        json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "dbt_user", "PASSWORD": PASSWORD});
    assert_eq!(glue(&properties, &json!({})), expected());
}

#[test]
fn glue_that_names_a_secret() {
    let name = unique("secret");
    Aws::shared().secret(
        &name,
        &json!({"username": "dbt_user", "password": PASSWORD}).to_string(),
    );
    assert_eq!(
        glue(
            &json!({"JDBC_CONNECTION_URL": URL, "SECRET_ID": name}),
            &json!({})
        ),
        expected()
    );
}

#[test]
fn glue_with_an_encrypted_password() {
    let ciphertext = Aws::shared().encrypted(PASSWORD);
    let properties = json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "dbt_user",
        "ENCRYPTED_PASSWORD": ciphertext});
    assert_eq!(glue(&properties, &json!({})), expected());
}

#[test]
fn glue_with_an_authentication_configuration() {
    let secret = json!({"username": "dbt_user", "password": PASSWORD}).to_string();
    let arn = Aws::shared().secret(&unique("secret"), &secret);
    let authentication =
        json!({"AuthenticationConfiguration": {"AuthenticationType": "BASIC", "SecretArn": arn}});
    assert_eq!(
        glue(&json!({"JDBC_CONNECTION_URL": URL}), &authentication),
        expected()
    );
}

#[test]
fn glue_with_host_port_and_database_as_properties() {
    let properties = json!({"HOST": "warehouse.example.com", "PORT": "5444",
        "DATABASE": "analytics_db",
                            "USERNAME": "dbt_user", "PASSWORD": PASSWORD});
    let (scene, name) = (Scene::healthy(), unique("connection"));
    Aws::shared().connection(&name, &properties, &json!({}));
    let runner = Aws::shared()
        .attach(scene.bare_runner())
        .args(["--credentials", &format!("glue:{name}")]);
    runner
        .args(["--steps", "run", "--schema", "marts"])
        .run()
        .assert_code(0);
    assert_eq!(login(&scene), expected());
}

#[test]
fn urls_of_every_shape_are_understood() {
    for (url, host, port, database) in [
        (
            "jdbc:redshift://h.example.com/db?currentSchema=s",
            "h.example.com",
            "5439",
            "db",
        ),
        (
            "jdbc:redshift:iam://h.example.com:5440/db?currentSchema=s",
            "h.example.com",
            "5440",
            "db",
        ),
        (
            "jdbc:postgresql://h.example.com:5432/db?ssl=true&currentSchema=s",
            "h.example.com",
            "5432",
            "db",
        ),
        (
            "jdbc:redshift://[2001:db8::1]:5439/db?currentSchema=s",
            "2001:db8::1",
            "5439",
            "db",
        ),
        (
            "jdbc:redshift://h.example.com:5439/d%20b%2Fx?currentSchema=s",
            "h.example.com",
            "5439",
            "d b/x",
        ),
        (
            "jdbc:redshift://h.example.com:5439/db;ssl=true;currentSchema=s",
            "h.example.com",
            "5439",
            "db",
        ),
    ] {
        let got = glue(
            &json!({"JDBC_CONNECTION_URL": url, "USERNAME": "u", "PASSWORD": PASSWORD}),
            &json!({}),
        );
        assert_eq!(
            got,
            format!("{host}:{port} u/{PASSWORD} s {database}"),
            "{url}"
        );
    }
}

#[test]
fn secrets_manager_by_name_and_by_arn() {
    let name = unique("secret");
    let secret = json!({"host": "warehouse.example.com", "port": 5444, "username": "dbt_user",
        "password": PASSWORD,
                        "dbname": "analytics_db", "schema": "marts", "engine": "redshift"});
    let arn = Aws::shared().secret(&name, &secret.to_string());
    assert_eq!(
        fetched(&Scene::healthy(), &format!("secretsmanager:{name}")),
        expected()
    );
    assert_eq!(
        fetched(&Scene::healthy(), &format!("secretsmanager:{arn}")),
        expected()
    );
}

#[test]
fn a_secret_with_the_other_names() {
    let name = unique("secret");
    let secret = json!({"host": "warehouse.example.com", "port": "5444", "user": "dbt_user",
        "password": PASSWORD,
                        "database": "analytics_db", "schema": "marts"});
    Aws::shared().secret(&name, &secret.to_string());
    assert_eq!(
        fetched(&Scene::healthy(), &format!("secretsmanager:{name}")),
        expected()
    );
}

#[test]
fn parameter_store_with_secure_strings() {
    let path = format!("/{}/redshift", unique("dbt"));
    let aws = Aws::shared();
    aws.parameter(&format!("{path}/host"), "warehouse.example.com", "String");
    aws.parameter(&format!("{path}/port"), "5444", "String");
    aws.parameter(&format!("{path}/username"), "dbt_user", "String");
    aws.parameter(&format!("{path}/password"), PASSWORD, "SecureString");
    aws.parameter(&format!("{path}/dbname"), "analytics_db", "String");
    aws.parameter(&format!("{path}/schema"), "marts", "String");
    assert_eq!(
        fetched(&Scene::healthy(), &format!("ssm:{path}/")),
        expected()
    );
}

#[test]
fn parameter_store_with_more_than_one_page() {
    // GetParametersByPath returns ten at most: the wanted ones lie behind those that nobody asked
    // for.
    let path = format!("/{}/many", unique("dbt"));
    let aws = Aws::shared();
    for index in 0..14 {
        aws.parameter(&format!("{path}/a{index:02}"), "unrelated", "String");
    }
    for (name, value) in [
        ("host", "warehouse.example.com"),
        ("port", "5444"),
        ("user", "dbt_user"),
        ("password", PASSWORD),
    ] {
        aws.parameter(&format!("{path}/{name}"), value, "SecureString");
    }
    aws.parameter(&format!("{path}/database"), "analytics_db", "String");
    aws.parameter(&format!("{path}/schema"), "marts", "String");
    assert_eq!(
        fetched(&Scene::healthy(), &format!("ssm:{path}/")),
        expected()
    );
}

#[test]
fn the_environment_is_a_source_and_needs_no_aws() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["--credentials", "env", "--steps", "run"])
        .run()
        .assert_code(0);
    assert_eq!(
        login(&scene),
        format!("warehouse.example.com:5439 dbt_user/{PASSWORD} analytics dev")
    );
}

#[test]
fn none_fetches_nothing_and_demands_nothing() {
    let scene = Scene::healthy();
    scene
        .project
        .write("profiles.yml", crate::support::project::DUCKDB_PROFILE);
    scene
        .bare_runner()
        .args(["--credentials", "none"])
        .run()
        .assert_code(0);
    assert_eq!(scene.fake.variable("run", "DBT_REDSHIFT_PASSWORD"), None);
    assert_eq!(
        scene
            .fake
            .variable("run", "DBT_ENV_SECRET_REDSHIFT_PASSWORD"),
        None
    );
}

#[test]
fn without_a_source_the_error_says_how_to_set_one() {
    let scene = Scene::healthy();
    let run: Finished = scene.bare_runner().run();
    run.assert_code(64).assert_err_has(&[
        "credentials",
        "--credentials",
        "DBT_ENTRYPOINT_CREDENTIALS",
    ]);
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn what_a_source_lacks_the_environment_supplies() {
    let (scene, name) = (Scene::healthy(), unique("connection"));
    let properties = json!({"JDBC_CONNECTION_URL": "jdbc:redshift://warehouse.example.com/dev",
        "PASSWORD": PASSWORD});
    Aws::shared().connection(&name, &properties, &json!({}));
    let runner = Aws::shared().attach(scene.bare_runner()).args([
        "--credentials",
        &format!("glue:{name}"),
        "--steps",
        "run",
    ]);
    let run = runner
        .env("DBT_REDSHIFT_USER", "from_env")
        .env("DBT_REDSHIFT_SCHEMA", "sandbox")
        .run();
    run.assert_code(0);
    assert_eq!(
        login(&scene),
        format!("warehouse.example.com:5439 from_env/{PASSWORD} sandbox dev")
    );
}

#[test]
fn what_is_set_in_the_environment_wins_and_the_log_names_it_without_its_value() {
    let (scene, name) = (Scene::healthy(), unique("connection"));
    let properties = json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "fetched_user",
        "PASSWORD": "fetched-password"});
    Aws::shared().connection(&name, &properties, &json!({}));
    let runner = Aws::shared().attach(scene.bare_runner()).args([
        "--credentials",
        &format!("glue:{name}"),
        "--steps",
        "run",
    ]);
    let run = runner
        .env("DBT_REDSHIFT_PASSWORD", PASSWORD)
        .env("DBT_REDSHIFT_USER", "")
        .env("DBT_REDSHIFT_PORT", "6000")
        .run();
    run.assert_code(0)
        .assert_lacks(PASSWORD.as_bytes())
        .assert_lacks(b"fetched-password");
    run.assert_err_has(&["DBT_REDSHIFT_PASSWORD", "DBT_REDSHIFT_PORT"]);
    assert_eq!(
        login(&scene),
        format!("warehouse.example.com:6000 fetched_user/{PASSWORD} marts analytics_db")
    );
}

#[test]
fn the_password_reaches_no_argument_and_not_the_runners_environment() {
    let (scene, name) = (
        Scene::new(
            crate::support::fake::Fake::new()
                .on("run", "ready", "")
                .on("run", "wait-for", "go"),
        ),
        unique("c"),
    );
    let properties =
        json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "dbt_user", "PASSWORD": PASSWORD});
    Aws::shared().connection(&name, &properties, &json!({}));
    let runner = Aws::shared().attach(scene.bare_runner()).args([
        "--credentials",
        &format!("glue:{name}"),
        "--steps",
        "run",
    ]);
    let mut running = runner.spawn();
    running.until("dbt to run", |_| scene.fake.is_ready("run"));
    let processes = crate::support::processes::with_marker(running.marker());
    assert!(processes.len() >= 2, "the runner and dbt at least");
    let dbt = scene.fake.call("run")["process"]["pid"].as_i64().unwrap();
    for pid in processes {
        let inside = |bytes: &[u8]| crate::support::sentinel::holds(bytes, PASSWORD.as_bytes());
        assert!(
            !inside(&crate::support::processes::cmdline(pid)),
            "in the arguments of {pid}"
        );
        let environ = crate::support::processes::environ(pid);
        // dbt's own environment is the one place where it belongs; that it is there shows that the
        // search finds it.
        assert_eq!(
            inside(&environ),
            i64::from(pid) == dbt,
            "in the environment of {pid}"
        );
    }
    scene.fake.release("go");
    running.wait().assert_code(0);
    crate::support::sentinel::assert_folder_lacks(scene.project.path(), PASSWORD.as_bytes());
}
