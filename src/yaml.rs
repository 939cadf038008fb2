//! Owns YAML as PyYAML's safe loader, and so dbt, reads it: the types of YAML 1.1, merge keys, and
//! the last value of a repeated key. Each value knows its line.
//!
//! Never decides what a file means.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

mod scalar;

pub(crate) use scalar::{Kind, Scalar};

/// Deeper files are mistakes or attacks, and each level takes a part of the stack.
const DEEPEST: usize = 100;
const UNKNOWN_TAG: &str = "a tag is unknown or wrong";

/// Why a text is no YAML, in words that hold nothing of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Error {
    /// Counted from 1.
    pub(crate) line: usize,
    what: String,
}

/// A value and where it stands. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Scalar(Arc<Scalar>),
    List(Arc<[Node]>),
    Map(Arc<[Field]>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) key: Node,
    pub(crate) value: Node,
}

/// What a text holds.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// Keys that their mapping has before: PyYAML takes the last of them without a word.
    pub(crate) repeated: Vec<Node>,
}

impl Node {
    /// The value of a key; `None` if this is not a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.field(key).map(|field| &field.value)
    }

    /// The same with the key, which knows its line.
    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        self.fields()?
            .iter()
            .find(|field| field.key.as_str() == Some(key))
    }

    pub(crate) fn fields(&self) -> Option<&[Field]> {
        match &self.value {
            Value::Map(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// A string; not a number or a truth value.
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.scalar()
            .filter(|scalar| scalar.kind == Kind::Text)
            .map(|scalar| scalar.text.as_str())
    }

    /// A string, a number or a truth value as it is written.
    pub(crate) fn written(&self) -> Option<&str> {
        self.scalar()
            .filter(|scalar| scalar.kind != Kind::Null)
            .map(|scalar| scalar.text.as_str())
    }

    pub(crate) fn is_null(&self) -> bool {
        self.scalar()
            .is_some_and(|scalar| scalar.kind == Kind::Null)
    }
}

/// Reads one document. A text without any is `null`.
pub(crate) fn parse(text: &str) -> Result<Document, Error> {
    // Editors on Windows put a byte order mark before the first key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // In YAML 1.1 a line may end so.
    let text = &text.replace('\u{85}', "\n");
    if let Some(line) = text
        .split('\n')
        .position(|line| line.contains(is_forbidden))
    {
        return Err(refused(line + 1, "a character is not allowed"));
    }
    compose(text).or_else(|error| {
        // The parser wants a blank between a colon and a tab. PyYAML does not.
        if text.contains(":\t") {
            return compose(&text.replace(":\t", ": \t"));
        }
        // Of a tab before a key, the parser names the line on which the value before it begins.
        let is_indented_by_tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
        let culprit = text.lines().position(is_indented_by_tab);
        let culprit = culprit.filter(|_| error.what.contains("tab"));
        Err(culprit.map_or(error, |index| refused(index + 1, "a tab cannot indent")))
    })
}

fn compose(text: &str) -> Result<Document, Error> {
    let mut composer = Composer {
        events: Parser::new_from_str(text),
        lines: text.split(['\n', '\r']).count(),
        anchors: HashMap::new(),
        repeated: Vec::new(),
    };
    let root = composer.document()?;
    Ok(Document {
        root,
        repeated: composer.repeated,
    })
}

fn is_forbidden(character: char) -> bool {
    let is_control = character.is_control() && !matches!(character, '\t' | '\r');
    is_control || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Events to values.
struct Composer<P> {
    events: P,
    /// How many lines the text has. The parser puts an empty value behind the last comment.
    lines: usize,
    /// By the number that the parser gives them.
    anchors: HashMap<usize, Node>,
    repeated: Vec<Node>,
}

impl<'a, P: Iterator<Item = Result<(Event<'a>, Span), ScanError>>> Composer<P> {
    fn document(&mut self) -> Result<Node, Error> {
        let mut root = None;
        loop {
            let (line, event) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(refused(line, "a second document begins"));
                }
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                event => root = Some(self.node(line, event, 0)?),
            }
        }
        Ok(root.unwrap_or_else(|| Node {
            line: 1,
            value: Value::Scalar(Arc::new(Scalar::plain(String::new()))),
        }))
    }

    fn next(&mut self) -> Result<(usize, Event<'a>), Error> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((span.start.line().min(self.lines), event)),
            Some(Err(error)) => Err(refused(error.marker().line().min(self.lines), error.info())),
            None => Err(refused(1, "it ends too early")),
        }
    }

    fn node(&mut self, line: usize, event: Event, depth: usize) -> Result<Node, Error> {
        if depth > DEEPEST {
            return Err(refused(line, "it is nested too deeply"));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                return known.ok_or_else(|| refused(line, "an alias has no anchor before it"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text = text.into_owned();
                let scalar = match tag.as_deref().map(name_of).as_deref() {
                    // What `!` stands before is looked at as if it were plain.
                    Some("!") => Some(Scalar::plain(text)),
                    Some(tag) => Scalar::tagged(text, tag),
                    None if style == ScalarStyle::Plain => Some(Scalar::plain(text)),
                    None => Some(Scalar::quoted(text)),
                };
                let scalar = scalar.ok_or_else(|| refused(line, UNKNOWN_TAG))?;
                (anchor, Value::Scalar(Arc::new(scalar)))
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", line)?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (_, Event::SequenceEnd) => break,
                        (line, event) => items.push(self.node(line, event, depth + 1)?),
                    }
                }
                (anchor, Value::List(items.into()))
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", line)?;
                (anchor, Value::Map(self.fields(depth)?.into()))
            }
            _ => return Err(refused(line, "it ends too early")),
        };
        let node = Node { line, value };
        self.anchors.insert(anchor, node.clone());
        Ok(node)
    }

    /// The fields of a mapping: first those of its `<<`, in their order, then its own. Of a key
    /// that is there twice the last value counts.
    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, Error> {
        let (mut own, mut merged) = (Vec::<Field>::new(), Vec::new());
        loop {
            let (line, event) = match self.next()? {
                (_, Event::MappingEnd) => break,
                other => other,
            };
            let key = self.node(line, event, depth + 1)?;
            let (value_line, event) = self.next()?;
            let value = self.node(value_line, event, depth + 1)?;
            match key.scalar().map(|scalar| &scalar.kind) {
                Some(Kind::Merge) => merge(&value, &mut merged)?,
                Some(_) => {
                    if own.iter().any(|field| field.key.is_same(&key)) {
                        self.repeated.push(key.clone());
                    }
                    own.push(Field { key, value });
                }
                None => return Err(refused(line, "a key is a list or a mapping")),
            }
        }
        let mut fields: Vec<Field> = Vec::new();
        for field in merged.into_iter().chain(own) {
            match fields
                .iter_mut()
                .find(|known| known.key.is_same(&field.key))
            {
                Some(known) => *known = field,
                None => fields.push(field),
            }
        }
        Ok(fields)
    }
}

