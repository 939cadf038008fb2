//! Owns what has to be the same for a run to be finished by another: hashes of the files that dbt
//! reads, of the rendered target, of the vars; the image and the commit.
//!
//! Never holds a secret, not even hashed: what goes in has none.

use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::config::Step;
use crate::regular_file;

/// `None` for what is not known, which equals only itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) project: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) vars: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) git: Option<String>,
}

impl Fingerprint {
    /// What differs, in words that stand alone.
    pub(super) fn difference(&self, now: &Self) -> Option<&'static str> {
        [
            (self.project != now.project, "the project has changed"),
            (
                self.profile != now.profile,
                "the target of the profile, or its schema, has changed",
            ),
            (self.vars != now.vars, "the vars have changed"),
            (self.image != now.image, "the image has changed"),
            (self.git != now.git, "the commit (GIT_SHA) has changed"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

/// What dbt reads at the top of a project. Of profiles.yml only the selected target counts, which
/// is rendered.
const FILES: [&str; 6] = [
    "dbt_project.yml",
    "packages.yml",
    "dependencies.yml",
    "package-lock.yml",
    "selectors.yml",
    "catalogs.yml",
];
/// What dbt writes, for a project of which all of the directory counts.
const WRITTEN: [&str; 4] = ["target", "logs", "dbt_packages", "dbt_internal_packages"];

/// Of the files of a project: those at its top, and what lies in the directories (`folders`).
pub(crate) fn of_project(project_dir: &Path, folders: &[String]) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut files = Vec::new();
    for name in FILES {
        files.extend(Some(project_dir.join(name)).filter(|path| path.is_file()));
    }
    for folder in folders {
        // As dbt: through links, and one that leads nowhere is passed over.
        let below = WalkDir::new(project_dir.join(folder)).follow_links(true);
        let is_read = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() != 1 || !(WRITTEN.contains(&&*name) || name.starts_with('.'))
        };
        files.extend(
            below
                .into_iter()
                .filter_entry(is_read)
                .filter_map(Result::ok)
                .filter(|entry| entry.file_type().is_file())
                .map(walkdir::DirEntry::into_path),
        );
    }
    files.sort();
    files.dedup();
    for path in files {
        let name = path.strip_prefix(project_dir).unwrap_or(&path);
        add(&mut hash, name.as_os_str().as_encoded_bytes());
        let mut content = Sha256::new();
        let mut file = regular_file::open(&path)?;
        let mut part = vec![0; 64 * 1024];
        loop {
            match file.read(&mut part)? {
                0 => break,
                length => content.update(&part[..length]),
            }
        }
        add(&mut hash, &content.finalize());
    }
    Ok(hex::encode(hash.finalize()))
}

/// Of the values of `--vars`, step by step.
pub(crate) fn of_vars(steps: &[Step]) -> String {
    of_texts(
        steps
            .iter()
            .map(|step| step.option(&["--vars"]).unwrap_or_default()),
    )
}

/// Of texts that hold no secret.
pub(crate) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    texts
        .into_iter()
        .for_each(|text| add(&mut hash, text.as_bytes()));
    hex::encode(hash.finalize())
}

/// With its length, so that no two lists of parts look the same.
fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_le_bytes());
    hash.update(part);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_file_that_dbt_reads_counts_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let folders = ["models", "seeds", "missing"].map(str::to_owned);
        let hash = || of_project(directory.path(), &folders).unwrap();
        write("dbt_project.yml", "name: shop");
        write("models/a.sql", "select 1");
        let mut last = hash();
        for (name, content, counts) in [
            ("models/a.sql", "select 2", true),
            ("models/deep/b.sql", "select 1", true),
            ("models/deep/b.sql", "", true),
            ("seeds/c.csv", "id\n1", true),
            ("packages.yml", "packages: []", true),
            ("selectors.yml", "selectors: []", true),
            ("profiles.yml", "shop: {}", false),
            ("dbt-entrypoint.yml", "resume: last", false),
            ("target/manifest.json", "{}", false),
            ("logs/dbt.log", "…", false),
            ("README.md", "…", false),
        ] {
            write(name, content);
            assert_eq!(hash() != last, counts, "{name}");
            last = hash();
        }
        let all = || of_project(directory.path(), &[".".to_owned()]).unwrap();
        let before = all();
        write("target/manifest.json", "[]");
        write(".git/HEAD", "ref");
        assert_eq!(all(), before);
        write("odd/a.sql", "select 1");
        assert_ne!(all(), before);
        fs::rename(
            directory.path().join("models/a.sql"),
            directory.path().join("models/z.sql"),
        )
        .unwrap();
        assert_ne!(hash(), last, "a file with another name");
    }

    #[test]
    fn lists_of_texts_differ_if_their_parts_do() {
        let lists: [&[&str]; 5] = [&[], &[""], &["ab"], &["a", "b"], &["", "ab"]];
        for (index, list) in lists.iter().enumerate() {
            for other in &lists[index + 1..] {
                assert_ne!(
                    of_texts(list.iter().copied()),
                    of_texts(other.iter().copied())
                );
            }
        }
    }
}
