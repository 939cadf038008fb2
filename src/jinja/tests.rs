//! Owns the comparison with dbt: `dbt.json` has templates, and what dbt's own renderer makes of
//! each, with the variables below.
//!
//! Never says what would be better.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde_json::Value as Json;

use super::{Rendered, render};

fn variables() -> BTreeMap<OsString, OsString> {
    let pairs = [
        ("A", "a"),
        ("EMPTY", ""),
        ("PORT", " 5439 "),
        ("UP", "Ab C"),
        ("N", "5439"),
        ("F", "1.9"),
        ("T", "True"),
        ("Q", "'q'"),
        ("SP", "  x\n"),
    ];
    pairs
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// What is rendered is rendered as dbt renders it, and so much is left to dbt and not more.
#[test]
fn templates_are_rendered_as_dbt_renders_them() {
    const LEFT_TO_DBT: [&str; 15] = [
        "{{ 7 / 2 }}x",
        "{{ [1] }}x",
        "{{ env_var('A') | length }}x",
        "{{ env_var('A') | capitalize }}",
        "{{ '3' + 4 }}x",
        "{{ 'a' is defined }}x",
        "{{ env_var('N') | as_number }}",
        "{{ env_var('N') | as_number }}x",
        "{{ 1e3 }}x",
        "{{ env_var('A'), env_var('N') }}x",
        "{{ env_var('A') is none }}x",
        "{{ env_var('A') if env_var('NOPE', '') }}x",
        "{{ loop }}",
        "{{ env_var('A') | trim('a') }}x",
        "{{ env_var('UP') | title }}",
    ];
    let table: Vec<(String, Json)> = serde_json::from_str(include_str!("tests/dbt.json")).unwrap();
    let variables = variables();
    let (mut wrong, mut left) = (Vec::new(), Vec::new());
    for (template, expected) in &table {
        let Rendered { text, missing, .. } = render(template, &variables);
        let expected = expected
            .as_str()
            .or_else(|| expected.get("other").and_then(Json::as_str));
        match text {
            Some(text) if Some(text.as_str()) == expected => {}
            None if expected.is_none() && !missing.is_empty() => {}
            None => left.push(template.as_str()),
            text => wrong.push(format!("{template}: {text:?} and not {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(left, LEFT_TO_DBT);
}

#[test]
fn the_variables_that_dbt_will_ask_for_are_found_and_no_others() {
    for (template, expected, is_undecided) in [
        ("{{ env_var('X') }}", "X", false),
        ("{{- env_var ( \"X\" ) -}}", "X", false),
        ("{{ env_var('X') | as_number }}", "X", false),
        ("{{ env_var('X') | int + 1 }}", "X", false),
        ("x{{ env_var('X') }}-{{ env_var('Y') }}y", "X Y", false),
        ("{{ env_var('X') ~ env_var('Y', '') }}", "X", false),
        ("{{ env_var('X', env_var('Y')) }}", "Y", false),
        ("{{ env_var('X') or env_var('Y') }}", "X", false),
        ("{{ env_var('X')if true else 1 }}", "X", false),
        (
            "{{ env_var('X') if env_var('A') == 'b' else 1 }}",
            "",
            false,
        ),
        (
            "{{ env_var('X') if env_var('A') == 'a' else 1 }}",
            "X",
            false,
        ),
        ("{{ 'x' or env_var('X') }}", "", false),
        (
            "{% if env_var('A') == 'a' %}{{ env_var('X') }}{% endif %}",
            "X",
            false,
        ),
        (
            "{% if env_var('A') == 'b' %}{{ env_var('X') }}{% endif %}",
            "",
            false,
        ),
        ("{{ \"env_var('X')\" }}", "", false),
        ("{# env_var('X') #}", "", false),
        ("env_var('X')", "", false),
        ("{ env_var('X') }", "", false),
        ("{{ var('env_var') }}", "", true),
        ("{{ my_env_var('X') }}", "", true),
        ("{{ env_var(name) }}", "", true),
        ("{{ env_var('X', 'b')", "", true),
        (
            "{{ env_var('X') if target == 'x' else env_var('Y') }}",
            "",
            true,
        ),
        ("{{ target.name == 'x' and env_var('X') }}", "", true),
        ("{{ env_var('X') ~ target.name }}", "X", true),
        ("{{ env_var('X') | unknown }}", "X", true),
    ] {
        let found = render(template, &variables());
        let missing: Vec<String> = found.missing.into_iter().collect();
        assert_eq!(missing.join(" "), expected, "{template}");
        assert_eq!(found.is_undecided, is_undecided, "{template}");
    }
    let found = render(
        "{{ env_var('EMPTY') }}{{ env_var('EMPTY', 'x') }}",
        &variables(),
    );
    assert_eq!(found.empty.into_iter().collect::<Vec<_>>(), ["EMPTY"]);
}

#[test]
fn a_secret_is_put_into_no_text() {
    let variables = [("DBT_ENV_SECRET_X".into(), "hidden".into())].into();
    assert_eq!(
        render("{{ env_var('DBT_ENV_SECRET_X') }}", &variables).text,
        None
    );
}
