//! Owns the choice of how steps start: each as its own dbt process, or forked from a dbt that is
//! imported once.
//!
//! The second way is faster and must never differ otherwise: if anything goes wrong with it, the
//! remaining steps start in the first way. dbt 2 is one native program and knows only the first.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Stage;
use super::child::{Ended, Output, Running, StopCause};
use super::shutdown::{Event, Shutdown, sleep_until_some};
use crate::config::{self, Step, Variables};
use crate::dbt::{self, Feed, Identity, Kind};
use crate::environment;
use crate::process::{Ending, strays};
use crate::redact::Redactor;
use crate::secret::Secret;
use crate::session::{ParseIdentity, Parsing, Session, Unusable, Versions};

const PLACEHOLDER: &str = "placeholder-for-a-secret";

/// How steps are started.
#[derive(Debug)]
pub(crate) struct Engine {
    session: Option<Session>,
    /// The log has named the engine, and the reason for it.
    announced: bool,
    choice: config::Engine,
    /// It is dbt 2.
    is_native: bool,
    /// The answer of a dbt that alone can tell its version, until it is there.
    asked: Option<(PathBuf, JoinHandle<Option<String>>)>,
    identity: Identity,
    /// Only if the parse is worth keeping.
    parsing: Option<Parsing>,
    parsed_by: Option<ParseIdentity>,
}

/// The result of an attempt to start a step in the session.
#[derive(Debug)]
pub(super) enum Attempt<'a> {
    /// With what it tells of its nodes.
    Started(Box<Running<'a>>, Output, Option<Box<Feed>>),
    /// The run or the step should end before the step began.
    Stopped(Ended),
    /// There is no session, or no longer one.
    NoSession,
}

impl Engine {
    /// Starts to import dbt, if that is what is wanted and possible. `dbt`: its absolute path, as
    /// far as it is known; `adapter`: the type of the project's database, as far as it is known;
    /// `variables`: those that the runner was started with.
    pub(crate) fn begin(
        choice: config::Engine,
        dbt: Option<&Path>,
        adapter: Option<&str>,
        variables: &Variables,
        working_directory: &Path,
    ) -> Self {
        let mut engine = Self {
            session: None,
            announced: false,
            choice,
            is_native: false,
            asked: None,
            identity: Identity {
                adapter: adapter.map(str::to_owned),
                ..Identity::default()
            },
            parsing: None,
            parsed_by: None,
        };
        let Some(dbt) = dbt else {
            engine.fall_back("dbt was not found");
            return engine;
        };
        let harmless = without_secrets(variables, &environment::secrets(variables));
        let installation = match Kind::of(dbt, variables, working_directory) {
            Kind::Script(installation) => {
                engine.identity.set_from_installation(&installation);
                installation
            }
            // A script is asked only where the answer matters, since it may have to import dbt 1.
            Kind::Other(why) if choice == config::Engine::Process => {
                engine.fall_back(why);
                return engine;
            }
            kind => {
                engine.is_native = matches!(kind, Kind::NativeDbt)
                    || matches!((&kind, choice), (Kind::NativeOther, config::Engine::Native));
                engine.ask(dbt, harmless, working_directory);
                return engine;
            }
        };
        let is_possible = match choice {
            config::Engine::Process => Err("the settings ask for it".to_owned()),
            config::Engine::Native => Err(format!("{} is dbt 1", dbt.display())),
            // Apple's libraries do not survive a fork reliably: the child may end at any time.
            config::Engine::Auto if cfg!(target_os = "macos") => {
                Err("on macOS only --engine session starts a session".to_owned())
            }
            _ if variables
                .keys()
                .any(|name| name.as_bytes().starts_with(b"=")) =>
            {
                Err("Python cannot hand on a variable whose name begins with \"=\"".to_owned())
            }
            _ => Ok(()),
        };
        let is_possible = is_possible.map_err(Unusable::Impossible);
        let session = is_possible.and_then(|()| {
            Session::begin(&installation, adapter, &harmless, working_directory).map_err(|error| {
                let python = installation.python.display();
                Unusable::Broken(format!("{python} cannot be started ({error})"))
            })
        });
        match session {
            Ok(session) => engine.session = Some(session),
            Err(why) => engine.fall_back(why),
        }
        engine
    }

    /// Lets dbt tell its version while something else is waited for.
    fn ask(&mut self, dbt: &Path, variables: Variables, working_directory: &Path) {
        let (program, directory) = (dbt.to_owned(), working_directory.to_owned());
        let answer =
            tokio::spawn(async move { dbt::ask_version(&program, &variables, &directory).await });
        self.asked = Some((dbt.to_owned(), answer));
    }

