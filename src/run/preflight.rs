//! Owns the checks before step one, whose faults make one message.
//!
//! Never starts anything.

use std::path::{Path, PathBuf};

use super::prepare::Error;
use crate::artifacts::DestinationError;
use crate::causes;
use crate::config::{Config, ProjectFile, Step, Variables};
use crate::exit_code::ExitCode;
use crate::process;
use crate::project::{Workspace, profile};

/// One fault with the exit code that it would have alone.
struct Fault {
    code: ExitCode,
    text: String,
    hint: Option<String>,
}

/// Returns the path of dbt. `unusable`: why the destination is unusable. The first fault decides
/// the exit code.
pub(super) fn check(
    config: &Config,
    steps: &[Step],
    workspace: &Workspace,
    variables: &Variables,
    unusable: Option<&DestinationError>,
    working_directory: &Path,
) -> Result<PathBuf, Error> {
    let mut faults = Vec::new();
    let dbt = process::find(&config.dbt, variables, working_directory).unwrap_or_else(|error| {
        let hint = Some("install dbt, or set PATH, --dbt or DBT_ENTRYPOINT_DBT".to_owned());
        faults.push(Fault {
            code: (&error).into(),
            text: causes::in_one_line(&error),
            hint,
        });
        PathBuf::new()
    });
    if config.project_dir.join("dbt_project.yml").is_file() {
        let unread = ProjectFile::read(&config.project_dir).err();
        let unknown = unread.or_else(|| workspace.target_unknown.clone());
        faults.extend(unknown.map(|text| Fault {
            code: ExitCode::Usage,
            text,
            hint: None,
        }));
    } else {
        let text = format!(
            "no dbt project in {}: dbt_project.yml is not there",
            config.project_dir.display()
        );
        faults.push(Fault {
            code: ExitCode::Usage,
            text,
            hint: Some("set --project-dir or DBT_PROJECT_DIR".to_owned()),
        });
    }
    let findings = profile::check(
        &config.project_dir,
        config.profiles_dir.as_deref(),
        steps,
        variables,
    );
    findings
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    faults.extend(findings.faults.into_iter().map(|text| Fault {
        code: ExitCode::Usage,
        text,
        hint: None,
    }));
    faults.extend(unusable.map(|error| Fault {
        code: ExitCode::PublishFailed,
        text: causes::in_one_line(error),
        hint: error.hint(),
    }));
    match faults.first().map(|fault| fault.code) {
        None => Ok(dbt),
        Some(code) => {
            let hints = faults
                .iter()
                .filter_map(|fault| fault.hint.clone())
                .collect();
            Err(Error::Faults {
                code,
                faults: faults.into_iter().map(|fault| fault.text).collect(),
                hints,
            })
        }
    }
}
