//! Owns the packages that a project declares, and the hashes by which dbt 1 and dbt 2 tell whether
//! package-lock.yml was made from them.
//!
//! Never renders Jinja: an entry that holds some has no hash here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use sha1::{Digest, Sha1};

use crate::config::read_yaml;
use crate::yaml::{Kind, Node, Value};

/// The packages of packages.yml or dependencies.yml. With both dbt stops, so neither is taken.
pub(super) fn packages(project_dir: &Path) -> Option<Node> {
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

/// What dbt 1 writes as `sha1_hash` (`_create_sha1_hash` in dbt/task/deps.py, 1.7 and later): the
/// hash of the declared packages as Python's `json.dumps` writes them, sorted. `None` where an
/// entry is of a kind that is not known, or holds Jinja.
pub(super) fn hash_of_dbt_1(declared: &[Node]) -> Option<String> {
    sha1_hash(declared, declaration)
}

/// What dbt 2 writes there: the same of each entry as serde writes it, without the fields that are
/// not given.
pub(super) fn hash_of_dbt_2(declared: &[Node]) -> Option<String> {
    sha1_hash(declared, |entry| {
        // In the order of its structures.
        let kinds: [&[&str]; 4] = [
            &["package", "version", "install_prerelease"],
            &["git", "revision", "warn-unpinned", "subdirectory"],
            &["local"],
            &["tarball"],
        ];
        let names = *kinds.iter().find(|names| entry.get(names[0]).is_some())?;
        // dbt 2 knows no name of a tarball.
        let is_known = |key: &str| names.contains(&key) || (names[0] == "tarball" && key == "name");
        let mut keys = entry.fields()?.iter().map(|field| field.key.as_str());
        if !keys.all(|key| key.is_some_and(is_known)) {
            return None;
        }
        let fields = names
            .iter()
            .filter_map(|name| Some((name, entry.get(name)?)));
        let fields = fields.filter(|(_, value)| !value.is_null());
        let written = fields
            .map(|(name, value)| Some(format!("\"{name}\":{}", compact_json(value)?)))
            .collect::<Option<Vec<_>>>()?;
        Some(format!("{{{}}}", written.join(","))).filter(|text| !text.contains("{{"))
    })
}

fn sha1_hash(declared: &[Node], write: impl Fn(&Node) -> Option<String>) -> Option<String> {
    let mut lines = declared
        .iter()
        .map(write)
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

/// As serde writes a text, a truth, a list of texts, or a number, which is always a float here.
fn compact_json(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::Scalar(scalar) => match &scalar.kind {
            Kind::Bool(truth) => truth.to_string(),
            Kind::Int(number) => format!("{number}.0"),
            Kind::Float(number) => serde_json::to_string(number).ok()?,
            Kind::Text => serde_json::Value::from(scalar.text.as_str()).to_string(),
            _ => return None,
        },
        Value::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(compact_json).collect();
            format!("[{}]", items?.join(","))
        }
        Value::Map(_) => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn hash(packages: &str) -> String {
        let packages = yaml::parse(packages).unwrap().root;
        hash_of_dbt_1(packages.items().unwrap()).unwrap()
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

    /// Written by dbt-core 2.0.0-alpha.4; the last two follow its source.
    #[test]
    fn the_hash_of_dbt_2_is_the_one_that_it_writes() {
        for (packages, expected) in [
            (
                "[{local: local_packages/sample_data}]",
                "dda78d1a15c0876455a9d69611b348b3971283e3",
            ),
            (
                r#"[{git: "file:///tmp/packages-of-dbt-2/tiny", revision: "1.0"}]"#,
                "e2b64526e11145a4a267d62fe42cd4bb61a5a5f1",
            ),
            (
                r#"[{subdirectory: sub, git: "file:///tmp/packages-of-dbt-2/tiny",
                    revision: "1.0", warn-unpinned: false}, {local: ../tiny}]"#,
                "ea6e8146811b72011c96877c3b3453e954abccbb",
            ),
            (
                r#"[{package: dbt-labs/dbt_utils, version: [">=1.0.0", "<2.0.0"]}]"#,
                "5bca39d39cedcb077462d0877ffce9c1c4e7f1d8",
            ),
            (
                "[{package: dbt-labs/dbt_utils, version: 1}]",
                "76855a541260623ef34be3d4e03b28af0cdbcce4",
            ),
        ] {
            let packages = yaml::parse(packages).unwrap().root;
            let hash = hash_of_dbt_2(packages.items().unwrap());
            assert_eq!(hash.as_deref(), Some(expected));
        }
        let unknown = yaml::parse("[{local: tiny, colour: red}]").unwrap().root;
        assert_eq!(hash_of_dbt_2(unknown.items().unwrap()), None);
    }

    #[test]
    fn an_entry_with_jinja_is_not_decided() {
        let packages = yaml::parse(r#"[{git: "https://{{ env_var('T') }}@x/y.git"}]"#).unwrap();
        assert_eq!(hash_of_dbt_1(packages.root.items().unwrap()), None);
        assert_eq!(hash_of_dbt_2(packages.root.items().unwrap()), None);
    }
}
