//! Owns the stamp: the file in the folder of packages that says what `deps` has installed, and from
//! what.
//!
//! It holds hashes alone, and lies in the folder that `dbt deps` empties: a stamp is never older
//! than what it speaks of. Never trusts it for a package whose files have changed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{LOCK, tree};
use crate::config::Variables;
use crate::jinja::{self, SECRET_PREFIX};
use crate::regular_file;

/// Not a folder, so dbt takes it for no package.
const NAME: &str = ".dbt-entrypoint.json";
/// What takes the place of [`SECRET_PREFIX`] in packages.yml, where dbt takes secret variables for
/// tokens in addresses: what is installed does not depend on their values.
const LEFT_OUT: &str = "DBT_ENTRYPOINT_LEFT_OUT_";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// The hash of package-lock.yml.
    lock: String,
    /// The hash of packages.yml and dependencies.yml; `None` where only dbt can render them.
    declared: Option<String>,
    /// The hash of all files of each package.
    packages: BTreeMap<String, String>,
}

impl Stamp {
    /// Describes the packages of these names.
    pub(super) fn make<'a>(
        project_dir: &Path,
        directory: &Path,
        variables: &Variables,
        names: impl Iterator<Item = &'a str>,
    ) -> io::Result<Self> {
        let mut packages = BTreeMap::new();
        for name in names {
            let place = directory.join(name);
            // The target of a link says by itself which package it is.
            if !place.is_symlink() {
                packages.insert(name.to_owned(), tree::hash(&place)?);
            }
        }
        Ok(Self {
            lock: hash_of_lock(project_dir)?,
            declared: hash_of_declaration(project_dir, variables),
            packages,
        })
    }

    /// `None` if there is none. A stamp that cannot be read proves nothing.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let text = match regular_file::read_text(&directory.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => String::new(),
        };
        Some(serde_json::from_str(&text).unwrap_or(Self {
            lock: String::new(),
            declared: None,
            packages: BTreeMap::new(),
        }))
    }

    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut file, self)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(directory.join(NAME))?;
        Ok(())
    }

    pub(super) fn is_of_lock(&self, project_dir: &Path) -> bool {
        hash_of_lock(project_dir).is_ok_and(|hash| hash == self.lock)
    }

    /// Whether the lock of this stamp was made from what the project declares now.
    pub(super) fn is_of_declaration(&self, project_dir: &Path, variables: &Variables) -> bool {
        self.is_of_lock(project_dir)
            && self.declared.is_some()
            && self.declared == hash_of_declaration(project_dir, variables)
    }

    /// Whether all files of a package are those that `deps` installed.
    pub(super) fn is_as_installed(&self, name: &str, place: &Path) -> bool {
        !place.is_symlink()
            && self
                .packages
                .get(name)
                .is_some_and(|then| tree::hash(place).is_ok_and(|now| now == *then))
    }
}

fn hash_of_lock(project_dir: &Path) -> io::Result<String> {
    let text = regular_file::read_text(&project_dir.join(LOCK))?;
    Ok(hex::encode(Sha256::digest(text)))
}

/// The hash of the two files with their Jinja rendered. `None` where it takes dbt to render them.
fn hash_of_declaration(project_dir: &Path, variables: &Variables) -> Option<String> {
    let mut hash = Sha256::new();
    for name in ["packages.yml", "dependencies.yml"] {
        let text = match regular_file::read_text(&project_dir.join(name)) {
            Ok(text) => rendered_without_secrets(&text, variables)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(_) => return None,
        };
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    Some(hex::encode(hash.finalize()))
}

fn rendered_without_secrets(text: &str, variables: &Variables) -> Option<String> {
    let text = text.replace(SECRET_PREFIX, LEFT_OUT);
    let mut variables = variables.clone();
    let missing = jinja::render(&text, &variables).missing;
    let left_out = missing
        .into_iter()
        .filter(|name| name.starts_with(LEFT_OUT));
    variables.extend(left_out.map(|name| (name.into(), "*".into())));
    jinja::render(&text, &variables).text
}
