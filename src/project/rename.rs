//! Renaming nodes in a whole project: stages name what they train, and follow.

use std::collections::{BTreeMap, BTreeSet};

use super::Project;
use crate::graph::{NodeId, Renaming, is_in};

impl Project {
    /// Renames nodes with their wires and with the stages that name them; the parameters of the
    /// nodes in `keyed` keep their keys.
    pub fn rename_all(&mut self, renamings: &[Renaming], keyed: &BTreeSet<NodeId>) {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (id, new) in renamings {
            if let Some(node) = self.graph.node(*id) {
                names.insert(node.name.clone(), new.clone());
            }
        }
        self.graph.rename_all(renamings, keyed);
        let nodes = self.graph.nodes();
        let means_something =
            |name: &str| (nodes.iter()).any(|node| node.name == name || is_in(&node.name, name));
        for list in (self.stages.iter_mut()).flat_map(|s| [&mut s.trained, &mut s.losses]) {
            let mut renamed: Vec<String> = Vec::new();
            for name in list.drain(..) {
                match names.get(&name) {
                    Some(new) => renamed.push(new.clone()),
                    None if means_something(&name) => renamed.push(name),
                    // A group that is gone: its nodes by their new names.
                    None => {
                        let inside = names.iter().filter(|(old, _)| is_in(old, &name));
                        let inside: BTreeSet<&String> = inside.map(|(_, new)| new).collect();
                        match inside.is_empty() {
                            true => renamed.push(name),
                            false => renamed.extend(inside.into_iter().cloned()),
                        }
                    }
                }
            }
            *list = renamed;
        }
    }
}
