//! Owns the reading of the documents: sections, tables, blocks of code, links and anchors.
//!
//! Never knows what a document should say.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One document of the repository.
pub(crate) struct Document {
    /// Relative to the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A link to a file of the repository, or within a document.
pub(crate) struct Link {
    /// Relative to the root; the document itself for a link such as `#exit-codes`.
    pub(crate) target: PathBuf,
    pub(crate) anchor: Option<String>,
}

impl Document {
    #[track_caller]
    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path));
        Self {
            path: path.to_owned(),
            text: text.unwrap_or_else(|error| panic!("{path}: {error}")),
        }
    }

    /// The text below a heading, up to the next one of any level.
    #[track_caller]
    pub(crate) fn section(&self, heading: &str) -> &str {
        let text = &self.text;
        let begin = text
            .find(&format!("\n{heading}\n"))
            .unwrap_or_else(|| panic!("{} has no {heading:?}", self.path))
            + heading.len()
            + 2;
        let rest = &text[begin..];
        let next = rest
            .lines()
            .scan(0, |at, line| {
                Some((std::mem::replace(at, *at + line.len() + 1), line))
            })
            .find(|(_, line)| is_heading(line));
        &rest[..next.map_or(rest.len(), |(at, _)| at)]
    }

    /// The block of code that begins with this line.
    #[track_caller]
    pub(crate) fn block(&self, first_line: &str) -> &str {
        let at = self.text.find(&format!("\n{first_line}\n"));
        let at = at.unwrap_or_else(|| panic!("{} has no block {first_line:?}", self.path));
        self.text[at + 1..].split("\n```").next().unwrap()
    }

    /// The lines outside blocks of code.
    pub(crate) fn prose(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings
            .map(|line| anchor(line.trim_start_matches('#').trim()))
            .collect()
    }

    /// Links that stay in the repository.
    pub(crate) fn links(&self) -> Vec<Link> {
        let folder = Path::new(&self.path).parent().unwrap();
        let text = self.prose().collect::<Vec<_>>().join("\n");
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|target| !target.contains("://"));
        targets
            .map(|target| {
                let (file, anchor) = target
                    .split_once('#')
                    .map_or((target, None), |(file, anchor)| (file, Some(anchor)));
                Link {
                    target: match file {
                        "" => PathBuf::from(&self.path),
                        file => normalized(&folder.join(file)),
                    },
                    anchor: anchor.map(str::to_owned),
                }
            })
            .collect()
    }
}

/// All documents of the repository that people read.
pub(crate) fn documents() -> Vec<Document> {
    let mut paths: Vec<String> = ["", "docs", "deploy/terraform", "tests/redshift_standin"]
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    paths.sort();
    paths.iter().map(|path| Document::read(path)).collect()
}

/// `# …` in a block of code is a comment.
fn is_heading(line: &str) -> bool {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    level > 1 && line[level..].starts_with(' ')
}

fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || "-_ ".contains(*character);
    heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

/// Without `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut parts = Vec::new();
    for part in path {
        if part == ".." {
            assert!(parts.pop().is_some(), "{} leaves the root", path.display());
        } else {
            parts.push(part);
        }
    }
    parts.iter().collect()
}

/// The rows of the table that begins with this column, without its head.
#[track_caller]
pub(crate) fn table(text: &str, first_column: &str) -> Vec<Vec<String>> {
    let head = format!("| {first_column} |");
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with(&head))
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(
        lines.len() > 2,
        "there is no table with the column {first_column:?}"
    );
    let cells = |line: &&str| {
        line.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    lines[2..].iter().map(cells).collect()
}

/// What stands between backticks.
pub(crate) fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The numbers and ranges of a cell, as `1, 2`.
pub(crate) fn codes<'a>(cells: impl Iterator<Item = &'a str>) -> Vec<String> {
    cells
        .flat_map(|cell| cell.split(", "))
        .map(|code| code.trim().to_owned())
        .collect()
}

#[test]
fn an_anchor_is_made_as_github_makes_it() {
    for (heading, expected) in [
        ("The `--env-file`", "the---env-file"),
        (
            "Outside Docker, in the sandbox",
            "outside-docker-in-the-sandbox",
        ),
        ("`dbt-entrypoint.yml`", "dbt-entrypointyml"),
        (
            "3. AWS, and a place for Terraform's state",
            "3-aws-and-a-place-for-terraforms-state",
        ),
    ] {
        assert_eq!(anchor(heading), expected);
    }
}
