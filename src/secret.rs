//! Owns the one type that may hold a secret value.
//!
//! Never prints, serialises or compares its content; the only way in is `expose`, so that `grep
//! expose` lists every use.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that must not reach a log, a file or an argument list. Zeroed when dropped.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub(crate) fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Each caller hands it to a child's environment, an AWS call or the
    /// redactor, and to nothing else.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_print_the_value() {
        assert_eq!(format!("{:?}", Secret::new("hunter2hunter2")), "[redacted]");
        assert_eq!(
            format!("{:#?}", Some(Secret::new("hunter2hunter2"))),
            "Some(\n    [redacted],\n)"
        );
    }
}
