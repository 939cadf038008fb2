//! Owns listing the folders below a key, of which there may be many.
//!
//! Never lists objects, and is needed only where the history of runs is lost.

use super::{Error, S3};
use crate::aws::Fault;

/// A thousand folders each.
const MOST_PAGES: usize = 20;

impl S3 {
    /// The names of the folders in this one that come after another name.
    pub(in crate::artifacts) async fn folders(
        &self,
        folder: &str,
        after: &str,
    ) -> Result<Vec<String>, Error> {
        let owner = self.expected_owner().await?;
        let prefix = self.key(&format!("{folder}/"));
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&prefix)
            .start_after(format!("{prefix}{after}"))
            .delimiter("/")
            .set_expected_bucket_owner(owner)
            .into_paginator()
            .send();
        let mut names = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = pages.next().await else {
                break;
            };
            let page = page.map_err(|error| Error::List {
                bucket: self.bucket.clone(),
                folder: prefix.clone(),
                source: Box::new(Fault::of(&error)),
            })?;
            let folders = page.common_prefixes().iter();
            let folders = folders.filter_map(|folder| folder.prefix()?.strip_prefix(&prefix));
            names.extend(folders.map(|name| name.trim_end_matches('/').to_owned()));
        }
        Ok(names)
    }
}
