//! Owns the tests of wrong settings: each is named with its place, and all are named at once.
//!
//! Never tests what a right value means.

use super::*;

#[track_caller]
fn one(scene: &Scene) -> String {
    let faults = scene.faults();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.into_iter().next().unwrap()
}

/// Flag, variable, key, a malformed value, and what is said of it.
const MALFORMED: [(&str, &str, &str, &str, &str); 21] = [
    (
        "--credentials",
        "DBT_ENTRYPOINT_CREDENTIALS",
        "credentials",
        "vault:x",
        "is not a credential source",
    ),
    (
        "--credentials",
        "DBT_ENTRYPOINT_CREDENTIALS",
        "credentials",
        "'glue:'",
        "names nothing after the colon",
    ),
    (
        "--credentials",
        "DBT_ENTRYPOINT_CREDENTIALS",
        "credentials",
        "ssm:path",
        "does not begin with '/'",
    ),
    (
        "--steps",
        "DBT_ENTRYPOINT_STEPS",
        "steps",
        "deps,rnu",
        "unknown step \"rnu\"",
    ),
    (
        "--steps",
        "DBT_ENTRYPOINT_STEPS",
        "steps",
        "deps,",
        "unknown step \"\"",
    ),
    (
        "--publish",
        "DBT_ENTRYPOINT_PUBLISH",
        "publish",
        "sometimes",
        "is not on-success, always or never",
    ),
    (
        "--destination",
        "DBT_ENTRYPOINT_DESTINATION",
        "destination",
        "ftp://h/d",
        "is neither s3://bucket/prefix nor file:///directory",
    ),
    (
        "--bucket-owner",
        "DBT_ENTRYPOINT_BUCKET_OWNER",
        "bucket_owner",
        "12345678901",
        "is not a 12-digit account ID",
    ),
    (
        "--sse",
        "DBT_ENTRYPOINT_SSE",
        "sse",
        "aes256",
        "is not AES256, aws:kms or aws:kms:KEY",
    ),
    (
        "--sse",
        "DBT_ENTRYPOINT_SSE",
        "sse",
        "'aws:kms:'",
        "is not AES256, aws:kms or aws:kms:KEY",
    ),
    (
        "--engine",
        "DBT_ENTRYPOINT_ENGINE",
        "engine",
        "warp",
        "is not process, session, native or auto",
    ),
    (
        "--page-url",
        "DBT_ENTRYPOINT_PAGE_URL",
        "page_url",
        "docs.example.com",
        "is not https://host/path",
    ),
    (
        "--page-url",
        "DBT_ENTRYPOINT_PAGE_URL",
        "page_url",
        "https://docs.example.com/?a=b",
        "holds '?' or '#'",
    ),
    (
        "--page-url",
        "DBT_ENTRYPOINT_PAGE_URL",
        "page_url",
        "https://ann:secret@docs.example.com",
        "the value (not shown) holds a login",
    ),
    (
        "--metrics",
        "DBT_ENTRYPOINT_METRICS",
        "metrics",
        "statsd",
        "is neither none nor emf",
    ),
    (
        "--log-format",
        "DBT_ENTRYPOINT_LOG_FORMAT",
        "log_format",
        "xml",
        "is neither text nor json",
    ),
    (
        "",
        "DBT_ENTRYPOINT_LOG",
        "log",
        "dbt_entrypoint=loud",
        "is not a log filter",
    ),
    (
        "--deadline",
        "DBT_ENTRYPOINT_DEADLINE",
        "deadline",
        "55",
        "is not a duration",
    ),
    (
        "--deadline",
        "DBT_ENTRYPOINT_DEADLINE",
        "deadline",
        "0s",
        "must be longer than zero",
    ),
    (
        "--stop-timeout",
        "DBT_ENTRYPOINT_STOP_TIMEOUT",
        "stop_timeout",
        "soon",
        "is not a duration",
    ),
    (
        "",
        "DBT_ENTRYPOINT_DEPLOYMENTS",
        "deployments",
        "'dev,,live'",
        "expected names of environments",
    ),
];

