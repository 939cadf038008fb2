//! The plan of the house, held against the house: the order of the modules is the direction of the
//! data.
//!
//! Reads the source as text. What the compiler or clippy can check is theirs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken set-up should stop at the place that broke"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The modules in the order of their `mod` lines.
fn modules() -> Vec<String> {
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    main.lines()
        .filter_map(|line| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned()))
        .collect()
}

/// Every Rust file below a directory of the project, with its path there and its text.
fn sources(base: &str) -> Vec<(PathBuf, String)> {
    let base = root().join(base);
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(&base) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&base).unwrap().to_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The module a file belongs to: `pipeline` for `pipeline.rs` and for `pipeline/output/lines.rs`.
fn module_of(path: &Path) -> String {
    path.iter()
        .next()
        .unwrap()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

/// The modules that a text names as `crate::…`, braces and all.
fn imports(text: &str) -> Vec<String> {
    names_after(text, "crate::")
}

/// The names that follow a prefix such as `crate::` or `super::`, braces and all.
fn names_after(text: &str, prefix: &str) -> Vec<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut names = Vec::new();
    for rest in text.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split("};").next().unwrap();
                // Names at the first level of the braces, each before its own `::`.
                let mut depth = 0;
                for part in list.split_inclusive([',', '{', '}']) {
                    if depth == 0 {
                        names.extend(
                            part.trim()
                                .split(|character| !is_word(character))
                                .next()
                                .map(str::to_owned),
                        );
                    }
                    depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                }
            }
            None => names.extend(
                rest.split(|character| !is_word(character))
                    .next()
                    .map(str::to_owned),
            ),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// What a module imports against the direction of the data, given the order.
fn against_the_direction(order: &[String], path: &Path, text: &str) -> Vec<String> {
    let own = module_of(path);
    let place = |name: &str| order.iter().position(|module| module == name);
    let here = place(&own);
    let is_wrong = |name: &String| *name != own && (place(name).is_none() || place(name) > here);
    imports(text)
        .into_iter()
        .filter(|name| here.is_some() && is_wrong(name))
        .collect()
}

#[test]
fn a_module_imports_only_modules_above_it() {
    let order = modules();
    assert!(order.len() > 10, "{order:?}");
    for (path, text) in sources("src") {
        let wrong = against_the_direction(&order, &path, &text);
        assert!(
            wrong.is_empty(),
            "src/{} imports {wrong:?}, which are not above it in src/main.rs",
            path.display()
        );
    }
}

#[test]
fn an_import_that_runs_the_other_way_is_noticed() {
    let order = ["secret", "config", "run"].map(str::to_owned);
    let wrong = |text| against_the_direction(&order, Path::new("config/steps.rs"), text);
    assert_eq!(
        wrong("use crate::secret::Secret;\nuse crate::config::{Step, steps};"),
        Vec::<String>::new()
    );
    assert_eq!(wrong("use crate::run;"), ["run"]);
    assert_eq!(
        wrong("use crate::{secret, run::{prepare, closing}, config};"),
        ["run"]
    );
    assert_eq!(wrong("fn f(x: &crate::run::X) {}"), ["run"]);
    assert_eq!(wrong("use crate::utils::x;"), ["utils"]);
}

/// Which files of one room import which others, by `super::` or by their whole path. Tests beside
/// the code may look at everything.
fn neighbours(room: &Path, files: &[(PathBuf, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let inside: Vec<(String, &str)> = files
        .iter()
        .filter(|(path, _)| path.parent() == Some(room))
        .map(|(path, text)| {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            (stem(path), code)
        })
        .filter(|(name, _)| name != "tests")
        .collect();
    let names: BTreeSet<String> = inside.iter().map(|(name, _)| name.clone()).collect();
    let path: String = room
        .iter()
        .flat_map(|part| [part.to_str().unwrap(), "::"])
        .collect();
    let imported = |text: &str| {
        let whole = names_after(text, &format!("crate::{path}"));
        let near = names_after(text, "super::");
        near.into_iter().chain(whole).collect::<BTreeSet<_>>()
    };
    inside
        .into_iter()
        .map(|(name, text)| {
            let others = imported(text)
                .intersection(&names)
                .cloned()
                .collect::<BTreeSet<_>>();
            (name, others)
        })
        .collect()
}

/// One way round in a circle of imports, if there is one.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    // Whoever imports nobody that is left is in no circle.
    let mut left = imports.clone();
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|name, others| {
            others
                .iter()
                .any(|other| other != name && names.contains(other))
        });
        match left.len() {
            0 => return None,
            now if now == before => return Some(left.into_keys().collect()),
            _ => {}
        }
    }
}

#[test]
fn there_is_no_circle_inside_a_room() {
    let files = sources("src");
    let rooms: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
    for room in rooms
        .into_iter()
        .filter(|room| room.iter().next().is_some())
    {
        let circle = circle(&neighbours(room, &files));
        assert_eq!(
            circle,
            None,
            "src/{}: these import each other",
            room.display()
        );
    }
}

#[test]
fn a_circle_inside_a_room_is_noticed() {
    let files = [
        (
            "aws/fault.rs",
            "use super::words::find;\nuse super::{Aws, cause};",
        ),
        ("aws/cause.rs", "use super::fault::Fault;"),
        (
            "aws/words.rs",
            "#[cfg(test)]\nmod tests {\nuse super::fault;",
        ),
        ("aws.rs", "use self::cause;"),
    ]
    .map(|(path, text)| (PathBuf::from(path), text.to_owned()));
    let found = neighbours(Path::new("aws"), &files);
    assert_eq!(found["words"], BTreeSet::new());
    assert_eq!(circle(&found).unwrap(), ["cause", "fault"]);
    let whole = [
        ("run/full.rs", "use crate::run::closing::Run;"),
        ("run/closing.rs", "use crate::run::{full, prepare};"),
        ("run/prepare.rs", ""),
    ]
    .map(|(path, text)| (PathBuf::from(path), text.to_owned()));
    let found = neighbours(Path::new("run"), &whole);
    assert_eq!(circle(&found).unwrap(), ["closing", "full"]);
}

/// rustfmt leaves a line alone whose string or comment is too long, and everything around it.
#[test]
fn no_line_is_longer_than_100_characters() {
    let mut long = Vec::new();
    for directory in ["src", "tests"] {
        for (path, text) in sources(directory) {
            let lines = text.lines().enumerate();
            long.extend(
                lines
                    .filter(|(_, line)| line.chars().count() > 100)
                    .map(|(index, _)| format!("{directory}/{}:{}", path.display(), index + 1)),
            );
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_file_says_what_it_owns() {
    for (path, text) in sources("src") {
        let header: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let says_so = header.iter().any(|line| line.starts_with("//! Owns "))
            || path == Path::new("main.rs") && !header.is_empty();
        assert!(
            says_so,
            "src/{} has no //! header that says what it owns",
            path.display()
        );
    }
}

#[test]
fn the_documents_tell_of_the_modules_in_the_same_order() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let headings: Vec<String> = document
        .lines()
        .filter_map(|line| Some(line.strip_prefix("### `")?.strip_suffix('`')?.to_owned()))
        .collect();
    assert_eq!(headings, modules());
}
