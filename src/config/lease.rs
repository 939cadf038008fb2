//! Owns the settings of the lease: whether there is one, where it lies, how long to wait for it.
//!
//! Never asks who holds it.

use std::time::Duration;

use super::destination;
use super::layers::Layers;
use super::values;
use super::{Config, Location, Publish};
use crate::setting;

/// Below the destination.
const KEY: &str = "state/lease.json";
const TTL: Duration = Duration::from_secs(90);

/// A lease that the run has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) location: Location,
    /// Below the location.
    pub(crate) key: String,
    /// The user has asked for it, so that a run without it is none.
    pub(crate) is_spelt_out: bool,
    /// The key is the user's.
    pub(crate) is_named: bool,
    pub(crate) wait: Duration,
    /// In whole seconds.
    pub(crate) ttl: Duration,
}

impl std::fmt::Display for Lease {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.location, self.key)
    }
}

/// Checks the settings of the lease without resolving them.
pub(super) fn check(layers: &Layers, faults: &mut Vec<String>) {
    wish(layers, faults);
    times(layers, faults);
}

/// `None` where there is none.
pub(super) fn resolve(
    layers: &Layers,
    config: &Config,
    publish: &Publish,
    faults: &mut Vec<String>,
) -> Option<Lease> {
    let wish = wish(layers, faults);
    let (wait, ttl) = times(layers, faults);
    let location = match publish {
        Publish::To { location, .. } => Some(location.clone()),
        Publish::Never => None,
    };
    let is_spelt_out = !matches!(wish, Wish::Default);
    let is_named = matches!(wish, Wish::At { .. });
    let (location, key) = match wish {
        Wish::Off => return None,
        Wish::At { bucket, key } => {
            let (owner, encryption) = destination::owner_and_encryption(layers, &mut Vec::new());
            let location = Location::S3 {
                bucket,
                prefix: String::new(),
                owner,
                is_derived: false,
                encryption,
            };
            (location, key)
        }
        Wish::On(origin) => {
            let Some(location) = location else {
                faults.push(format!(
                    "{origin}: a lease lies at the destination, and there is none, since nothing \
                     is published; set --destination and --publish, or name an s3://bucket/key"
                ));
                return None;
            };
            (location, KEY.to_owned())
        }
        Wish::Default => match location {
            Some(location @ Location::S3 { .. }) if config.is_deployment() => {
                (location, KEY.to_owned())
            }
            _ => return None,
        },
    };
    Some(Lease {
        location,
        key,
        is_spelt_out,
        is_named,
        wait,
        ttl,
    })
}

enum Wish {
    Default,
    Off,
    /// And where that was given.
    On(String),
    At {
        bucket: String,
        key: String,
    },
}

fn wish(layers: &Layers, faults: &mut Vec<String>) -> Wish {
    let Some(given) = layers.text(&setting::LEASE, faults) else {
        return Wish::Default;
    };
    match given.value.as_str() {
        // YAML takes `on` for a text and `true` for another.
        "on" | "true" => Wish::On(given.origin.to_string()),
        "off" | "false" => Wish::Off,
        address if address.starts_with("s3://") => match destination::object(address) {
            Ok((bucket, key)) => Wish::At { bucket, key },
            Err(what) => {
                faults.push(given.fault(what));
                Wish::Off
            }
        },
        other => {
            faults.push(given.fault(format!("{other:?} is not on, off or s3://bucket/key")));
            Wish::Off
        }
    }
}

/// How long to wait, and the TTL.
fn times(layers: &Layers, faults: &mut Vec<String>) -> (Duration, Duration) {
    let wait = layers.text(&setting::LEASE_WAIT, faults);
    let wait = wait.and_then(|given| match humantime::parse_duration(&given.value) {
        Ok(wait) if wait.is_zero() => Some(wait),
        _ => values::time(&given, faults),
    });
    let ttl = layers.text(&setting::LEASE_TTL, faults).and_then(|given| {
        let ttl = values::time(&given, faults)?;
        if ttl.subsec_nanos() == 0 {
            return Some(ttl);
        }
        faults.push(given.fault("must be whole seconds, since the clock of S3 has no others"));
        None
    });
    (wait.unwrap_or_default(), ttl.unwrap_or(TTL))
}
