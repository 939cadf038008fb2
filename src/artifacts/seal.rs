//! Owns the seal on a saved parse. It proves that whoever made the parse knew the password of the
//! login, or `DBT_ENTRYPOINT_CACHE_KEY`. A parse is code that dbt runs, and anybody who can write
//! to the destination could leave one there.
//!
//! Never keeps a parse and never reads one.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use scrypt::Params;
use sha2::Sha256;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// 2^14 blocks of 8 times 128 bytes: 16 MB for each guess at a password.
const LOG_BLOCKS: u8 = 14;
const BLOCK: u32 = 8;
const PURPOSE: &str = "dbt-entrypoint saved parse 1";

type Key = Zeroizing<[u8; 32]>;

/// The key to seals of one project at one destination. Cheap to clone; derived once.
#[derive(Debug, Clone)]
pub(crate) struct Sealer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secret: Secret,
    /// Where the parse belongs: a seal is worth nothing elsewhere.
    place: Vec<u8>,
    key: OnceCell<Option<Key>>,
}

impl Sealer {
    /// `place`: destination, project and environment. Starts to derive the key, on a thread of its
    /// own, since that takes as long as a fetch. Needs a running runtime.
    pub(crate) fn begin(secret: Secret, place: &[&str]) -> Self {
        let sealer = Self::new(secret, place);
        let deriving = sealer.clone();
        tokio::spawn(async move {
            deriving.key().await;
        });
        sealer
    }

    fn new(secret: Secret, place: &[&str]) -> Self {
        Self(Arc::new(Inner {
            secret,
            place: length_prefixed(place),
            key: OnceCell::new(),
        }))
    }

    /// What proves that the holder of the secret has said these words; `None` where no key can be
    /// had.
    pub(super) async fn seal(&self, words: &[&str]) -> Option<String> {
        Some(hex::encode(self.mac(words).await?.finalize().into_bytes()))
    }

    /// In constant time.
    pub(super) async fn is_right(&self, seal: &str, words: &[&str]) -> bool {
        match (self.mac(words).await, hex::decode(seal)) {
            (Some(mac), Ok(seal)) => mac.verify_slice(&seal).is_ok(),
            _ => false,
        }
    }

    async fn mac(&self, words: &[&str]) -> Option<Hmac<Sha256>> {
        let key = self.key().await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key[..]).ok()?;
        mac.update(&length_prefixed(words));
        Some(mac)
    }

    async fn key(&self) -> Option<&Key> {
        let derive = || {
            let inner = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || derive(&inner.secret, &inner.place))
        };
        let key = self
            .0
            .key
            .get_or_init(async || derive().await.ok().flatten());
        key.await.as_ref()
    }
}

fn derive(secret: &Secret, place: &[u8]) -> Option<Key> {
    let parameters = Params::new(LOG_BLOCKS, BLOCK, 1).ok()?;
    let salt = [PURPOSE.as_bytes(), b"\0", place].concat();
    let mut key = Key::default();
    scrypt::scrypt(secret.expose(), &salt, &parameters, &mut key[..]).ok()?;
    Some(key)
}

/// Several texts as one, so that no two lists are the same bytes.
fn length_prefixed(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: [&str; 3] = ["s3://bucket/shop", "shop", "live"];
    const WORDS: [&str; 2] = ["1.11.16", "redshift 1.11.1"];

    fn sealer(secret: &str, place: &[&str]) -> Sealer {
        Sealer::new(Secret::new(secret), place)
    }

    #[tokio::test]
    async fn a_seal_is_right_for_one_secret_one_place_and_these_words_alone() {
        let seal = sealer("password", &PLACE).seal(&WORDS).await.unwrap();
        assert_eq!(seal.len(), 64);
        for (secret, place, words, expected) in [
            ("password", PLACE, WORDS, true),
            ("passwore", PLACE, WORDS, false),
            (
                "password",
                ["s3://bucket/shops", "hop", "live"],
                WORDS,
                false,
            ),
            (
                "password",
                ["s3://other/shop", "shop", "live"],
                WORDS,
                false,
            ),
            (
                "password",
                ["s3://bucket/shop", "shop", "dev"],
                WORDS,
                false,
            ),
            ("password", PLACE, ["1.11.1", "6redshift 1.11.1"], false),
            ("password", PLACE, ["1.11.17", "redshift 1.11.1"], false),
        ] {
            assert_eq!(
                sealer(secret, &place).is_right(&seal, &words).await,
                expected,
                "{secret} {place:?} {words:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_seal_is_wrong() {
        let sealer = sealer("password", &PLACE);
        let right = sealer.seal(&WORDS).await.unwrap();
        for wrong in [
            "",
            "0",
            "zz",
            "é0",
            &right[..62],
            &format!("{right}00"),
            &right[1..],
        ] {
            assert!(!sealer.is_right(wrong, &WORDS).await, "{wrong}");
        }
        assert!(sealer.is_right(&right, &WORDS).await);
    }
}
