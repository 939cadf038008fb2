//! Owns what has to be the same for a run to be finished by another: hashes of the files that dbt
//! reads, of the rendered target, of the vars; the image and the commit.
//!
//! Never holds a secret, not even hashed: what goes in has none.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::config::Step;
use crate::redact::Redactor;
use crate::regular_file;

/// `None` for what is not known: of the image and the commit, that equals itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) project: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) vars: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) git: Option<String>,
}

impl Fingerprint {
    /// What differs, or may differ, in words that stand alone.
    pub(super) fn difference(&self, now: &Self) -> Option<&'static str> {
        let is_unknown = |then: &Option<_>, now: &Option<_>| then.is_none() || now.is_none();
        [
            (
                is_unknown(&self.project, &now.project),
                "not all of the project could be read, so it may have changed",
            ),
            (self.project != now.project, "the project has changed"),
            (
                is_unknown(&self.profile, &now.profile),
                "only dbt can tell what the target of the profile comes to, so it may have changed",
            ),
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
const FILES: [&str; 5] = [
    "dbt_project.yml",
    "packages.yml",
    "dependencies.yml",
    "selectors.yml",
    "catalogs.yml",
];
/// A step `deps` may write it, so that it counts only where there is none.
const LOCK: &str = "package-lock.yml";
/// What dbt writes at the top of a project, where all of that counts.
const WRITTEN: [&str; 4] = ["target", "logs", "dbt_packages", "dbt_internal_packages"];

/// What of a project dbt reads.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    /// The project.
    pub(crate) directory: &'a Path,
    /// Below it, or as an absolute path.
    pub(crate) folders: &'a [String],
    /// Packages that are folders themselves.
    pub(crate) packages: &'a [PathBuf],
    /// No step writes package-lock.yml.
    pub(crate) is_locked: bool,
}

/// Of the files of a project: those at its top, and what lies in its directories and its local
/// packages.
pub(crate) fn of_project(of: &Files<'_>) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut files = Vec::new();
    let lock = of.is_locked.then_some(LOCK);
    for name in FILES.into_iter().chain(lock) {
        files.extend(Some(of.directory.join(name)).filter(|path| path.is_file()));
    }
    for folder in of.folders {
        files.extend(files_below(&of.directory.join(folder), folder == "."));
    }
    for package in of.packages {
        files.extend(files_below(&of.directory.join(package), true));
    }
    files.sort();
    files.dedup();
    for path in files {
        let name = path.strip_prefix(of.directory).unwrap_or(&path);
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

/// Through links, as dbt looks; one that leads nowhere is passed over. `is_project`: what dbt
/// writes lies there as well.
fn files_below(folder: &Path, is_project: bool) -> impl Iterator<Item = PathBuf> {
    let is_read = move |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let is_written = WRITTEN.contains(&&*name) || name.starts_with('.');
        !(is_project && entry.depth() == 1 && is_written)
    };
    let below = WalkDir::new(folder).follow_links(true).into_iter();
    below
        .filter_entry(is_read)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
}

/// Of the values of `--vars`, step by step. A secret in them may rotate, and is no part of it.
pub(crate) fn of_vars(steps: &[Step], redactor: &Redactor) -> String {
    let vars: Vec<Cow<'_, str>> = steps
        .iter()
        .map(|step| redactor.text(step.option(&["--vars"]).unwrap_or_default()))
        .collect();
    of_texts(vars.iter().map(AsRef::as_ref))
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
    use crate::config::OnFailure;
    use crate::secret::Secret;

    #[test]
    fn each_file_that_dbt_reads_counts_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let folders = ["models", "seeds", "missing"].map(str::to_owned);
        let packages = ["local", "missing"].map(PathBuf::from);
        let files = |folders: &[String], is_locked| {
            of_project(&Files {
                directory: directory.path(),
                folders,
                packages: &packages,
                is_locked,
            })
            .unwrap()
        };
        let hash = || files(&folders, true);
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
            ("package-lock.yml", "packages: []", true),
            ("models/target/a.sql", "select 1", true),
            ("models/logs/a.sql", "select 1", true),
            ("models/.hidden/a.sql", "select 1", true),
            ("local/models/a.sql", "select 1", true),
            ("local/target/manifest.json", "{}", false),
            ("local/.git/HEAD", "ref", false),
            ("target/manifest.json", "{}", false),
            ("logs/dbt.log", "…", false),
            ("README.md", "…", false),
        ] {
            write(name, content);
            assert_eq!(hash() != last, counts, "{name}");
            last = hash();
        }
        let unlocked = || files(&folders, false);
        let before = unlocked();
        write("package-lock.yml", "packages: [{}]");
        assert_eq!(unlocked(), before, "a step writes it");
        assert_ne!(hash(), last);
        last = hash();
        let all = || files(&[".".to_owned()], true);
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
    fn what_is_not_known_of_the_project_or_its_profile_may_have_changed() {
        let known = Fingerprint {
            project: Some("aa".to_owned()),
            profile: Some("bb".to_owned()),
            ..Fingerprint::default()
        };
        assert_eq!(known.difference(&known), None);
        let without_project = Fingerprint {
            project: None,
            ..known.clone()
        };
        let without_profile = Fingerprint {
            profile: None,
            ..known.clone()
        };
        for (unknown, expected) in [(without_project, "project"), (without_profile, "profile")] {
            for (then, now) in [(&unknown, &unknown), (&unknown, &known), (&known, &unknown)] {
                let what = then.difference(now).unwrap();
                assert!(
                    what.contains(expected) && what.contains("may have"),
                    "{what}"
                );
            }
        }
    }

    #[test]
    fn a_secret_among_the_vars_may_rotate() {
        let of = |vars: &str, secret: &str| {
            let step = Step {
                name: "run".to_owned(),
                command: ["run", "--vars", vars].map(str::to_owned).to_vec(),
                on_failure: OnFailure::Stop,
                timeout: None,
            };
            let secret = Secret::new(secret.to_owned());
            of_vars(&[step], &Redactor::new([&secret]))
        };
        let first = of("{a: 1, token: hunter2hunter2}", "hunter2hunter2");
        assert_eq!(first, of("{a: 1, token: another-one}", "another-one"));
        assert_ne!(first, of("{a: 2, token: hunter2hunter2}", "hunter2hunter2"));
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
