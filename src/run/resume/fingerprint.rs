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
    let project = project
        .inspect_err(|error| {
            tracing::warn!("this run cannot be resumed: its project cannot be read: {error}");
        })
        .ok();
    let directory = config.profiles_dir.as_deref();
    let target = project::profile::rendered(&config.project_dir, directory, &plan.steps, &harmless);
    let schema = variable(&harmless, "DBT_REDSHIFT_SCHEMA").map(|schema| schema.to_string_lossy());
    let target = target.iter().map(String::as_str);
    let image = match aws {
        Some(aws) => aws.image().await,
        None => None,
    };
    let git = variable(variables, "GIT_SHA").map(|sha| sha.to_string_lossy().into_owned());
    Fingerprint {
        project,
        profile: Some(of_texts(target.chain(schema.as_deref()))),
        vars: Some(of_vars(&plan.steps, &stage.redactor)),
        image,
        git,
    }
}
