//! Owns the table of all settings for the tests of what wins over what: one line for each, and the
//! scene in which it is given in some of its places.
//!
//! Never asserts anything.

use super::*;
use crate::setting::Setting;

/// A setting, a value for each of the four places, the default, and how to read what came of it.
/// Neighbours differ, so that each place can be told from the next.
pub(super) struct Row {
    pub(super) setting: &'static Setting,
    given: [&'static str; 4],
    pub(super) default: &'static str,
    pub(super) read: fn(&Scene, &Config, &Pipeline) -> String,
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

fn lease(plan: &Pipeline) -> &Lease {
    plan.lease.as_ref().unwrap()
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

/// Everything but what the caller tests otherwise.
#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows() -> Vec<Row> {
    fn row(
        setting: &'static Setting,
        given: [&'static str; 4],
        default: &'static str,
        read: fn(&Scene, &Config, &Pipeline) -> String,
    ) -> Row {
        Row {
            setting,
            given,
            default,
            read,
        }
    }
    vec![
        row(
            &setting::ENV,
            ["f", "v", "e", "y"],
            "local",
            |_, config, _| config.env.clone(),
        ),
        row(
            &setting::DEPLOYMENTS,
            ["", "v,w", "e , f", "[y, z]"],
            "dev,live",
            |_, config, _| config.deployments.join(","),
        ),
        row(
            &setting::PROJECT_NAME,
            ["f", "v", "e", "y"],
            "shop",
            |_, config, _| config.project_name.clone().unwrap(),
        ),
        row(
            &setting::PROJECT_DIR,
            ["a", "./b/", "c/./d", "e"],
            "",
            |scene, config, _| inside(scene, Some(&config.project_dir)),
        ),
        row(
            &setting::PROFILES_DIR,
            ["a", "./b/", "c", "d"],
            "nowhere",
            |scene, config, _| inside(scene, config.profiles_dir.as_deref()),
        ),
        row(
            &setting::DBT,
            ["dbt-f", "dbt-v", "dbt-e", "dbt-y"],
            "dbt",
            |_, config, _| config.dbt.display().to_string(),
        ),
        row(
            &setting::CREDENTIALS,
            ["glue:f", "secretsmanager:v", "ssm:/e/", "env"],
            "none",
            |_, config, _| config.credentials.to_string(),
        ),
        row(
            &setting::SCHEMA,
            ["f", "v", "e", "y"],
            "none",
            |_, config, _| {
                config
                    .schema
                    .as_ref()
                    .map_or("none".into(), |(schema, _)| schema.clone())
            },
        ),
        row(
            &setting::STEPS,
            ["run", "run, test", "docs", "[seed, build]"],
            "deps,debug,run,test,freshness,docs",
            |_, _, plan| {
                plan.steps
                    .iter()
                    .map(|step| step.name.as_str())
                    .collect::<Vec<_>>()
                    .join(",")
            },
        ),
        row(
            &setting::PUBLISH,
            ["always", "never", "on-success", "always"],
            "never",
            |_, _, plan| match plan.publish {
                Publish::Never => "never".to_owned(),
                Publish::To {
                    even_after_failure, ..
                } => if even_after_failure {
                    "always"
                } else {
                    "on-success"
                }
                .to_owned(),
            },
        ),
        row(
            &setting::DESTINATION,
            ["s3://fff/x", "s3://vvv", "file:///e", "s3://yyy/a/b/"],
            "nowhere",
            |_, _, plan| place(plan).0,
        ),
        row(
            &setting::BUCKET_OWNER,
            [
                "111111111111",
                "222222222222",
                "333333333333",
                "'044444444444'",
            ],
            "none",
            |_, _, plan| place(plan).1.unwrap_or("none".into()),
        ),
        row(
            &setting::SSE,
            ["AES256", "aws:kms", "aws:kms:alias/k", "AES256"],
            "None",
            |_, _, plan| format!("{:?}", place(plan).2),
        ),
        row(
            &setting::LEASE,
            ["s3://fff/x", "off", "s3://eee/y/z", "true"],
            "none",
            |_, _, plan| match &plan.lease {
                None => "none".to_owned(),
                Some(lease) => lease.to_string(),
            },
        ),
        row(
            &setting::LEASE_WAIT,
            ["0s", "2s", "3m", "4h"],
            "0ns",
            |_, _, plan| format!("{:?}", lease(plan).wait),
        ),
        row(
            &setting::LEASE_TTL,
            ["10s", "20s", "30s", "40s"],
            "90s",
            |_, _, plan| format!("{:?}", lease(plan).ttl),
        ),
        row(
            &setting::RESUME,
            [
                "last",
                "20261122T061442Z-0a1b2c3d",
                "last",
                "20261122T061442Z-00000000",
            ],
            "none",
            |_, _, plan| match &plan.resume {
                Some(Resume::Last) => "last".to_owned(),
                Some(Resume::Run(run_id)) => run_id.clone(),
                None => "none".to_owned(),
            },
        ),
        row(
            &setting::RESUME_WITHIN,
            ["30m", "2h", "1h30m", "1d"],
            "21600s",
            |_, _, plan| format!("{:?}", plan.resume_within),
        ),
        row(
            &setting::LOG_FORMAT,
            ["text", "json", "text", "json"],
            "Text",
            |_, config, _| format!("{:?}", config.log_format),
        ),
        row(
            &setting::PAGE_URL,
            [
                "https://f.example/",
                "http://v.example",
                "https://e.example/a",
                "https://y.example/b/",
            ],
            "none",
            |_, _, plan| plan.page_url.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        row(
            &setting::METRICS,
            ["emf", "none", "emf", "none"],
            "None",
            |_, _, plan| format!("{:?}", plan.metrics),
        ),
        row(
            &setting::DEADLINE,
            ["55m", "1h30m", "90s", "2h"],
            "None",
            |_, config, _| format!("{:?}", config.deadline),
        ),
        row(
            &setting::STOP_TIMEOUT,
            ["10s", "20s", "30s", "40s"],
            "25s",
            |_, config, _| format!("{:?}", config.stop_timeout),
        ),
    ]
}

/// What the given values come out as, where that is not as they were typed.
pub(super) fn resolved(row: &Row, index: usize) -> String {
    let given = row.given[index];
    match (row.setting.key, given) {
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
        ("lease", "off") => "none",
        ("lease", "true") => "s3://bucket/state/lease.json",
        ("lease_wait", "0s") => "0ns",
        ("lease_wait", "3m") => "180s",
        ("lease_wait", "4h") => "14400s",
        ("log_format", "text") => "Text",
        ("log_format", "json") => "Json",
        ("resume_within", "30m") => "1800s",
        ("resume_within", "2h") => "7200s",
        ("resume_within", "1h30m") => "5400s",
        ("resume_within", "1d") => "86400s",
        ("deadline", "55m") => "Some(3300s)",
        ("deadline", "1h30m") => "Some(5400s)",
        ("page_url", given) => given.trim_end_matches('/'),
        ("metrics", "emf") => "Emf",
        ("metrics", _) => "None",
        ("deadline", "90s") => "Some(90s)",
        ("deadline", "2h") => "Some(7200s)",
        (_, given) => given,
    }
    .to_owned()
}

/// The setting in the places from the given one on, 0 for the flag, 3 for the settings file, 4 for
/// nowhere.
pub(super) fn scene(row: &Row, from: usize) -> Scene {
    let setting = row.setting;
    let mut scene = Scene::new();
    let (mut settings, mut env_file) = (String::new(), String::new());
    // These say nothing where nothing is published, or need a project where they point to.
    match setting.key {
        "bucket_owner" | "sse" | "lease" => settings.push_str("destination: s3://bucket\n"),
        "lease_wait" | "lease_ttl" => settings.push_str("lease: s3://bucket/key\n"),
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
        settings.extend([format!("{}: {}\n", setting.key, row.given[3])]);
    }
    if from <= 2 {
        env_file.extend([format!("{}={}\n", setting.variable, row.given[2])]);
    }
    if from <= 1 {
        scene = scene.var(setting.variable, row.given[1]);
    }
    if let (0, Some(flag)) = (from, setting.flag) {
        scene = scene.flags(&[&format!("--{flag}"), row.given[0]]);
    }
    scene.settings(&settings).env_file(&env_file)
}
