//! Containers that die in the middle, each finished by the next one: what is known to be done is
//! not run again, and the whole is counted.

use crate::container::{Container, Started, readable};
use crate::engine::{docker, needs_engine};
use crate::pipeline::Lab;
use crate::support::deployment::run_id;
use crate::support::project::{Project, REDSHIFT_PROFILE};
use crate::support::result::Finished;

/// A container with a project of so many models, one after the other.
struct Chain {
    lab: Lab,
    project: Project,
    models: usize,
}

impl Chain {
    /// `sql`: what the last model selects; `each`: what the others do.
    fn new(models: usize, each: &str, last: &str) -> Self {
        let project = Project::new(REDSHIFT_PROFILE);
        for model in 0..models {
            let parent = match model {
                0 => String::new(),
                _ => format!("-- depends_on: {{{{ ref('m{:02}') }}}}\n", model - 1),
            };
            let sql = if model + 1 == models { last } else { each };
            project.write(
                &format!("models/m{model:02}.sql"),
                format!("{{{{ config(materialized='table') }}}}\n{parent}{sql}\n"),
            );
        }
        readable(project.path());
        let lab = Lab::new();
        Self {
            lab,
            project,
            models,
        }
    }

    fn start(&self, flags: &[&str]) -> Started {
        // A container that died keeps its lease for the TTL.
        let arguments = [
            "run",
            "--steps",
            "run",
            "--resume",
            "last",
            "--lease-ttl",
            "5s",
            "--lease-wait",
            "1m",
        ];
        self.lab
            .task(Container::new())
            .flags(flags.iter().copied())
            .mount_read_only(self.project.path(), "/app/dbt")
            .args(arguments)
            .start()
    }

    /// How many nodes a run has seen end, by what is at the destination.
    fn ends(&self, run: &str) -> usize {
        let name = format!("shop/runs/{run}/01-run/nodes.ndjson");
        let keys = self.lab.deployment.keys();
        if !keys.contains(&name) {
            return 0;
        }
        let text = self.lab.deployment.bucket.object(&name).body;
        let text = String::from_utf8(text).unwrap();
        text.lines()
            .filter(|line| line.contains("\"t\":\"end\""))
            .count()
    }

    fn assert_finished(&self, run: &Finished, from: &str, done: usize) {
        run.assert_code(0);
        let counted = serde_json::json!({"success": self.models, "error": 0, "warn": 0,
            "skipped": 0});
        assert_eq!(run.step("run")["nodes"], counted, "{run}");
        assert_eq!(run.closing()["resumed"]["from"], from, "{run}");
        let said = format!("run: {done} of {} nodes not run again", self.models);
        assert!(run.err().contains(&said), "{run}");
    }
}

#[test]
fn a_container_that_is_killed_is_finished_by_the_next_one() {
    needs_engine!();
    let chain = Chain::new(14, "select pg_sleep(1)::text as slept", "select 1 as id");
    let mut first = chain.start(&[]);
    let mut done = 0;
    let mut id = String::new();
    first.until("nodes at the destination", |_| {
        let keys = chain.lab.deployment.keys();
        let record = keys.iter().find(|key| key.ends_with("/run.json"));
        if let Some(record) = record {
            id = record.split('/').rev().nth(1).unwrap().to_owned();
            done = chain.ends(&id);
        }
        done > 0
    });
    docker(&["kill", first.name()]);
    let (killed, _container) = first.wait();
    killed.assert_code(137).assert_nothing_left();
    let done = chain.ends(&id);
    let (second, _container) = chain.start(&[]).wait();
    chain.assert_finished(&second, &id, done);
    second.assert_err_has(&["took over the lease"]);
}

#[test]
fn a_run_without_memory_is_finished_with_more() {
    needs_engine!();
    // Jinja computes what is constant when it compiles.
    let hungry = "{% if execute %}{% set hog = 'a' * (900000000 + target.threads) %}{% endif %}\n\
        select 1 as id";
    let chain = Chain::new(4, "select 1 as id", hungry);
    let limits = ["--memory", "500m", "--memory-swap", "500m"];
    let (first, _container) = chain.start(&limits).wait();
    first
        .assert_code(137)
        .assert_err_has(&["probably out of memory"]);
    let (second, _container) = chain.start(&[]).wait();
    chain.assert_finished(&second, &run_id(&first), 3);
}
