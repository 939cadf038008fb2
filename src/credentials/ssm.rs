//! Owns the reading of parameters below a path in the parameter store.
//!
//! Never descends: what lies deeper belongs to something else.

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::Parameter;

use super::{Connection, Error, fields, kms};
use crate::aws::{Fault, FaultKind, arn};

/// The last segment of a parameter's name is the name of the field.
pub(super) async fn fetch(path: &str, config: &SdkConfig) -> Result<Connection, Error> {
    let path = &with_slash(path);
    let client = Client::new(config);
    let mut pages = client
        .get_parameters_by_path()
        .path(path)
        .with_decryption(true)
        .into_paginator()
        .send();
    let mut fields = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(path, Fault::of(&error), config))?;
        fields.extend(
            page.parameters
                .unwrap_or_default()
                .into_iter()
                .filter_map(field),
        );
    }
    let connection = fields::from_pairs(fields.into_iter()).map_err(|source| Error::Fields {
        origin: origin(path),
        source,
    })?;
    // A source that supplies nothing at all is a wrong path, not one that leaves everything to the
    // environment.
    if connection.is_empty() {
        return Err(Error::NoParameters {
            path: path.to_owned(),
            found: connection.found,
        });
    }
    Ok(connection)
}

fn field(parameter: Parameter) -> Option<(String, String)> {
    let name = parameter.name?.rsplit('/').next()?.to_owned();
    Some((name, parameter.value?))
}

/// With the slash a policy on `parameter/path/*` is enough.
fn with_slash(path: &str) -> String {
    format!("{}/", path.trim_end_matches('/'))
}

fn origin(path: &str) -> String {
    format!("the parameters below {path}")
}

fn failed(path: &str, fault: Fault, config: &SdkConfig) -> Error {
    let hint = match fault.kind {
        FaultKind::Denied if kms::is_meant(&fault) => Some(kms::hint(&fault, config)),
        FaultKind::Denied => {
            let resource = arn::build("ssm", config, &fault.message, &format!("parameter{path}*"));
            Some(format!("allow ssm:GetParametersByPath on {resource}"))
        }
        _ => None,
    };
    Error::Call {
        attempt: format!("read {}", origin(path)),
        hint,
        fault: Box::new(fault),
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    #[test]
    fn the_last_segment_is_the_field() {
        let parameter = Parameter::builder()
            .name("/shop/dev/password")
            .value(" p ")
            .build();
        assert_eq!(
            field(parameter),
            Some(("password".to_owned(), " p ".to_owned()))
        );
        assert_eq!(
            field(Parameter::builder().name("/shop/dev/password").build()),
            None
        );
    }

    #[test]
    fn a_path_ends_in_one_slash() {
        assert_eq!(with_slash("/shop/dev"), "/shop/dev/");
        assert_eq!(with_slash("/shop/dev//"), "/shop/dev/");
        assert_eq!(with_slash("/"), "/");
    }

    #[test]
    fn a_denied_call_hints_at_the_permission() {
        let config = SdkConfig::builder()
            .region(Region::new("us-gov-west-1"))
            .behavior_version(BehaviorVersion::v2026_01_12())
            .build();
        let message =
            "User: arn:aws-us-gov:iam::123456789012:user/a is not authorized to perform: \
            ssm:GetParametersByPath"
                .to_owned();
        let fault = Fault {
            kind: FaultKind::Denied,
            code: Some("AccessDeniedException".into()),
            status: Some(400),
            message,
            hint: None,
        };
        let error = failed("/shop/dev/", fault, &config);
        assert_eq!(
            error.to_string(),
            "cannot read the parameters below /shop/dev/"
        );
        assert_eq!(
            error.hint().unwrap(),
            "allow ssm:GetParametersByPath on \
                arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/shop/dev/*"
        );
    }
}
