//! Owns the time line: which node is where, by step and thread, and what lies between them.
//!
//! Pure. Places are shares of the width, so that the picture fits a phone. Never draws: run.html
//! does.

use std::collections::BTreeMap;

use serde::Serialize;

use super::words;
use crate::artifacts::{NodeRun, NodeState};

mod bars;

use bars::{Bar, Mark, merge};

const MOST_LANES: usize = 32;
/// How far outside the run the clock may put a node.
const SKEW: f64 = 2.0;
const TOP: f64 = 24.0;

/// A step on the axis, in seconds from the beginning of the run.
pub(super) struct Span<'a> {
    pub(super) name: String,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) nodes: Vec<&'a NodeRun>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Timeline {
    pub(super) height: f64,
    /// Where the axis is.
    pub(super) axis: f64,
    pub(super) thickness: f64,
    pub(super) lanes: Vec<Lane>,
    pub(super) bands: Vec<Band>,
    pub(super) waits: Vec<Band>,
    pub(super) ticks: Vec<Tick>,
    pub(super) bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
    /// Of nodes that had no time, or whose time cannot be.
    pub(super) not_drawn: usize,
    pub(super) lanes_not_drawn: usize,
    /// Whether there is anything but success.
    pub(super) has_warn: bool,
    pub(super) has_bad: bool,
    pub(super) has_path: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Lane {
    pub(super) number: usize,
    pub(super) y: f64,
    pub(super) label_y: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Band {
    pub(super) x: String,
    pub(super) width: String,
    pub(super) title: String,
    pub(super) label: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) label: String,
    pub(super) anchor: &'static str,
}

/// One node with its lane.
struct Placed<'a> {
    lane: usize,
    start: f64,
    end: f64,
    node: &'a NodeRun,
    on_path: bool,
}

/// `begun`: when the run began, in seconds since 1970. `seconds`: how long it took.
/// `on_path`: whether a node is on the critical path of its step.
pub(super) fn draw(
    begun: f64,
    seconds: f64,
    steps: &[Span],
    on_path: impl Fn(usize, &NodeRun) -> bool,
    name: impl Fn(&str) -> String,
) -> Timeline {
    let seconds = steps
        .iter()
        .fold(seconds, |all, step| all.max(step.end))
        .max(0.001);
    let share = |at: f64| at.clamp(0.0, seconds) / seconds * 100.0;
    let mut timeline = Timeline::default();
    let mut bars: Vec<(usize, Placed)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let placed = place(begun, seconds, step, |node| on_path(index, node));
        let ran = step.nodes.iter().filter(|node| takes_time(node)).count();
        timeline.not_drawn += ran.saturating_sub(placed.len());
        bars.extend(placed.into_iter().map(|placed| (index, placed)));
    }
    let lanes = bars
        .iter()
        .map(|(_, bar)| bar.lane + 1)
        .max()
        .unwrap_or_default();
    timeline.lanes_not_drawn = lanes.saturating_sub(MOST_LANES);
    let lanes = lanes.min(MOST_LANES);
    bars.retain(|(_, bar)| bar.lane < MOST_LANES);
    let pitch = if lanes > 8 { 17.0 } else { 25.0 };
    let thickness = pitch - if lanes > 8 { 4.0 } else { 7.0 };
    let y_of = |lane: usize| TOP + 7.0 + pitch * lane_number(lane);
    timeline.lanes = (0..lanes)
        .map(|lane| Lane {
            number: lane + 1,
            y: y_of(lane),
            label_y: y_of(lane) + thickness / 2.0 + 4.0,
        })
        .collect();
    timeline.axis = y_of(lanes) + 2.0;
    timeline.thickness = thickness;
    timeline.height = timeline.axis + 20.0;
    timeline.bands = steps
        .iter()
        .filter(|step| step.end > step.start)
        .map(|step| Band {
            x: percent(share(step.start)),
            width: percent(share(step.end) - share(step.start)),
            title: format!(
                "step {}: {}",
                step.name,
                words::duration(step.end - step.start)
            ),
            label: if share(step.end) - share(step.start) < 5.0 {
                String::new()
            } else {
                step.name.clone()
            },
        })
        .collect();
    timeline.waits = waits(seconds, steps, &bars, share);
    timeline.ticks = ticks(seconds);
    timeline.has_path = bars.iter().any(|(_, bar)| bar.on_path);
    for (_, bar) in &bars {
        timeline.has_warn |= bar.node.state == NodeState::Warn;
        timeline.has_bad |= bar.node.state == NodeState::Error;
    }
    merge(&mut timeline, &bars, share, y_of, name);
    timeline
}

