//! Owns what goes into the fingerprint of a run: where each part of it is found.
//!
//! Never compares them.

use super::Known;
use crate::config::variable;
use crate::environment;
use crate::pipeline::without_secrets;
use crate::project;
use crate::record::Fingerprint;
use crate::record::fingerprint::{Files, of_project, of_texts, of_vars};

/// As far as it is known before step one.
pub(super) async fn take(known: &Known<'_>) -> Fingerprint {
    let Known {
        config,
        plan,
        stage,
        aws,
        ..
    } = known;
    let variables = &stage.environment.variables;
    let secrets = environment::look_like_secrets(variables);
    let harmless = without_secrets(variables, &secrets);
    let directory = &config.project_dir;
    let project = of_project(&Files {
        directory,
        folders: &project::folders(directory),
        packages: &project::packages::local(directory),
        is_locked: !plan.steps.iter().any(|step| step.subcommand() == "deps"),
    });
    let directory = config.profiles_dir.as_deref();
    let target = project::profile::rendered(&config.project_dir, directory, &plan.steps, &harmless);
    let schema = variable(&harmless, "DBT_REDSHIFT_SCHEMA").map(|schema| schema.to_string_lossy());
    let profile = target.map(|target| {
        let target = target.iter().map(String::as_str);
        of_texts(target.chain(schema.as_deref()))
    });
    if known.ledger.is_some() {
        let unknown = "this run cannot be resumed:";
        if let Err(error) = &project {
            tracing::warn!("{unknown} its project cannot be read: {error}");
        }
        if profile.is_none() {
            tracing::warn!("{unknown} only dbt can tell what the target of its profile comes to");
        }
    }
    let image = match aws {
        Some(aws) => aws.image().await,
        None => None,
    };
    let git = variable(variables, "GIT_SHA").map(|sha| sha.to_string_lossy().into_owned());
    Fingerprint {
        project: project.ok(),
        profile,
        vars: Some(of_vars(&plan.steps, &stage.redactor)),
        image,
        git,
    }
}
