//! Owns the comparison with PyYAML: `pyyaml.json` has texts, and what its safe loader makes of
//! each.
//!
//! Never says what would be better.

use serde_json::{Value as Json, json};

use super::{Kind, Node, Value, parse};

/// A value in the form of the table.
fn told(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => items.iter().map(told).collect(),
        Value::Map(fields) => {
            let pairs = fields
                .iter()
                .map(|field| json!([told(&field.key), told(&field.value)]));
            json!({"map": pairs.collect::<Json>()})
        }
        Value::Scalar(scalar) => match &scalar.kind {
            Kind::Null => Json::Null,
            Kind::Bool(truth) => json!(truth),
            Kind::Int(number) => json!({"int": number.to_string()}),
            Kind::Float(number) => json!({"float": number}),
            Kind::Text | Kind::Merge => json!(scalar.text),
            Kind::Other => json!({"other": 0}),
        },
    }
}

/// Python writes a float as a text; only the number counts.
fn numbers(mut expected: Json) -> Json {
    match &mut expected {
        Json::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = numbers(item.take())),
        Json::Object(fields) => {
            if let Some(number) = fields.get("float").and_then(Json::as_str) {
                return json!({"float": number.parse::<f64>().unwrap()});
            }
            fields
                .values_mut()
                .for_each(|field| *field = numbers(field.take()));
        }
        _ => {}
    }
    expected
}

#[test]
fn texts_are_read_as_pyyaml_reads_them() {
    let table: Vec<(String, Json)> =
        serde_json::from_str(include_str!("tests/pyyaml.json")).unwrap();
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let read = parse(&text).map_or_else(|_| json!({"error": 0}), |read| told(&read.root));
        if read != numbers(expected.clone()) {
            wrong.push(format!("{text:?}: {read} and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn values_keys_and_errors_know_their_lines() {
    let read = parse("# first\na: 1\nb:\n  - x\n  - {k: v}\na: 2\n").unwrap();
    let lines = |node: &Node| node.line;
    assert_eq!(lines(&read.root.field("b").unwrap().key), 3);
    let items = read.root.get("b").unwrap().items().unwrap();
    assert_eq!(items.iter().map(lines).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(
        read.repeated.iter().map(lines).collect::<Vec<_>>(),
        [6],
        "{read:?}"
    );
    for (text, line) in [
        ("a: 1\nb: [", 2),
        ("a: 1\n\nb: *x", 3),
        ("a\n---\nb", 2),
        ("a: \"\n", 1),
    ] {
        assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
    }
    // No value lies behind the last line.
    assert_eq!(parse("---\n# ").unwrap().root.line, 2);
}

#[test]
fn what_is_nested_without_end_is_refused() {
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse(&"- ".repeat(100_000)).is_err());
}
