//! Owns the story of a whole run, from the settings to the closing line.
//!
//! Never ends without the closing line, whatever happened.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::prepare::{self, Error};
use super::publishing::{self, Due};
use super::{Surroundings, adopt, closing, log_where_it_writes, preflight};
use crate::artifacts::{Destination, Publisher, parse_cache};
use crate::aws::Aws;
use crate::cli::RunArgs;
use crate::config::{self, Config, Pipeline, Publish, Variables};
use crate::exit_code::ExitCode;
use crate::pipeline::{self, Engine, Shutdown, Stage};
use crate::process;
use crate::project::profile::{self, Selected};
use crate::project::{Workspace, packages};
use crate::report::Summary;
use crate::session::{Parsing, SavedParse};

/// Where the closing line has to be out if the settings do not say.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// Runs the pipeline. The closing line is printed in any case.
pub(super) async fn run(
    args: &RunArgs,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    let start = Instant::now();
    let mut summary = closing::blank_summary();
    let mut budget = STOP_TIMEOUT;
    let code = match config::resolve_run(
        args,
        &surroundings.files,
        &surroundings.variables,
        &surroundings.working_directory,
    ) {
        Err(error) => closing::record_error(&error.into(), &mut summary, &surroundings.console),
        Ok((config, plan)) => {
            shutdown.set_deadline(start, config.deadline);
            budget = config.stop_timeout;
            // On the heap, since it holds all that a run needs.
            Box::pin(run_configured(
                args,
                config,
                plan,
                &mut summary,
                surroundings,
                shutdown,
            ))
            .await
        }
    };
    summary.exit_code = code.number();
    closing::close(summary, &surroundings.console, budget, shutdown).await;
    code
}

/// The settings are known, so the summary can say what was to be done.
async fn run_configured(
    args: &RunArgs,
    mut config: Config,
    plan: Pipeline,
    summary: &mut Summary,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    closing::describe_plan(summary, &config, &plan);
    if let Err(error) = adopt::aws_variables(&args.common, &config) {
        return closing::record_error(&Error::Restart(error), summary, &surroundings.console);
    }
    log_where_it_writes(&config);
    let aws = match prepare::load_aws(&config, Some(&plan.publish)).await {
        Ok(aws) => aws,
        Err(error) => return closing::record_error(&error, summary, &surroundings.console),
    };
    let destination = prepare::open_destination(&plan.publish, aws.as_ref());
    // While AWS is asked, dbt can be imported.
    let selected = select_target(&config, &plan, &config.variables);
    let mut engine = start_engine(&config, &plan, selected.as_ref(), surroundings);
    let staged = tokio::select! {
        biased;
        stop = shutdown.stopped() => Err(stop),
        staged = prepare_stage(&mut config, &plan, aws.as_ref(), destination.as_ref(), engine.is_warm(), surroundings) => Ok(staged),
    };
    match staged {
        Ok(Ok((stage, workspace, saved))) => {
            if plan.keeps_parse {
                offer_parse(&mut engine, &config, &plan, &stage, &workspace, saved);
            }
            let publisher = Publisher::new(
                destination,
                &workspace.target,
                &summary.run_id,
                Arc::clone(&stage.redactor),
            );
            run_steps_and_publish(
                &plan,
                &stage,
                engine,
                publisher,
                summary,
                surroundings,
                shutdown,
            )
            .await
        }
        Ok(Err(error)) => {
            engine.end().await;
            let code = closing::record_error(&error, summary, &surroundings.console);
            publishing::publish_early_summary(destination, summary, code, surroundings, shutdown)
                .await;
            code
        }
        Err(stop) => {
            engine.end().await;
            tracing::warn!("stopped before the first step");
            closing::record_stop(stop, summary)
        }
    }
}

