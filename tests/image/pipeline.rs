//! The main job in the container: a login out of Glue, the six steps on the Redshift stand-in, the
//! site in S3.

use serde_json::json;

use crate::container::{Container, readable};
use crate::engine::needs_engine;
use crate::support::aws::Aws;
use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::project::{Project, REDSHIFT_PROFILE, with_login};
use crate::support::repo::unique;
use crate::support::result::Finished;
use crate::support::standin::Standin;

/// A deployment with the stand-in behind a Glue Connection.
pub struct Lab {
    pub deployment: Deployment,
    pub standin: Standin,
    pub source: String,
}

impl Lab {
    pub fn new() -> Self {
        let standin = Standin::database();
        let name = unique("connection");
        let url = format!(
            "jdbc:redshift://127.0.0.1:{}/{}?currentSchema=analytics",
            standin.port(),
            standin.database
        );
        let properties = json!({"JDBC_CONNECTION_URL": url, "USERNAME": "dbt_user",
            "PASSWORD": standin.password()});
        Aws::shared().connection(&name, &properties, &json!({}));
        Self {
            deployment: Deployment::new(Fake::new()),
            standin,
            source: format!("glue:{name}"),
        }
    }

    /// A task of that deployment, but for its AWS credentials.
    pub fn settings(&self, container: Container) -> Container {
        container
            .env("ENV", &self.deployment.env)
            .env("DBT_ENTRYPOINT_DEPLOYMENTS", &self.deployment.env)
            .env("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:9/v4/0")
            .env("DBT_ENTRYPOINT_CREDENTIALS", &self.source)
            .env("DBT_REDSHIFT_SSLMODE", "disable")
    }

    pub fn task(&self, container: Container) -> Container {
        self.settings(container)
            .with(|runner| Aws::attach_at(runner, &self.deployment.proxy.endpoint()))
    }

    /// Six successful steps, a site, a ledger, and the password nowhere.
    #[track_caller]
    pub fn assert_all_done(&self, run: &Finished) {
        run.assert_code(0)
            .assert_nothing_left()
            .assert_lacks(self.standin.password().as_bytes());
        let steps = run.steps();
        assert!(
            steps.len() == 6 && steps.iter().all(|(_, status)| status == "success"),
            "{run}"
        );
        let docs = self.deployment.docs();
        for name in [
            "catalog.json",
            "index.html",
            "manifest.json",
            "run_results.json",
            "sources.json",
        ] {
            assert!(
                docs.contains(&format!("shop/{name}")),
                "{name} is missing of {docs:?}"
            );
        }
        assert!(
            self.deployment.json("shop/catalog.json")["nodes"]
                .as_object()
                .unwrap()
                .len()
                >= 5
        );
        let id = run_id(run);
        let ledger = self.deployment.ledger(&id);
        for name in [
            "03-run/run_results.json",
            "04-test/run_results.json",
            "05-freshness/sources.json",
            "summary.json",
        ] {
            assert!(
                ledger.contains(&name.to_owned()),
                "{name} is missing of {ledger:?}"
            );
        }
        assert_eq!(
            self.deployment
                .json(&format!("shop/runs/{id}/summary.json")),
            run.closing()
        );
        self.deployment
            .bucket
            .assert_lacks(self.standin.password().as_bytes());
    }
}

#[test]
fn the_sample_project_is_built_tested_and_published() {
    needs_engine!();
    let lab = Lab::new();
    let run = lab.task(Container::new()).run();
    lab.assert_all_done(&run);
    assert!(
        lab.standin
            .sql("select string_agg(tablename, ' ') from pg_tables")
            .contains("fct_orders"),
        "{run}"
    );
    // The packages came with the image.
    run.assert_err_has(&["nothing to do", "package-lock.yml"]);
}

#[test]
fn installed_packages_need_no_network() {
    needs_engine!();
    let container = Container::of(&crate::engine::image()).flags(["--network", "none"]);
    let run = container
        .with(with_login)
        .args(["run", "--steps", "deps"])
        .run();
    run.assert_code(0)
        .assert_err_has(&["step deps: nothing to do", "package-lock.yml"]);
}

#[test]
fn the_control_without_installed_packages_deps_runs() {
    needs_engine!();
    let project = Project::new(REDSHIFT_PROFILE);
    project.write(
        "packages.yml",
        "packages:\n  - git: https://127.0.0.1:9/nobody.git\n    revision: main\n",
    );
    let container = Container::new().mount_read_only(readable(project.path()), "/app/dbt");
    let run = container
        .with(with_login)
        .args(["run", "--steps", "deps"])
        .run();
    assert_ne!(run.code, Some(0), "{run}");
    assert!(!run.err().contains("nothing to do"), "{run}");
    assert!(!project.path().join("dbt_packages").exists());
}
