//! Owns the memory of which AWS credentials the SDK was given: their secret half must not reach a
//! log either.
//!
//! Never asks for credentials itself: that could cost a call, or a person's second factor, that
//! nothing else needs.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_credential_types::provider::future::ProvideCredentials as Answer;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::secret::Secret;

/// Secret keys and session tokens, as they were issued. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Issued(Arc<Mutex<Vec<Secret>>>);

impl Issued {
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The same configuration, with every set of credentials noted as it is handed out.
pub(super) fn observe(config: SdkConfig) -> (SdkConfig, Issued) {
    let issued = Issued::default();
    let Some(inner) = config.credentials_provider() else {
        return (config, issued);
    };
    let observer = Observer {
        inner,
        issued: issued.clone(),
    };
    (
        config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(observer))
            .build(),
        issued,
    )
}

#[derive(Debug)]
struct Observer {
    inner: SharedCredentialsProvider,
    issued: Issued,
}

impl ProvideCredentials for Observer {
    fn provide_credentials<'a>(&'a self) -> Answer<'a>
    where
        Self: 'a,
    {
        Answer::new(async {
            let credentials = self.inner.provide_credentials().await?;
            let mut seen = self.issued.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(Secret::new(credentials.secret_access_key()));
            seen.extend(credentials.session_token().map(Secret::new));
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<aws_credential_types::Credentials> {
        self.inner.fallback_on_interrupt()
    }
}
