//! Owns the tests of the lines of an `--env-file`, and of what of it a child inherits.
//!
//! Never tests what a single setting makes of its value.

use super::*;

/// What a child inherits under the name.
fn inherited<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    config
        .variables
        .get(OsStr::new(name))
        .map(|value| value.to_str().unwrap())
}

#[test]
fn a_value_is_all_that_follows_the_first_equals_sign() {
    for (line, name, value) in [
        ("A=b", "A", "b"),
        ("A=", "A", ""),
        ("A==", "A", "="),
        ("A=b=c", "A", "b=c"),
        ("A=\"b\"", "A", "\"b\""),
        ("A='b c'", "A", "'b c'"),
        ("A=$HOME `id` $(id) \\n", "A", "$HOME `id` $(id) \\n"),
        ("A= b ", "A", " b "),
        ("  A=b", "A", "b"),
        ("A=b # no comment", "A", "b # no comment"),
        ("A=b\r", "A", "b"),
        ("_a1=ü", "_a1", "ü"),
        ("log.level=b", "log.level", "b"),
        ("log-level=b", "log-level", "b"),
        ("A=b\nA=c", "A", "c"),
    ] {
        let (config, _) = Scene::new()
            .env_file(&format!("# a comment\n\n  # another\n{line}\n"))
            .run();
        assert_eq!(inherited(&config, name), Some(value), "{line:?}");
        assert!(config.from_env_file.contains(OsStr::new(name)), "{line:?}");
    }
}

#[test]
fn a_malformed_line_is_named_by_its_number_and_never_shown() {
    for (line, what) in [
        ("SENTI-NEL", "is not NAME=value"),
        ("=SENTINEL", "is not NAME=value: the name is malformed"),
        ("A B=SENTINEL", "is not NAME=value: the name is malformed"),
        ("1A=SENTINEL", "is not NAME=value: the name is malformed"),
        (
            "export A=SENTINEL",
            "is not NAME=value: leave out `export`, since no shell reads this file",
        ),
        ("\"A\"=SENTINEL", "is not NAME=value: the name is malformed"),
        ("-A=SENTINEL", "is not NAME=value: the name is malformed"),
        ("A.SENTINEL", "is not NAME=value"),
        ("A=SENTINEL\0", "A: holds a NUL byte"),
    ] {
        let faults = Scene::new().env_file(&format!("FINE=1\n{line}\n")).faults();
        assert_eq!(faults, [format!("~/sandbox.env:2: {what}")], "{line:?}");
    }
}

#[test]
fn every_malformed_line_is_a_fault_of_its_own() {
    let faults = Scene::new().env_file("x y\nA=1\ny-\n").faults();
    assert_eq!(
        faults,
        [
            "~/sandbox.env:1: is not NAME=value",
            "~/sandbox.env:3: is not NAME=value"
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let faults = Scene::new()
        .flags(&["--env-file", "/no/such.env", "--config", "/no/such.yml"])
        .faults();
    assert!(
        faults[0].starts_with("--env-file /no/such.env: cannot be read: "),
        "{faults:?}"
    );
    assert!(
        faults[1].starts_with("/no/such.yml: cannot be read: "),
        "{faults:?}"
    );
    assert_eq!(faults.len(), 2);
}

#[test]
fn what_is_set_and_not_empty_wins_for_the_child_too() {
    let scene = Scene::new()
        .var("SET", "here")
        .var("EMPTY", "")
        .var("BOTH_EMPTY", "")
        .var("OWN", "");
    let (config, _) = scene
        .env_file("SET=file\nEMPTY=file\nBOTH_EMPTY=\nNEW=file\n")
        .run();
    let values = ["SET", "EMPTY", "BOTH_EMPTY", "OWN", "NEW"].map(|name| inherited(&config, name));
    assert_eq!(
        values,
        [Some("here"), Some("file"), Some(""), Some(""), Some("file")]
    );
    let from_file: Vec<&str> = config
        .from_env_file
        .iter()
        .map(|name| name.to_str().unwrap())
        .collect();
    assert_eq!(from_file, ["BOTH_EMPTY", "EMPTY", "NEW"]);
}

#[test]
fn a_bare_name_is_the_inherited_value_as_for_docker() {
    let (config, _) = Scene::new()
        .var("B", "inherited")
        .env_file("A=1\nB\n  C \n")
        .run();
    assert_eq!(inherited(&config, "B"), Some("inherited"));
    assert_eq!(inherited(&config, "C"), None);
    assert!(!config.from_env_file.contains(OsStr::new("B")));
}
