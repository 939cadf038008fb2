//! A run as it happens on ECS: a deployment environment, a bucket for the docs, a proxy that sees
//! every request.
//!
//! Owns the names that belong together. The environment has a name of its own for each test, and
//! with it the bucket of the contract.

use serde_json::Value;

use super::aws::{Aws, Bucket};
use super::fake::Fake;
use super::fault_proxy::FaultProxy;
use super::project::Scene;
use super::repo::{engine, unique};
use super::result::Finished;
use super::runner::Runner;

pub struct Deployment {
    pub scene: Scene,
    pub bucket: Bucket,
    pub proxy: FaultProxy,
    pub env: String,
}

impl Deployment {
    pub fn healthy() -> Self {
        Self::new(Fake::new())
    }

    pub fn new(fake: Fake) -> Self {
        Self::with_faults(fake, |proxy, _| proxy)
    }

    /// The faults may name the bucket.
    pub fn with_faults(fake: Fake, faults: impl FnOnce(FaultProxy, &str) -> FaultProxy) -> Self {
        let aws = Aws::shared();
        let env = unique("e");
        let bucket = aws.bucket_named(&format!("dbt-documentation-{env}"));
        let proxy = faults(FaultProxy::before(aws), &bucket.name);
        Self {
            scene: Scene::new(fake),
            bucket,
            proxy,
            env,
        }
    }

    /// Its environment is a deployment environment: publishing is on, to the bucket that the names
    /// say.
    pub fn runner(&self) -> Runner {
        let runner = self
            .scene
            .runner()
            .env("ENV", &self.env)
            .env("DBT_ENTRYPOINT_DEPLOYMENTS", &self.env);
        // As a task on ECS has it, so that no warning about a laptop comes in between. Nobody
        // answers there, so the account of the run is asked of STS.
        let runner = runner.env("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:9/v4/0");
        Aws::attach_at(runner, &self.proxy.endpoint())
    }

    pub fn run(&self) -> Finished {
        self.runner().run()
    }

    pub fn keys(&self) -> Vec<String> {
        self.bucket.keys()
    }

    /// Keys of the docs, without the ledger and without what one run keeps for the next.
    pub fn docs(&self) -> Vec<String> {
        let is_other = |key: &String| {
            ["shop/runs/", "shop/state/"]
                .iter()
                .any(|folder| key.starts_with(folder))
        };
        self.keys()
            .into_iter()
            .filter(|key| !is_other(key))
            .collect()
    }

    /// Keys of the ledger below the folder of the run, without the pages that people read.
    #[track_caller]
    pub fn ledger(&self, run_id: &str) -> Vec<String> {
        let prefix = format!("shop/runs/{run_id}/");
        let all = self.keys();
        let ledger: Vec<_> = all
            .iter()
            .filter(|key| key.starts_with("shop/runs/") && !key.ends_with("/index.html"))
            .collect();
        assert!(
            ledger.iter().all(|key| key.starts_with(&prefix)),
            "{all:?} lie not all below {prefix}"
        );
        ledger
            .into_iter()
            .map(|key| key[prefix.len()..].to_owned())
            .collect()
    }

    #[track_caller]
    pub fn json(&self, key: &str) -> Value {
        self.bucket.json(key)
    }

    /// Keys in the order in which their upload succeeded.
    pub fn uploads(&self) -> Vec<String> {
        let prefix = format!("PUT /{}/", self.bucket.name);
        let mut done: Vec<_> = self
            .proxy
            .log()
            .into_iter()
            .filter(|seen| seen.status == 200 && seen.line.starts_with(&prefix))
            .collect();
        done.sort_by_key(|seen| seen.ended);
        let key = |line: &str| {
            line[prefix.len()..]
                .split([' ', '?'])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        done.iter().map(|seen| key(&seen.line)).collect()
    }
}

/// The docs that a healthy dbt of the suite's engine leaves. The site of dbt 2 has parts.
pub fn site() -> Vec<String> {
    let parts = [
        "assets/index-Bd4c.js",
        "assets/index-MKfhBlCr.css",
        "assets/inter-latin.woff2",
        "index/dbt.nodes.parquet",
        "index/dbt_rt.run_results.parquet",
    ];
    let own = [
        "catalog.json",
        "index.html",
        "manifest.json",
        "run_results.json",
        "sources.json",
    ];
    let parts = parts.iter().filter(|_| engine() == "native");
    let mut keys: Vec<_> = parts
        .chain(&own)
        .map(|name| format!("shop/{name}"))
        .collect();
    keys.sort();
    keys
}

/// The id of the run, from its closing line, after a look at its form: `20261122T061442Z-1a2b3c4d`.
#[track_caller]
pub fn run_id(run: &Finished) -> String {
    let id = run.closing()["run_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let form: String = id
        .chars()
        .map(|character| match character {
            '0'..='9' => '9',
            'a'..='f' => 'f',
            other => other,
        })
        .collect();
    let hex = form.get(17..).unwrap_or_default().replace('f', "9");
    assert!(
        form.starts_with("99999999T999999Z-") && hex == "99999999",
        "{id:?} is not a run ID"
    );
    id
}
