//! Owns the tests of what wins over what, for every setting: flag, variable, `--env-file`, settings
//! file, default.
//!
//! Never repeats a setting: each is one line of a table.

use std::os::unix::ffi::OsStringExt;

use super::table::{resolved, rows, scene};
use super::*;

/// The log filter is read before the rest; of the others a value of each place is tested elsewhere.
const REST: [&str; 4] = ["log", "engine", "parse_cache", "summary_file"];

#[test]
fn every_setting_is_in_the_table() {
    let rows = rows();
    let tested: BTreeSet<&str> = rows.iter().map(|row| row.setting.key).chain(REST).collect();
    let declared: BTreeSet<&str> = setting::all().map(|setting| setting.key).collect();
    assert_eq!(tested, declared);
}

#[test]
fn the_first_place_that_has_a_value_wins() {
    for row in rows() {
        let setting = row.setting;
        for from in usize::from(setting.flag.is_none())..=4 {
            let scene = scene(&row, from);
            let (config, plan) = scene.run();
            let expected = if from == 4 {
                row.default.to_owned()
            } else {
                resolved(&row, from)
            };
            assert_eq!(
                (row.read)(&scene, &config, &plan),
                expected,
                "{} from place {from} on",
                setting.key
            );
        }
    }
}

#[test]
fn an_empty_variable_counts_as_unset_in_the_environment_and_in_the_env_file() {
    for row in rows() {
        let setting = row.setting;
        let in_env_file = scene(&row, 2).var(setting.variable, "");
        let (config, plan) = in_env_file.run();
        assert_eq!(
            (row.read)(&in_env_file, &config, &plan),
            resolved(&row, 2),
            "{}",
            setting.key
        );

        let in_settings = scene(&row, 3).var(setting.variable, "");
        in_settings.write("sandbox.env", &format!("{}=\n", setting.variable));
        let (config, plan) = in_settings.run();
        assert_eq!(
            (row.read)(&in_settings, &config, &plan),
            resolved(&row, 3),
            "{}",
            setting.key
        );
    }
}

#[test]
fn a_null_in_the_settings_file_counts_as_unset_and_an_empty_value_is_a_fault() {
    for row in rows() {
        let setting = row.setting;
        let null = scene(&row, 4);
        let settings = std::fs::read_to_string(null.path("settings.yml")).unwrap();
        if setting.key != "credentials" {
            null.write("settings.yml", &format!("{settings}{}: ~\n", setting.key));
            let (config, plan) = null.run();
            assert_eq!(
                (row.read)(&null, &config, &plan),
                row.default,
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
            let faults = scene(&row, 4).flags(&[&format!("--{flag}"), ""]).faults();
            assert!(
                faults
                    .iter()
                    .any(|fault| fault.starts_with(&format!("--{flag}: is empty"))),
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
