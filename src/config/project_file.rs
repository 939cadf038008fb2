//! Owns what is read in dbt_project.yml and the other files of dbt, as dbt reads them.
//!
//! Never decides what a key means. A file or a value that cannot be read is an error, never
//! nothing.

use std::path::{Path, PathBuf};

use super::Variables;
use crate::jinja;
use crate::regular_file;
use crate::yaml::{self, Node};

/// A project's dbt_project.yml.
#[derive(Debug)]
pub(crate) struct ProjectFile {
    path: PathBuf,
    root: Node,
}

impl ProjectFile {
    /// Reads the file of a project directory. The error is a sentence that names the file.
    pub(crate) fn read(project_dir: &Path) -> Result<Self, String> {
        let path = project_dir.join("dbt_project.yml");
        let root = read_yaml(&path)?;
        if root.fields().is_none() {
            return Err(format!("{}: is not a mapping", path.display()));
        }
        Ok(Self { path, root })
    }

    /// A key of one word, as it is written.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.root
            .get(key)?
            .written()
            .filter(|text| !text.is_empty())
    }

    /// Whether it says anything under that key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.root.get(key).is_some_and(|value| !value.is_null())
    }

    /// A key with a list of words; `None` if it is not there, or is something else.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<String>> {
        let items = self.root.get(key)?.items()?;
        let words = items.iter().map(|item| item.written().map(str::to_owned));
        words.collect()
    }

    /// The same with its Jinja rendered, and perhaps empty.
    pub(crate) fn rendered(
        &self,
        key: &str,
        variables: &Variables,
    ) -> Result<Option<String>, Unrendered> {
        let Some(field) = self.root.field(key).filter(|field| !field.value.is_null()) else {
            return Ok(None);
        };
        let place = format!("{}:{}: {key}", self.path.display(), field.key.line);
        let unrendered = |what: &str, is_certain| Unrendered {
            what: format!("{place} {what}"),
            is_certain,
        };
        let text = field.value.written();
        let text = text.ok_or_else(|| unrendered("is not a single value", true))?;
        let rendered = jinja::render(text, variables);
        match (rendered.text, rendered.missing.first()) {
            (Some(text), _) => Ok(Some(text)),
            (None, Some(name)) => {
                let what = format!("needs the variable {name}, which is not set");
                Err(unrendered(&what, true))
            }
            (None, None) => {
                let what = format!("cannot be determined without dbt ({text})");
                Err(unrendered(&what, false))
            }
        }
    }
}

/// Why a value cannot be had.
#[derive(Debug)]
pub(crate) struct Unrendered {
    /// A sentence that names the file, the line and the key.
    pub(crate) what: String,
    /// dbt will stop, too.
    pub(crate) is_certain: bool,
}

/// A file of dbt as a value. The error is a sentence that names the file and, for a syntax error,
/// the line.
pub(crate) fn read_yaml(path: &Path) -> Result<Node, String> {
    let text = regular_file::read_text(path)
        .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    let read = yaml::parse(&text).map_err(|error| {
        let line = error.line;
        format!("{}:{line}: is not valid YAML: {error}", path.display())
    })?;
    Ok(read.root)
}
