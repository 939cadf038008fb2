//! Owns the course of a whole run, from the settings to the closing line.
//!
//! Never ends without the closing line, whatever happens.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::closing::{self, Run};
use super::pages::Pages;
use super::parse::{self, KeptParse};
use super::prepare::{self, Error};
use super::publishing::Due;
use super::resume::{self, Attempt, Known};
use super::{Surroundings, last_time, lease, log_where_it_writes, preflight};
use crate::artifacts::{Destination, Keeping, Layout, Ledger, Publisher, parse_cache};
use crate::cli::RunArgs;
use crate::config::{self, Config, ParseCache, Pipeline, Publish, Step};
use crate::credentials::Connection;
use crate::environment;
use crate::exit_code::ExitCode;
use crate::lease::Lease;
use crate::pipeline::{self, Engine, Outcome, Shutdown, Stage, Status, Stop};
use crate::process;
use crate::project::{self, Workspace, packages};
use crate::report::Summary;

/// The result of the preparation.
enum Prepared {
    Ready(Box<Ready>),
    /// The run cannot start.
    Refused(Error),
    /// The run should stop before step one.
    Stopped(Stop),
}

/// All that the steps need.
struct Ready {
    stage: Stage,
    workspace: Workspace,
    attempt: Attempt,
    /// `None` where no parse is kept.
    kept_parse: Option<KeptParse>,
}

/// Runs the pipeline. Prints the closing line in any case.
pub(super) async fn run(
    args: &RunArgs,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    let start = Instant::now();
    let mut run = Run {
        surroundings,
        shutdown,
        summary: Summary::new(closing::run_id(), ExitCode::Internal.number()),
        // Of a run whose settings are not known, for its closing line.
        stop_timeout: config::STOP_TIMEOUT,
        destination: None,
        begun: start,
        has_metrics: false,
        pages: Pages::begin(start),
        lease: None,
    };
    let settings = config::resolve_run(
        args,
        &surroundings.files,
        &surroundings.variables,
        &surroundings.working_directory,
    );
    let code = match settings {
        Err(error) => run.record_error(&error.into()),
        Ok((config, plan)) => {
            run.shutdown.set_deadline(start, config.deadline);
            run.stop_timeout = config.stop_timeout;
            // On the heap, since it is large.
            Box::pin(run.run_configured(config, &plan)).await
        }
    };
    run.give_back_lease().await;
    run.close(code).await;
    code
}

