//! Owns what dbt's manifest.json says of how nodes depend on each other.
//!
//! Reads the few fields it needs, and never fails: a manifest that cannot be read says nothing.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// The nodes that a page names, with what each one needs.
#[derive(Debug, Default)]
pub(crate) struct Graph(HashMap<String, GraphNode>);

/// What is known of one node.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct GraphNode {
    #[serde(default)]
    depends_on: DependsOn,
    /// Of a test: the node that it is about.
    #[serde(default)]
    pub(crate) attached_node: Option<String>,
    #[serde(default)]
    pub(crate) column_name: Option<String>,
    #[serde(default)]
    pub(crate) original_file_path: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct DependsOn {
    #[serde(default)]
    nodes: Vec<String>,
}

impl Graph {
    pub(super) fn read(content: impl Read) -> Self {
        #[derive(Deserialize)]
        struct Manifest {
            #[serde(default, deserialize_with = "readable")]
            nodes: HashMap<String, GraphNode>,
            #[serde(default, deserialize_with = "readable")]
            unit_tests: HashMap<String, GraphNode>,
        }
        let manifest: Result<Manifest, _> = serde_json::from_reader(content);
        let Ok(mut manifest) = manifest else {
            return Self::default();
        };
        manifest.nodes.extend(manifest.unit_tests);
        Self(manifest.nodes)
    }

    #[cfg(test)]
    pub(crate) fn of(parents: &[(&str, &[&str])]) -> Self {
        let node = |(id, parents): &(&str, &[&str])| {
            let nodes = parents.iter().map(|parent| (*parent).to_owned()).collect();
            let node = GraphNode {
                depends_on: DependsOn { nodes },
                ..GraphNode::default()
            };
            ((*id).to_owned(), node)
        };
        Self(parents.iter().map(node).collect())
    }

    pub(crate) fn get(&self, id: &str) -> Option<&GraphNode> {
        self.0.get(id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nearest nodes before this one that are among those asked for: others, such as ephemeral
    /// models, are passed through.
    pub(crate) fn nearest_before<'a>(
        &'a self,
        id: &str,
        is_asked_for: impl Fn(&str) -> bool,
    ) -> Vec<&'a str> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<&str> = self.parents(id).collect();
        while let Some(parent) = open.pop() {
            if !seen.insert(parent) {
                continue;
            }
            if is_asked_for(parent) {
                found.push(parent);
            } else {
                open.extend(self.parents(parent));
            }
        }
        found
    }

    fn parents(&self, id: &str) -> impl Iterator<Item = &str> {
        let node = self.0.get(id).into_iter();
        node.flat_map(|node| node.depends_on.nodes.iter().map(String::as_str))
    }
}

/// Passes over a node that looks otherwise than expected.
fn readable<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<HashMap<String, GraphNode>, D::Error> {
    struct Nodes;

    impl<'de> Visitor<'de> for Nodes {
        type Value = HashMap<String, GraphNode>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("nodes by their IDs")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut nodes = HashMap::new();
            while let Some(id) = map.next_key::<String>()? {
                if nodes.len() < MOST_NODES {
                    nodes.insert(id, map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(nodes)
        }
    }

    deserializer.deserialize_map(Nodes)
}

/// A project with more has no critical path.
const MOST_NODES: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_did_not_run_are_passed_through() {
        let manifest = serde_json::json!({"metadata": {}, "nodes": {
            "model.shop.a": {"depends_on": {"nodes": ["source.shop.raw.a"], "macros": ["m"]}},
            "model.shop.e": {"depends_on": {"nodes": ["model.shop.a", "model.shop.e"]}},
            "model.shop.b": {"depends_on": {"nodes": ["model.shop.e"]}, "raw_code": "select"},
            "test.shop.t": {"depends_on": {"nodes": ["model.shop.b"]}, "column_name": "id",
                "attached_node": "model.shop.b"}}});
        let graph = Graph::read(manifest.to_string().as_bytes());
        let ran = |id: &str| id == "model.shop.a" || id == "model.shop.b";
        assert_eq!(graph.nearest_before("model.shop.b", ran), ["model.shop.a"]);
        assert_eq!(graph.nearest_before("test.shop.t", ran), ["model.shop.b"]);
        assert!(graph.nearest_before("model.shop.a", ran).is_empty());
        let test = graph.get("test.shop.t").unwrap();
        assert_eq!(test.attached_node.as_deref(), Some("model.shop.b"));
    }

    #[test]
    fn what_is_no_manifest_says_nothing() {
        for content in [
            "",
            "[]",
            "{\"nodes\": [1]}",
            "{\"nodes\": {\"a\": {\"depends_on\": 5}}}",
        ] {
            assert!(Graph::read(content.as_bytes()).is_empty(), "{content}");
        }
        assert!(Graph::read(&b"{}"[..]).is_empty());
    }
}
