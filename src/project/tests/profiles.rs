//! Owns the tests of which target of profiles.yml is looked at, and of what is said about its
//! variables.
//!
//! Never tests the expressions themselves.

use super::super::profile::{Findings, check};
use crate::config::{OnFailure, Step, Variables};

/// Two profiles; the targets of the first need a variable each.
const PROFILES: &str = "\
shop:
  target: dev
  outputs:
    dev: {host: \"{{ env_var('DEV_HOST') }}\"}
    live: {host: \"{{ env_var('LIVE_HOST') }}\"}
    default: {host: \"{{ env_var('DEFAULT_HOST') }}\"}
other:
  target: \"{{ env_var('WHERE', 'here') }}\"
  outputs:
    here: {host: \"{{ env_var('HERE_HOST') }}\"}
    there: {host: \"{{ env_var('THERE_HOST') }}\"}
";

fn step(command: &str) -> Step {
    Step {
        name: "step".to_owned(),
        command: command.split(' ').map(str::to_owned).collect(),
        on_failure: OnFailure::Stop,
        timeout: None,
    }
}

/// What is found for the flag `--target` and the variables, with `~` for the directory.
fn findings(profiles: &str, target: Option<&str>, variables: &[(&str, &str)]) -> Findings {
    findings_in("name: shop\nprofile: shop\n", profiles, target, variables)
}

fn findings_in(
    project: &str,
    profiles: &str,
    target: Option<&str>,
    variables: &[(&str, &str)],
) -> Findings {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("dbt_project.yml"), project).unwrap();
    std::fs::write(home.path().join("profiles.yml"), profiles).unwrap();
    let variables: Variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let command = target.map_or_else(|| "run".to_owned(), |target| format!("run -t {target}"));
    let found = check(
        home.path(),
        Some(home.path()),
        &[step("deps"), step(&command)],
        &variables,
    );
    let strip = |texts: Vec<String>| {
        texts
            .into_iter()
            .map(|text| text.replace(home.path().to_str().unwrap(), "~"))
            .collect()
    };
    Findings {
        faults: strip(found.faults),
        warnings: strip(found.warnings),
    }
}

#[test]
fn a_missing_variable_is_named_with_file_target_and_key() {
    let found = findings(PROFILES, None, &[]);
    assert_eq!(
        found.faults,
        [
            "~/profiles.yml: target \"dev\" of profile \"shop\": host needs the variable DEV_HOST, \
                which is not set"
        ]
    );
    assert_eq!(found.warnings, Vec::<String>::new());
    assert_eq!(
        findings(PROFILES, None, &[("DEV_HOST", "h")]),
        Findings::default()
    );
}

#[test]
fn only_the_selected_target_counts() {
    let moved = PROFILES.replace("  target: dev\n", "");
    for (profiles, target, variables, needed) in [
        (PROFILES, None, &[][..], "DEV_HOST"),
        (PROFILES, Some("live"), &[], "LIVE_HOST"),
        (PROFILES, None, &[("DBT_TARGET", "live")], "LIVE_HOST"),
        (PROFILES, None, &[("DBT_TARGET", "")], "DEV_HOST"),
        (
            PROFILES,
            Some("live"),
            &[("DBT_TARGET", "dev")],
            "LIVE_HOST",
        ),
        (
            PROFILES,
            None,
            &[("DBT_ENGINE_TARGET", "live"), ("DBT_TARGET", "dev")],
            "LIVE_HOST",
        ),
        (PROFILES, None, &[("DBT_PROFILE", "other")], "HERE_HOST"),
        (
            PROFILES,
            None,
            &[("DBT_PROFILE", "other"), ("WHERE", "there")],
            "THERE_HOST",
        ),
        (&moved, None, &[], "DEFAULT_HOST"),
    ] {
        let found = findings(profiles, target, variables);
        assert_eq!(found.faults.len(), 1, "{target:?} {variables:?}: {found:?}");
        assert!(
            found.faults[0].contains(&format!("variable {needed},")),
            "{target:?} {variables:?}: {found:?}"
        );
    }
}

#[test]
fn the_name_of_the_profile_may_be_an_expression() {
    let project = "profile: \"{{ env_var('PROFILE', 'other') }}\"\n";
    assert!(findings_in(project, PROFILES, None, &[]).faults[0].contains("HERE_HOST"));
    assert!(
        findings_in(project, PROFILES, None, &[("PROFILE", "shop")]).faults[0].contains("DEV_HOST")
    );
}

#[test]
fn every_key_counts_also_the_password_and_what_lies_deeper() {
    let profiles = "\
shop:
  target: dev
  outputs:
    dev:
      type: redshift
      password: \"{{ env_var('P') }}\"
      port: \"{{ env_var('PORT', 5439) | int }}\"
      threads: 4
      hosts: [\"{{ env_var('H') }}\", plain]
      settings: {ssl: {ca: \"{{ env_var('CA') }}\"}}
";
    let faults = findings(profiles, None, &[]).faults;
    let names = |place: &str, name: &str| {
        faults
            .iter()
            .any(|fault| fault.contains(&format!("{place} needs the variable {name},")))
    };
    assert!(
        names("password", "P")
            && names("hosts", "H")
            && names("settings.ssl.ca", "CA")
            && faults.len() == 3,
        "{faults:#?}"
    );
    let found = findings(profiles, None, &[("P", ""), ("H", "x"), ("CA", "x")]);
    assert_eq!(found.faults, Vec::<String>::new());
    assert_eq!(
        found.warnings,
        ["~/profiles.yml: target \"dev\" of profile \"shop\": password takes P, which is empty"]
    );
}

#[test]
fn merged_keys_count_unless_they_are_overridden() {
    let profiles = "\
base: &base
  host: \"{{ env_var('BASE_HOST') }}\"
  user: \"{{ env_var('BASE_USER') }}\"
shop:
  target: dev
  outputs:
    dev:
      <<: *base
      host: localhost
";
    let found = findings(profiles, None, &[]);
    assert_eq!(
        found.faults,
        [
            "~/profiles.yml: target \"dev\" of profile \"shop\": user needs the variable \
                BASE_USER, which is not set"
        ]
    );
}

#[test]
fn what_cannot_be_decided_is_a_warning() {
    let of =
        |host: &str| format!("shop: {{target: dev, outputs: {{dev: {{host: \"{host}\"}}}}}}\n");
    for (profiles, target, warning) in [
        (
            of("{{ env_var(name) }}"),
            None,
            "only dbt can tell which variables host needs",
        ),
        (
            of("{{ env_var('A') if x else '' }}"),
            None,
            "only dbt can tell which variables host needs",
        ),
        (
            of("x"),
            Some("prod"),
            "profile \"shop\" has no target \"prod\", so its variables were not checked",
        ),
        (
            "else: {}\n".to_owned(),
            None,
            "there is no profile \"shop\", so",
        ),
        (
            "shop: {target: '{{ target() }}'}\n".to_owned(),
            None,
            "the target of profile \"shop\" cannot be determined, so",
        ),
        (
            "shop: [\n".to_owned(),
            None,
            "profiles.yml:2: is not valid YAML",
        ),
    ] {
        let found = findings(&profiles, target, &[]);
        assert_eq!(found.faults, Vec::<String>::new(), "{profiles}");
        assert!(
            found.warnings.len() == 1 && found.warnings[0].contains(warning),
            "{profiles}: {found:?}"
        );
    }
    let found = findings_in("name: shop\n", PROFILES, None, &[]);
    assert_eq!(
        found.warnings,
        ["~/profiles.yml: dbt_project.yml names no profile, so its variables were not checked"]
    );
    let nowhere = check(
        std::path::Path::new("/"),
        None,
        &[step("run")],
        &Variables::new(),
    );
    assert_eq!(
        nowhere.warnings,
        ["no profiles.yml was found, so its variables were not checked"]
    );
}

#[test]
fn each_step_is_checked_by_the_target_that_it_selects_itself() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(home.path().join("dbt_project.yml"), "profile: shop\n").unwrap();
    std::fs::write(home.path().join("profiles.yml"), PROFILES).unwrap();
    let there = PROFILES.replace("DEV_HOST", "ELSEWHERE");
    std::fs::write(elsewhere.join("profiles.yml"), there).unwrap();
    for (commands, needed) in [
        (&["run"][..], "DEV_HOST"),
        (&["run -t live", "test --target=live"], "LIVE_HOST"),
        (&["run -tlive", "test"], "LIVE_HOST DEV_HOST"),
        (&["run --profile other"], "HERE_HOST"),
        (&["run --profile other --target there"], "THERE_HOST"),
        (&["run --profiles-dir elsewhere"], "ELSEWHERE"),
        (&["run --project-dir ."], "DEV_HOST"),
        (&["deps --project-dir elsewhere"], ""),
        (&["deps", "clean"], ""),
        (&["deps --target live"], ""),
    ] {
        let steps: Vec<Step> = commands.iter().map(|command| step(command)).collect();
        let found = check(home.path(), Some(home.path()), &steps, &Variables::new());
        let names = found.faults.iter().map(|fault| {
            let (_, rest) = fault.split_once("variable ").unwrap();
            rest.split_once(',').unwrap().0
        });
        assert_eq!(names.collect::<Vec<_>>().join(" "), needed, "{commands:?}");
        assert_eq!(found.warnings, [""; 0], "{commands:?}");
    }
}

#[test]
fn a_step_that_runs_another_project_is_told_and_not_checked_by_this_one() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("dbt_project.yml"), "profile: shop\n").unwrap();
    std::fs::write(home.path().join("profiles.yml"), PROFILES).unwrap();
    let steps = [step("run --project-dir=other")];
    let found = check(home.path(), Some(home.path()), &steps, &Variables::new());
    assert_eq!(found.faults, [""; 0]);
    assert_eq!(found.warnings.len(), 1, "{found:?}");
    assert!(found.warnings[0].starts_with("step step: --project-dir names another project"));
}

#[test]
fn a_target_that_needs_a_variable_is_a_fault_unless_it_is_chosen_otherwise() {
    let profiles = "\
shop:
  target: \"{{ env_var('WHERE') }}\"
  outputs: {dev: {type: duckdb}}
";
    assert_eq!(
        findings(profiles, None, &[]).faults,
        [
            "~/profiles.yml:2: the target of profile \"shop\" needs the variable WHERE, which is \
                not set; set it, or set --target or DBT_TARGET"
        ]
    );
    for (target, variables) in [
        (Some("dev"), &[][..]),
        (None, &[("DBT_TARGET", "dev")]),
        (None, &[("WHERE", "dev")]),
    ] {
        assert_eq!(findings(profiles, target, variables), Findings::default());
    }
}

/// A literal password may look like a template.
#[test]
fn no_value_is_shown() {
    let profiles = "\
shop:
  target: dev
  outputs: {dev: {password: \"{{ SENTINEL\", other: \"{{ env_var('A', 'SENTINEL') if b }}\"}}
";
    let found = findings(profiles, None, &[]);
    assert_eq!(found.warnings.len(), 2);
    assert!(!format!("{found:?}").contains("SENTINEL"), "{found:?}");
}
