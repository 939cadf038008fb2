//! Owns the rendering of dbt's settings: calls of `env_var` with the filters and the text around
//! them.
//!
//! Never guesses: a template that asks for anything else is dbt's business, and is said to be
//! undecided.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Kwargs, Object, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

/// What names of secret variables begin with. dbt substitutes them after rendering, refuses them
/// outside of profiles and packages, and scrubs their values from its own logs.
pub(crate) const SECRET_PREFIX: &str = "DBT_ENV_SECRET_";

/// What came of a template.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The text as dbt has it; `None` where it takes dbt to tell.
    pub(crate) text: Option<String>,
    /// The text before dbt puts secrets into it and makes a number or a truth value of it, with
    /// the names of missing variables in their places; `None` where it takes dbt to tell.
    pub(crate) draft: Option<String>,
    /// Variables that dbt will certainly ask for, without a default, and that are not set.
    pub(crate) missing: BTreeSet<String>,
    /// Variables that dbt will ask for, without a default, and that are set to nothing.
    pub(crate) empty: BTreeSet<String>,
    /// It takes dbt to tell which variables are needed.
    pub(crate) is_undecided: bool,
}

/// Renders as dbt does, as far as [`Rendered`] says.
pub(crate) fn render(template: &str, variables: &BTreeMap<OsString, OsString>) -> Rendered {
    if !template.contains("{{") && !template.contains("{%") && !template.contains("{#") {
        // One line end at the end is not part of a template.
        let text = Some(template.strip_suffix('\n').unwrap_or(template).to_owned());
        return Rendered {
            draft: text.clone(),
            text,
            ..Rendered::default()
        };
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let context = Context {
        variables: variables.clone(),
        seen: Arc::clone(&seen),
    };
    let mut environment = environment();
    let marks = Arc::clone(&seen);
    // What these make of a text in dbt, a number or a truth value, is told by the text alone.
    for name in ["as_native", "as_bool", "as_number"] {
        let marks = Arc::clone(&marks);
        environment.add_filter(name, move |value: Value| {
            lock(&marks).is_native = true;
            value
        });
    }
    let text = environment.render_str(template, Value::from_object(context));
    let seen = std::mem::take(&mut *lock(&seen));
    let is_undecided = text.is_err() || seen.asked_for_other;
    let draft = text.ok().filter(|_| !is_undecided);
    let text = draft.clone().filter(|text| {
        seen.missing.is_empty() && !seen.has_secret && (!seen.is_native || is_word(text))
    });
    Rendered {
        text,
        draft,
        missing: seen.missing,
        empty: seen.empty,
        is_undecided,
    }
}

/// What a template comes from, where only dbt can tell what it comes to: its own text, and the
/// variables that it names. Of options (`var`) it says nothing. `None` if it may ask for more.
pub(crate) fn sources(
    template: &str,
    variables: &BTreeMap<OsString, OsString>,
) -> Option<Vec<String>> {
    let environment = environment();
    let names = environment
        .template_from_str(template)
        .ok()?
        .undeclared_variables(false);
    let is_known = |name: &String| ["env_var", "var"].contains(&name.as_str());
    if !names.iter().all(is_known) {
        return None;
    }
    let mut sources = vec![template.to_owned()];
    for call in template.split("env_var").skip(1) {
        let argument = call.trim_start().strip_prefix('(')?.trim_start();
        let quote = argument
            .chars()
            .next()
            .filter(|c| ['\'', '"'].contains(c))?;
        let (name, rest) = argument[1..].split_once(quote)?;
        if !rest.trim_start().starts_with([',', ')']) {
            return None;
        }
        let value = variables.get(OsStr::new(name));
        sources.push(format!("{name}={value:?}"));
    }
    Some(sources)
}

/// What a template asked for.
#[derive(Debug, Default)]
struct Seen {
    missing: BTreeSet<String>,
    empty: BTreeSet<String>,
    /// A name that only dbt knows: what comes after it may depend on it.
    asked_for_other: bool,
    has_secret: bool,
    is_native: bool,
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All names of a template.
#[derive(Debug)]
struct Context {
    variables: BTreeMap<OsString, OsString>,
    seen: Arc<Mutex<Seen>>,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str() == Some("env_var") {
            let context = Arc::clone(self);
            return Some(Value::from_function(
                move |arguments: Rest<Value>, named: Kwargs| context.env_var(&arguments, &named),
            ));
        }
        lock(&self.seen).asked_for_other = true;
        None
    }
}

impl Context {
    /// `env_var(var, default=None)`.
    fn env_var(&self, arguments: &[Value], named: &Kwargs) -> Result<Value, Error> {
        let (mut name, mut default) = (None, None);
        match arguments {
            [] => {}
            [first] => name = Some(first.clone()),
            [first, second] => (name, default) = (Some(first.clone()), Some(second.clone())),
            _ => return Err(refused()),
        }
        if named.has("var") && name.is_none() {
            name = Some(named.get("var")?);
        }
        if named.has("default") && default.is_none() {
            default = Some(named.get("default")?);
        }
        named.assert_all_used()?;
        let name = name.ok_or_else(refused)?;
        let name = name.as_str().ok_or_else(refused)?;
        let default = default.filter(|default| !default.is_none());
        let mut seen = lock(&self.seen);
        seen.has_secret |= name.starts_with(SECRET_PREFIX);
        match (self.variables.get(OsStr::new(name)), default) {
            (Some(value), default) => {
                if value.is_empty() && default.is_none() && !seen.asked_for_other {
                    seen.empty.insert(name.to_owned());
                }
                value.to_str().map(Value::from).ok_or_else(refused)
            }
            (None, Some(default)) => Ok(default),
            (None, None) => {
                if !seen.asked_for_other {
                    seen.missing.insert(name.to_owned());
                }
                // Goes on, to find the others; it counts as set, so that no second choice is asked
                // for.
                Ok(Value::from(name))
            }
        }
    }
}

/// The filters and methods of which Jinja in Python makes the same.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(|out, _, value| {
        let text = text_of(value).ok_or_else(refused)?;
        out.write_str(&text).map_err(|_| refused())
    });
    environment.add_filter("trim", |value: Value| strip(&value));
    environment.add_filter("lower", |value: Value| change(&value, str::to_lowercase));
    environment.add_filter("upper", |value: Value| change(&value, str::to_uppercase));
    for name in ["string", "as_text"] {
        environment.add_filter(name, |value: Value| change(&value, str::to_owned));
    }
    environment.add_filter("replace", |value: Value, from: String, to: String| {
        change(&value, |text| text.replace(&from, &to))
    });
    environment.add_filter("int", |value: Value, default: Option<i64>| {
        integer(&value, default.unwrap_or(0))
    });
    for name in ["default", "d"] {
        environment.add_filter(name, default);
    }
    environment.set_unknown_method_callback(|_, value, method, arguments| {
        let texts: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
        match (method, texts.as_deref()) {
            ("strip", Some([])) => strip(value),
            ("lower", Some([])) => change(value, str::to_lowercase),
            ("upper", Some([])) => change(value, str::to_uppercase),
            ("replace", Some([from, to])) => change(value, |text| text.replace(from, to)),
            _ => Err(refused()),
        }
    });
    environment
}

