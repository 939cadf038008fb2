//! Owns the tests of what wins over what, for every setting: flag, variable, `--env-file`, settings
//! file, default.
//!
//! Never repeats a setting: each is one line of a table.

use std::os::unix::ffi::OsStringExt;

use super::*;

/// One setting: its names, a value for each of the four places, the default, and how to read what
/// came of it. Neighbours differ, so that each place can be told from the next.
struct Setting {
    flag: Option<&'static str>,
    variable: &'static str,
    key: &'static str,
    given: [&'static str; 4],
    default: &'static str,
    read: fn(&Scene, &Config, &Pipeline) -> String,
}

fn place(location: &Pipeline) -> (String, Option<String>, Option<Encryption>) {
    match &location.publish {
        Publish::To {
            location: location @ Location::S3 {
                owner, encryption, ..
            },
            ..
        } => (location.to_string(), owner.clone(), encryption.clone()),
        Publish::To { location, .. } => (location.to_string(), None, None),
        Publish::Never => ("nowhere".to_owned(), None, None),
    }
}

fn inside(scene: &Scene, path: Option<&Path>) -> String {
    path.map_or_else(
        || "nowhere".to_owned(),
        |path| {
            path.strip_prefix(scene.home.path())
                .unwrap()
                .display()
                .to_string()
        },
    )
}

/// Everything but what [`REST`] names.
#[rustfmt::skip]
fn settings() -> Vec<Setting> {
    fn row(
        (flag, variable, key): (&'static str, &'static str, &'static str),
        given: [&'static str; 4],
        default: &'static str,
        read: fn(&Scene, &Config, &Pipeline) -> String,
    ) -> Setting {
        Setting { flag: (!flag.is_empty()).then_some(flag), variable, key, given, default, read }
    }
    vec![
        row(("--env", "ENV", "env"), ["f", "v", "e", "y"], "local", |_, config, _| config.env.clone()),
        row(("", "DBT_ENTRYPOINT_DEPLOYMENTS", "deployments"), ["", "v,w", "e , f", "[y, z]"], "dev,live", |_, config, _| config.deployments.join(",")),
        row(("--project-name", "PROJECT_NAME", "project_name"), ["f", "v", "e", "y"], "shop", |_, config, _| config.project_name.clone().unwrap()),
        row(("--project-dir", "DBT_PROJECT_DIR", "project_dir"), ["a", "./b/", "c/./d", "e"], "", |scene, config, _| inside(scene, Some(&config.project_dir))),
        row(("--profiles-dir", "DBT_PROFILES_DIR", "profiles_dir"), ["a", "./b/", "c", "d"], "nowhere", |scene, config, _| inside(scene, config.profiles_dir.as_deref())),
        row(("--dbt", "DBT_ENTRYPOINT_DBT", "dbt"), ["dbt-f", "dbt-v", "dbt-e", "dbt-y"], "dbt", |_, config, _| config.dbt.display().to_string()),
        row(("--credentials", "DBT_ENTRYPOINT_CREDENTIALS", "credentials"), ["glue:f", "secretsmanager:v", "ssm:/e/", "env"], "none", |_, config, _| config.credentials.to_string()),
        row(("--schema", "DBT_REDSHIFT_SCHEMA", "schema"), ["f", "v", "e", "y"], "none", |_, config, _| config.schema.as_ref().map_or("none".into(), |(schema, _)| schema.clone())),
        row(("--steps", "DBT_ENTRYPOINT_STEPS", "steps"), ["run", "run, test", "docs", "[seed, build]"], "deps,debug,run,test,freshness,docs", |_, _, plan| plan.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(",")),
        row(("--publish", "DBT_ENTRYPOINT_PUBLISH", "publish"), ["always", "never", "on-success", "always"], "never", |_, _, plan| match plan.publish {
            Publish::Never => "never".to_owned(),
            Publish::To { even_after_failure, .. } => if even_after_failure { "always" } else { "on-success" }.to_owned(),
        }),
        row(("--destination", "DBT_ENTRYPOINT_DESTINATION", "destination"), ["s3://fff/x", "s3://vvv", "file:///e", "s3://yyy/a/b/"], "nowhere", |_, _, plan| place(plan).0),
        row(("--bucket-owner", "DBT_ENTRYPOINT_BUCKET_OWNER", "bucket_owner"), ["111111111111", "222222222222", "333333333333", "'044444444444'"], "none", |_, _, plan| place(plan).1.unwrap_or("none".into())),
        row(("--sse", "DBT_ENTRYPOINT_SSE", "sse"), ["AES256", "aws:kms", "aws:kms:alias/k", "AES256"], "None", |_, _, plan| format!("{:?}", place(plan).2)),
        row(("--log-format", "DBT_ENTRYPOINT_LOG_FORMAT", "log_format"), ["text", "json", "text", "json"], "Text", |_, config, _| format!("{:?}", config.log_format)),
        row(("--deadline", "DBT_ENTRYPOINT_DEADLINE", "deadline"), ["55m", "1h30m", "90s", "2h"], "None", |_, config, _| format!("{:?}", config.deadline)),
        row(("--stop-timeout", "DBT_ENTRYPOINT_STOP_TIMEOUT", "stop_timeout"), ["10s", "20s", "30s", "40s"], "25s", |_, config, _| format!("{:?}", config.stop_timeout)),
    ]
}

/// What the given values come out as, where that is not as they were typed.
fn resolved(setting: &Setting, index: usize) -> String {
    let given = setting.given[index];
    match (setting.key, given) {
        ("deployments", "e , f") => "e,f",
        ("deployments" | "steps", "[y, z]") => "y,z",
        ("project_dir" | "profiles_dir", "./b/") => "b",
        ("project_dir", "c/./d") => "c/d",
        ("steps", "run, test") => "run,test",
        ("steps", "[seed, build]") => "seed,build",
        ("destination", "s3://yyy/a/b/") => "s3://yyy/a/b",
        ("bucket_owner", "'044444444444'") => "044444444444",
        ("sse", "AES256") => "Some(Aes256)",
        ("sse", "aws:kms") => "Some(Kms(None))",
        ("sse", "aws:kms:alias/k") => r#"Some(Kms(Some("alias/k")))"#,
        ("log_format", "text") => "Text",
        ("log_format", "json") => "Json",
        ("deadline", "55m") => "Some(3300s)",
        ("deadline", "1h30m") => "Some(5400s)",
        ("deadline", "90s") => "Some(90s)",
        ("deadline", "2h") => "Some(7200s)",
        (_, given) => given,
    }
    .to_owned()
}

/// The setting in the places from the given one on, 0 for the flag, 3 for the settings file, 4 for
/// nowhere.
fn scene(setting: &Setting, from: usize) -> Scene {
    let mut scene = Scene::new();
    let (mut settings, mut env_file) = (String::new(), String::new());
    // These say nothing where nothing is published, or need a project where they point to.
    match setting.key {
        "bucket_owner" | "sse" => settings.push_str("destination: s3://bucket\n"),
        "project_dir" => settings.push_str("project_name: shop\n"),
        "credentials" => {
            scene = scene.without("DBT_ENTRYPOINT_CREDENTIALS");
            // The default is another test's; the lowest place of all says `none`.
            if from > 3 {
                settings.push_str("credentials: none\n");
            }
        }
        _ => {}
    }
    if from <= 3 {
        settings.extend([format!("{}: {}\n", setting.key, setting.given[3])]);
    }
    if from <= 2 {
        env_file.extend([format!("{}={}\n", setting.variable, setting.given[2])]);
    }
    if from <= 1 {
        scene = scene.var(setting.variable, setting.given[1]);
    }
    if let (0, Some(flag)) = (from, setting.flag) {
        scene = scene.flags(&[flag, setting.given[0]]);
    }
    scene.settings(&settings).env_file(&env_file)
}

/// The log filter is read before the rest; of the others a value of each place is tested elsewhere.
const REST: [&str; 4] = ["log", "engine", "parse_cache", "summary_file"];

#[test]
fn every_setting_is_in_the_table() {
    let tested: BTreeSet<&str> = settings().iter().map(|row| row.key).chain(REST).collect();
    let declared: BTreeSet<&str> = setting::all().map(|setting| setting.key).collect();
    assert_eq!(tested, declared);
    for row in settings() {
        let setting = setting::all()
            .find(|setting| setting.key == row.key)
            .unwrap();
        assert_eq!(row.variable, setting.variable);
        assert_eq!(
            row.flag.map(|flag| flag.trim_start_matches("--")),
            setting.flag
        );
    }
}

#[test]
fn the_first_place_that_has_a_value_wins() {
    for setting in settings() {
        for from in usize::from(setting.flag.is_none())..=4 {
            let scene = scene(&setting, from);
            let (config, plan) = scene.run();
            let expected = if from == 4 {
                setting.default.to_owned()
            } else {
                resolved(&setting, from)
            };
            assert_eq!(
                (setting.read)(&scene, &config, &plan),
                expected,
                "{} from place {from} on",
                setting.key
            );
        }
    }
}

#[test]
fn an_empty_variable_counts_as_unset_in_the_environment_and_in_the_env_file() {
    for setting in settings() {
        let in_env_file = scene(&setting, 2).var(setting.variable, "");
        let (config, plan) = in_env_file.run();
        assert_eq!(
            (setting.read)(&in_env_file, &config, &plan),
            resolved(&setting, 2),
            "{}",
            setting.key
        );

        let in_settings = scene(&setting, 3).var(setting.variable, "");
        in_settings.write("sandbox.env", &format!("{}=\n", setting.variable));
        let (config, plan) = in_settings.run();
        assert_eq!(
            (setting.read)(&in_settings, &config, &plan),
            resolved(&setting, 3),
            "{}",
            setting.key
        );
    }
}

#[test]
fn a_null_in_the_settings_file_counts_as_unset_and_an_empty_value_is_a_fault() {
    for setting in settings() {
        let null = scene(&setting, 4);
        let settings = std::fs::read_to_string(null.path("settings.yml")).unwrap();
        if setting.key != "credentials" {
            null.write("settings.yml", &format!("{settings}{}: ~\n", setting.key));
            let (config, plan) = null.run();
            assert_eq!(
                (setting.read)(&null, &config, &plan),
                setting.default,
                "{}",
                setting.key
            );
        }
        null.write("settings.yml", &format!("{}: ''\n", setting.key));
        let faults = null.faults();
        assert!(
            faults
                .iter()
                .any(|fault| fault.starts_with(&format!("~/settings.yml:1: {}: ", setting.key))),
            "{faults:?}"
        );
        if let Some(flag) = setting.flag {
            let faults = scene(&setting, 4).flags(&[flag, ""]).faults();
            assert!(
                faults
                    .iter()
                    .any(|fault| fault.starts_with(&format!("{flag}: is empty"))),
                "{faults:?}"
            );
        }
    }
}

#[test]
fn the_log_filter_comes_from_flags_variable_files_and_default() {
    let level = |scene: &Scene| {
        let words = ["dbt-entrypoint".to_owned()]
            .into_iter()
            .chain(scene.flags.iter().cloned());
        let args = Cli::try_parse_from(words).unwrap().run.common;
        let (_, level) = log_settings(&args, &Files::read(&args), &scene.variables);
        level.0
    };
    let full = || {
        Scene::new()
            .settings("log: trace\n")
            .env_file("DBT_ENTRYPOINT_LOG=debug\n")
    };
    assert_eq!(
        level(&full().var("DBT_ENTRYPOINT_LOG", "warn").flags(&["-v"])),
        "info,dbt_entrypoint=debug"
    );
    assert_eq!(
        level(&full().var("DBT_ENTRYPOINT_LOG", "warn").flags(&["-vv"])),
        "info,dbt_entrypoint=trace"
    );
    assert_eq!(
        level(&full().var("DBT_ENTRYPOINT_LOG", "debug").flags(&["-q"])),
        "warn"
    );
    assert_eq!(level(&full().flags(&["-qq"])), "error");
    assert_eq!(level(&full().var("DBT_ENTRYPOINT_LOG", "warn")), "warn");
    assert_eq!(level(&full().var("DBT_ENTRYPOINT_LOG", "")), "debug");
    assert_eq!(level(&Scene::new().settings("log: trace\n")), "trace");
    assert_eq!(level(&Scene::new()), "info");
    // Needed to report the fault, so that is no reason to stop here.
    assert_eq!(level(&Scene::new().settings("log: '=='\n")), "info");
}

#[test]
fn credentials_come_from_the_environment_when_it_is_complete() {
    let names = [
        "DBT_REDSHIFT_HOST",
        "DBT_REDSHIFT_USER",
        "DBT_REDSHIFT_PASSWORD",
        "DBT_REDSHIFT_DB",
        "DBT_REDSHIFT_SCHEMA",
    ];
    let complete = || {
        names.into_iter().fold(
            Scene::new().without("DBT_ENTRYPOINT_CREDENTIALS"),
            |scene, name| scene.var(name, "x"),
        )
    };
    assert_eq!(complete().run().0.credentials, CredentialSource::Env);
    for name in names {
        for scene in [complete().without(name), complete().var(name, "")] {
            let faults = scene.faults();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].contains("--credentials")
                    && faults[0].ends_with(&format!("set the missing {name}")),
                "{faults:?}"
            );
        }
        assert_eq!(
            complete()
                .without(name)
                .env_file(&format!("{name}=x\n"))
                .run()
                .0
                .credentials,
            CredentialSource::Env,
            "{name}"
        );
    }
    assert_eq!(
        complete()
            .without("DBT_REDSHIFT_SCHEMA")
            .flags(&["--schema", "x"])
            .run()
            .0
            .credentials,
        CredentialSource::Env
    );
}

#[test]
fn a_value_says_where_it_came_from() {
    let schema = |scene: Scene| {
        scene
            .run()
            .0
            .schema
            .unwrap()
            .1
            .to_string()
            .replace(scene.home.path().to_str().unwrap(), "~")
    };
    assert_eq!(schema(Scene::new().flags(&["--schema", "x"])), "--schema");
    assert_eq!(
        schema(Scene::new().var("DBT_REDSHIFT_SCHEMA", "x")),
        "variable DBT_REDSHIFT_SCHEMA"
    );
    assert_eq!(
        schema(Scene::new().env_file("\nDBT_REDSHIFT_SCHEMA=x\n")),
        "~/sandbox.env:2: DBT_REDSHIFT_SCHEMA"
    );
    assert_eq!(
        schema(Scene::new().settings("# x\nenv: dev\nschema: x\n")),
        "~/settings.yml:3: schema"
    );
}

#[test]
fn projects_and_profiles_are_found_where_they_usually_lie() {
    let scene = Scene::new().var("HOME", "/home/ada");
    assert_eq!(scene.run().0.project_dir, scene.home.path());
    assert_eq!(
        scene.run().0.profiles_dir.unwrap(),
        Path::new("/home/ada/.dbt")
    );
    scene.write("dbt/dbt_project.yml", "name: inner");
    let (config, _) = scene.run();
    assert_eq!(
        (config.project_dir, config.project_name.as_deref()),
        (scene.home.path().join("dbt"), Some("inner"))
    );
    scene.write("profiles.yml", "");
    assert_eq!(scene.run().0.profiles_dir.unwrap(), scene.home.path());
    scene.write("dbt/profiles.yml", "");
    assert_eq!(
        scene.run().0.profiles_dir.unwrap(),
        scene.home.path().join("dbt")
    );
    // A home is no setting: whatever its bytes, it is handed on and never a fault.
    let odd = Scene::new().var("HOME", OsString::from_vec(b"/home/\xff".to_vec()));
    assert_eq!(
        odd.run().0.profiles_dir.unwrap().into_os_string(),
        OsString::from_vec(b"/home/\xff/.dbt".to_vec())
    );
}

#[test]
fn a_path_to_dbt_counts_from_the_working_directory_and_a_name_does_not() {
    let dbt = |given: &str| {
        let scene = Scene::new().flags(&["--dbt", given]);
        let dbt = scene.run().0.dbt;
        dbt.strip_prefix(scene.home.path())
            .map_or_else(|_| dbt.clone(), |inside| Path::new("~").join(inside))
    };
    assert_eq!(dbt("dbt1.11"), Path::new("dbt1.11"));
    assert_eq!(dbt("./dbt"), Path::new("~/dbt"));
    assert_eq!(dbt("venv/bin/dbt"), Path::new("~/venv/bin/dbt"));
    assert_eq!(dbt("/opt/dbt"), Path::new("/opt/dbt"));
}
