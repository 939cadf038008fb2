//! Owns the question whether `dbt deps` has anything to do: whether the installed packages are
//! those of package-lock.yml.
//!
//! `dbt deps` deletes what is installed and fetches it again, whatever is there, which a container
//! without a network cannot do. Never says yes unless it is certain: a wrong "installed" would run
//! models on old macros, a wrong "not sure" only costs a fetch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::config::{ProjectFile, read_yaml};
use crate::yaml::{Kind, Node, Value};

const LOCK: &str = "package-lock.yml";

/// Whether the project has no packages: then `dbt deps` makes an empty directory for them.
pub(crate) fn has_none(project_dir: &Path) -> bool {
    let names = ["packages.yml", "dependencies.yml", LOCK, "dbt_packages"];
    !names.iter().any(|name| project_dir.join(name).exists())
}

/// Why `deps` need not run, if it need not.
pub(crate) fn installed(project_dir: &Path) -> Option<String> {
    let lock = read_yaml(&project_dir.join(LOCK)).ok()?;
    let declared = declared(project_dir)?;
    if lock.get("sha1_hash")?.as_str()? != sha1_hash(declared.items()?)? {
        return None;
    }
    let directory = install_path(project_dir)?;
    let locked = lock.get("packages")?.items()?;
    let all = locked
        .iter()
        .all(|entry| is_installed(entry, project_dir, &directory).unwrap_or(false));
    all.then(|| {
        format!(
            "the packages of package-lock.yml ({}) are installed",
            locked.len()
        )
    })
}

/// Where packages are installed. `None` where only dbt can tell.
fn install_path(project_dir: &Path) -> Option<PathBuf> {
    let file = ProjectFile::read(project_dir).ok()?;
    let path = file.text("packages-install-path").unwrap_or("dbt_packages");
    (!path.contains("{{")).then(|| project_dir.join(path))
}

/// The packages of packages.yml or dependencies.yml. With both dbt stops, so neither is taken.
fn declared(project_dir: &Path) -> Option<Node> {
    let lists: Vec<Node> = ["packages.yml", "dependencies.yml"]
        .iter()
        .filter_map(|name| {
            read_yaml(&project_dir.join(name))
                .ok()?
                .get("packages")
                .cloned()
        })
        .filter(|packages| !packages.is_null())
        .collect();
    <[Node; 1]>::try_from(lists).ok().map(|[packages]| packages)
}

/// What dbt writes as `sha1_hash` (`_create_sha1_hash` in dbt/task/deps.py, 1.7 and later): the
/// hash of the declared packages as Python's `json.dumps` writes them, sorted. `None` where an
/// entry is of a kind that is not known, or holds Jinja.
fn sha1_hash(declared: &[Node]) -> Option<String> {
    let mut lines = declared
        .iter()
        .map(declaration)
        .collect::<Option<Vec<String>>>()?;
    lines.sort_unstable();
    let mut hash = String::new();
    for byte in Sha1::digest(lines.join("\n")) {
        let _ = write!(hash, "{byte:02x}");
    }
    Some(hash)
}

/// One entry as dbt's data class of its kind has it: its fields with their defaults, and the entry
/// as it was written.
fn declaration(entry: &Node) -> Option<String> {
    let written = python_json(entry)?;
    if written.contains("{{") {
        return None;
    }
    let has = |key: &str| entry.get(key).is_some();
    let defaults: &[(&str, &str)] = if has("local") || has("tarball") && has("name") {
        &[]
    } else if has("git") {
        &[
            ("revision", "null"),
            ("subdirectory", "null"),
            ("warn-unpinned", "null"),
        ]
    } else if has("package") && has("version") {
        &[("install_prerelease", "false")]
    } else {
        return None;
    };
    let mut whole = BTreeMap::new();
    for (name, value) in defaults {
        whole.insert(*name, (*value).to_owned());
    }
    for field in entry.fields()? {
        whole.insert(field.key.as_str()?, python_json(&field.value)?);
    }
    whole.insert("unrendered", written);
    Some(python_object(&whole))
}

/// `json.dumps(value, sort_keys=True)`: blanks after `,` and `:`, and nothing beyond ASCII.
fn python_json(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::Scalar(scalar) => match &scalar.kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool(truth) => truth.to_string(),
            Kind::Int(number) => number.to_string(),
            // Beyond these Python writes an exponent.
            Kind::Float(number) if *number == 0.0 || (1e-4..1e16).contains(&number.abs()) => {
                format!("{number:?}")
            }
            Kind::Text => python_string(&scalar.text),
            Kind::Float(_) | Kind::Merge | Kind::Other => return None,
        },
        Value::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(python_json).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Map(fields) => {
            let mut pairs = BTreeMap::new();
            for field in fields.iter() {
                pairs.insert(field.key.as_str()?, python_json(&field.value)?);
            }
            python_object(&pairs)
        }
    })
}

