//! Every setting through every place that takes it, by its effect and not by what the help says.

use std::fs;

use crate::support::aws::Aws;
use crate::support::deployment::Deployment;
use crate::support::project::{PASSWORD, REDSHIFT_PROFILE, Scene};
use crate::support::repo;

#[test]
fn all_keys_of_the_settings_file_have_their_effect() {
    let lab = Deployment::healthy();
    let scene = &lab.scene;
    for name in ["dbt_project.yml", "profiles.yml"] {
        let content = scene.project.read(name);
        let folder = if name == "profiles.yml" {
            "elsewhere"
        } else {
            "analytics"
        };
        scene.project.write(&format!("{folder}/{name}"), content);
        fs::remove_file(scene.project.path().join(name)).unwrap();
    }
    let dbt = repo::fake_dbt();
    let yaml = format!(
        "env: qa\ndeployments: [qa, prod]\nproject_name: webshop\nproject_dir: \
            analytics\nprofiles_dir: elsewhere\ndbt: {}\n\
         credentials: env\nschema: from_yaml\nsteps: [run, docs]\npublish: always\ndestination: \
         s3://{}/from/yaml\n\
         bucket_owner: '123456789012'\nsse: AES256\nengine: process\nlog_format: json\nlog: \
         debug\npage_url: https://docs.example.com/\nmetrics: emf\ndeadline: 50s\n\
         stop_timeout: 20s\n",
        dbt.display(),
        lab.bucket.name
    );
    scene.project.write("dbt-entrypoint.yml", yaml);
    let runner = lab
        .runner()
        .env_remove("ENV")
        .env_remove("DBT_ENTRYPOINT_DEPLOYMENTS")
        .env_remove("DBT_ENTRYPOINT_DBT");
    let run = runner.env_remove("DBT_REDSHIFT_SCHEMA").run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    let closing = run.closing();
    assert_eq!(
        (closing["env"].as_str(), closing["project"].as_str()),
        (Some("qa"), Some("webshop"))
    );
    assert_eq!(
        closing["destination"],
        format!("s3://{}/from/yaml", lab.bucket.name)
    );
    let page = closing["page"].as_str().unwrap_or_default();
    assert!(page.starts_with("https://docs.example.com/runs/"), "{page}");
    assert_eq!(closing["run_succeeded"], 1);
    assert_eq!(scene.fake.steps(), ["run", "docs"]);
    let variable = |name: &str| scene.fake.variable("run", name).unwrap_or_default();
    assert_eq!(variable("DBT_REDSHIFT_SCHEMA"), "from_yaml");
    assert_eq!(variable("DBT_ENTRYPOINT_DEPLOYMENTS"), "qa,prod");
    assert!(
        variable("DBT_PROJECT_DIR").ends_with("/analytics")
            && variable("DBT_PROFILES_DIR").ends_with("/elsewhere")
    );
    assert!(
        lab.keys().contains(&"from/yaml/index.html".to_owned()),
        "{:?}",
        lab.keys()
    );
    for seen in lab
        .proxy
        .log()
        .iter()
        .filter(|seen| seen.line.starts_with("PUT "))
    {
        assert_eq!(
            seen.request.get("x-amz-expected-bucket-owner"),
            Some("123456789012"),
            "{}",
            seen.line
        );
        assert_eq!(
            seen.request.get("x-amz-server-side-encryption"),
            Some("AES256"),
            "{}",
            seen.line
        );
    }
    assert!(
        run.err().lines().all(|line| line.starts_with('{'))
            && run.err().to_lowercase().contains("debug"),
        "{run}"
    );
}

