//! Owns what catalog.json says of its own gaps.
//!
//! Never reads the catalogue itself.

use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::regular_file;

/// A catalogue of ten thousand tables has some 100 MB.
const LARGEST: u64 = 512 << 20;
/// What dbt 2 puts before an error after which it ends with 0.
const NOT_CRITICAL: &str = "[Non-critical] ";

#[derive(Deserialize)]
struct Catalog {
    #[serde(default)]
    errors: Value,
}

/// The first error that kept dbt from reading all of the warehouse. `None` where there was none,
/// and where the file cannot be read.
pub(crate) fn catalog_error(path: &Path) -> Option<String> {
    let read = || -> io::Result<Catalog> {
        let file = regular_file::open(path)?;
        Ok(serde_json::from_reader(BufReader::new(file.take(LARGEST)))?)
    };
    let errors = read().ok()?.errors;
    let first = errors.as_array()?.first()?;
    let text = first
        .as_str()
        .map_or_else(|| first.to_string(), str::to_owned);
    Some(text.trim_start_matches(NOT_CRITICAL).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_catalogue_with_an_error_is_incomplete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalog.json");
        assert_eq!(catalog_error(&path), None);
        for (text, expected) in [
            (r#"{"nodes": {}}"#, None),
            (r#"{"nodes": {}, "errors": null}"#, None),
            (r#"{"nodes": {}, "errors": []}"#, None),
            (
                r#"{"errors": ["[Non-critical] no such schema", "b"], "nodes": {"a": 1}}"#,
                Some("no such schema"),
            ),
            (r#"{"errors": [{"a": 1}]}"#, Some(r#"{"a":1}"#)),
            ("{", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(catalog_error(&path).as_deref(), expected, "{text}");
        }
    }
}
