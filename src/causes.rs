//! Owns the way from an error down to what caused it.
//!
//! Never decides how it is shown, and never prints an error's `Debug` form.

use std::error::Error;
use std::io;

/// The error itself, then each cause. An `io::Error` names as its source that of its content, and
/// so would hide the content itself.
pub(crate) fn of<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            Some(io) => io
                .get_ref()
                .map(|content| content as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The same for people: what each cause says, without those that only repeat what stands before.
pub(crate) fn told(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut told: Vec<String> = of(error).map(ToString::to_string).collect();
    told.dedup();
    told
}

/// An error and its causes in one line.
pub(crate) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    told(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] io::Error);

    #[test]
    fn all_causes_are_told_once() {
        let hidden = io::Error::other(Layer("middle", io::Error::other("bottom")));
        let error = Layer("top", hidden);
        assert_eq!(in_one_line(&error), "top: middle: bottom");
        assert_eq!(in_one_line(&io::Error::other("alone")), "alone");
    }
}
