//! Owns the tests of the lease on a bucket that answers badly: many that want it at once, and all
//! that can lie in its place.

use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::record::Record;
use super::*;
use crate::artifacts::Destination;
use crate::artifacts::loopback::{Bucket, Fate};

const KEY: &str = "state/lease.json";
const TTL: Duration = Duration::from_secs(2);
/// Longer than any test.
const LONG: Duration = Duration::from_mins(5);

fn terms(destination: Destination, holder: &str, wait: Duration, ttl: Duration) -> Terms {
    Terms {
        place: Place {
            destination,
            key: KEY.to_owned(),
            is_named: false,
        },
        claim: Claim {
            holder: holder.to_owned(),
            task: format!("host of {holder}"),
            since: "2026-11-22T06:14:42Z".to_owned(),
            ttl,
        },
        wait,
        shown: "s3://docs/shop/state/lease.json".to_owned(),
    }
}

fn ask(bucket: &Bucket, holder: &str, wait: Duration, ttl: Duration) -> Lease {
    let terms = terms(bucket.destination(), holder, wait, ttl);
    Lease::ask(terms.shown.clone(), async { terms })
}

fn at_once(bucket: &Bucket, holder: &str) -> Lease {
    ask(bucket, holder, Duration::ZERO, TTL)
}

fn record(bucket: &Bucket) -> Value {
    serde_json::from_slice(&bucket.content(KEY).unwrap()).unwrap()
}

fn plant(bucket: &Bucket, holder: &Value, ttl: u64) {
    let record = json!({"v": 1, "holder": holder, "task": "t", "since": "s", "seq": 7,
        "ttl": ttl});
    bucket.put(KEY, record.to_string().as_bytes());
}

