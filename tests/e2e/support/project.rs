//! A dbt project in a folder of its own.
//!
//! Owns the few files that dbt and the runner look at. Tests that want more write it themselves.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::WalkDir;

use super::fake::Fake;
use super::repo;
use super::runner::Runner;

/// What the tests use where the password as such does not matter; long and odd enough to be found
/// anywhere.
pub const PASSWORD: &str = "Sentinel-7f3a9c'\"$&";

pub const PROJECT: &str =
    "name: shop\nversion: '1.0'\nprofile: shop\nflags:\n  send_anonymous_usage_stats: false\n";

/// As teams have it: everything from the variables that the runner injects.
pub const REDSHIFT_PROFILE: &str = r#"shop:
  target: dev
  outputs:
    dev:
      type: redshift
      host: "{{ env_var('DBT_REDSHIFT_HOST') }}"
      port: "{{ env_var('DBT_REDSHIFT_PORT', '5439') | as_number }}"
      user: "{{ env_var('DBT_REDSHIFT_USER') }}"
      password: "{{ env_var('DBT_REDSHIFT_PASSWORD') }}"
      dbname: "{{ env_var('DBT_REDSHIFT_DB') }}"
      schema: "{{ env_var('DBT_REDSHIFT_SCHEMA') }}"
      sslmode: disable
      connect_timeout: 10
      retries: 0
      threads: 2
"#;

pub const DUCKDB_PROFILE: &str = "shop:\n  target: dev\n  outputs:\n    dev:\n      type: \
    duckdb\n      path: shop.duckdb\n      threads: 2\n";

pub struct Project {
    dir: TempDir,
}

impl Project {
    pub fn new(profile: &str) -> Self {
        let project = Self {
            dir: TempDir::new().unwrap(),
        };
        project.write("dbt_project.yml", PROJECT);
        project.write("profiles.yml", profile);
        project
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// As the kernel spells it, for comparison with what a child found.
    pub fn canonical(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}

/// A project and a fake dbt: what most tests begin with.
pub struct Scene {
    pub project: Project,
    pub fake: Fake,
}

impl Scene {
    /// A dbt to which nothing happens.
    pub fn healthy() -> Self {
        Self::new(Fake::new())
    }

    pub fn new(fake: Fake) -> Self {
        Self {
            project: Project::new(REDSHIFT_PROFILE),
            fake,
        }
    }

    /// Knows no login: the test says where it comes from.
    pub fn bare_runner(&self) -> Runner {
        self.fake.attach(Runner::new(self.project.path()))
    }

    /// Has its login from the environment, a local run.
    pub fn runner(&self) -> Runner {
        with_login(self.bare_runner())
    }

    /// Publishes into that folder, also from a local run.
    pub fn publishing_runner(&self, folder: &Path) -> Runner {
        self.runner().env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", folder.display()),
        )
    }
}

/// The variables that take the place of a credential source.
pub fn with_login(runner: Runner) -> Runner {
    runner
        .env("DBT_REDSHIFT_HOST", "warehouse.example.com")
        .env("DBT_REDSHIFT_PORT", "5439")
        .env("DBT_REDSHIFT_USER", "dbt_user")
        .env("DBT_REDSHIFT_PASSWORD", PASSWORD)
        .env("DBT_REDSHIFT_SCHEMA", "analytics")
        .env("DBT_REDSHIFT_DB", "dev")
}

/// The real dbt of the engine in the fake's place: dbt 2, or dbt 1.
pub fn with_real_dbt(runner: Runner) -> Runner {
    if repo::engine() == "native" {
        return with_dbt_2(runner);
    }
    let dbt = repo::venv("dbt");
    runner
        .env("DBT_ENTRYPOINT_DBT", dbt)
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        .env("DBT_VERSION_CHECK", "false")
}

/// A real dbt 2 with its drivers.
pub fn with_dbt_2(runner: Runner) -> Runner {
    let dbt_2 = repo::dbt_2();
    runner
        .env("DBT_ENTRYPOINT_DBT", dbt_2.join("bin/dbt"))
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        .env("ADBC_DRIVER_PATH", dbt_2.join("drivers"))
        .env("XDG_CACHE_HOME", dbt_2.join("drivers/cache"))
}

/// The project that the repository ships, in a folder of its own and without what an earlier run
/// left.
pub fn sample_project() -> Project {
    let project = Project {
        dir: TempDir::new().unwrap(),
    };
    let source = repo::root().join("dbt");
    let left = ["target", "logs", "dbt_packages", "shop.duckdb"];
    let entries = WalkDir::new(&source)
        .into_iter()
        .filter_entry(|entry| left.iter().all(|name| entry.file_name() != *name));
    for entry in entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
    {
        let name = entry.path().strip_prefix(&source).unwrap();
        project.write(name.to_str().unwrap(), fs::read(entry.path()).unwrap());
    }
    project
}