#[test]
fn a_malformed_value_is_named_with_its_place_wherever_it_stands() {
    for (flag, variable, key, value, what) in MALFORMED {
        let plain = value.trim_matches('\'');
        let scene = || {
            if key == "credentials" {
                Scene::new().without(variable)
            } else {
                Scene::new()
            }
        };
        let mut scenes = vec![
            (
                scene().var(variable, plain),
                format!("variable {variable}: "),
            ),
            (
                scene().env_file(&format!("A=1\n{variable}={plain}\n")),
                format!("~/sandbox.env:2: {variable}: "),
            ),
            (
                scene().settings(&format!("env: local\n\n{key}: {value}\n")),
                format!("~/settings.yml:3: {key}: "),
            ),
        ];
        if !flag.is_empty() {
            scenes.push((scene().flags(&[flag, plain]), format!("{flag}: ")));
        }
        for (scene, place) in scenes {
            let fault = one(&scene);
            assert!(
                fault.starts_with(&place) && fault.contains(what),
                "{value:?} gave {fault:?}, not {place:?}"
            );
        }
    }
}

#[test]
fn exec_names_the_same_faults_in_variables_and_files() {
    for (_, variable, key, value, what) in MALFORMED {
        let scene = Scene::new().without(if key == "credentials" { variable } else { "" });
        let faults = scene
            .settings(&format!("{key}: {value}\n"))
            .faults_of_exec();
        assert!(
            faults.len() == 1 && faults[0].contains(what),
            "{key}: {value} gave {faults:?}"
        );
    }
}

#[test]
fn a_value_that_is_not_utf_8_is_a_fault_without_its_bytes() {
    use std::os::unix::ffi::OsStringExt;
    let fault = one(&Scene::new().var(
        "DBT_REDSHIFT_SCHEMA",
        OsString::from_vec(b"SENTINEL\xff".to_vec()),
    ));
    assert_eq!(fault, "variable DBT_REDSHIFT_SCHEMA: is not valid UTF-8");
}