impl Run<'_> {
    /// The settings are known, so the summary can name the steps.
    async fn run_configured(&mut self, mut config: Config, plan: &Pipeline) -> ExitCode {
        self.describe_plan(&config, plan);
        self.pages.plan(&config, plan);
        log_where_it_writes(&config);
        process::strays::adopt();
        // dbt can be imported while AWS is asked.
        let mut engine = start_engine(&config, plan, self.surroundings);
        match Box::pin(self.prepare(&mut config, plan, &mut engine)).await {
            Prepared::Ready(ready) => {
                let Ready {
                    stage,
                    workspace,
                    attempt,
                    kept_parse,
                } = *ready;
                if let Some(lease) = &self.lease {
                    self.shutdown.watch_lease(lease.loss());
                }
                let keeping = kept_parse.map(|KeptParse { keeping, saved }| {
                    parse::offer(&mut engine, &config, plan, &stage, &workspace, saved);
                    keeping
                });
                let run =
                    self.run_steps_and_publish(plan, attempt, &stage, &workspace, engine, keeping);
                Box::pin(run).await
            }
            Prepared::Refused(error) => {
                engine.end().await;
                let code = self.record_error(&error);
                let target = project::target(&config.project_dir, &config.variables);
                self.publish_early_summary(code, target.as_deref()).await;
                code
            }
            Prepared::Stopped(stop) => {
                engine.end().await;
                tracing::warn!("stopped before the first step");
                self.record_stop(stop)
            }
        }
    }

    /// Everything before step one; a request to stop ends it at once.
    async fn prepare(
        &mut self,
        config: &mut Config,
        plan: &Pipeline,
        engine: &mut Engine,
    ) -> Prepared {
        let Self {
            surroundings,
            shutdown,
            destination,
            lease,
            summary,
            pages,
            ..
        } = self;
        let opened = Opened {
            destination,
            lease,
            pages,
            run_id: &summary.run_id,
        };
        tokio::select! {
            biased;
            stop = shutdown.stopped() => Prepared::Stopped(stop),
            ready = get_ready(config, plan, engine, opened, surroundings) => {
                ready.map_or_else(Prepared::Refused, |ready| Prepared::Ready(Box::new(ready)))
            }
        }
    }

    /// Steps, then artifacts.
    async fn run_steps_and_publish(
        &mut self,
        plan: &Pipeline,
        mut attempt: Attempt,
        stage: &Stage,
        workspace: &Workspace,
        mut engine: Engine,
        keeping: Option<Keeping>,
    ) -> ExitCode {
        let mut publisher = Publisher::new(
            self.destination.take(),
            &workspace.target,
            &workspace.targets_of(&plan.steps),
            &layout(plan, stage, workspace, &engine),
            &self.summary.run_id,
            Arc::clone(&stage.redactor),
        );
        self.summary.resumed = attempt.resumed.take();
        let taking_over = attempt.take_over(&mut publisher);
        // Where the run should stop by now, no step begins.
        let done = self.within_budget(taking_over, Duration::ZERO).await;
        let mut done = done.unwrap_or_default();
        let mut results = Vec::new();
        let left = attempt.left();
        let Attempt {
            steps, recorder, ..
        } = &mut attempt;
        let recorder = RefCell::new(recorder);
        let pages = &mut self.pages;
        let (outcomes, between) = pipeline::run(
            steps,
            stage,
            &mut engine,
            self.shutdown,
            |index, event| recorder.borrow().hear(index, event),
            async |index, step, outcome| {
                let target = workspace.target_of(step);
                // Of a step whose results cannot be read in time, too.
                results.push(None);
                if let Some(earlier) = publisher.earlier(index) {
                    recorder.borrow().complete(index, earlier);
                }
                let told = outcome.told.as_ref();
                let kept = match done.get_mut(index).and_then(Option::take) {
                    Some(done) => Some(done),
                    None => publisher.keep(index, step, &target, told).await,
                };
                if let Some(Some(left)) = left.get(index) {
                    let has_not_run =
                        |id: &&String| kept.as_ref().is_none_or(|results| !results.has_run(id));
                    let missed = recorder
                        .borrow()
                        .not_run(index, left.iter().filter(has_not_run));
                    resume::judge(step, &missed, outcome);
                }
                let has_plan = recorder.borrow().has_plan(index);
                pages.step_ended(index, outcome, target, has_plan);
                let uploaded = publisher.uploaded();
                recorder
                    .borrow_mut()
                    .end_step(index, step, outcome, kept.as_ref(), uploaded);
                if kept.is_none() || outcome.stopped.is_some() {
                    pages.heard(index, recorder.borrow().heard(index));
                }
                if let Some(last) = results.last_mut() {
                    *last = kept;
                }
            },
        )
        .await;
        let parse = engine.parsed_by().cloned().zip(keeping);
        self.summary.dbt = Some(engine.identity().clone());
        engine.end().await;
        for (index, (outcome, results)) in outcomes.iter().zip(results).enumerate() {
            self.record_step(index, outcome, results);
        }
        let code = match between {
            Some(stop) => self.record_stop(stop),
            None => self.set_final_status(&outcomes),
        };
        let docs = match plan.publish {
            Publish::Never => false,
            Publish::To {
                even_after_failure, ..
            } => even_after_failure || code == ExitCode::Success,
        };
        let made_docs = |(step, outcome): &(&Step, &Outcome)| {
            step.makes_docs() && outcome.status == Status::Success
        };
        let made_in = plan.steps.iter().zip(&outcomes).rfind(made_docs);
        let due = Due {
            docs,
            is_copy: workspace.is_copy(),
            made_in: made_in.map(|(step, _)| workspace.target_of(step)),
            parse,
        };
        self.publish(&mut publisher, &mut attempt.recorder, due, code)
            .await
    }
}

/// What is open before the run is ready, so that a run that fails later can still write its summary
/// and give its lease back.
struct Opened<'a> {
    destination: &'a mut Option<Destination>,
    lease: &'a mut Option<Lease>,
    pages: &'a mut Pages,
    run_id: &'a str,
}

