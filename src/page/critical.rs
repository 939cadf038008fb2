//! Owns the critical path: the nodes that a step waited for, one after the other.
//!
//! Pure. Never guesses a dependency that the manifest does not name.

use std::collections::HashMap;

use crate::artifacts::{Graph, NodeRun};

/// A gap that is shorter says nothing: dbt needs a moment between two nodes.
const MOMENT: f64 = 0.05;

/// One node on the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link<'a> {
    pub(super) node: &'a NodeRun,
    pub(super) start: f64,
    pub(super) end: f64,
    /// How long it could have run already, if there had been a thread.
    pub(super) without_thread: f64,
}

/// The path of one step, in the order of time. Each node began when the one before it had ended:
/// since it depends on that, or since there was no other thread.
pub(super) fn path<'a>(nodes: &[&'a NodeRun], graph: &Graph) -> Vec<Link<'a>> {
    let spans: Vec<(&NodeRun, f64, f64)> = nodes
        .iter()
        .filter_map(|node| node.span.map(|(start, end)| (*node, start, end)))
        .collect();
    let by_id: HashMap<&str, usize> = spans
        .iter()
        .enumerate()
        .map(|(place, (node, ..))| (node.id.as_str(), place))
        .collect();
    let begin = spans
        .iter()
        .map(|(_, start, _)| *start)
        .min_by(f64::total_cmp);
    let last = (0..spans.len()).max_by(|one, other| spans[*one].2.total_cmp(&spans[*other].2));
    let (Some(begin), Some(mut here)) = (begin, last) else {
        return Vec::new();
    };
    let mut path = Vec::new();
    let mut visited = vec![false; spans.len()];
    loop {
        visited[here] = true;
        let (node, start, end) = spans[here];
        let ended_before = |place: &usize| !visited[*place] && spans[*place].2 <= start + MOMENT;
        let latest = |places: &mut dyn Iterator<Item = usize>| {
            places.max_by(|one, other| spans[*one].2.total_cmp(&spans[*other].2))
        };
        let parents = graph.nearest_before(&node.id, |id| by_id.contains_key(id));
        let mut parents = parents.iter().filter_map(|id| by_id.get(id).copied());
        let parent = latest(&mut parents.by_ref().filter(ended_before));
        let mut same_thread = (0..spans.len())
            .filter(|place| node.thread.is_some() && spans[*place].0.thread == node.thread);
        let before = latest(&mut same_thread.by_ref().filter(ended_before));
        let end_of = |place: Option<usize>| place.map_or(begin, |place| spans[place].2);
        // The one before on the thread only counts where the node could have begun earlier.
        let waited = end_of(before) - end_of(parent);
        let by_thread = before.is_some() && waited > MOMENT;
        path.push(Link {
            node,
            start,
            end,
            without_thread: if by_thread { waited } else { 0.0 },
        });
        match if by_thread { before } else { parent } {
            Some(place) => here = place,
            None => break,
        }
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::super::samples::node;
    use super::*;

    fn names(nodes: &[NodeRun], graph: &Graph) -> Vec<(String, f64)> {
        let nodes: Vec<&NodeRun> = nodes.iter().collect();
        path(&nodes, graph)
            .iter()
            .map(|link| (link.node.id.clone(), link.without_thread))
            .collect()
    }

    #[test]
    fn the_path_follows_what_was_waited_for() {
        let graph = Graph::of(&[("c", &["a", "b"]), ("d", &["c"]), ("e", &[])]);
        let nodes = [
            node("a", "1", 0.0, 2.0),
            node("b", "2", 0.0, 5.0),
            node("c", "1", 5.0, 6.0),
            node("d", "1", 6.0, 9.0),
            node("e", "2", 5.0, 8.0),
        ];
        let expected = [("b", 0.0), ("c", 0.0), ("d", 0.0)];
        assert_eq!(
            names(&nodes, &graph),
            expected.map(|(id, wait)| (id.to_owned(), wait))
        );
    }

    #[test]
    fn a_lack_of_threads_is_part_of_it() {
        let graph = Graph::of(&[("c", &["a"])]);
        let nodes = [
            node("a", "1", 0.0, 1.0),
            node("b", "1", 1.0, 5.0),
            node("c", "1", 5.0, 6.0),
        ];
        let expected = [("a", 0.0), ("b", 1.0), ("c", 4.0)];
        assert_eq!(
            names(&nodes, &graph),
            expected.map(|(id, wait)| (id.to_owned(), wait))
        );
    }

    #[test]
    fn no_clock_and_no_circle_keeps_it_from_ending() {
        let graph = Graph::of(&[("a", &["b"]), ("b", &["a"])]);
        let nodes = [node("a", "1", 3.0, 3.0), node("b", "1", 3.0, 3.0)];
        assert!(names(&nodes, &graph).len() <= 2);
        assert!(names(&[], &graph).is_empty());
    }
}
