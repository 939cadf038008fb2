//! Owns what a run does about dbt's parse: whether it is kept and sealed, and what another run has
//! left of it.
//!
//! Never reads or makes a parse.

use tokio::task::JoinHandle;

use crate::artifacts::{Keeping, Sealer};
use crate::config::{Config, ParseCache, Pipeline, Publish, Variables};
use crate::environment::{self, Environment};
use crate::pipeline::{Engine, Stage};
use crate::project::Workspace;
use crate::project::profile::{self, Selected};
use crate::session::{Parsing, SavedParse};

/// The parse of other runs and of this one.
pub(super) struct KeptParse {
    pub(super) keeping: Keeping,
    /// What another run has left, on its way.
    pub(super) saved: Option<JoinHandle<Option<SavedParse>>>,
}

/// How the parse is kept, if it is: with a seal where there is anything to make one with.
pub(super) fn plan_keeping(
    config: &Config,
    plan: &Pipeline,
    environment: &Environment,
) -> Option<Keeping> {
    let (Publish::To { location, .. }, ParseCache::Sealed | ParseCache::On) =
        (&plan.publish, plan.parse_cache)
    else {
        return None;
    };
    let sealer = config
        .cache_key
        .clone()
        .or_else(|| environment.password())
        .map(|secret| {
            let project = config.project_name.as_deref().unwrap_or_default();
            Sealer::begin(secret, &[&location.to_string(), project, &config.env])
        });
    if sealer.is_none() && plan.parse_cache == ParseCache::Sealed {
        tracing::info!(
            "not keeping the parse of this project: there is no password to seal it with; set \
                DBT_ENTRYPOINT_CACHE_KEY, or --parse-cache on to keep it unsealed"
        );
        return None;
    }
    let suspicious = environment::look_like_secrets(&environment.variables);
    Some(Keeping { sealer, suspicious })
}

/// Faults in the profile are reported later, together with all others.
pub(super) fn select_target(
    config: &Config,
    plan: &Pipeline,
    variables: &Variables,
) -> Option<Selected> {
    profile::select(
        &config.project_dir,
        config.profiles_dir.as_deref(),
        &plan.steps,
        variables,
    )
}

/// Needs the whole environment, since profile and target may depend on it.
pub(super) fn offer(
    engine: &mut Engine,
    config: &Config,
    plan: &Pipeline,
    stage: &Stage,
    workspace: &Workspace,
    saved: Option<JoinHandle<Option<SavedParse>>>,
) {
    let Some(selected) = select_target(config, plan, &stage.environment.variables) else {
        tracing::info!(
            "not keeping the parse of this project: only dbt can tell its profile and target"
        );
        return;
    };
    let Selected {
        adapter,
        profile,
        target,
    } = selected;
    engine.offer(Parsing::new(
        adapter,
        profile,
        target,
        workspace.target.clone(),
        saved,
    ));
}