/// The destination is opened as soon as AWS is known, so that a run that fails later can still
/// leave its summary there.
async fn get_ready(
    config: &mut Config,
    plan: &Pipeline,
    engine: &mut Engine,
    opened: Opened<'_>,
    surroundings: &Surroundings,
) -> Result<Ready, Error> {
    let aws = prepare::load_aws(config, Some(plan)).await?;
    let aws = aws.as_ref();
    let Opened {
        destination,
        lease,
        pages,
        run_id,
    } = opened;
    if let Some(aws) = aws {
        pages.look_for_log(aws);
    }
    *destination = prepare::open_destination(&plan.publish, aws);
    *lease = lease::ask(plan, destination.as_ref(), run_id, aws);
    // Glue and S3 answer at the same time. If the login fails, nothing waits for S3.
    let (ask, asked) = oneshot::channel();
    let (connection, (unusable, saved)) = {
        let login = prepare::fetch_login(config, aws);
        let check = async {
            let Some(destination) = destination else {
                return (None, None);
            };
            match destination.check().await {
                Err(unusable) => (Some(unusable), None),
                Ok(()) if plan.parse_cache != ParseCache::Off && engine.is_warm() => {
                    let fetch = parse_cache::fetch(destination.clone(), asked);
                    (None, Some(tokio::spawn(fetch)))
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
    let (workspace, packages_installed) = prepare_workspace(config, plan, &connection).await?;
    let prepared = prepare::compose_environment(config, &connection, aws, &surroundings.console)?;
    // dbt 2 has no parse to keep.
    let keeping = if engine.is_native() {
        None
    } else {
        parse::plan_keeping(config, plan, &prepared.environment)
    };
    let kept_parse = keeping.map(|keeping| {
        // Where nothing is fetched, nobody listens.
        let _ = ask.send(keeping.clone());
        KeptParse { keeping, saved }
    });
    let dbt = preflight::check(
        config,
        &plan.steps,
        &workspace,
        &prepared.environment.variables,
        unusable.as_ref(),
        &surroundings.working_directory,
    )?;
    let mut stage = Stage {
        dbt,
        directory: workspace.directory.clone(),
        target: workspace.target.clone(),
        environment: prepared.environment,
        redactor: prepared.redactor,
        log_format: config.log_format,
        stop_timeout: config.stop_timeout,
        packages_installed,
        code_without_docs: ExitCode::PublishFailed.number(),
        last_time: last_time::look_up(destination.as_ref()),
        resumed: BTreeSet::new(),
        done_before: BTreeMap::new(),
    };
    engine.settle().await;
    lease::hold(lease, plan.lease.as_ref()).await?;
    let ledger = destination.clone();
    let known = Known {
        config,
        plan,
        stage: &stage,
        aws,
        dbt: engine.identity_so_far(),
        ledger: ledger.map(|place| Ledger::new(place, run_id, Arc::clone(&stage.redactor))),
        tenure: lease.as_ref().map(Lease::tenure),
        run_id,
    };
    let attempt = Box::pin(resume::begin(known)).await?;
    stage.resumed = attempt.resumed_steps().collect();
    stage.done_before = attempt.done_before();
    Ok(Ready {
        stage,
        workspace,
        attempt,
        kept_parse,
    })
}

/// Where the steps run, and why the packages need no step, if they need none.
async fn prepare_workspace(
    config: &mut Config,
    plan: &Pipeline,
    connection: &Connection,
) -> Result<(Workspace, Option<String>), Error> {
    let variables = environment::compose(config, connection, false)?.variables;
    let secrets = environment::look_like_secrets(&variables);
    let harmless = pipeline::without_secrets(&variables, &secrets);
    packages::restore_leftover(&config.project_dir, &harmless);
    // Before the project is copied: the copy turns links of local packages into directories.
    let mut packages_installed = packages::installed(&config.project_dir, &harmless);
    let runs = |names: &[&str]| {
        let mut steps = plan.steps.iter();
        steps.any(|step| names.contains(&step.subcommand()))
    };
    let changes_project = runs(&["clean", "init"]);
    let runs_deps = packages_installed.is_none() && runs(&["deps"]);
    let steps = &plan.steps;
    let changes = changes_project || runs_deps;
    let workspace = match Workspace::prepare(config, &variables, steps, changes).await {
        // An empty directory for no packages is worth no copy.
        Err(_) if !changes_project && packages::has_none(&config.project_dir) => {
            packages_installed = Some("the project has no packages".to_owned());
            Workspace::prepare(config, &variables, steps, false).await?
        }
        workspace => workspace?,
    };
    Ok((workspace, packages_installed))
}

/// How dbt lays out what it writes.
fn layout(plan: &Pipeline, stage: &Stage, workspace: &Workspace, engine: &Engine) -> Layout {
    if !engine.is_native() {
        return Layout::Dbt1;
    }
    let mut others = workspace.targets_of(&plan.steps);
    others.push(stage.directory.clone());
    let variables = &stage.environment.variables;
    let docs = plan.steps.iter().rfind(|step| step.makes_docs());
    Layout::Dbt2 {
        site: docs.and_then(|step| {
            let target = workspace.target_of(step);
            pipeline::site_directory(step, variables, &stage.directory, &target)
        }),
        others,
    }
}

/// Faults of dbt are reported later, too.
fn start_engine(config: &Config, plan: &Pipeline, surroundings: &Surroundings) -> Engine {
    let directory = &surroundings.working_directory;
    let dbt = process::find(&config.dbt, &config.variables, directory).ok();
    let selected = parse::select_target(config, plan, &config.variables);
    let adapter = selected.as_ref().map(|selected| selected.adapter.as_str());
    Engine::begin(
        plan.engine,
        dbt.as_deref(),
        adapter,
        &config.variables,
        directory,
    )
}
