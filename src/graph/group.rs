//! Groups: what the `/` in names means, folding by levels, and making, taking apart and
//! repeating groups. Parameters keep their keys, whatever their nodes are called.

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Inference, Node, NodeId, Phase, PortRef};

/// Whether a name or group lies in a group; everything lies in the group without a name.
pub fn is_in(name: &str, group: &str) -> bool {
    let rest = name.strip_prefix(group);
    group.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
}

/// How deep a group lies: 1 at the top.
pub fn depth(group: &str) -> usize {
    group.matches('/').count() + 1
}

/// The group around a node or group; `""` at the top.
pub fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(group, _)| group)
}

/// What a name says within its group.
pub fn leaf(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, leaf)| leaf)
}

/// A new name for a node.
pub type Renaming = (NodeId, String);

impl Graph {
    /// The folded group that something of this name is hidden in: the outermost one.
    pub fn folded_around(&self, name: &str) -> Option<&str> {
        let mut ends = name.match_indices('/').map(|(end, _)| &name[..end]);
        ends.find_map(|group| self.folded.get(group).map(String::as_str))
    }

    /// The nodes of a group, inner groups included.
    pub fn members(&self, group: &str) -> BTreeSet<NodeId> {
        let inside = self.nodes().iter().filter(|node| is_in(&node.name, group));
        inside.map(|node| node.id).collect()
    }

    /// The groups that are drawn as frames: neither folded nor hidden.
    pub fn open_groups(&self) -> BTreeSet<String> {
        let open =
            |group: &String| !self.folded.contains(group) && self.folded_around(group).is_none();
        self.groups().into_iter().filter(open).collect()
    }

    /// The folded groups that are drawn as boxes.
    pub fn folded_boxes(&self) -> BTreeSet<String> {
        let groups = self.groups();
        let shown =
            |group: &&String| groups.contains(*group) && self.folded_around(group).is_none();
        self.folded.iter().filter(shown).cloned().collect()
    }

    /// What is folded when groups down to a level are open: with 0 every group is a box.
    pub fn folded_below(&self, levels: usize) -> BTreeSet<String> {
        let below = |group: &String| depth(group) > levels;
        self.groups().into_iter().filter(below).collect()
    }

    /// What is folded after the innermost open groups have folded, of all or around `nodes`.
    pub fn folded_one_more(&self, nodes: &BTreeSet<NodeId>) -> BTreeSet<String> {
        let around = |group: &String| {
            let holds = |node: &Node| nodes.contains(&node.id) && is_in(&node.name, group);
            nodes.is_empty() || self.nodes().iter().any(holds)
        };
        let open: Vec<String> = self.open_groups().into_iter().filter(around).collect();
        let deepest = open.iter().map(|group| depth(group)).max();
        let mut folded = self.folded.clone();
        folded.extend(
            open.into_iter()
                .filter(|group| Some(depth(group)) == deepest),
        );
        folded
    }

    /// What is folded after the folded boxes have unfolded, of all or those of `nodes`.
    pub fn folded_one_less(&self, nodes: &BTreeSet<NodeId>) -> BTreeSet<String> {
        let mut folded = self.folded.clone();
        for group in self.folded_boxes() {
            let holds = |node: &Node| nodes.contains(&node.id) && is_in(&node.name, &group);
            if nodes.is_empty() || self.nodes().iter().any(holds) {
                folded.remove(&group);
            }
        }
        folded
    }

    /// A new group inside the group that these nodes share, and the names of the nodes in it. A
    /// folded group goes in as a whole, a twin in the other phase goes along, and the new group
    /// gets a number if its name is taken.
    pub fn grouping(&self, nodes: &BTreeSet<NodeId>, name: &str) -> (String, Vec<Renaming>) {
        let names: BTreeSet<&str> = (self.nodes().iter())
            .filter(|node| nodes.contains(&node.id))
            .map(|node| self.folded_around(&node.name).unwrap_or(&node.name))
            .collect();
        let shared = shared_group(names.iter().copied());
        let path = match shared {
            "" => name.to_owned(),
            shared => format!("{shared}/{name}"),
        };
        let group = self.free_group(&path);
        let goes_in = |node: &&Node| {
            let outer = self.folded_around(&node.name);
            names.contains(node.name.as_str()) || outer.is_some_and(|outer| names.contains(outer))
        };
        let new_name = |node: &Node| {
            let rest = node.name[shared.len()..].trim_start_matches('/');
            (node.id, format!("{group}/{rest}"))
        };
        let renamings = self.nodes().iter().filter(goes_in).map(new_name).collect();
        (group, renamings)
    }

