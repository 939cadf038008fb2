//! Owns the question whose bucket it is. Bucket names are global: a bucket whose name was derived
//! may belong to a stranger who was faster, so it has to belong to the account of the run, and each
//! request says so.
//!
//! Never guesses: where the account cannot be learned, nothing goes into the bucket or comes out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::aws::{Aws, Fault, FaultKind, arn};

/// STS is asked while the login is fetched, and the first step waits for both.
const STS: Duration = Duration::from_secs(5);

/// The account that has to own the bucket. Cheap to clone; asked for once.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    /// The user named the bucket but no owner: the name is trusted.
    Unchecked,
    Account(String),
    AccountOfTheRun(Arc<Lookup>),
}

#[derive(Debug)]
pub(super) struct Lookup {
    aws: Aws,
    account: OnceCell<Result<String, Fault>>,
}

impl Owner {
    /// `named`: what the user says; `is_derived`: he has not named the bucket either.
    pub(super) fn new(named: Option<&str>, is_derived: bool, aws: &Aws) -> Self {
        match named {
            Some(account) => Self::Account(account.to_owned()),
            None if is_derived => Self::AccountOfTheRun(Arc::new(Lookup {
                aws: aws.clone(),
                account: OnceCell::new(),
            })),
            None => Self::Unchecked,
        }
    }

    /// What to expect of the bucket; `None` where nothing is expected. Fails where the account of
    /// the run cannot be learned.
    pub(super) async fn expected(&self) -> Result<Option<String>, Fault> {
        match self {
            Self::Unchecked => Ok(None),
            Self::Account(account) => Ok(Some(account.clone())),
            Self::AccountOfTheRun(lookup) => {
                let account = lookup.account.get_or_init(|| account(&lookup.aws));
                account.await.clone().map(Some)
            }
        }
    }

    /// The same as far as it is known by now.
    pub(super) fn known(&self) -> Option<&str> {
        match self {
            Self::Unchecked => None,
            Self::Account(account) => Some(account),
            Self::AccountOfTheRun(lookup) => lookup.account.get()?.as_deref().ok(),
        }
    }
}

/// On ECS the task says it without a call to AWS, and without an address that a private subnet may
/// not reach.
async fn account(aws: &Aws) -> Result<String, Fault> {
    match account_of_task(aws).await {
        Some(account) => Ok(account),
        None => account_of_caller(aws).await,
    }
}

async fn account_of_task(aws: &Aws) -> Option<String> {
    let arn = aws.task_arn().await?;
    arn::account_in(arn).map(str::to_owned)
}

async fn account_of_caller(aws: &Aws) -> Result<String, Fault> {
    let unknown = |message: String| Fault {
        kind: FaultKind::Unreachable,
        code: None,
        status: None,
        message,
        hint: None,
    };
    let client = aws_sdk_sts::Client::new(&aws.config);
    let answer = timeout(STS, client.get_caller_identity().send()).await;
    let answer = answer
        .map_err(|_| unknown(format!("STS did not answer within {} s", STS.as_secs())))?
        .map_err(|error| Fault::of(&error))?;
    answer
        .account()
        .map(str::to_owned)
        .ok_or_else(|| unknown("STS named no account".to_owned()))
}