#[test]
fn the_flags_have_their_effect() {
    let scene = Scene::healthy();
    scene
        .project
        .write("elsewhere/profiles.yml", REDSHIFT_PROFILE);
    let folder = tempfile::TempDir::new().unwrap();
    let runner = scene
        .runner()
        .env_remove("DBT_ENTRYPOINT_DBT")
        .arg("--dbt")
        .arg(repo::fake_dbt());
    let runner = runner.args([
        "--env",
        "dev",
        "--project-name",
        "webshop",
        "--profiles-dir",
        "elsewhere",
        "--credentials",
        "env",
    ]);
    let runner = runner.args([
        "--publish",
        "always",
        "--engine",
        "process",
        "--log-format",
        "text",
        "--steps",
        "run,docs",
    ]);
    let run = runner
        .arg("--destination")
        .arg(format!("file://{}", folder.path().display()))
        .run();
    run.assert_code(0);
    assert_eq!(run.closing()["project"], "webshop");
    assert!(
        scene
            .fake
            .variable("run", "DBT_PROFILES_DIR")
            .unwrap()
            .ends_with("/elsewhere")
    );
    assert!(folder.path().join("index.html").exists());
}

#[test]
fn dev_and_live_are_deployments_by_default_and_publish_under_the_projects_name() {
    for env in ["dev", "live"] {
        let scene = Scene::healthy();
        let aws = Aws::shared();
        let bucket = aws.bucket_named(&format!("dbt-documentation-{env}"));
        let run = aws
            .attach(scene.runner())
            .env("ENV", env)
            .args(["--steps", "docs"])
            .run();
        run.assert_code(0);
        assert_eq!(
            run.closing()["destination"],
            format!("s3://dbt-documentation-{env}/shop")
        );
        assert!(bucket.keys().contains(&"shop/index.html".to_owned()));
    }
}

#[test]
fn profiles_in_dbts_own_place_are_found_and_checked() {
    let scene = Scene::healthy();
    let home = tempfile::TempDir::new().unwrap();
    fs::create_dir(home.path().join(".dbt")).unwrap();
    fs::remove_file(scene.project.path().join("profiles.yml")).unwrap();
    fs::write(home.path().join(".dbt/profiles.yml"), REDSHIFT_PROFILE).unwrap();
    scene.runner().env("HOME", home.path()).run().assert_code(0);
    let missing =
        REDSHIFT_PROFILE.to_owned() + "      query_group: \"{{ env_var('TEAM_QUERY_GROUP') }}\"\n";
    fs::write(home.path().join(".dbt/profiles.yml"), missing).unwrap();
    scene
        .runner()
        .env("HOME", home.path())
        .run()
        .assert_code(64)
        .assert_err_has(&["TEAM_QUERY_GROUP"]);
}

#[test]
fn v_says_more_and_q_says_less() {
    let scene = Scene::healthy();
    let lines = |arguments: &[&str]| {
        let run = scene
            .runner()
            .args(["--steps", "run"])
            .args(arguments)
            .run();
        run.assert_code(0);
        run.err().lines().count()
    };
    let (quiet, normal, verbose) = (lines(&["-q"]), lines(&[]), lines(&["-v"]));
    assert!(
        quiet < normal && normal < verbose,
        "-q {quiet}, plain {normal}, -v {verbose} lines"
    );
}

#[test]
fn no_log_level_shows_a_secret() {
    let lab = Deployment::healthy();
    let name = repo::unique("secret");
    let secret = serde_json::json!({"host": "h.example.com", "username": "u",
        "password": PASSWORD, "dbname": "d", "schema": "s"})
    .to_string();
    Aws::shared().secret(&name, &secret);
    let runner =
        Aws::attach_at(lab.scene.bare_runner(), &lab.proxy.endpoint()).env("ENV", &lab.env);
    let runner = runner
        .env("DBT_ENTRYPOINT_DEPLOYMENTS", &lab.env)
        .env("AWS_SESSION_TOKEN", "session-token-0123456789");
    let run = runner
        .env("DBT_ENTRYPOINT_LOG", "trace")
        .args(["--credentials", &format!("secretsmanager:{name}")])
        .run();
    run.assert_code(0);
    assert!(
        run.err().contains("TRACE") || run.err().contains("DEBUG"),
        "the level was taken"
    );
    for secret in [
        PASSWORD,
        crate::support::aws::SECRET_KEY,
        "session-token-0123456789",
    ] {
        run.assert_lacks(secret.as_bytes());
    }
}
