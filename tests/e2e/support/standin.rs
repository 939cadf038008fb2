//! A database of one's own behind the Redshift stand-in.
//!
//! Owns its making and the questions that a test asks of it. The servers are shared by all tests of
//! a run.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::lab;
use super::repo;
use super::runner::Runner;

pub struct Standin {
    ready: Value,
    pub database: String,
}

impl Standin {
    pub fn database() -> Self {
        let python =
            repo::system_program(&["/usr/bin/python3", "/usr/local/bin/python3"], "python3");
        let ready = lab::shared("redshift", &python, "tests/redshift_standin/serve.py");
        let database = repo::unique("t").replace('-', "_");
        let standin = Self { ready, database };
        let owner = standin.text("user");
        standin.superuser(
            "postgres",
            &format!(
                "create database {} owner {owner} template redshift",
                standin.database
            ),
        );
        standin
    }

    fn text(&self, key: &str) -> String {
        self.ready[key].as_str().unwrap().to_owned()
    }

    pub fn port(&self) -> u64 {
        self.ready["port"].as_u64().unwrap()
    }

    pub fn password(&self) -> String {
        self.text("password")
    }

    /// The login, as if it had been fetched.
    pub fn attach(&self, runner: Runner) -> Runner {
        runner
            .env("DBT_REDSHIFT_HOST", "127.0.0.1")
            .env("DBT_REDSHIFT_PORT", self.port().to_string())
            .env("DBT_REDSHIFT_USER", self.text("user"))
            .env("DBT_REDSHIFT_PASSWORD", self.password())
            .env("DBT_REDSHIFT_SCHEMA", "analytics")
            .env("DBT_REDSHIFT_DB", &self.database)
    }

    /// Through PostgreSQL's own socket, past the stand-in.
    #[track_caller]
    fn superuser(&self, database: &str, sql: &str) -> String {
        let psql = PathBuf::from(self.text("psql"));
        let port = self.ready["postgres_port"].as_u64().unwrap().to_string();
        let output = Command::new(&psql)
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-h",
            ])
            .args([
                self.text("socket").as_str(),
                "-p",
                &port,
                "-d",
                database,
                "-c",
                sql,
            ])
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", psql.display()));
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.superuser(&self.database, sql)
    }

    /// How many queries with that text run in this database now.
    #[track_caller]
    pub fn active(&self, text: &str) -> usize {
        let sql = format!(
            "select count(*) from pg_stat_activity where datname = '{}' and state = 'active' and \
                query like '%{text}%' and pid <> pg_backend_pid()",
            self.database
        );
        self.superuser("postgres", &sql).parse().unwrap()
    }

    /// How many sessions of clients this database has.
    #[track_caller]
    pub fn sessions(&self) -> usize {
        let sql = format!(
            "select count(*) from pg_stat_activity where datname = '{}'",
            self.database
        );
        self.superuser("postgres", &sql).parse().unwrap()
    }
}