    /// Waits until it is known which dbt it is, as far as no session is needed to tell it. To be
    /// called before the first step. May be dropped, together with the engine.
    pub(crate) async fn settle(&mut self) {
        let Some((dbt, answer)) = self.asked.take() else {
            return;
        };
        let version = answer.await.ok().flatten();
        if let Some(version) = &version {
            let is_demanded = self.choice == config::Engine::Native;
            self.is_native &= is_demanded || dbt::is_known_version(version);
            self.is_native |= dbt::is_dbt_2(version);
        }
        let told = version.as_deref().unwrap_or("of unknown version");
        if self.is_native {
            let why = format!("dbt {told} is one native program");
            match self.choice {
                config::Engine::Session => {
                    tracing::warn!("engine: native instead of session, since {why}");
                }
                config::Engine::Process => {
                    tracing::info!("engine: native, since {why}; each step is a process anyway");
                }
                _ => tracing::info!("engine: native, since {why}"),
            }
            self.announced = true;
            self.identity.engine = Some("native");
        } else if self.choice == config::Engine::Process {
            self.fall_back("the settings ask for it");
        } else {
            let version = version.as_deref().map_or_else(
                || "tells no version".to_owned(),
                |version| format!("is dbt {version}"),
            );
            let dbt = dbt.display();
            self.fall_back(format!(
                "{dbt} is not the script that comes with dbt-core, and {version}"
            ));
        }
        self.identity.version = version;
    }

    /// Whether it is dbt 2, as far as that is settled.
    pub(crate) fn is_native(&self) -> bool {
        self.is_native
    }

    /// Which dbt it is, as far as that is known.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The same before the first step, which waits for the import of dbt.
    pub(crate) fn identity_so_far(&self) -> Identity {
        Identity {
            engine: self
                .identity
                .engine
                .or(self.session.as_ref().map(|_| "session")),
            ..self.identity.clone()
        }
    }

    /// Whether there is a session, in which a saved parse can be of use.
    pub(crate) fn is_warm(&self) -> bool {
        self.session.is_some()
    }

    /// Says what is known of the parse, which another run may have left behind.
    pub(crate) fn offer(&mut self, parsing: Parsing) {
        self.parsing = Some(parsing);
    }

    /// What the parse belongs to that lies in the target directory now; `None` where nobody parsed,
    /// or nobody wants to know.
    pub(crate) fn parsed_by(&self) -> Option<&ParseIdentity> {
        self.parsed_by
            .as_ref()
            .filter(|_| self.parsing.as_ref().is_some_and(Parsing::is_new))
    }