impl Node {
    /// Whether two keys are one in a mapping of Python.
    fn is_same(&self, other: &Node) -> bool {
        match (self.scalar(), other.scalar()) {
            (Some(one), Some(other)) if one.kind == Kind::Text => {
                other.kind == Kind::Text && one.text == other.text
            }
            (Some(one), Some(other)) => one.kind == other.kind,
            _ => false,
        }
    }
}

/// `<<: *one`, or `<<: [*one, *two]`, of which the first wins.
fn merge(value: &Node, merged: &mut Vec<Field>) -> Result<(), Error> {
    let refuse = |node: &Node| refused(node.line, "the value of << is not a mapping");
    match &value.value {
        Value::Map(fields) => merged.extend(fields.iter().cloned()),
        Value::List(items) => {
            for item in items.iter().rev() {
                merged.extend(item.fields().ok_or_else(|| refuse(item))?.iter().cloned());
            }
        }
        Value::Scalar(_) => return Err(refuse(value)),
    }
    Ok(())
}

/// `str` of `!!str`, and `!` of the tag that says only that the value is what it looks like.
fn name_of(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() {
        tag.suffix.clone()
    } else {
        format!("{}{}", tag.handle, tag.suffix)
    }
}

fn check_tag(tag: Option<&Tag>, expected: &str, line: usize) -> Result<(), Error> {
    let is_known = tag
        .map(name_of)
        .is_none_or(|tag| tag == expected || tag == "!");
    is_known
        .then_some(())
        .ok_or_else(|| refused(line, UNKNOWN_TAG))
}

fn refused(line: usize, what: &str) -> Error {
    Error {
        line,
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
