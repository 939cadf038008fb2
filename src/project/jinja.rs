//! Owns the one Jinja expression that settings of dbt are full of: `{{ env_var('NAME', 'default')
//! }}`.
//!
//! Pure. Anything else is left to dbt: it is reported as undecided and never guessed.

use std::ffi::OsStr;

use crate::config::Variables;

/// A call of `env_var` in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EnvVar {
    /// Without a default: dbt stops where the variable is missing.
    Required(String),
    /// With a default.
    Optional {
        name: String,
        default: Option<String>,
    },
    /// The name is an expression, or the call stands in a condition.
    Undecided,
}

/// Every call of `env_var` in the expressions and statements of the text.
pub(super) fn env_vars(text: &str) -> Vec<EnvVar> {
    // Which parts of a text with statements count is for dbt to say.
    let has_statements = text.contains("{%");
    let mut calls = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        let end = match rest.bytes().next() {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => continue,
        };
        let (inside, after) = rest[1..].split_once(end).unwrap_or((&rest[1..], ""));
        if end != "#}" {
            calls_in(inside, has_statements, &mut calls);
        }
        rest = after;
    }
    calls
}

fn calls_in(expression: &str, has_statements: bool, calls: &mut Vec<EnvVar>) {
    let is_conditional = has_statements
        || expression
            .split_whitespace()
            .any(|word| matches!(word, "if" | "or" | "and"));
    let mut rest = expression;
    while let Some(at) = rest.find("env_var") {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + "env_var".len()..];
        if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
            continue;
        }
        if let Some(arguments) = rest.trim_start().strip_prefix('(') {
            calls.push(match call(arguments) {
                Some((EnvVar::Required(_), _)) if is_conditional => EnvVar::Undecided,
                Some((call, _)) => call,
                None => EnvVar::Undecided,
            });
        }
    }
}

/// The text with its `env_var` expressions replaced, or nothing where it holds other Jinja or a
/// required variable is missing.
pub(super) fn render(text: &str, variables: &Variables) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(inside) = rest.strip_prefix("{{") else {
            if rest.starts_with("{%") || rest.starts_with("{#") {
                return None;
            }
            out.push('{');
            rest = &rest[1..];
            continue;
        };
        let arguments = inside
            .trim_start_matches('-')
            .trim_start()
            .strip_prefix("env_var")?
            .trim_start()
            .strip_prefix('(')?;
        let (call, after) = call(arguments)?;
        let (name, default) = match call {
            EnvVar::Required(name) => (name, None),
            EnvVar::Optional { name, default } => (name, default),
            EnvVar::Undecided => return None,
        };
        let value = variables
            .get(OsStr::new(&name))
            .and_then(|value| value.to_str())
            .map(str::to_owned);
        out.push_str(&value.or(default)?);
        rest = after
            .trim_start()
            .trim_start_matches('-')
            .strip_prefix("}}")?;
    }
    out.push_str(rest);
    Some(out)
}

/// Reads `'NAME')` or `'NAME', 'default')`; gives back what follows the parenthesis.
fn call(arguments: &str) -> Option<(EnvVar, &str)> {
    let (name, rest) = string(arguments)?;
    let rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix(')') {
        return Some((EnvVar::Required(name), after));
    }
    let rest = rest.strip_prefix(',')?;
    match string(rest).map(|(default, rest)| (default, rest.trim_start())) {
        Some((default, rest)) if rest.starts_with(')') => Some((
            EnvVar::Optional {
                name,
                default: Some(default),
            },
            &rest[1..],
        )),
        // A default that is an expression is a default all the same.
        _ => Some((
            EnvVar::Optional {
                name,
                default: None,
            },
            rest,
        )),
    }
}

/// A quoted string without escapes.
fn string(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"'))?;
    let (value, rest) = text[1..].split_once(quote)?;
    (!value.contains('\\')).then(|| (value.to_owned(), rest))
}