    /// Starts a step in the session, if there is one.
    pub(super) async fn start(
        &mut self,
        step: &Step,
        stage: &Stage,
        until: Option<Instant>,
        shutdown: &mut Shutdown,
    ) -> Attempt<'_> {
        let Some(mut session) = self.session.take() else {
            return Attempt::NoSession;
        };
        let told = nodes_file(&stage.target);
        let unread = || File::options().write(true).open("/dev/null");
        let result = {
            let forked = async {
                // The first step waits for the import.
                if !self.announced {
                    let versions = session.imported().await?;
                    self.announced = true;
                    announce(&versions);
                    self.identity
                        .set_from_session(&versions.dbt, versions.adapter.as_deref());
                    self.parsed_by = self.parsing.as_ref().and_then(|it| it.by(&versions));
                    let restored = match &mut self.parsing {
                        Some(parsing) => parsing.restore(&versions).await,
                        None => None,
                    };
                    let environment = &stage.environment;
                    let variables = without_secrets(&environment.variables, &environment.secrets);
                    session.prepare(&stage.directory, &variables, restored);
                }
                let nodes = told.as_ref().map_or_else(unread, File::try_clone);
                let nodes = nodes.map_err(|error| error.to_string())?;
                session
                    .start(
                        &step.command,
                        &stage.directory,
                        &stage.environment.variables,
                        &nodes,
                    )
                    .await
                    .map_err(Unusable::Broken)
            };
            tokio::pin!(forked);
            loop {
                tokio::select! {
                    biased;
                    event = shutdown.event() => match event {
                        Event::Stop(request) => break Err(StopCause::Run(request.cause)),
                        Event::PassOn(_) => {}
                    },
                    () = sleep_until_some(until) => break Err(StopCause::StepTimeout),
                    forked = &mut forked => break Ok(forked),
                }
            }
        };
        match result {
            Ok(Ok(forked)) => {
                let (running, output) =
                    Running::forked(stage.dbt.clone(), forked, self.session.insert(session));
                Attempt::Started(
                    Box::new(running),
                    output,
                    told.map(|file| Box::new(Feed::of_events(file))),
                )
            }
            Ok(Err(why)) => {
                self.fall_back(why);
                Attempt::NoSession
            }
            // Nothing has reached the database yet, so the session may end at once.
            Err(cause) => {
                session.end().await;
                if cause == StopCause::StepTimeout {
                    self.fall_back("a step ran out of time before it began");
                }
                Attempt::Stopped(Ended {
                    ending: Ending::Signal(Signal::SIGINT as i32),
                    stopped: Some(cause),
                    killed: false,
                })
            }
        }
    }

    /// Nothing of it is left behind when the run goes on to publish.
    pub(crate) async fn end(self) {
        if let Some((_, answer)) = self.asked {
            answer.abort();
        }
        if let Some(session) = self.session {
            session.end().await;
            strays::end().await;
        }
    }

    /// Goes on without a session.
    fn fall_back(&mut self, why: impl Into<Unusable>) {
        self.session = None;
        let (why, is_broken) = match why.into() {
            Unusable::Impossible(why) => (why, false),
            Unusable::Broken(why) => (why, true),
        };
        match (self.announced, self.choice) {
            (true, _) => {
                tracing::warn!("engine: process from here on, since the session is lost: {why}");
            }
            // Somebody asked for another one, and should learn that it is none.
            (false, config::Engine::Session) => {
                tracing::warn!("engine: process instead of session, since {why}");
            }
            (false, config::Engine::Native) => {
                tracing::warn!("engine: process instead of native, since {why}");
            }
            (false, _) if is_broken => tracing::warn!("engine: process, since {why}"),
            (false, _) => tracing::info!("engine: process, since {why}"),
        }
        self.announced = true;
        self.identity.engine.get_or_insert("process");
    }
}

/// Where a step tells what becomes of its nodes: a file without a name, since a pipe that nobody
/// reads in time would hold up dbt.
fn nodes_file(target: &Path) -> Option<File> {
    let file = tempfile::tempfile().or_else(|_| tempfile::tempfile_in(target));
    file.inspect_err(|error| tracing::debug!("no place for what dbt tells of nodes: {error}"))
        .ok()
}

/// A session without one of its layers is only slower, and the log names it. That nobody has tried
/// a session with this dbt is worth a warning.
fn announce(versions: &Versions) {
    tracing::info!(
        "engine: session, since dbt-core {} can be imported once for all steps",
        versions.dbt
    );
    for reason in &versions.left_out {
        if reason.starts_with("without shortcuts") {
            tracing::warn!("engine: session {reason}");
        } else {
            tracing::info!("engine: session {reason}");
        }
    }
}

/// Puts a placeholder in place of each secret, even if it is only a part of the value, as in a URL.
/// The placeholder never changes, so that a rotated password does not make dbt parse anew.
pub(crate) fn without_secrets(variables: &Variables, secrets: &[(String, Secret)]) -> Variables {
    let redactor = Redactor::new(secrets.iter().map(|(_, secret)| secret));
    let cleared = variables.iter().map(|(name, value)| {
        let is_secret = secrets.iter().any(|(secret, _)| name == secret.as_str())
            || redactor.is_in(value.as_bytes());
        (
            name.clone(),
            if is_secret {
                PLACEHOLDER.into()
            } else {
                value.clone()
            },
        )
    });
    cleared.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_cleared_in_every_variable_and_in_every_form() {
        let given = [
            ("DBT_REDSHIFT_PASSWORD", "Sup3r/Secret@Pass", true),
            ("DBT_ENV_SECRET_TOKEN", "short", true),
            ("RAW", "postgres://u:Sup3r/Secret@Pass@h/db", true),
            (
                "DATABASE_URL",
                "postgres://u:Sup3r%2FSecret%40Pass@h/db",
                true,
            ),
            ("DBT_REDSHIFT_USER", "short", false),
            ("EMPTY", "", false),
        ];
        let variables: Variables = given
            .iter()
            .map(|(name, value, _)| (name.into(), value.into()))
            .collect();
        let cleared = without_secrets(&variables, &environment::secrets(&variables));
        for (name, value, is_secret) in given {
            assert_eq!(
                cleared[std::ffi::OsStr::new(name)],
                if is_secret { PLACEHOLDER } else { value },
                "{name}"
            );
        }
    }
}
