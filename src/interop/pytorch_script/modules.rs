//! The tree of submodules, whose paths are the keys of the parameters.
//!
//! Invariant: the state dictionary of the class that is written has exactly the network's keys
//! (and PyTorch's own `num_batches_tracked`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::{comment, is_attribute, literal};

/// One place in the tree: a layer, a group of layers, or both.
#[derive(Default)]
struct Branch {
    /// What makes the layer, and the group that its node is in.
    layer: Option<(String, Option<String>)>,
    children: Vec<(String, Branch)>,
}

/// The submodules of a network.
#[derive(Default)]
pub(super) struct Modules {
    root: Branch,
    /// By key, what makes each, and the node that says so.
    made: BTreeMap<String, (String, String)>,
}

/// Why a node cannot have its submodule.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The key has an empty part.
    Key,
    /// Another node of this name shares the parameters, but is another layer.
    Shared(String),
}

impl Modules {
    /// Adds a submodule; nodes of one key share it.
    pub fn add(
        &mut self,
        (key, node): (&str, &str),
        group: Option<&str>,
        made: &str,
    ) -> Result<(), Refusal> {
        if key.split('.').any(str::is_empty) {
            return Err(Refusal::Key);
        }
        if let Some((other, owner)) = self.made.get(key) {
            return match other == made {
                true => Ok(()),
                false => Err(Refusal::Shared(owner.clone())),
            };
        }
        let place = (made.to_owned(), node.to_owned());
        self.made.insert(key.to_owned(), place);
        let mut branch = &mut self.root;
        for part in key.split('.') {
            let known = branch.children.iter().position(|(name, _)| name == part);
            let index = known.unwrap_or_else(|| {
                branch.children.push((part.to_owned(), Branch::default()));
                branch.children.len() - 1
            });
            branch = &mut branch.children[index].1;
        }
        branch.layer = Some((made.to_owned(), group.map(str::to_owned)));
        Ok(())
    }

    /// The first key whose last part is a parameter of the layer that it would lie in.
    pub fn clash(&self, params: &[String]) -> Option<String> {
        let begins = |param: &&String| {
            let inner = |key: &String| key == *param || key.starts_with(&format!("{param}."));
            self.made.keys().any(inner)
        };
        params.iter().find(begins).cloned()
    }

    /// Whether a container of our own is needed, for keys of several parts.
    pub fn has_groups(&self) -> bool {
        self.made.keys().any(|key| !is_attribute(key))
    }

    /// How the submodule of a key is reached from `root`.
    pub fn path(&self, root: &str, key: &str) -> String {
        let mut path = root.to_owned();
        let mut branch = Some(&self.root);
        for part in key.split('.') {
            let is_layer = branch.is_some_and(|branch| branch.layer.is_some());
            path = child(&path, is_layer, part);
            let children = branch.map_or(&[][..], |branch| &branch.children);
            branch = children
                .iter()
                .find(|(name, _)| name == part)
                .map(|(_, branch)| branch);
        }
        path
    }

    /// The lines that make all of them, a comment where a new group of the graph begins.
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        let mut group = None;
        write_branch(&self.root, "self", &mut group, &mut lines);
        lines
    }
}

/// A child by its name; names that Python or PyTorch use otherwise are looked up.
fn child(parent: &str, is_layer: bool, name: &str) -> String {
    match (is_attribute(name), is_layer) {
        (true, _) => format!("{parent}.{name}"),
        (false, false) => format!("{parent}[{}]", literal(name)),
        (false, true) => format!("{parent}._modules[{}]", literal(name)),
    }
}

fn write_branch(parent: &Branch, path: &str, group: &mut Option<String>, lines: &mut String) {
    for (name, branch) in &parent.children {
        let path = child(path, parent.layer.is_some(), name);
        match &branch.layer {
            Some((made, own)) => {
                if own != group {
                    if let Some(name) = own {
                        lines.push_str(&comment(name, "        "));
                    }
                    group.clone_from(own);
                }
                _ = writeln!(lines, "        {path} = {made}");
            }
            None => _ = writeln!(lines, "        {path} = Group()"),
        }
        write_branch(branch, &path, group, lines);
    }
}