/// How a run ends that does not get the lease.
async fn refusal(lease: &Lease) -> String {
    crate::causes::in_one_line(&*lease.held().await.unwrap_err())
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "in vain: {what}"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn it_is_taken_renewed_and_given_back() {
    let bucket = Bucket::open().await;
    let mut lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    let taken = record(&bucket);
    let expected = json!({"v": 1, "holder": "a", "task": "host of a",
        "since": "2026-11-22T06:14:42Z", "seq": 1, "ttl": 2});
    assert_eq!(taken, expected);
    let refused = refusal(&at_once(&bucket, "b")).await;
    assert!(
        refused.contains("is held by the run a (host of a) since 2026-11-22T06:14:42Z"),
        "{refused}"
    );
    until("two renewals", || record(&bucket)["seq"] == 3).await;
    lease.give_back(LONG).await;
    assert_eq!(record(&bucket)["holder"], Value::Null);
    assert_eq!(record(&bucket)["seq"], 4);
    at_once(&bucket, "b").held().await.unwrap();
    assert_eq!(record(&bucket)["holder"], "b");
}

#[tokio::test]
async fn whatever_lies_in_its_place_is_respected_for_a_ttl_and_then_taken_over() {
    let huge = vec![b' '; 1 << 20];
    let odd: [&[u8]; 7] = [
        b"",
        b"not JSON",
        b"{}",
        br#"{"v":1,"holder":"other","task"#,
        br#"{"v":2,"holder":"other","ttl":1,"region":"x"}"#,
        br#"{"v":1,"holder":{"run":"other"}}"#,
        &huge,
    ];
    for content in odd {
        let name = String::from_utf8_lossy(&content[..content.len().min(40)]).into_owned();
        let bucket = Bucket::open().await;
        bucket.put(KEY, content);
        let refused = refusal(&at_once(&bucket, "a")).await;
        assert!(refused.contains("is held by "), "{name}: {refused}");
        assert_eq!(bucket.content(KEY).unwrap(), content, "{name}: untouched");
        bucket.set_ahead(3);
        at_once(&bucket, "a").held().await.unwrap();
        assert_eq!(record(&bucket)["holder"], "a", "{name}");
    }
}

#[tokio::test]
async fn what_is_free_or_missing_is_taken_whatever_its_age() {
    for ahead in [-4000, 0, 4000] {
        let bucket = Bucket::open().await;
        plant(&bucket, &Value::Null, 90);
        bucket.set_ahead(ahead);
        at_once(&bucket, "a").held().await.unwrap();
        assert_eq!(record(&bucket)["seq"], 8);
        bucket.remove(KEY);
        at_once(&bucket, "b").held().await.unwrap();
    }
}

/// By the clock of the bucket, whatever that of this machine says.
#[tokio::test]
async fn the_ttl_of_the_holder_counts_by_the_clock_of_the_bucket() {
    for ahead in [-3600, 0, 3600] {
        let bucket = Bucket::open().await;
        bucket.set_ahead(ahead);
        plant(&bucket, &json!("other"), 60);
        bucket.set_ahead(ahead + 50);
        let refused = refusal(&at_once(&bucket, "a")).await;
        assert!(
            refused.contains("the run other (t) since s, renewed 5"),
            "{refused}"
        );
        bucket.set_ahead(ahead + 62);
        at_once(&bucket, "a").held().await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_gets_it_as_soon_as_it_is_given_back() {
    let bucket = Bucket::open().await;
    let mut first = at_once(&bucket, "a");
    first.held().await.unwrap();
    let second = ask(&bucket, "b", LONG, TTL);
    until("a look", || {
        bucket
            .log()
            .iter()
            .filter(|line| *line == "GET 200")
            .count()
            > 0
    })
    .await;
    first.give_back(LONG).await;
    second.held().await.unwrap();
}

/// A run that waits, in front of another that holds it for `ttl` and has been seen.
async fn waiting(bucket: &Bucket, wait: Duration, ttl: u64) -> Lease {
    plant(bucket, &json!("other"), ttl);
    let lease = ask(bucket, "a", wait, TTL);
    until("a look", || bucket.log().contains(&"GET 200".to_owned())).await;
    lease
}

#[tokio::test]
async fn whoever_knows_that_it_is_held_does_not_begin_because_it_may_not_read_it() {
    let bucket = Bucket::open().await;
    let lease = waiting(&bucket, Duration::from_secs(3), 90).await;
    for _ in 0..20 {
        bucket.plan("GET", Fate::Refused(403, "AccessDenied"));
    }
    let error = lease.held().await.unwrap_err();
    assert!(matches!(*error, Refusal::Held { .. }), "{error}");
    assert!(!error.is_for_good());
}

#[tokio::test]
async fn whoever_waits_is_not_held_up_by_a_store_that_says_nothing() {
    let wait = Duration::from_secs(3);
    let bucket = Bucket::open().await;
    let lease = waiting(&bucket, wait, 90).await;
    let began = Instant::now();
    for _ in 0..20 {
        bucket.plan("GET", Fate::Silent);
    }
    let error = lease.held().await.unwrap_err();
    assert!(matches!(*error, Refusal::Held { .. }), "{error}");
    let after = began.elapsed();
    assert!(after < wait + Duration::from_secs(4), "{after:?}");
    for method in ["GET", "PUT"] {
        let bucket = Bucket::open().await;
        let lease = waiting(&bucket, LONG, 2).await;
        let began = Instant::now();
        bucket.plan(method, Fate::Silent);
        lease.held().await.unwrap();
        let after = began.elapsed();
        assert!(after < TTL + Duration::from_secs(10), "{method}: {after:?}");
    }
}

#[tokio::test]
async fn it_is_lost_to_whoever_takes_it_over_or_away() {
    for (holder, expected) in [
        (
            json!("other"),
            "it was taken over by the run other (t) since s",
        ),
        (Value::Null, "it was taken away"),
    ] {
        let bucket = Bucket::open().await;
        let mut lease = at_once(&bucket, "a");
        lease.held().await.unwrap();
        plant(&bucket, &holder, 90);
        let planted = bucket.content(KEY);
        lease.loss().await;
        let why = lease.lost().unwrap();
        assert!(why.contains(expected), "{why}");
        lease.give_back(LONG).await;
        assert_eq!(
            bucket.content(KEY),
            planted,
            "another's lease is not given back"
        );
    }
}

#[tokio::test]
async fn what_was_deleted_or_damaged_under_its_holder_is_written_again() {
    for damage in [None, Some(&b"half"[..])] {
        let bucket = Bucket::open().await;
        let mut lease = at_once(&bucket, "a");
        lease.held().await.unwrap();
        match damage {
            None => bucket.remove(KEY),
            Some(content) => bucket.put(KEY, content),
        }
        let is_back = || {
            let content = bucket.content(KEY).unwrap_or_default();
            Record::parse(&content).is_some_and(|it| it.holder.as_deref() == Some("a"))
        };
        until("it is there again", is_back).await;
        assert_eq!(lease.lost(), None);
        lease.give_back(LONG).await;
        assert_eq!(record(&bucket)["holder"], Value::Null);
    }
}

#[tokio::test]
async fn out_of_reach_it_holds_for_its_ttl_and_is_lost_then() {
    let bucket = Bucket::open().await;
    let lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    let held = Instant::now();
    bucket.be_bad(1000, 7);
    lease.loss().await;
    let after = held.elapsed();
    assert!(after > TTL / 2 && after < TTL * 2, "{after:?}");
    let why = lease.lost().unwrap();
    assert!(
        why.contains("was not renewed for its TTL of 2 s: "),
        "{why}"
    );
}

/// The last attempt has no time left, and the one before knows why.
#[tokio::test]
async fn the_last_trouble_is_told() {
    let bucket = Bucket::open().await;
    let lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    for _ in 0..100 {
        bucket.plan("PUT", Fate::Refused(403, "AccessDenied"));
        bucket.plan("GET", Fate::Refused(403, "AccessDenied"));
    }
    lease.loss().await;
    let why = lease.lost().unwrap();
    assert!(why.contains("for its TTL of 2 s: cannot publish"), "{why}");
}

#[tokio::test]
async fn without_a_keeper_nothing_is_held() {
    let lease = Lease::ask("x".to_owned(), async { panic!("on purpose") });
    let error = lease.held().await.unwrap_err();
    assert!(matches!(*error, Refusal::Unkept { .. }), "{error}");
    let bucket = Bucket::open().await;
    let lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    lease.keeper.abort();
    lease.loss().await;
    assert!(lease.lost().unwrap().contains("nobody renews it any more"));
}

#[tokio::test]
async fn a_lease_that_was_written_very_often_is_taken_over_like_any_other() {
    let bucket = Bucket::open().await;
    let record = json!({"v": 1, "holder": "other", "seq": u64::MAX, "ttl": 1});
    bucket.put(KEY, record.to_string().as_bytes());
    bucket.set_ahead(3);
    let mut lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    assert_eq!(self::record(&bucket)["holder"], "a");
    lease.give_back(LONG).await;
    assert_eq!(self::record(&bucket)["holder"], Value::Null);
}

#[tokio::test]
async fn a_bad_moment_is_survived() {
    let bucket = Bucket::open().await;
    let mut lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    for fate in [
        Fate::Lost,
        Fate::Refused(409, "ConditionalRequestConflict"),
        Fate::Dropped,
        Fate::Refused(503, "SlowDown"),
    ] {
        let seq = record(&bucket)["seq"].as_u64();
        bucket.plan("PUT", fate);
        until("a renewal", || record(&bucket)["seq"].as_u64() > seq).await;
    }
    assert_eq!(lease.lost(), None);
    bucket.plan("PUT", Fate::Refused(409, "ConditionalRequestConflict"));
    lease.give_back(LONG).await;
    assert_eq!(record(&bucket)["holder"], Value::Null);
}

/// Such a run might have the right.
#[tokio::test]
async fn refused_credentials_are_no_missing_right() {
    for code in ["ExpiredToken", "RequestTimeTooSkewed", "InvalidAccessKeyId"] {
        let bucket = Bucket::open().await;
        for _ in 0..10 {
            bucket.plan("GET", Fate::Refused(403, code));
        }
        let lease = at_once(&bucket, "a");
        let error = lease.held().await.unwrap_err();
        assert!(!error.is_for_good(), "{code}: {error}");
    }
}

/// Whoever may not list a bucket is told that a missing object is denied.
#[tokio::test]
async fn a_denied_read_of_a_missing_lease_is_found_out_by_writing_one() {
    let denied = Fate::Refused(403, "AccessDenied");
    let fate_of = |method| if method == "GET" { denied } else { Fate::Fair };
    let bucket = Bucket::open().await;
    bucket.plan("GET", denied);
    at_once(&bucket, "a").held().await.unwrap();
    assert_eq!(record(&bucket)["holder"], "a");
    // Here it is not missing.
    let bucket = Bucket::open().await;
    plant(&bucket, &Value::Null, 90);
    let before = bucket.content(KEY);
    for method in ["GET", "PUT", "GET", "GET", "PUT", "GET", "GET"] {
        bucket.plan(method, fate_of(method));
    }
    let lease = at_once(&bucket, "a");
    let error = lease.held().await.unwrap_err();
    assert!(error.is_for_good(), "{error}");
    assert_eq!(bucket.content(KEY), before);
    // May write but not read: it must not look as if this run held it.
    let bucket = Bucket::open().await;
    for method in ["GET", "PUT", "GET", "PUT", "GET", "GET"] {
        bucket.plan(method, fate_of(method));
    }
    assert!(
        at_once(&bucket, "a")
            .held()
            .await
            .unwrap_err()
            .is_for_good()
    );
    assert_eq!(record(&bucket)["holder"], Value::Null);
}

/// The first two runs at a new place, of which neither may list the bucket.
#[tokio::test]
async fn whoever_comes_second_where_there_was_no_lease_sees_that_of_the_first() {
    for refused in [
        Fate::Fair,
        // Nobody can say then whether anything is there.
        Fate::Refused(409, "ConditionalRequestConflict"),
    ] {
        let bucket = Bucket::open().await;
        let denied = Fate::Refused(403, "AccessDenied");
        // Beside this, the lease is there.
        plant(&bucket, &json!("first"), 90);
        for (method, fate) in [("GET", denied), ("PUT", refused), ("GET", denied)] {
            bucket.plan(method, fate);
        }
        let refused = refusal(&at_once(&bucket, "second")).await;
        assert!(refused.contains("held by the run first"), "{refused}");
    }
}

#[tokio::test]
async fn a_run_that_stops_while_it_asks_leaves_no_lease_behind() {
    let bucket = Bucket::open().await;
    for _ in 0..20 {
        let mut lease = at_once(&bucket, "a");
        tokio::task::yield_now().await;
        sleep(Duration::from_millis(2)).await;
        lease.give_back(LONG).await;
        drop(lease);
        let free = || {
            bucket
                .content(KEY)
                .is_none_or(|_| record(&bucket)["holder"].is_null())
        };
        until("it is free", free).await;
    }
}

#[tokio::test]
async fn it_can_be_seen_and_taken_away() {
    let bucket = Bucket::open().await;
    let place = terms(bucket.destination(), "", LONG, TTL).place;
    assert!(matches!(
        place.look().await.unwrap(),
        Seen::Free { record: None }
    ));
    assert!(matches!(
        place.break_lease().await.unwrap(),
        Broken::WasFree
    ));
    assert_eq!(bucket.content(KEY), None);
    let lease = at_once(&bucket, "a");
    lease.held().await.unwrap();
    match place.look().await.unwrap() {
        Seen::Held {
            holder,
            is_expired: false,
        } => {
            assert_eq!(holder.record.unwrap().holder.as_deref(), Some("a"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        place.break_lease().await.unwrap(),
        Broken::From(_)
    ));
    assert_eq!(record(&bucket)["holder"], Value::Null);
    assert!(matches!(
        place.look().await.unwrap(),
        Seen::Free { record: Some(_) }
    ));
    lease.loss().await;
    bucket.put(KEY, b"no lease at all");
    assert!(matches!(
        place.break_lease().await.unwrap(),
        Broken::From(_)
    ));
    assert_eq!(record(&bucket)["holder"], Value::Null);
}

#[tokio::test]
async fn in_a_directory_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let ask = |holder: &str, wait| {
        let place = Destination::Directory(directory.path().to_owned());
        let terms = terms(place, holder, wait, TTL);
        Lease::ask(terms.shown.clone(), async { terms })
    };
    let mut first = ask("a", Duration::ZERO);
    first.held().await.unwrap();
    assert!(
        refusal(&ask("b", Duration::ZERO))
            .await
            .contains("the run a (host of a)")
    );
    first.give_back(LONG).await;
    let dead = ask("b", Duration::ZERO);
    dead.held().await.unwrap();
    dead.keeper.abort();
    let died = Instant::now();
    ask("c", LONG).held().await.unwrap();
    let after = died.elapsed();
    assert!(
        after >= TTL && after < TTL + Duration::from_secs(10),
        "{after:?}"
    );
}

/// As after a clock was set back: nobody can say how old such a file is.
#[tokio::test]
async fn a_file_of_the_future_is_taken_over_once_it_has_been_the_same_for_its_ttl() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(KEY);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let write = |seq: u64| {
        let record = json!({"v": 1, "holder": "other", "seq": seq, "ttl": 2});
        let file = directory.path().join("new");
        std::fs::write(&file, record.to_string()).unwrap();
        let ahead = SystemTime::now() + Duration::from_hours(1);
        File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(ahead)
            .unwrap();
        std::fs::rename(&file, &path).unwrap();
    };
    write(0);
    let place = Destination::Directory(directory.path().to_owned());
    let terms = terms(place, "a", LONG, TTL);
    let lease = Lease::ask(terms.shown.clone(), async { terms });
    let mut held = Box::pin(lease.held());
    for seq in 1..13 {
        write(seq);
        let is_held = timeout(TTL / 4, &mut held).await.is_ok();
        assert!(!is_held, "taken from a run that renews it");
    }
    let died = Instant::now();
    held.await.unwrap();
    let after = died.elapsed();
    assert!(
        after > TTL / 2 && after < TTL + Duration::from_secs(10),
        "{after:?}"
    );
}

/// What a crowd of starters has seen.
struct Crowd {
    holders: AtomicUsize,
    most: AtomicUsize,
    turns: AtomicUsize,
    /// When somebody last held it, and the longest time that nobody did.
    gaps: Mutex<(Instant, Duration)>,
}

impl Crowd {
    fn enter(&self) {
        let now = self.holders.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.turns.fetch_add(1, Ordering::SeqCst);
        let mut gaps = self.gaps.lock().unwrap();
        gaps.1 = gaps.1.max(gaps.0.elapsed());
    }

    fn leave(&self) {
        self.holders.fetch_sub(1, Ordering::SeqCst);
        self.gaps.lock().unwrap().0 = Instant::now();
    }
}

/// What a starter does once it holds the lease.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Short,
    /// With many renewals.
    Long,
    /// It dies at once.
    Killed,
}

async fn start(bucket: Bucket, crowd: Arc<Crowd>, name: String, turn: Turn) {
    let mut lease = ask(&bucket, &name, LONG, CROWD_TTL);
    // A store that answers badly three times in a row ends a run; another one is started.
    while let Err(error) = lease.held().await {
        assert!(!error.is_for_good(), "it would run without: {error}");
        lease = ask(&bucket, &name, LONG, CROWD_TTL);
    }
    crowd.enter();
    let time = match turn {
        Turn::Long => CROWD_TTL * 2,
        Turn::Short | Turn::Killed => Duration::from_millis(3),
    };
    tokio::select! {
        () = lease.loss() => {}
        () = sleep(time) => {}
    }
    if turn == Turn::Killed {
        // As after SIGKILL: what is on its way may still arrive.
        lease.keeper.abort();
        crowd.leave();
        return;
    }
    crowd.leave();
    lease.give_back(LONG).await;
}

const CROWD_TTL: Duration = Duration::from_secs(3);
const STARTERS: usize = 50;

/// Returns the longest time without a holder.
async fn round(round: u64) -> Duration {
    let bucket = Bucket::open().await;
    bucket.set_ahead([-3600, 0, 3600][usize::try_from(round % 3).unwrap()]);
    if round % 2 == 1 {
        bucket.be_unlisted();
    }
    // One bad answer in ten.
    bucket.be_bad(100, round + 1);
    let crowd = Arc::new(Crowd {
        holders: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        turns: AtomicUsize::new(0),
        gaps: Mutex::new((Instant::now(), Duration::ZERO)),
    });
    let mut starters = JoinSet::new();
    for starter in 0..STARTERS {
        let turn = match starter {
            7 => Turn::Long,
            25 => Turn::Killed,
            _ => Turn::Short,
        };
        let (bucket, crowd) = (bucket.clone(), Arc::clone(&crowd));
        starters.spawn(start(bucket, crowd, format!("{round}-{starter}"), turn));
    }
    starters.join_all().await;
    assert_eq!(crowd.most.load(Ordering::SeqCst), 1, "round {round}");
    assert_eq!(
        crowd.turns.load(Ordering::SeqCst),
        STARTERS,
        "round {round}"
    );
    let (_, longest) = *crowd.gaps.lock().unwrap();
    longest
}

/// `DBT_ENTRYPOINT_TEST_ROUNDS`: 100 by hand; few are enough to see that it works.
#[tokio::test]
async fn of_fifty_starters_at_once_never_two_hold_it() {
    #[allow(
        clippy::disallowed_methods,
        reason = "the number of rounds of this test alone"
    )]
    let rounds = std::env::var("DBT_ENTRYPOINT_TEST_ROUNDS");
    let by_hand = rounds.ok().and_then(|rounds| rounds.parse().ok());
    for number in 0..by_hand.unwrap_or(2) {
        let gap = round(number).await;
        println!("round {number}: longest gap {gap:?}");
        // Beside other tests, a close limit says more of the machine.
        let limit = CROWD_TTL + Duration::from_secs(if by_hand.is_some() { 10 } else { 60 });
        assert!(gap < limit, "{gap:?}");
    }
}
