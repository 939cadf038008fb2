//! Owns the tests of objects that several runs write, on S3 and in a directory.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::loopback::{Bucket, Fate};
use super::*;

const KEY: &str = "state/thing.json";

async fn places() -> Vec<(&'static str, Destination, Option<tempfile::TempDir>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    vec![
        ("s3", Bucket::open().await.destination(), None),
        ("file", Destination::Directory(path), Some(directory)),
    ]
}

async fn read(place: &Destination) -> Stored {
    place.read_state(KEY, 100).await.unwrap().unwrap()
}

fn tag(saved: Saved) -> Tag {
    match saved {
        Saved::Done(tag) => tag,
        Saved::Conflict => panic!("a conflict"),
    }
}

#[tokio::test]
async fn only_who_knows_the_object_as_it_is_writes_it() {
    for (name, place, _directory) in places().await {
        assert!(
            place.read_state(KEY, 100).await.unwrap().is_none(),
            "{name}"
        );
        let unknown = Tag::new("\"1\"");
        let replaced = place.replace_state(KEY, &unknown, b"x").await.unwrap();
        assert_eq!(replaced, Saved::Conflict, "{name}: nothing to replace");
        let first = tag(place.create_state(KEY, b"one").await.unwrap());
        let stored = read(&place).await;
        assert_eq!(stored.content.as_deref(), Some(&b"one"[..]), "{name}");
        assert_eq!(stored.tag, first, "{name}");
        assert!(stored.age.unwrap() < Duration::from_mins(1), "{name}");
        let again = place.create_state(KEY, b"two").await.unwrap();
        assert_eq!(again, Saved::Conflict, "{name}: it is there");
        let second = tag(place.replace_state(KEY, &first, b"two").await.unwrap());
        assert_ne!(first, second, "{name}");
        let late = place.replace_state(KEY, &first, b"three").await.unwrap();
        assert_eq!(late, Saved::Conflict, "{name}: it is another by now");
        assert_eq!(
            read(&place).await.content.as_deref(),
            Some(&b"two"[..]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_too_large_is_told_and_can_be_replaced() {
    for (name, place, _directory) in places().await {
        let large = vec![b'x'; 101];
        tag(place.create_state(KEY, &large).await.unwrap());
        let stored = read(&place).await;
        assert_eq!(stored.content, None, "{name}");
        tag(place
            .replace_state(KEY, &stored.tag, b"small")
            .await
            .unwrap());
        assert_eq!(
            read(&place).await.content.as_deref(),
            Some(&b"small"[..]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn of_many_at_once_one_creates_and_one_replaces() {
    for (name, place, _directory) in places().await {
        let place = Arc::new(place);
        let mut known: Option<Tag> = None;
        for round in 0..3 {
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..50 {
                let (place, known) = (Arc::clone(&place), known.clone());
                writers.spawn(async move {
                    let content = format!("{round} {writer}").into_bytes();
                    match known {
                        None => place.create_state(KEY, &content).await,
                        Some(tag) => place.replace_state(KEY, &tag, &content).await,
                    }
                });
            }
            let saved = writers.join_all().await.into_iter().map(Result::unwrap);
            let done: Vec<_> = saved.filter(|saved| *saved != Saved::Conflict).collect();
            assert_eq!(done.len(), 1, "{name}, round {round}");
            known = Some(read(&place).await.tag);
        }
    }
}

/// The SDK repeats a request whose answer was lost, and S3 then refuses it.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_by_what_is_there() {
    for (fates, expected) in [
        (&[Fate::Lost][..], true),
        (&[Fate::Dropped], true),
        (&[Fate::Lost; 3], true),
        (&[Fate::Refused(503, "SlowDown"), Fate::Lost], true),
        (&[Fate::Refused(409, "ConditionalRequestConflict")], false),
        (&[Fate::Refused(412, "PreconditionFailed")], false),
    ] {
        let bucket = Bucket::open().await;
        for fate in fates {
            bucket.plan("PUT", *fate);
        }
        let saved = bucket
            .destination()
            .create_state(KEY, b"mine")
            .await
            .unwrap();
        let is_done = saved != Saved::Conflict;
        assert_eq!(is_done, expected, "{fates:?} {:?}", bucket.log());
        let is_there = bucket.content(KEY).as_deref() == Some(b"mine");
        assert_eq!(is_done, is_there, "{fates:?}");
    }
}

#[tokio::test]
async fn what_stays_unknown_is_an_error() {
    let bucket = Bucket::open().await;
    for (method, fate) in [("PUT", Fate::Lost), ("GET", Fate::Dropped)] {
        (0..3).for_each(|_| bucket.plan(method, fate));
    }
    assert!(
        bucket
            .destination()
            .create_state(KEY, b"mine")
            .await
            .is_err()
    );
    let bucket = Bucket::open().await;
    bucket.plan("PUT", Fate::Refused(403, "AccessDenied"));
    let error = bucket
        .destination()
        .create_state(KEY, b"mine")
        .await
        .unwrap_err();
    assert!(
        crate::causes::in_one_line(&error).contains("AccessDenied"),
        "{error}"
    );
}

#[tokio::test]
async fn the_age_is_counted_by_the_clock_of_the_bucket() {
    for ahead in [-3600, 0, 3600] {
        let bucket = Bucket::open().await;
        bucket.set_ahead(ahead);
        bucket.put(KEY, b"one");
        let age = read(&bucket.destination()).await.age.unwrap();
        assert!(age < Duration::from_secs(5), "{ahead}: {age:?}");
        bucket.set_ahead(ahead + 100);
        let age = read(&bucket.destination()).await.age.unwrap();
        assert!((100..105).contains(&age.as_secs()), "{ahead}: {age:?}");
        bucket.set_ahead(ahead - 100);
        let age = read(&bucket.destination()).await.age.unwrap();
        assert_eq!(age, Duration::ZERO, "the clock of the bucket was set back");
    }
}

#[tokio::test]
async fn the_age_of_a_file_is_counted_by_the_clock_of_its_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let place = Destination::Directory(directory.path().to_owned());
    tag(place.create_state(KEY, b"one").await.unwrap());
    let file = std::fs::File::options()
        .write(true)
        .open(directory.path().join(KEY))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(100))
        .unwrap();
    let age = read(&place).await.age.unwrap();
    assert!((99..105).contains(&age.as_secs()), "{age:?}");
    file.set_modified(SystemTime::now() + Duration::from_secs(100))
        .unwrap();
    assert_eq!(read(&place).await.age, None, "nobody can say");
}

/// A step may have put anything there.
#[tokio::test]
async fn nothing_but_a_regular_file_is_read_or_locked() {
    let directory = tempfile::tempdir().unwrap();
    let place = Destination::Directory(directory.path().to_owned());
    std::fs::create_dir(directory.path().join("state")).unwrap();
    let file = directory.path().join(KEY);
    let lock = directory.path().join(format!("{KEY}.lock"));
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(place.read_state(KEY, 100).await.is_err());
    std::fs::remove_file(&file).unwrap();
    symlink("/dev/zero", &lock).unwrap();
    assert!(place.create_state(KEY, b"one").await.is_err());
    std::fs::remove_file(&lock).unwrap();
    nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _ = place.create_state(KEY, b"one").await;
}
