//! Owns the tests of the one expression that is understood, `env_var`, and of how carefully the
//! others are not.
//!
//! Never decides what dbt would make of them.

use super::super::jinja::{EnvVar, env_vars, render};
use crate::config::Variables;

fn required(name: &str) -> EnvVar {
    EnvVar::Required(name.to_owned())
}

fn optional(name: &str, default: Option<&str>) -> EnvVar {
    EnvVar::Optional {
        name: name.to_owned(),
        default: default.map(str::to_owned),
    }
}

#[test]
fn every_call_is_found() {
    for (text, expected) in [
        ("{{ env_var('A') }}", vec![required("A")]),
        ("{{env_var(\"A\")}}", vec![required("A")]),
        ("{{- env_var ( 'A' ) -}}", vec![required("A")]),
        ("{{ env_var('A') | as_number }}", vec![required("A")]),
        ("{{ env_var('A') | int + 1 }}", vec![required("A")]),
        (
            "x{{ env_var('A') }}-{{ env_var('B') }}y",
            vec![required("A"), required("B")],
        ),
        (
            "{{ env_var('A') ~ env_var('B', '') }}",
            vec![required("A"), optional("B", Some(""))],
        ),
        ("{{ env_var('A', 'b') }}", vec![optional("A", Some("b"))]),
        (
            "{{ env_var('A', \"it's\") }}",
            vec![optional("A", Some("it's"))],
        ),
        ("{{ env_var('A', 5439) }}", vec![optional("A", None)]),
        ("{{ env_var('A', default='b') }}", vec![optional("A", None)]),
        (
            "{{ env_var('A', env_var('B')) }}",
            vec![optional("A", None), required("B")],
        ),
        ("{{ env_var('A', 'b')", vec![optional("A", Some("b"))]),
    ] {
        assert_eq!(env_vars(text), expected, "{text}");
    }
}

#[test]
fn what_only_dbt_can_decide_is_undecided() {
    for text in [
        "{{ env_var(name) }}",
        "{{ env_var('A' ~ suffix) }}",
        "{{ env_var('A\\'s') }}",
        "{{ env_var(var='A') }}",
        "{{ env_var('A') if target == 'x' else 'y' }}",
        "{{ 'x' or env_var('A') }}",
        "{{ target.name == 'x' and env_var('A') }}",
        "{% if x %}{{ env_var('A') }}{% endif %}",
        "{% set x = env_var('A') %}",
    ] {
        assert_eq!(env_vars(text), [EnvVar::Undecided], "{text}");
    }
    // A default is a default, whatever is around it.
    assert_eq!(
        env_vars("{{ env_var('A', '') or env_var('B', 'x') }}"),
        [optional("A", Some("")), optional("B", Some("x"))]
    );
}

#[test]
fn what_is_no_call_needs_nothing() {
    for text in [
        "",
        "env_var('A')",
        "{ env_var('A') }",
        "{# env_var('A') #}",
        "{{ my_env_var('A') }}",
        "{{ env_vars('A') }}",
        "{{ env_var }}",
        "{{ var('env_var') }}",
    ] {
        assert_eq!(env_vars(text), [], "{text}");
    }
}

#[test]
fn plain_calls_are_rendered_and_nothing_else() {
    let variables: Variables = [("A".into(), "a".into()), ("EMPTY".into(), "".into())].into();
    for (text, expected) in [
        ("", Some("")),
        ("plain {text}", Some("plain {text}")),
        ("{{ env_var('A') }}", Some("a")),
        (
            "x-{{env_var(\"A\")}}-{{- env_var( 'B' , 'b' ) -}}",
            Some("x-a-b"),
        ),
        ("{{ env_var('A', 'default') }}", Some("a")),
        // As in dbt: an empty value is a value.
        ("{{ env_var('EMPTY', 'default') }}", Some("")),
        ("{{ env_var('MISSING') }}", None),
        ("{{ env_var('MISSING', 1) }}", None),
        ("{{ env_var('A') | upper }}", None),
        ("{{ target.name }}", None),
        ("{{ env_var(A) }}", None),
        ("{% if x %}a{% endif %}", None),
        ("{# a #}b", None),
        ("{{ env_var('A')", None),
    ] {
        assert_eq!(render(text, &variables).as_deref(), expected, "{text}");
    }
}
