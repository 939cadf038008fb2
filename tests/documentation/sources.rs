//! Owns the comparison of the documents with sources and scripts, which they describe.
//!
//! Never runs the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::markdown::{Document, codes, documents, quoted, root, table};

/// Every number in the program's own table is documented, and the other way round.
#[test]
fn the_documented_exit_codes_are_those_of_the_program() {
    let source = fs::read_to_string(root().join("src/exit_code.rs")).unwrap();
    let number = source
        .split("fn number(self)")
        .nth(1)
        .unwrap()
        .split("\n    }\n")
        .next()
        .unwrap();
    let arms = number.lines().filter_map(|line| {
        line.trim()
            .strip_suffix(',')?
            .split(" => ")
            .nth(1)?
            .parse::<u8>()
            .ok()
    });
    let program: BTreeSet<u8> = arms.collect();
    let rows = table(Document::read("README.md").section("## Exit codes"), "code");
    // 1 and 2 are dbt's, and passed through.
    let readme = codes(rows.iter().map(|row| row[0].as_str()))
        .iter()
        .filter_map(|code| code.parse().ok())
        .filter(|code| ![1, 2].contains(code))
        .collect();
    assert_eq!(program, readme);
}

/// The names of macros stand in the README without their folder.
#[test]
fn the_macros_of_the_sandbox_are_those_of_the_sample_project() {
    let readme = Document::read("README.md");
    let text = readme.section("### Outside Docker, in the sandbox");
    let named: Vec<String> = quoted(text)
        .into_iter()
        .filter(|name| name.ends_with(".sql"))
        .collect();
    assert_eq!(named.len(), 4);
    for name in named {
        assert!(root().join("dbt/macros").join(&name).exists(), "{name}");
    }
}

#[test]
fn the_parts_of_the_test_script_that_the_documents_name_exist() {
    let script = fs::read_to_string(root().join("scripts/test")).unwrap();
    for document in documents() {
        for part in document
            .text
            .split("`scripts/test ")
            .skip(1)
            .filter_map(|rest| rest.split('`').next())
            .flat_map(|parts| parts.split(' '))
        {
            assert!(
                script.contains(&format!("part_{part}() {{")) || part == "lint",
                "{}: {part}",
                document.path
            );
        }
    }
}

#[test]
fn the_services_that_the_image_keeps_are_the_documented_ones() {
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let kept = dockerfile
        .split("find \"$packages/botocore/data\"")
        .nth(1)
        .unwrap()
        .split("-exec")
        .next()
        .unwrap();
    let kept: Vec<&str> = kept
        .split("-not -name ")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    let image = Document::read("docs/image.md");
    let list = image
        .section("## Python in the image")
        .split("only:")
        .nth(1)
        .unwrap()
        .split('.')
        .next()
        .unwrap();
    assert!(kept.len() > 5, "{kept:?}");
    assert_eq!(quoted(list), kept);
}

/// All Rust sources, by path from the root.
fn sources() -> Vec<(String, String)> {
    let mut open = vec![root().join("src")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The question of a newcomer for which the answer is most easily wrong.
#[test]
fn the_architecture_names_all_files_that_decide_74() {
    let document = Document::read("ARCHITECTURE.md");
    let rows = table(document.section("## Where to look"), "question");
    let row = rows.iter().find(|row| row[0].contains("74")).unwrap();
    let named: BTreeSet<String> = quoted(&row[1])
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "rs"))
        .collect();
    let decides = |text: &str| text.contains("ExitCode::Publish") || text.contains(": u8 = 74;");
    let deciding: BTreeSet<String> = sources()
        .into_iter()
        .filter(|(path, text)| path != "src/exit_code.rs" && decides(text))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(named, deciding);
}

/// Operators search for messages: what the table quotes is what the program says, pair of words by
/// pair of words. `…` and `X` stand for what differs, and one pair may lie across such a place.
#[test]
fn every_message_of_the_troubleshooting_table_is_one_of_the_program() {
    let program: String = sources().into_iter().map(|(_, text)| text).collect();
    let document = Document::read("docs/operations.md");
    let mut messages = 0;
    for row in table(document.section("## When something goes wrong"), "message") {
        for message in quoted(&row[0]).iter().filter(|text| text.contains(' ')) {
            let parts = message.split(['…', 'X']);
            let words = parts.map(|part| part.split_whitespace().collect::<Vec<_>>());
            let pairs: Vec<String> = words
                .flat_map(|words| {
                    let pairs = words.windows(2).map(|pair| pair.join(" "));
                    pairs.collect::<Vec<_>>()
                })
                .collect();
            let missing = pairs.iter().filter(|pair| !program.contains(*pair));
            let missing: Vec<_> = missing.collect();
            assert!(missing.len() <= 1, "{message:?}: nothing says {missing:?}");
            messages += usize::from(pairs.len() > 1);
        }
    }
    assert!(messages > 8, "{messages}");
}
