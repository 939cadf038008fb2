//! Owns the tests of what proves that packages are installed, and of what no longer does.
//!
//! Never starts dbt.

use super::*;

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
        "packages:\n  - {name: dbt_utils, package: dbt-labs/dbt_utils, version: 1.3.0}\nsha1_hash: \
            226ae69cdfbc9367e2aa2c472b01f99dbce11de0\n",
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
        installed(project().path(), &Variables::new()).unwrap(),
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
        assert_eq!(
            installed(project.path(), &Variables::new()),
            None,
            "{name}: {text}"
        );
    }
}

/// A project with a part of a git repository, as `deps` leaves it.
struct Installed {
    directory: tempfile::TempDir,
    variables: Variables,
}

impl Installed {
    fn of(url: &str) -> Self {
        let project = Self {
            directory: tempfile::tempdir().unwrap(),
            variables: Variables::new(),
        };
        project.write("dbt_project.yml", "name: shop");
        let declared =
            format!("packages:\n  - git: \"{url}\"\n    revision: v1\n    subdirectory: sub\n");
        let hash = hash_of(&declared);
        project.write("packages.yml", &declared);
        project.write(
            LOCK,
            &format!(
                "packages:\n  - {{name: part, git: \"{url}\", revision: 0a1b, subdirectory: sub}}\n\
                 sha1_hash: {}\n",
                hash.as_deref().unwrap_or("unknown")
            ),
        );
        project.write("dbt_packages/part/dbt_project.yml", "name: part\n");
        project.write("dbt_packages/part/macros/a.sql", "a");
        project
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn stamped(self) -> Self {
        stamp(self.directory.path(), &self.variables);
        assert!(self.is_installed());
        self
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn is_installed(&self) -> bool {
        installed(self.directory.path(), &self.variables).is_some()
    }

    /// As if somebody had written the file an hour after all others.
    fn touch(&self, name: &str) {
        let later = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
        let file = std::fs::File::options()
            .append(true)
            .open(self.directory.path().join(name));
        file.unwrap().set_modified(later).unwrap();
    }
}

fn hash_of(declared: &str) -> Option<String> {
    let declared = crate::yaml::parse(declared).unwrap().root;
    declared::hash_of_dbt_1(declared.get("packages")?.items()?)
}

type Change = fn(&Installed);

const PUBLIC: &str = "https://x/y.git";
const WITH_HOST: &str = "https://{{ env_var('GIT_HOST') }}/y.git";
const WITH_TOKEN: &str = "https://{{ env_var('DBT_ENV_SECRET_TOKEN') }}@x/y.git";

#[test]
fn the_stamp_holds_for_the_files_that_deps_left() {
    let changes: [(&str, Change); 7] = [
        ("packages.yml", |project| {
            project.write("packages.yml", "packages:\n  - git: https://x/z.git\n");
        }),
        ("dependencies.yml", |project| {
            project.write("dependencies.yml", "packages:\n  - git: https://x/z.git\n");
        }),
        ("the lock", |project| {
            project.write(LOCK, "packages: []\n# and more\n");
        }),
        ("a removed package", |project| {
            std::fs::remove_dir_all(project.directory.path().join("dbt_packages/part")).unwrap();
        }),
        ("a removed file", |project| {
            let file = "dbt_packages/part/macros/a.sql";
            std::fs::remove_file(project.directory.path().join(file)).unwrap();
        }),
        ("a changed file", |project| {
            project.write("dbt_packages/part/macros/a.sql", "b");
        }),
        ("a new file", |project| {
            project.write("dbt_packages/part/macros/b.sql", "b");
        }),
    ];
    for (what, change) in changes {
        let project = Installed::of(PUBLIC).stamped();
        project.touch(LOCK);
        assert!(project.is_installed(), "the times do not matter");
        change(&project);
        assert!(!project.is_installed(), "{what}");
    }
}

#[test]
fn a_repository_that_the_package_brings_along_does_not_count() {
    let project = Installed::of(PUBLIC).stamped();
    project.write("dbt_packages/part/.git/HEAD", "x");
    assert!(project.is_installed());
}

#[test]
fn a_stamp_that_cannot_be_read_proves_nothing() {
    let project = Installed::of(PUBLIC).stamped();
    project.write("dbt_packages/.dbt-entrypoint.json", "{");
    assert!(!project.is_installed());
}

#[test]
fn variables_in_the_declaration_count_except_for_secrets() {
    let project = Installed::of(WITH_HOST)
        .with("GIT_HOST", "one.example")
        .stamped();
    assert!(!project.with("GIT_HOST", "two.example").is_installed());

    let project = Installed::of(WITH_TOKEN)
        .with("DBT_ENV_SECRET_TOKEN", "s3cret")
        .stamped();
    let project = project.with("DBT_ENV_SECRET_TOKEN", "an0ther");
    assert!(project.is_installed());
    let project = Installed {
        variables: Variables::new(),
        ..project
    };
    assert!(project.is_installed(), "an image needs no token");
}

#[test]
fn what_only_dbt_can_render_is_not_decided() {
    let project = Installed::of("https://{{ var('host') }}/y.git");
    stamp(project.directory.path(), &project.variables);
    assert!(!project.is_installed());
}

#[test]
fn without_a_stamp_the_folder_has_to_be_complete_and_newer_than_the_lock() {
    assert!(Installed::of(PUBLIC).is_installed());
    let changes: [(&str, Change); 3] = [
        ("a newer lock", |project| project.touch(LOCK)),
        ("another name", |project| {
            project.write("dbt_packages/part/dbt_project.yml", "name: other\n");
        }),
        ("one more", |project| {
            project.write("dbt_packages/more/dbt_project.yml", "name: more\n");
        }),
    ];
    for (what, change) in changes {
        let project = Installed::of(PUBLIC);
        change(&project);
        assert!(!project.is_installed(), "{what}");
    }
    assert!(
        !Installed::of(WITH_TOKEN).is_installed(),
        "the lock may be of another declaration"
    );
}

#[test]
fn a_copied_local_package_is_compared_with_its_source() {
    let project = Installed::of(PUBLIC);
    project.write(
        "packages.yml",
        "packages:\n  - local: local_packages/tiny_utils\n",
    );
    project.write(
        LOCK,
        "packages:\n  - {local: local_packages/tiny_utils, name: tiny_utils}\n\
         sha1_hash: 76a62db8b018ada6a4bea6d724fe06f5708505aa\n",
    );
    for place in ["local_packages", "dbt_packages"] {
        project.write(
            &format!("{place}/tiny_utils/dbt_project.yml"),
            "name: tiny_utils\n",
        );
    }
    project.touch(LOCK);
    assert!(project.is_installed());
    project.write("local_packages/tiny_utils/macros/new.sql", "x");
    assert!(!project.is_installed());
}
