//! What is different between two projects: their graphs, and in short everything else.

use serde::Serialize;
use serde_json::Value;

use super::Project;
use crate::graph::{self, Change, GraphDiff};

/// What has to be done to one project to get another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectDiff {
    pub graph: GraphDiff,
    /// Title, data and stages, by the place in the file: `data.batch.train`.
    pub other: Vec<Change>,
}

impl ProjectDiff {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What has to be done to `a` to get `b`.
pub fn diff(a: &Project, b: &Project) -> ProjectDiff {
    let mut other = Vec::new();
    values("title", &tree(&a.title), &tree(&b.title), &mut other);
    values("about", &tree(&a.about), &tree(&b.about), &mut other);
    values("seed", &tree(&a.seed), &tree(&b.seed), &mut other);
    values("precise", &tree(&a.precise), &tree(&b.precise), &mut other);
    values("data", &tree(&a.data), &tree(&b.data), &mut other);
    values("stages", &tree(&a.stages), &tree(&b.stages), &mut other);
    values("caffe", &tree(&a.caffe), &tree(&b.caffe), &mut other);
    ProjectDiff {
        graph: graph::diff(&a.graph, &b.graph),
        other,
    }
}

/// A part of a project as a tree; what cannot be one has no differences.
fn tree(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}

/// The leaves that differ, each by its way from the root.
fn values(path: &str, a: &Value, b: &Value, changes: &mut Vec<Change>) {
    match (a, b) {
        _ if a == b => {}
        (Value::Object(x), Value::Object(y)) => {
            let names = x
                .keys()
                .chain(y.keys().filter(|name| !x.contains_key(*name)));
            for name in names {
                let get = |tree: &serde_json::Map<String, Value>| tree.get(name).cloned();
                let (x, y) = (get(x).unwrap_or_default(), get(y).unwrap_or_default());
                values(&format!("{path}.{name}"), &x, &y, changes);
            }
        }
        (Value::Array(x), Value::Array(y)) if x.iter().chain(y).any(Value::is_object) => {
            for index in 0..x.len().max(y.len()) {
                let get = |list: &[Value]| list.get(index).cloned().unwrap_or_default();
                values(&format!("{path}[{}]", index + 1), &get(x), &get(y), changes);
            }
        }
        _ => changes.push(Change::new(path, text(a), text(b))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        // A stage that is only in one project is said by its name.
        Value::Object(parts) => match parts.get("name").and_then(Value::as_str) {
            Some(name) => format!("“{name}”"),
            None => value.to_string(),
        },
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Stage;

    #[test]
    fn what_is_not_the_graph_is_said_by_its_place() {
        let mut a = Project {
            title: "a".to_owned(),
            stages: vec![Stage::default()],
            ..Project::default()
        };
        a.data.batch.train = 16;
        let mut b = a.clone();
        assert!(diff(&a, &b).is_empty());
        b.title = "b".to_owned();
        b.data.batch.train = 32;
        b.stages[0].solver.base_lr *= 2.0;
        b.stages.push(Stage {
            name: "second".to_owned(),
            ..Stage::default()
        });
        let whats: Vec<String> = diff(&a, &b).other.into_iter().map(|c| c.what).collect();
        assert_eq!(
            whats,
            [
                "title",
                "data.batch.train",
                "stages[1].solver.base_lr",
                "stages[2]"
            ]
        );
    }
}