    /// The names after a group was taken apart: its nodes are in the group around it. Names that
    /// are taken there get a number.
    pub fn ungrouping(&self, group: &str) -> Vec<Renaming> {
        let members = self.members(group);
        let mut used: BTreeSet<String> = (self.nodes().iter())
            .filter(|node| !members.contains(&node.id))
            .map(|node| node.name.clone())
            .collect();
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let mut renamings = Vec::new();
        for node in self
            .nodes()
            .iter()
            .filter(|node| members.contains(&node.id))
        {
            let name = names.entry(&node.name).or_insert_with(|| {
                let rest = node.name[group.len()..].trim_start_matches('/');
                let wanted = match parent(group) {
                    "" => rest.to_owned(),
                    outer => format!("{outer}/{rest}"),
                };
                let name = free(&wanted, |name| used.contains(name));
                used.insert(name.clone());
                name
            });
            renamings.push((node.id, name.clone()));
        }
        renamings
    }

    /// A group name that neither a group nor a node has: this one, or with a number.
    pub fn free_group(&self, wanted: &str) -> String {
        let groups = self.groups();
        let taken =
            |name: &str| groups.contains(name) || self.nodes().iter().any(|node| node.name == name);
        free(wanted, taken)
    }

    /// Renames nodes all at once, and every wire with them. The parameters of nodes in `keyed`
    /// keep the keys that they had.
    pub fn rename_all(&mut self, renamings: &[Renaming], keyed: &BTreeSet<NodeId>) {
        let new: BTreeMap<NodeId, &String> =
            renamings.iter().map(|(id, name)| (*id, name)).collect();
        self.folded = self
            .folded
            .iter()
            .filter_map(|group| self.renamed(group, &new))
            .collect();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (id, name) in renamings {
            let Some(node) = self.node_mut(*id) else {
                continue;
            };
            let key = node.key.clone().unwrap_or_else(|| usual_key(&node.name));
            names.insert(
                std::mem::replace(&mut node.name, name.clone()),
                name.clone(),
            );
            if keyed.contains(id) {
                node.key = (key != usual_key(name)).then_some(key);
            }
        }
        // A name that a twin keeps goes on meaning the twin too.
        for node in &self.nodes {
            names.remove(&node.name);
        }
        for inputs in self.nodes.iter_mut().flat_map(Node::all_inputs_mut) {
            inputs.rewire(|wire| {
                let node = names.get(&wire.node).unwrap_or(&wire.node);
                Some(PortRef::new(node.clone(), wire.port))
            });
        }
    }

    /// What a group is called after its nodes have new names; `None` if they share none.
    fn renamed(&self, group: &str, names: &BTreeMap<NodeId, &String>) -> Option<String> {
        let mut inside = self.nodes().iter().filter(|node| is_in(&node.name, group));
        let mut after = inside.clone().map(|node| match names.get(&node.id) {
            Some(new) => new.strip_suffix(&node.name[group.len()..]),
            None => Some(group),
        });
        let first = after.next().unwrap_or(Some(group))?;
        let same = inside.next().is_none() || after.all(|other| other == Some(first));
        (same && !first.is_empty()).then(|| first.to_owned())
    }

    /// The nodes that have parameters, or of which that is not known.
    pub fn keyed(&self, inference: &Inference) -> BTreeSet<NodeId> {
        let has_none = |id| {
            let known = Phase::BOTH.map(|phase| inference.phase(phase).nodes.get(&id));
            let plain = |info: &super::NodeInfo| info.outputs.is_some() && info.params.is_empty();
            known.iter().flatten().all(|info| plain(info))
        };
        let ids = self.nodes().iter().map(|node| node.id);
        ids.filter(|id| !has_none(*id)).collect()
    }
}

/// The prefix of the parameters of a node without a key of its own.
pub(super) fn usual_key(name: &str) -> String {
    name.replace('/', ".")
}

/// The innermost group around all of these names.
pub fn shared_group<'a>(mut names: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(first) = names.next() else { return "" };
    names.fold(parent(first), |mut shared, name| {
        while !is_in(name, shared) {
            shared = parent(shared);
        }
        shared
    })
}

/// This name, or with the first number from 2 on that is free.
fn free(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 1;
    while taken(&name) {
        number += 1;
        name = format!("{wanted}_{number}");
    }
    name
}