fn python_object(pairs: &BTreeMap<&str, String>) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}: {value}", python_string(name)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn python_string(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    let mut out = String::with_capacity(plain.len());
    for character in plain.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Whether one entry of the lock is what lies in the install directory. `None`: it cannot be told.
fn is_installed(entry: &Node, project_dir: &Path, directory: &Path) -> Option<bool> {
    let text = |key: &str| entry.get(key).and_then(Node::as_str);
    let place = directory.join(text("name")?);
    if let Some(local) = text("local") {
        // dbt links a local package; where it had to copy it, the copy may be old.
        return Some(place.is_symlink() && real(&place)? == real(&project_dir.join(local))?);
    }
    if text("git").is_some() {
        return Some(
            entry.get("subdirectory").is_none() && head(&place.join(".git"))? == text("revision")?,
        );
    }
    // Neither a tarball nor a part of a repository says on disk which version it is.
    text("package")?;
    Some(ProjectFile::read(&place).ok()?.text("version")? == text("version")?)
}

fn real(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// The commit that a repository has checked out.
fn head(git_dir: &Path) -> Option<String> {
    let head = std::fs::read_to_string(git_dir.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    if let Ok(commit) = std::fs::read_to_string(git_dir.join(name)) {
        return Some(commit.trim().to_owned());
    }
    let packed = std::fs::read_to_string(git_dir.join("packed-refs")).ok()?;
    packed
        .lines()
        .find_map(|line| line.strip_suffix(name)?.strip_suffix(' '))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn hash(packages: &str) -> String {
        let packages = yaml::parse(packages).unwrap().root;
        sha1_hash(packages.items().unwrap()).unwrap()
    }

    /// Written by dbt-core 1.11.
    #[test]
    fn the_hash_is_the_one_that_dbt_writes() {
        assert_eq!(
            hash("[{local: local_packages/tiny_utils}]"),
            "76a62db8b018ada6a4bea6d724fe06f5708505aa"
        );
        assert_eq!(
            hash(r#"[{package: dbt-labs/dbt_utils, version: "1.3.0"}]"#),
            "226ae69cdfbc9367e2aa2c472b01f99dbce11de0"
        );
        assert_eq!(
            hash(r#"[{package: dbt-labs/dbt_utils, version: [">=1.0.0", "<2.0.0"]}]"#),
            "dd1e1feb2d2bbce79e7a255cd309a60e6548df0b"
        );
        assert_eq!(
            hash("[{package: dbt-labs/dbt_utils, version: 1.3}]"),
            "dc8d269148195ba8e9cce5f3f816cd1ff21b8fc3"
        );
        assert_eq!(
            hash(r#"[{git: "https://x/y.git", revision: "1.0"}]"#),
            "d7ebf41a9457ed1e5d9806fb49eeac9c0762d38e"
        );
        assert_eq!(
            hash(r#"[{git: "https://x/y.git", warn-unpinned: false, subdirectory: sub}]"#),
            "d5223cdd7dedf471bf67e6b896ddf923ba34c5d5"
        );
        assert_eq!(
            hash(r#"[{tarball: "https://x/y.tgz", name: y}]"#),
            "bcf9ababa827e84db409b03b560deb88e635fc25"
        );
    }

    #[test]
    fn an_entry_with_jinja_is_not_decided() {
        let packages = yaml::parse(r#"[{git: "https://{{ env_var('T') }}@x/y.git"}]"#).unwrap();
        assert_eq!(sha1_hash(packages.root.items().unwrap()), None);
    }

    fn project() -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(project.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(project.path().join(name), text).unwrap();
        };
        write("dbt_project.yml", "name: shop");
        write(
            "packages.yml",
            "packages:\n  - package: dbt-labs/dbt_utils\n    version: \"1.3.0\"\n",
        );
        write(
            "package-lock.yml",
            "packages:\n  - {name: dbt_utils, package: dbt-labs/dbt_utils, version: 1.3.0}\nsha1_hash: 226ae69cdfbc9367e2aa2c472b01f99dbce11de0\n",
        );
        write(
            "dbt_packages/dbt_utils/dbt_project.yml",
            "name: dbt_utils\nversion: 1.3.0",
        );
        project
    }

    #[test]
    fn installed_packages_are_recognised() {
        assert_eq!(
            installed(project().path()).unwrap(),
            "the packages of package-lock.yml (1) are installed"
        );
    }

    #[test]
    fn another_version_a_missing_package_or_a_changed_declaration_is_not_installed() {
        for (name, text) in [
            (
                "dbt_packages/dbt_utils/dbt_project.yml",
                "name: dbt_utils\nversion: 1.2.0",
            ),
            ("dbt_packages/dbt_utils/dbt_project.yml", "name: dbt_utils"),
            (
                "packages.yml",
                "packages:\n  - package: dbt-labs/dbt_utils\n    version: \"1.4.0\"\n",
            ),
            ("dependencies.yml", "packages: []"),
        ] {
            let project = project();
            std::fs::write(project.path().join(name), text).unwrap();
            assert_eq!(installed(project.path()), None, "{name}: {text}");
        }
    }
}