#[test]
fn a_pasted_password_is_not_repeated() {
    let fault = one(&Scene::new().var("DBT_ENTRYPOINT_CREDENTIALS", "SENTINEL"));
    assert!(!fault.contains("SENTINEL"), "{fault}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
    for (settings, line, key) in [
        ("env: dev\n\npublsh: never\n", 3, "publsh"),
        ("{env: dev, publsh: never}\n", 1, "publsh"),
        ("\"publsh\": never\n", 1, "publsh"),
        // Neither the key of a step, nor a word in an argument, nor a comment.
        (
            "# timeout: x\nsteps:\n  - {name: run, timeout: 5m}\ntimeout: 5m\n",
            4,
            "timeout",
        ),
        (
            "steps:\n- name: run\n  command: [run, --vars, '{vars: 1}']\nvars: 1\n",
            4,
            "vars",
        ),
    ] {
        let fault = one(&Scene::new().settings(settings));
        assert!(
            fault.starts_with(&format!(
                "~/settings.yml:{line}: {key}: unknown key; known are env, deployments, "
            )),
            "{fault}"
        );
    }
}

#[test]
fn a_file_that_is_no_mapping_or_no_yaml_is_named_with_its_line() {
    for (settings, place) in [
        (
            "env: dev\nsteps: [run\n",
            "~/settings.yml:3: is not valid YAML: ",
        ),
        (
            "env: dev\n\tx: y\n",
            "~/settings.yml:2: is not valid YAML: ",
        ),
        ("- env\n", "~/settings.yml:1: is not a mapping of settings"),
        (
            "env: dev\nschema: a\nenv: live\n",
            "~/settings.yml:3: is not valid YAML: ",
        ),
    ] {
        let fault = one(&Scene::new().settings(settings));
        assert!(fault.starts_with(place), "{settings:?} gave {fault}");
    }
    // What the file may have said is not called missing.
    let scene = Scene::new()
        .without("DBT_ENTRYPOINT_CREDENTIALS")
        .settings("credentials: none\nproject_dir: x\nenv: [\n");
    std::fs::remove_file(scene.path("dbt_project.yml")).unwrap();
    assert!(one(&scene).contains("is not valid YAML"));
    for settings in ["", "# nothing\n", "---\n"] {
        Scene::new().settings(settings).run();
    }
}

#[test]
fn a_value_of_the_wrong_shape_is_a_fault() {
    for (settings, key) in [
        ("env: [a]\n", "env"),
        ("deadline: {a: b}\n", "deadline"),
        ("steps: {run: true}\n", "steps"),
    ] {
        let fault = one(&Scene::new().settings(settings));
        assert!(
            fault.starts_with(&format!("~/settings.yml:1: {key}: must be a single value")),
            "{fault}"
        );
    }
    for settings in [
        "deployments: []\n",
        "deployments: [dev, '']\n",
        "deployments: {dev: 1}\n",
    ] {
        assert!(
            one(&Scene::new().settings(settings))
                .starts_with("~/settings.yml:1: deployments: expected names")
        );
    }
}

#[test]
fn numbers_and_truth_values_count_as_they_are_typed() {
    let (config, _) = Scene::new()
        .settings("env: 2026\nproject_name: true\ndeployments: [1, 2]\n")
        .run();
    assert_eq!(
        (config.env.as_str(), config.project_name.as_deref()),
        ("2026", Some("true"))
    );
    assert_eq!(config.deployments, ["1", "2"]);
}

#[test]
fn a_run_needs_a_project_and_exec_does_not() {
    let scene = Scene::new();
    std::fs::remove_file(scene.path("dbt_project.yml")).unwrap();
    // Told before step one, with whatever else is missing there, unless the settings end the run at
    // once.
    assert!(scene.resolve().is_ok());
    let scene = scene.flags(&["--publish", "sometimes"]);
    let faults = scene.faults();
    assert!(
        faults.len() == 2
            && faults[1].starts_with("no dbt project in ")
            && faults[1].contains("--project-dir"),
        "{faults:?}"
    );
    let scene = Scene {
        flags: Vec::new(),
        ..scene
    };
    assert!(
        resolve(
            &CommonArgs::default(),
            &Files::read(&CommonArgs::default()),
            &scene.variables,
            scene.home.path()
        )
        .is_ok()
    );
    scene.write("dbt_project.yml", "version: 1\n");
    assert!(one(&scene).starts_with("~/dbt_project.yml: has no name"));
    scene.write("dbt_project.yml", "name: shop\nname: [\n");
    assert!(one(&scene).starts_with("~/dbt_project.yml:"));
}

#[test]
fn all_faults_are_told_at_once() {
    let settings = "publsh: never\nlog_format: xml\nsteps:\n  - rnu\n  - {name: a b, command: dbt, \
        on_failure: shrug, timeout: x}\n";
    let scene = Scene::new()
        .settings(settings)
        .env_file("oops!\nDBT_ENTRYPOINT_SSE=rot13\n");
    let scene = scene
        .var("DBT_ENTRYPOINT_DEADLINE", "soon")
        .var("DBT_ENTRYPOINT_DESTINATION", "s3://B/x");
    let mut places: Vec<String> = Vec::new();
    for fault in scene
        .flags(&["--stop-timeout", "never", "--engine", "warp"])
        .faults()
    {
        places.push(fault.split(": ").take(2).collect::<Vec<_>>().join(": "));
    }
    places.sort_unstable();
    let expected = [
        "--engine: \"warp\" is not process, session, native or auto",
        "--stop-timeout: \"never\" is not a duration; expected a number with a unit, such as 25s, \
            55m or 1h30m",
        "variable DBT_ENTRYPOINT_DEADLINE: \"soon\" is not a duration; expected a number with a \
            unit, such as 25s, 55m or 1h30m",
        "variable DBT_ENTRYPOINT_DESTINATION: \"B\" is not a valid bucket name",
        "~/sandbox.env:1: is not NAME=value",
        "~/sandbox.env:2: DBT_ENTRYPOINT_SSE",
        "~/settings.yml:1: publsh",
        "~/settings.yml:2: log_format",
        "~/settings.yml:4: steps",
        "~/settings.yml:5: command",
        "~/settings.yml:5: name",
        "~/settings.yml:5: on_failure",
        "~/settings.yml:5: timeout",
    ];
    assert_eq!(places, expected);
    let error = Scene::new()
        .var("ENV", "x")
        .flags(&["--deadline", "x", "--sse", "y"])
        .resolve()
        .unwrap_err()
        .to_string();
    assert_eq!(error.lines().count(), 2, "one line for each fault: {error}");
}

#[test]
fn the_character_that_a_name_may_not_hold_is_named() {
    for (value, character) in [
        ("dev\r", "a carriage return ('\\r')"),
        ("dev\n", "a line end ('\\n')"),
        ("dev\t", "a tab ('\\t')"),
        ("dev ", "a blank (' ')"),
        (" dev", "a blank (' ')"),
        ("\"dev\"", "a quote ('\"')"),
        ("'dev'", "a quote (\"'\")"),
        ("dev # shared", "a blank (' ')"),
        ("dev;", "';'"),
        ("$ENV", "'$'"),
        ("d\u{435}v", "'\u{435}'"),
        ("dev\u{a0}", "'\\u{a0}'"),
        ("{{ env }}", "'{'"),
    ] {
        for (variable, more) in [
            ("ENV", ""),
            ("PROJECT_NAME", ", '/'"),
            ("DBT_ENTRYPOINT_DEPLOYMENTS", ""),
        ] {
            if variable == "DBT_ENTRYPOINT_DEPLOYMENTS" && value.trim() == "dev" {
                continue;
            }
            for faults in [
                Scene::new().var(variable, value).faults(),
                Scene::new().var(variable, value).faults_of_exec(),
            ] {
                assert_eq!(
                    faults,
                    [format!(
                        "variable {variable}: {:?} holds {character}; it may have letters, digits, \
                            '_', '-', '.'{more}",
                        value.trim_matches(|c| variable.ends_with("MENTS") && c == '\u{a0}')
                    )]
                );
            }
        }
    }
    Scene::new()
        .var("ENV", "A-b_c.1")
        .var("PROJECT_NAME", "a/B-c_1.d")
        .run();
    assert_eq!(Scene::new().var("ENV", "a/b").faults().len(), 1);
}

#[test]
fn a_name_that_cannot_be_told_is_demanded() {
    for (project, expected) in [
        ("name: shop\nname: store\n", Ok("store")),
        ("\u{feff}name: shop\n", Ok("shop")),
        ("name: \"{{ env_var('PROJ', 'shop') }}\"\n", Ok("shop")),
        ("name: \"{{ env_var('ENV') }}_x\"\n", Ok("local_x")),
        (
            "a: 1\nname: \"{{ env_var('PROJ') }}\"\n",
            Err(
                "~/dbt_project.yml:2: name needs the variable PROJ, which is not set; set \
                    --project-name or PROJECT_NAME",
            ),
        ),
        (
            "name: \"{{ target.name }}\"\n",
            Err(
                "~/dbt_project.yml:1: name cannot be determined without dbt ({{ target.name }}); \
                    set --project-name or PROJECT_NAME",
            ),
        ),
        (
            "version: 1\n",
            Err("~/dbt_project.yml: has no name; add one or set --project-name or PROJECT_NAME"),
        ),
        (
            "name: a b\n",
            Err(
                "~/dbt_project.yml: name \"a b\" holds a blank (' '); it may have letters, digits, \
                    '_', '-', '.', '/'; change it or set --project-name or PROJECT_NAME",
            ),
        ),
        ("- name\n", Err("~/dbt_project.yml: is not a mapping")),
    ] {
        let scene = Scene::new();
        std::fs::write(scene.path("dbt_project.yml"), project).unwrap();
        match expected {
            Ok(name) => assert_eq!(scene.run().0.project_name.as_deref(), Some(name)),
            Err(fault) => assert_eq!(scene.faults(), [fault], "{project}"),
        }
        let named = Scene::new().var("PROJECT_NAME", "other");
        std::fs::write(named.path("dbt_project.yml"), project).unwrap();
        assert_eq!(named.run().0.project_name.as_deref(), Some("other"));
    }
}

#[test]
fn the_settings_file_may_have_merge_keys() {
    let (_, plan) = Scene::new()
        .settings(
            "steps:\n  - &a {name: first, command: [run], timeout: 20m}\n  - {<<: *a, name: \
            second}\n",
        )
        .run();
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(plan.steps[1].timeout, plan.steps[0].timeout);
    assert_eq!(plan.steps[1].command, ["run"]);
}

/// More than one place reads some of them.
#[test]
fn no_fault_is_told_twice() {
    let flags = [
        "--publish=",
        "--destination=",
        "--env=",
        "--project-name=",
        "--schema=",
        "--credentials=",
        "--steps=",
        "--engine=",
        "--parse-cache=",
        "--page-url=",
        "--metrics=",
        "--log-format=",
        "--deadline=",
        "--stop-timeout=",
        "--bucket-owner=",
        "--sse=",
        "--project-dir=",
        "--profiles-dir=",
        "--dbt=",
    ];
    let mut sets: Vec<Vec<&str>> = flags.iter().map(|flag| vec![*flag]).collect();
    sets.push(flags.to_vec());
    sets.push(vec!["--publish=", "--env="]);
    sets.push(vec!["--publish=always", "--env=", "--project-name="]);
    sets.push(vec!["--publish=always", "--env=a b"]);
    for flags in sets {
        let faults = Scene::new().flags(&flags).faults();
        let different: BTreeSet<&String> = faults.iter().collect();
        assert_eq!(different.len(), faults.len(), "{flags:?}: {faults:?}");
    }
}