/// As Python writes it.
fn text_of(value: &Value) -> Option<String> {
    match value.kind() {
        ValueKind::String => value.as_str().map(str::to_owned),
        ValueKind::Bool => Some(if value.is_true() { "True" } else { "False" }.to_owned()),
        ValueKind::None => Some("None".to_owned()),
        ValueKind::Number => value
            .as_i64()
            .filter(|_| value.is_integer())
            .map(|number| number.to_string()),
        _ => None,
    }
}

fn change(value: &Value, how: impl FnOnce(&str) -> String) -> Result<Value, Error> {
    text_of(value)
        .map(|text| Value::from(how(&text)))
        .ok_or_else(refused)
}

fn strip(value: &Value) -> Result<Value, Error> {
    let is_blank =
        |character: char| character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character);
    change(value, |text| text.trim_matches(is_blank).to_owned())
}

/// `default(value, default_value='', boolean=False)`; what is known here is always defined.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a filter gets its arguments so"
)]
fn default(value: Value, arguments: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let or_empty = match arguments.get(1) {
        Some(or_empty) => or_empty.is_true(),
        None if named.has("boolean") => named.get("boolean")?,
        None => false,
    };
    named.assert_all_used()?;
    let other = arguments
        .first()
        .cloned()
        .unwrap_or_else(|| Value::from(""));
    Ok(if or_empty && !value.is_true() {
        other
    } else {
        value
    })
}

/// Anything but a number gives the default, and a fraction is cut off.
fn integer(value: &Value, default: i64) -> Result<Value, Error> {
    let text = text_of(value).ok_or_else(refused)?;
    let text = text.trim();
    // Python reads more than Rust does: underscores, other digits.
    if !text.is_ascii() || text.contains('_') {
        return Err(refused());
    }
    let number = text.parse().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?.trunc();
        #[expect(clippy::cast_possible_truncation, reason = "it is small")]
        (number.abs() < 1e15).then_some(number as i64)
    });
    Ok(Value::from(number.unwrap_or(default)))
}

/// A text of which Python's `literal_eval` makes nothing else.
fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_-./".contains(character))
        && !matches!(text, "True" | "False" | "None")
}

fn refused() -> Error {
    Error::new(ErrorKind::InvalidOperation, "")
}

#[cfg(test)]
mod tests;
