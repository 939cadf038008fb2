//! Owns the question which image this container was started from.
//!
//! Never asked outside ECS, and never waited for.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::Aws;

/// The task's metadata answers in a moment.
const PATIENCE: Duration = Duration::from_secs(1);

impl Aws {
    /// The digest of the image, as the container's metadata has it.
    pub(crate) async fn image(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Container {
            #[serde(rename = "ImageID")]
            image: String,
        }
        let address = self.task_metadata.as_ref()?;
        let content = timeout(PATIENCE, self.get(address)).await.ok()?.ok()?;
        let container: Container = serde_json::from_slice(&content).ok()?;
        Some(container.image).filter(|image| !image.is_empty())
    }
}
