//! Owns the fuzzing of what lies at the destination beside a saved parse: labels and parses that
//! were right until something happened to them.
//!
//! `scripts/test fuzz` takes longer and looks closer. Never asks dbt what a parse is worth.

use std::io::Write as _;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const PARSE: &[u8] = b"\x81\xa5nodes\x80";

#[derive(Debug, Clone)]
enum Damage {
    Replaced(Vec<u8>),
    Flipped(Index, u8),
    Cut(Index),
    Inserted(Index, String),
}

impl Damage {
    fn done_to(&self, mut file: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Replaced(bytes) => return bytes.clone(),
            Self::Flipped(place, by) => {
                let place = place.index(file.len());
                file[place] ^= by;
            }
            Self::Cut(place) => file.truncate(place.index(file.len())),
            Self::Inserted(place, text) => {
                let place = place.index(file.len() + 1);
                file.splice(place..place, text.bytes());
            }
        }
        file
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let pieces = r#"[{}\[\]",:\\ \n]{1,3}|"seal":null,|"sha256":"",|"profile":"x",|\PC{1,3}"#;
    prop_oneof![
        1 => vec(any::<u8>(), 0..40).prop_map(Damage::Replaced),
        3 => (any::<Index>(), 1_u8..).prop_map(|(place, by)| Damage::Flipped(place, by)),
        1 => any::<Index>().prop_map(Damage::Cut),
        3 => (any::<Index>(), pieces).prop_map(|(place, text)| Damage::Inserted(place, text)),
    ]
}

fn by() -> ParseIdentity {
    ParseIdentity {
        dbt: "1.11.16".to_owned(),
        adapter: "redshift 1.11.1".to_owned(),
        profile: "shop".to_owned(),
        target: "live".to_owned(),
    }
}

/// What is restored after the damage.
async fn restored(label: Option<&Damage>, content: Option<&Damage>) -> Option<SavedParse> {
    // The key is made to take long.
    static SEALER: OnceLock<Sealer> = OnceLock::new();
    let sealer = SEALER.get_or_init(|| Sealer::begin(Secret::new("login-password"), &["here"]));
    let keeping = Keeping {
        sealer: Some(sealer.clone()),
        suspicious: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::Directory(folder.path().to_owned());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(PARSE).unwrap();
    let redactor = Redactor::default();
    let parse = Scanned::new(file, "parse".into(), &redactor).await;
    save(&destination, by(), parse.unwrap().unwrap(), &keeping).await;
    for (key, damage) in [(LABEL, label), (CONTENT, content)] {
        let Some(damage) = damage else { continue };
        let path = folder.path().join(key);
        let file = std::fs::read(&path).unwrap();
        std::fs::write(&path, damage.done_to(file)).unwrap();
    }
    let (send, receive) = oneshot::channel();
    send.send(keeping).unwrap();
    fetch(destination, receive).await
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

#[test]
fn the_unharmed_parse_is_restored() {
    let parse = run(restored(None, None)).unwrap();
    assert_eq!((parse.by, parse.content), (by(), PARSE.to_vec()));
}

proptest! {
    // Each case writes files. `PROPTEST_CASES` counts all the same.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn what_is_restored_is_what_was_saved_whatever_happened_to_it(
        label in proptest::option::of(damage()),
        content in proptest::option::of(damage()),
    ) {
        if let Some(parse) = run(restored(label.as_ref(), content.as_ref())) {
            prop_assert_eq!(parse.by, by());
            prop_assert_eq!(parse.content, PARSE);
        }
    }
}
