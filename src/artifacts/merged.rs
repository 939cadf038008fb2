//! Owns the results of a step over several attempts, in the form of dbt's run_results.json.
//!
//! Never judges a node.

use std::collections::BTreeSet;

use serde_json::Value;

/// The results of the whole, of each node those of the later attempt, and the nodes of which that
/// one has none. `None` if either cannot be read.
pub(crate) fn merge(earlier: &Value, later: &[u8]) -> Option<(Vec<u8>, BTreeSet<String>)> {
    let mut whole: Value = serde_json::from_slice(later).ok()?;
    let renewed: BTreeSet<String> = whole["results"].as_array()?.iter().filter_map(id).collect();
    let kept: Vec<Value> = earlier["results"]
        .as_array()?
        .iter()
        .filter(|node| id(node).is_some_and(|id| !renewed.contains(&id)))
        .cloned()
        .collect();
    let kept_ids = kept.iter().filter_map(id).collect();
    whole["results"].as_array_mut()?.splice(0..0, kept);
    Some((serde_json::to_vec(&whole).ok()?, kept_ids))
}

/// All nodes in results.
pub(crate) fn ids(results: &Value) -> BTreeSet<String> {
    let nodes = results["results"].as_array().into_iter().flatten();
    nodes.filter_map(id).collect()
}

fn id(node: &Value) -> Option<String> {
    node["unique_id"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_each_node_the_later_result_counts() {
        let earlier = json!({"results": [
            {"unique_id": "a", "status": "success"},
            {"unique_id": "b", "status": "skipped"},
            {"unique_id": "c", "status": "skipped"},
        ]});
        let later = json!({"metadata": {"of": "later"}, "elapsed_time": 3.0, "results": [
            {"unique_id": "b", "status": "success"},
            {"unique_id": "operation.shop.hook-0", "status": "success"},
        ]});
        let (merged, kept) = merge(&earlier, later.to_string().as_bytes()).unwrap();
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), ["a", "c"]);
        let merged: Value = serde_json::from_slice(&merged).unwrap();
        let nodes = merged["results"].as_array().unwrap();
        let nodes: Vec<_> = nodes
            .iter()
            .map(|node| {
                (
                    node["unique_id"].as_str().unwrap(),
                    node["status"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            nodes,
            [
                ("a", "success"),
                ("c", "skipped"),
                ("b", "success"),
                ("operation.shop.hook-0", "success"),
            ]
        );
        assert_eq!(merged["metadata"]["of"], "later");
        assert!(merge(&earlier, b"{\"results\": ").is_none());
        assert!(merge(&earlier, b"{\"results\": {}}").is_none());
        assert!(merge(&json!({}), b"{\"results\": []}").is_none());
    }
}
