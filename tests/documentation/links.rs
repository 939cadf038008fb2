//! Owns what holds documents together: their length, links between them, and the paths they name.
//!
//! Never runs the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::markdown::{Document, documents, root};

#[test]
fn the_readme_is_short() {
    let lines = Document::read("README.md").text.lines().count();
    assert!(
        lines <= 200,
        "README.md has {lines} lines; what is long belongs in docs/"
    );
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let mut links = 0;
    for document in documents() {
        for link in document.links() {
            let (from, target) = (&document.path, link.target.display().to_string());
            assert!(
                root().join(&link.target).exists(),
                "{from}: {target} is not there"
            );
            if let Some(anchor) = link.anchor {
                let anchors = Document::read(&target).anchors();
                assert!(
                    anchors.contains(&anchor),
                    "{from}: {target} has no #{anchor}"
                );
            }
            links += 1;
        }
    }
    assert!(links > 30, "{links}");
}

/// A document that nothing leads to is never read.
#[test]
fn the_readme_leads_to_every_document() {
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut open = vec![PathBuf::from("README.md")];
    while let Some(path) = open.pop() {
        for link in Document::read(&path.display().to_string()).links() {
            let is_document = link.target.extension().is_some_and(|end| end == "md");
            if is_document && reached.insert(link.target.clone()) {
                open.push(link.target);
            }
        }
    }
    let all: BTreeSet<PathBuf> = documents()
        .iter()
        .map(|it| PathBuf::from(&it.path))
        .collect();
    let lost: Vec<_> = all.difference(&reached).collect();
    assert!(lost.is_empty(), "nothing leads to {lost:?}");
}

/// What may be a path in a text, by how it begins.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const STARTS: [&str; 6] = [
        "scripts/",
        "src/",
        "tests/",
        "docs/",
        "deploy/",
        "dbt/macros",
    ];
    let words = text.split(|character: char| {
        !(character.is_ascii_alphanumeric() || "/._-".contains(character))
    });
    words
        .map(|word| word.trim_start_matches("../").trim_end_matches(['.', '/']))
        .filter(|word| {
            STARTS.iter().any(|start| word.starts_with(start)) || *word == "dbt/profiles.yml"
        })
}

#[test]
fn every_path_that_the_documents_name_exists() {
    for document in documents() {
        let folder = root().join(&document.path);
        let folder = folder.parent().unwrap();
        let missing: Vec<&str> = paths(&document.text)
            .filter(|path| !root().join(path).exists() && !folder.join(path).exists())
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", document.path);
    }
}

/// Messages and comments that send somebody to a document.
#[test]
fn every_document_that_scripts_and_sources_name_exists() {
    let mut named = 0;
    for folder in ["src", "scripts", "deploy", ".github"] {
        for (path, text) in texts(&root().join(folder)) {
            for document in paths(&text).filter(|path| path.starts_with("docs/")) {
                assert!(
                    root().join(document).exists(),
                    "{}: {document}",
                    path.display()
                );
                named += 1;
            }
        }
    }
    assert!(named >= 3, "{named}");
}

fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
    found
}
