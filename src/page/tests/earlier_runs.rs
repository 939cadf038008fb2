//! Owns the proof that a page tells what an earlier run did from what this one did.
//!
//! Never looks at the page of all runs.

use super::*;

#[test]
fn a_resumed_run_says_so_and_a_refused_one_says_why() {
    let steps = vec![
        line("run", Status::Resumed, 0.0),
        line("test", Status::Success, 2.0),
    ];
    let summary = summary(RunStatus::Success, steps);
    let resumed = |refused: Option<&str>| Resumed {
        from: "20261121T061442Z-00000000".to_owned(),
        refused: refused.map(str::to_owned),
    };
    let of = |refused| {
        let steps = vec![StepFacts::default(), step("test", 2.0, Vec::new())];
        let mut facts = facts(&summary, 3.0, steps);
        facts.resumed = Some(resumed(refused));
        of_run(&facts).unwrap()
    };
    assert_has(
        &of(None),
        &[
            "It went on with what the run 20261121T061442Z-00000000 had begun",
            "done by the earlier run",
        ],
    );
    assert_has(
        &of(Some("the project has changed")),
        &["ran everything instead: the project has changed."],
    );
}

#[test]
fn what_an_earlier_run_did_is_told_as_such() {
    let (summary, steps) = a_run_that_goes_on(Status::Resumed, -60.0);
    let mut facts = facts(&summary, 15.0, steps);
    facts.graph = Graph::of(&[("model.shop.b", &["model.shop.a"])]);
    let page = of_run(&facts).unwrap();
    assert_has(
        &page,
        &[
            "one thread at once, 1 node in 15 s",
            "4 more belong to the earlier run",
            "model in first, earlier run",
            "<tr><td>bad<td>model<td>first, earlier run",
        ],
    );
    for absent in ["Critical path", "<title>a:", "Not drawn:"] {
        assert!(!page.contains(absent), "{absent:?} is in {page}");
    }
    let failed = page.split("id=\"next\"").next().unwrap();
    assert!(!failed.contains("bad</bdi>"), "{failed}");
}

/// A step that is finished takes over the nodes of the earlier run: those have earlier times or
/// none.
#[test]
fn a_step_that_was_finished_draws_its_own_nodes_only() {
    let summary = summary(RunStatus::Success, vec![line("run", Status::Success, 3.0)]);
    let nodes = vec![
        ran("model.shop.a", -60.0, -50.0),
        NodeRun {
            span: None,
            ..ran("model.shop.b", 0.0, 7.0)
        },
        ran("model.shop.c", 1.0, 2.0),
    ];
    let mut facts = facts(&summary, 3.0, vec![step("run", 3.0, nodes)]);
    facts.resumed = Some(Resumed {
        from: "20261121T061442Z-00000000".to_owned(),
        refused: None,
    });
    let page = of_run(&facts).unwrap();
    assert_has(
        &page,
        &[
            "All three models were built.",
            "one thread at once, 1 node in 3.0 s",
            "2 more belong to the earlier run",
        ],
    );
    let (_, slow) = page.split_once("id=\"slow\"").unwrap();
    let slow = slow.split("</section>").next().unwrap();
    assert!(!slow.contains("<bdi>a</bdi>") && slow.contains("<bdi>c</bdi>"));
}
