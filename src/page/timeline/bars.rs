//! Owns the bars of the time line: what is too narrow to stand alone, which bears a name, which a
//! sign.
//!
//! Pure. Never decides where a node is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Placed, Timeline, percent};
use crate::artifacts::NodeState;
use crate::page::words;

/// Narrower bars of one state that touch each other become one.
const NARROW: f64 = 0.3;
/// The narrowest that can be seen.
const LEAST: f64 = 0.12;
/// From this width on, a bar bears its name.
const WITH_NAME: f64 = 4.0;
const MOST_MARKS: usize = 200;

#[derive(Debug, Serialize)]
pub(in crate::page) struct Bar {
    x: String,
    y: f64,
    width: String,
    class: &'static str,
    title: String,
    name: Option<String>,
}

/// A sign above a bar that is too narrow for it.
#[derive(Debug, Serialize)]
pub(in crate::page) struct Mark {
    x: String,
    y: f64,
    class: &'static str,
    sign: &'static str,
}

/// Makes the bars: of a thousand narrow ones, as many as can be told apart.
pub(super) fn merge(
    timeline: &mut Timeline,
    bars: &[(usize, Placed)],
    share: impl Fn(f64) -> f64,
    y_of: impl Fn(usize) -> f64,
    name: impl Fn(&str) -> String,
) {
    let mut by_lane: BTreeMap<usize, Vec<&(usize, Placed)>> = BTreeMap::new();
    for bar in bars {
        by_lane.entry(bar.1.lane).or_default().push(bar);
    }
    for (lane, mut bars) in by_lane {
        bars.sort_by(|(_, one), (_, other)| one.start.total_cmp(&other.start));
        let mut rest = &bars[..];
        while let Some((step, first)) = rest.first().map(|bar| (bar.0, &bar.1)) {
            let may_merge = |bar: &Placed| {
                let is_alike = bar.node.state == first.node.state && !bar.on_path;
                is_alike && share(bar.end) - share(bar.start) < NARROW
            };
            let mut count = 1;
            let mut end = first.end;
            while may_merge(first)
                && let Some((other, next)) = rest.get(count).map(|bar| (bar.0, &bar.1))
                && other == step
                && may_merge(next)
                && share(next.start) - share(end) < NARROW
            {
                end = end.max(next.end);
                count += 1;
            }
            rest = &rest[count..];
            let (x, width) = (
                share(first.start),
                (share(end) - share(first.start)).max(LEAST),
            );
            let (class, on_path_class, word) = match first.node.state {
                NodeState::Error => ("b", "b p", "failed"),
                NodeState::Warn => ("w", "w p", "warned"),
                NodeState::Unknown => ("k", "k p", "unknown"),
                _ => ("s", "s p", "success"),
            };
            let (class, on_path) = if first.on_path {
                (on_path_class, ", on the critical path")
            } else {
                (class, "")
            };
            let label = name(&first.node.id);
            let took = words::duration(end - first.start);
            let sign = match first.node.state {
                NodeState::Error => Some("✕"),
                NodeState::Warn => Some("!"),
                _ => None,
            };
            if let Some(sign) =
                sign.filter(|_| width < WITH_NAME && timeline.marks.len() < MOST_MARKS)
            {
                let x = percent((x + width / 2.0).clamp(0.5, 99.5));
                timeline.marks.push(Mark {
                    x,
                    y: y_of(lane) - 1.0,
                    class,
                    sign,
                });
            }
            timeline.bars.push(Bar {
                x: percent(x),
                y: y_of(lane),
                width: percent(width),
                class,
                title: match count {
                    1 => format!("{label}: {took}, {word}{on_path}"),
                    count => format!("{count} nodes: {took}, {word}"),
                },
                name: (count == 1 && width >= WITH_NAME).then(|| match sign {
                    Some(sign) => format!("{sign} {label}"),
                    None => label,
                }),
            });
        }
    }
}
