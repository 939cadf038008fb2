//! Owns nodes for the tests of this module.
//!
//! Never used outside tests.

use crate::artifacts::{NodeRun, NodeState};

pub(super) fn node(id: &str, thread: &str, start: f64, end: f64) -> NodeRun {
    NodeRun {
        id: id.to_owned(),
        state: NodeState::Success,
        status: String::new(),
        span: Some((start, end)),
        seconds: end - start,
        thread: Some(format!("Thread-{thread}")),
        rows: None,
        message: None,
        age: None,
        warns_after: None,
        fails_after: None,
    }
}