/// Everything before step one.
async fn prepare_stage(
    config: &mut Config,
    plan: &Pipeline,
    aws: Option<&Aws>,
    destination: Option<&Destination>,
    is_warm: bool,
    surroundings: &Surroundings,
) -> Result<(Stage, Workspace, Option<SavedParse>), Error> {
    // Whoever waits for Glue can wait for S3 at the same time. A login that cannot be had is told
    // at once.
    let (connection, (unusable, saved)) = {
        let login = prepare::fetch_login(config, aws);
        let check = async {
            let Some(destination) = destination else {
                return (None, None);
            };
            match destination.check().await {
                Err(unusable) => (Some(unusable), None),
                Ok(()) if plan.keeps_parse && is_warm => {
                    (None, parse_cache::fetch(destination).await)
                }
                Ok(()) => (None, None),
            }
        };
        tokio::pin!(login, check);
        tokio::select! {
            connection = &mut login => (connection?, check.await),
            checked = &mut check => (login.await?, checked),
        }
    };
    // Before the project is copied: in the copy, links of local packages have become directories.
    let packages_installed = packages::installed(&config.project_dir);
    let workspace = Workspace::prepare(config).await?;
    let prepared = prepare::compose_environment(config, &connection, aws, &surroundings.console)?;
    let variables = &prepared.environment.variables;
    let dbt = preflight::check(
        config,
        variables,
        plan.target.as_deref(),
        unusable.as_ref(),
        &surroundings.working_directory,
    )?;
    let stage = Stage {
        dbt,
        directory: workspace.directory.clone(),
        environment: prepared.environment,
        redactor: prepared.redactor,
        log_format: config.log_format,
        stop_timeout: config.stop_timeout,
        packages_installed,
    };
    Ok((stage, workspace, saved))
}

/// What is wrong with the profile is told later, with all that is wrong.
fn select_target(config: &Config, plan: &Pipeline, variables: &Variables) -> Option<Selected> {
    profile::select(
        &config.project_dir,
        config.profiles_dir.as_deref(),
        plan.target.as_deref(),
        variables,
    )
}

/// With the whole environment, on which profile and target may depend.
fn offer_parse(
    engine: &mut Engine,
    config: &Config,
    plan: &Pipeline,
    stage: &Stage,
    workspace: &Workspace,
    saved: Option<SavedParse>,
) {
    if let Some(Selected {
        adapter,
        profile,
        target,
    }) = select_target(config, plan, &stage.environment.variables)
    {
        engine.offer(Parsing::new(
            adapter,
            profile,
            target,
            workspace.target.clone(),
            saved,
        ));
    } else {
        tracing::info!(
            "the parse of this project is not kept, since profile and target cannot be told without dbt"
        );
    }
}

/// The same with dbt.
fn start_engine(
    config: &Config,
    plan: &Pipeline,
    selected: Option<&Selected>,
    surroundings: &Surroundings,
) -> Engine {
    let dbt = process::find(
        &config.dbt,
        &config.variables,
        &surroundings.working_directory,
    )
    .ok();
    let adapter = selected.map(|selected| selected.adapter.as_str());
    Engine::begin(
        plan.engine,
        dbt.as_deref(),
        adapter,
        &config.variables,
        &surroundings.working_directory,
    )
}

/// Steps, then artifacts.
async fn run_steps_and_publish(
    plan: &Pipeline,
    stage: &Stage,
    mut engine: Engine,
    mut publisher: Publisher,
    summary: &mut Summary,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    let mut results = Vec::new();
    let (outcomes, between) =
        pipeline::run(&plan.steps, stage, &mut engine, shutdown, |index, step| {
            results.push(publisher.keep(index, step));
        })
        .await;
    let parse = engine.parsed_by().cloned();
    engine.end().await;
    for (index, (outcome, results)) in outcomes.iter().zip(results).enumerate() {
        closing::record_step(summary, index, outcome, results);
    }
    let code = match between {
        Some(stop) => closing::record_stop(stop, summary),
        None => closing::set_final_status(ExitCode::of_steps(&outcomes), &outcomes, summary),
    };
    summary.exit_code = code.number();
    let docs = match plan.publish {
        Publish::Never => false,
        Publish::To {
            even_after_failure, ..
        } => even_after_failure || code == ExitCode::Success,
    };
    publishing::publish(
        &mut publisher,
        Due { docs, parse },
        summary,
        code,
        stage.stop_timeout,
        surroundings,
        shutdown,
    )
    .await
}