#[expect(clippy::cast_precision_loss, reason = "a few lanes")]
fn lane_number(lane: usize) -> f64 {
    lane as f64
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

/// Each node on the lane of its thread. Threads have other names in each step, so they are
/// numbered anew.
fn place<'a>(
    begun: f64,
    seconds: f64,
    step: &Span<'a>,
    on_path: impl Fn(&NodeRun) -> bool,
) -> Vec<Placed<'a>> {
    let mut timed: Vec<(f64, f64, &NodeRun)> = step
        .nodes
        .iter()
        // A dbt 2 that is stopped gives all nodes one moment, in which they took no time.
        .filter(|node| takes_time(node) && node.seconds > 0.0)
        .filter_map(|node| {
            let (start, end) = node.span?;
            let (start, end) = (start - begun, end - begun);
            let is_within = start >= step.start - SKEW && end <= step.end.min(seconds) + SKEW;
            is_within.then_some((start.max(0.0), end, *node))
        })
        .collect();
    timed.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    let mut threads = BTreeMap::new();
    for (_, _, node) in &timed {
        threads.insert(thread_order(node), 0);
    }
    for (lane, (_, place)) in threads.iter_mut().enumerate() {
        *place = lane;
    }
    let is_known = timed.iter().all(|(_, _, node)| {
        node.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_empty())
    });
    // Without names of threads: the first lane that is free.
    let mut free_from: Vec<f64> = Vec::new();
    timed
        .into_iter()
        .map(|(start, end, node)| {
            let lane = if is_known {
                threads[&thread_order(node)]
            } else {
                let lane = free_from.iter().position(|free| *free <= start);
                let lane = lane.unwrap_or(free_from.len());
                if lane == free_from.len() {
                    free_from.push(end);
                }
                free_from[lane] = end;
                lane
            };
            let on_path = on_path(node);
            Placed {
                lane,
                start,
                end,
                node,
                on_path,
            }
        })
        .collect()
}

/// A source is asked for its age in no time, and a node that was skipped never began.
pub(super) fn takes_time(node: &NodeRun) -> bool {
    node.state != NodeState::Skipped && words::kind(&node.id) != "source"
}

/// `Thread-10` comes after `Thread-9`.
fn thread_order(node: &NodeRun) -> (u64, String) {
    let thread = node.thread.clone().unwrap_or_default();
    let digits: String = thread
        .chars()
        .skip_while(|letter| !letter.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    (digits.parse().unwrap_or_default(), thread)
}

/// The times in which no node ran: before the first step, between two, and while dbt gets ready.
fn waits(
    seconds: f64,
    steps: &[Span],
    bars: &[(usize, Placed)],
    share: impl Fn(f64) -> f64,
) -> Vec<Band> {
    let mut waits = Vec::new();
    let mut wait = |from: f64, to: f64, what: &str| {
        if share(to) - share(from) >= 0.6 {
            waits.push(Band {
                x: percent(share(from)),
                width: percent(share(to) - share(from)),
                title: format!("{what}: {}", words::duration(to - from)),
                label: String::new(),
            });
        }
    };
    let mut end_of_last = 0.0;
    for (index, step) in steps.iter().enumerate() {
        if step.end <= step.start {
            continue;
        }
        let what = if end_of_last > 0.0 {
            "between two steps"
        } else {
            "before the first step"
        };
        wait(end_of_last, step.start, what);
        let of_step = bars.iter().filter(|(owner, _)| *owner == index);
        let first = of_step.map(|(_, bar)| bar.start).min_by(f64::total_cmp);
        if let Some(first) = first {
            wait(
                step.start,
                first.min(step.end),
                &format!("{}: dbt gets ready", step.name),
            );
        }
        end_of_last = step.end;
    }
    wait(end_of_last, seconds, "after the last step");
    waits
}

/// Round times, at most seven of them.
fn ticks(seconds: f64) -> Vec<Tick> {
    const STEPS: [u32; 15] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600,
    ];
    let step = STEPS.iter().find(|step| seconds / f64::from(**step) <= 6.5);
    let step = step.copied().unwrap_or(86_400);
    (0..=200_u32)
        .map(|number| number.saturating_mul(step))
        .take_while(|at| f64::from(*at) <= seconds)
        .map(|at| {
            let share = f64::from(at) / seconds * 100.0;
            Tick {
                x: percent(share),
                label: words::clock(u64::from(at)),
                anchor: match share {
                    0.0..2.0 => "start",
                    97.0.. => "end",
                    _ => "middle",
                },
            }
        })
        .collect()
}
