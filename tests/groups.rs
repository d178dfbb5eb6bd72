//! Groups, repeats, replacements, layouts and differences of graphs.

use std::collections::BTreeSet;

use layerlab::graph::layout::{Area, Block, Placed, bounds_of, has_overlap, layered, make_room};
use layerlab::graph::{
    DataFacts, Facts, Graph, Inference, Node, NodeId, Phase, Phases, PortRef, diff, infer,
};
use layerlab::layers;
use proptest::prelude::*;

/// A graph from lines `name = Layer(…) < input input`.
fn graph(text: &str) -> Graph {
    let mut graph = Graph::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(" = ").unwrap();
        let (layer, inputs) = rest.split_once(" < ").unwrap_or((rest, ""));
        let mut node = Node::new(name, layers::parse(layer).unwrap());
        for (port, from) in inputs.split_whitespace().enumerate() {
            node.inputs.set(port, Some(PortRef::parse(from)));
        }
        graph.add(node);
    }
    graph
}

fn inferred(graph: &Graph) -> Inference {
    let data = Some(DataFacts::classified(vec![4, 16, 16], 10));
    let facts = Facts {
        data,
        ..Facts::default()
    };
    infer(graph, &facts)
}

/// A residual network of two stages with the keys of torchvision.
fn residual() -> Graph {
    let mut graph = graph(
        "data = Data()
         stem = Convolution(num_output: 8, kernel: (3, 3), pad: (1, 1)) < data
         a/0/conv = Convolution(num_output: 8, kernel: (3, 3), pad: (1, 1)) < stem
         a/0/relu = ReLU() < a/0/conv
         a/0/add = Eltwise() < a/0/relu stem
         b/0/conv = Convolution(num_output: 8, kernel: (3, 3), pad: (1, 1)) < a/0/add
         b/0/add = Eltwise() < b/0/conv a/0/add
         fc = InnerProduct(num_output: \"classes\") < b/0/add
         loss = SoftmaxWithLoss() < fc data:1",
    );
    set_key(&mut graph, "a/0/conv", "layer1.0.conv1");
    graph
}

fn set_key(graph: &mut Graph, name: &str, key: &str) {
    let id = ids(graph, &[name]).pop_first().unwrap();
    graph.node_mut(id).unwrap().key = Some(key.to_owned());
}

fn ids(graph: &Graph, names: &[&str]) -> BTreeSet<NodeId> {
    let nodes = graph.nodes().iter();
    nodes
        .filter(|node| names.contains(&node.name.as_str()))
        .map(|node| node.id)
        .collect()
}

fn names(graph: &Graph) -> Vec<&str> {
    graph
        .nodes()
        .iter()
        .map(|node| node.name.as_str())
        .collect()
}

fn into_group(graph: &mut Graph, nodes: &BTreeSet<NodeId>, name: &str, keyed: &BTreeSet<NodeId>) {
    let names = graph.grouping(nodes, name).1;
    graph.rename_all(&names, keyed);
}

fn out_of_group(graph: &mut Graph, group: &str, keyed: &BTreeSet<NodeId>) {
    let names = graph.ungrouping(group);
    graph.rename_all(&names, keyed);
}

/// What training depends on: keys with shapes, output shapes, costs.
fn essence(graph: &Graph) -> (Vec<String>, u64, Vec<String>, bool) {
    let inference = inferred(graph);
    let mut keys: Vec<String> = (inference.train.nodes.values())
        .flat_map(|info| &info.params)
        .map(|(key, spec)| format!("{key} {:?}", spec.shape))
        .collect();
    keys.sort();
    let shapes = graph.nodes().iter().map(|node| {
        let outputs = inference
            .node(node.id)
            .and_then(|info| info.outputs.clone());
        format!("{outputs:?}")
    });
    (
        keys,
        inference.totals.macs,
        shapes.collect(),
        inference.has_errors(),
    )
}

#[test]
fn grouping_and_ungrouping_keep_shapes_wires_and_keys() {
    let mut graph = residual();
    let before = essence(&graph);
    let first = graph.clone();
    let keyed = graph.keyed(&inferred(&graph));
    let chosen = ids(&graph, &["a/0/conv", "a/0/relu"]);
    into_group(&mut graph, &chosen, "branch", &keyed);
    assert_eq!(names(&graph)[2..4], ["a/0/branch/conv", "a/0/branch/relu"]);
    assert_eq!(essence(&graph), before);
    // Only what has parameters says a key.
    let relu = graph.named("a/0/branch/relu", Phase::Train).unwrap();
    assert_eq!(relu.key, None);
    // Across groups: the new one is in the group that all share, here none.
    let chosen = ids(&graph, &["stem", "a/0/branch/conv"]);
    into_group(&mut graph, &chosen, "a", &keyed);
    assert_eq!(names(&graph)[1..3], ["a_2/stem", "a_2/a/0/branch/conv"]);
    assert_eq!(essence(&graph), before);
    for group in ["a_2", "a/0/branch"] {
        out_of_group(&mut graph, group, &keyed);
    }
    assert_eq!(essence(&graph), before);
    out_of_group(&mut graph, "a/0/branch", &keyed);
    assert_eq!(graph, first, "nothing is left over");
}

#[test]
fn twins_of_both_phases_go_along() {
    let mut graph = residual();
    let loss = ids(&graph, &["fc"]).pop_first().unwrap();
    graph.node_mut(loss).unwrap().phases = Phases::Train;
    let mut twin = graph.node(loss).unwrap().clone();
    twin.phases = Phases::Test;
    graph.add(twin);
    let before = essence(&graph);
    let keyed = graph.keyed(&inferred(&graph));
    into_group(&mut graph, &BTreeSet::from([loss]), "head", &keyed);
    assert_eq!(
        names(&graph)
            .iter()
            .filter(|name| **name == "head/fc")
            .count(),
        2
    );
    assert_eq!(essence(&graph), before);
}

#[test]
fn folded_groups_go_in_as_a_whole_and_stay_folded() {
    let mut graph = residual();
    graph.folded = ["a", "a/0", "b/0"].map(str::to_owned).into();
    let keyed = graph.keyed(&inferred(&graph));
    let before = essence(&graph);
    // One node of a folded box stands for all of it.
    let chosen = ids(&graph, &["a/0/conv", "stem"]);
    into_group(&mut graph, &chosen, "body", &keyed);
    assert_eq!(names(&graph)[1..3], ["body/stem", "body/a/0/conv"]);
    let folded: Vec<&str> = graph.folded.iter().map(String::as_str).collect();
    assert_eq!(folded, ["b/0", "body/a", "body/a/0"]);
    out_of_group(&mut graph, "body", &keyed);
    let folded: Vec<&str> = graph.folded.iter().map(String::as_str).collect();
    assert_eq!(folded, ["a", "a/0", "b/0"]);
    assert_eq!(essence(&graph), before);
}

#[test]
fn groups_fold_and_unfold_level_by_level() {
    let mut graph = residual();
    let none = BTreeSet::new();
    let set = |groups: &[&str]| {
        groups
            .iter()
            .map(|g| (*g).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(graph.folded_below(0), set(&["a", "a/0", "b", "b/0"]));
    assert_eq!(graph.folded_below(1), set(&["a/0", "b/0"]));
    graph.folded = graph.folded_one_more(&none);
    assert_eq!(graph.folded, set(&["a/0", "b/0"]));
    graph.folded = graph.folded_one_more(&ids(&graph, &["a/0/conv"]));
    assert_eq!(graph.folded, set(&["a", "a/0", "b/0"]));
    assert_eq!(graph.folded_around("a/0/conv"), Some("a"));
    assert_eq!(graph.open_groups(), set(&["b"]));
    assert_eq!(graph.folded_boxes(), set(&["a", "b/0"]));
    graph.folded = graph.folded_one_less(&none);
    assert_eq!(graph.folded, set(&["a/0"]), "inner ones stay as they were");
}

#[test]
fn a_group_is_repeated_in_a_chain_with_weights_of_its_own() {
    let mut graph = residual();
    let before = inferred(&graph).totals.params;
    let chain = graph.chain_of("a/0").unwrap();
    let new = graph.repeat("a/0", &chain, 3, [100.0, 0.0]);
    assert_eq!(new, ["a/1", "a/2"]);
    let inference = inferred(&graph);
    assert!(!inference.has_errors());
    let per_block = 8 * 8 * 9 + 8;
    assert_eq!(inference.totals.params, before + 2 * per_block);
    let reads = |name: &str| {
        let node = graph.named(name, Phase::Train).unwrap();
        node.inputs
            .0
            .iter()
            .flatten()
            .map(|from| from.node.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(reads("a/1/add"), ["a/1/relu", "a/0/add"]);
    assert_eq!(reads("a/2/conv"), ["a/1/add"]);
    assert_eq!(reads("b/0/add"), ["b/0/conv", "a/2/add"]);
    // In the list too they stand behind the original.
    assert_eq!(names(&graph)[4..6], ["a/0/add", "a/1/conv"]);
    assert_eq!(
        graph.named("a/2/add", Phase::Train).unwrap().position,
        [200.0, 0.0]
    );
    assert_eq!(graph.named("a/1/conv", Phase::Train).unwrap().key, None);
}

#[test]
fn what_cannot_be_chained_says_why() {
    let mut graph = graph(
        "data = Data()
         in/a = ReLU() < data
         two/x = Eltwise() < in/a data
         two/y = ReLU() < two/x
         out = Eltwise() < two/y two/x
         fork/p = ReLU() < out
         fork/q = ReLU() < out
         end = Eltwise() < fork/p fork/q",
    );
    for (group, word) in [("two", "several sources"), ("fork", "several outputs")] {
        let reason = graph.chain_of(group).unwrap_err();
        assert!(reason.contains(word), "{group}: {reason}");
    }
    let alone = ids(&graph, &["data"]);
    into_group(&mut graph, &alone, "source", &BTreeSet::new());
    let reason = graph.chain_of("source").unwrap_err();
    assert!(reason.contains("reads nothing"), "{reason}");
    assert!(graph.chain_of("in").is_ok());
    let both = ids(&graph, &["two/y", "end"]);
    into_group(&mut graph, &both, "join", &BTreeSet::new());
    let reason = graph.chain_of("join").unwrap_err();
    assert!(reason.contains("several"), "{reason}");
}

#[test]
fn a_shared_key_is_shared_within_each_copy() {
    let mut graph = graph(
        "data = Data()
         g/a = Convolution(num_output: 4, kernel: (3, 3), pad: (1, 1)) < data
         g/b = Convolution(num_output: 4, kernel: (3, 3), pad: (1, 1)) < g/a",
    );
    set_key(&mut graph, "g/a", "shared");
    set_key(&mut graph, "g/b", "shared");
    let one = inferred(&graph).totals.params;
    let chain = graph.chain_of("g").unwrap();
    graph.repeat("g", &chain, 2, [0.0; 2]);
    assert_eq!(inferred(&graph).totals.params, 2 * one);
}

#[test]
fn a_layer_is_replaced_and_keeps_what_both_have() {
    let mut graph = residual();
    let conv = ids(&graph, &["a/0/conv"]).pop_first().unwrap();
    graph.replace_layer(conv, layers::make("Deconvolution").unwrap());
    let node = graph.node(conv).unwrap();
    let text = node.layer.to_ron().unwrap();
    assert!(
        text.contains("num_output: 8") && text.contains("kernel: (3, 3)"),
        "{text}"
    );
    assert_eq!(
        (node.name.as_str(), node.key.as_deref()),
        ("a/0/conv", Some("layer1.0.conv1"))
    );
    assert!(
        !inferred(&graph).has_errors(),
        "3 × 3 with padding 1 keeps the size both ways"
    );
    // What no longer fits is kept and said.
    graph.replace_layer(conv, layers::make("SoftmaxWithLoss").unwrap());
    assert_eq!(graph.node(conv).unwrap().inputs.0.len(), 1);
    assert!(inferred(&graph).has_errors());
}

#[test]
fn differences_name_nodes_fields_and_wires() {
    let a = residual();
    assert!(diff(&a, &a).is_empty());
    let mut b = a.clone();
    let conv = ids(&b, &["stem"]).pop_first().unwrap();
    let layer = "Convolution(num_output: 8, kernel: (5, 5), pad: (2, 2))";
    b.node_mut(conv).unwrap().layer = layers::parse(layer).unwrap();
    let relu = ids(&b, &["a/0/relu"]);
    b.remove(&relu);
    let add = ids(&b, &["a/0/add"]).pop_first().unwrap();
    b.connect((ids(&b, &["a/0/conv"]).pop_first().unwrap(), 0), (add, 0));
    b.add(Node::new("drop", layers::make("Dropout").unwrap()));
    let fc = ids(&b, &["fc"]).pop_first().unwrap();
    b.node_mut(fc).unwrap().position = [5.0, 5.0];
    let found = diff(&a, &b);
    let name = |graph: &Graph, id: &NodeId| graph.node(*id).unwrap().name.clone();
    assert_eq!(
        found
            .removed
            .iter()
            .map(|id| name(&a, id))
            .collect::<Vec<_>>(),
        ["a/0/relu"]
    );
    assert_eq!(
        found
            .added
            .iter()
            .map(|id| name(&b, id))
            .collect::<Vec<_>>(),
        ["drop"]
    );
    assert_eq!(found.moved, [fc]);
    let changes: Vec<String> = (found.changed.iter())
        .flat_map(|changed| {
            let name = name(&b, &changed.after);
            let line = move |change: &layerlab::graph::Change| {
                format!(
                    "{name} {}: {} → {}",
                    change.what, change.before, change.after
                )
            };
            changed.changes.iter().map(line).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        changes,
        [
            "stem kernel: 3 → 5",
            "stem pad: 1 → 2",
            "a/0/add inputs: a/0/relu, stem → a/0/conv, stem",
        ]
    );
    // A group is no change of weights or wires: only names.
    let mut c = a.clone();
    let keyed = c.keyed(&inferred(&c));
    let chosen = ids(&c, &["stem", "a/0/conv", "a/0/relu"]);
    into_group(&mut c, &chosen, "g", &keyed);
    let found = diff(&a, &c);
    assert!(found.added.is_empty() && found.removed.is_empty());
    let all = found.changed.iter().flat_map(|changed| &changed.changes);
    assert!(
        all.map(|change| change.what.as_str())
            .all(|what| what == "name")
    );
}

fn areas(blocks: &[Block], view: [f32; 2]) -> Vec<Placed> {
    let places = layered(blocks, view);
    let placed = blocks.iter().zip(places);
    placed
        .map(|(block, place)| Placed {
            group: block.group.clone(),
            area: Area::at(place, block.size),
        })
        .collect()
}

/// No box is on another, and no box is in the frame of a group that it does not belong to.
fn check_apart(boxes: &[Placed]) {
    assert!(!has_overlap(boxes));
    let groups: BTreeSet<&str> = boxes.iter().map(|placed| placed.group.as_str()).collect();
    for group in groups.into_iter().filter(|group| !group.is_empty()) {
        let is_inside = |placed: &&Placed| {
            placed.group == group || placed.group.starts_with(&format!("{group}/"))
        };
        let inside = boxes.iter().filter(is_inside);
        let frame = bounds_of(inside, group).unwrap().framed();
        for other in boxes.iter().filter(|placed| !is_inside(placed)) {
            let within = group.starts_with(&format!("{}/", other.group)) || other.group.is_empty();
            assert!(
                !within || !other.area.overlaps(&frame),
                "{group}: {other:?} {frame:?}"
            );
        }
    }
}

const WIDE: [f32; 2] = [1e6, 1e3];

fn block(group: &str, reads: &[usize]) -> Block {
    Block {
        group: group.to_owned(),
        size: [100.0, 60.0],
        reads: reads.to_vec(),
    }
}

#[test]
fn a_chain_is_a_straight_row_and_a_long_one_goes_on_below() {
    let chain: Vec<Block> = (0..12usize)
        .map(|n| block("", &n.checked_sub(1).into_iter().collect::<Vec<_>>()))
        .collect();
    let row = areas(&chain, WIDE);
    assert!(
        row.windows(2)
            .all(|pair| pair[0].area.max[0] < pair[1].area.min[0])
    );
    assert!(
        row.iter()
            .all(|placed| placed.area.min[1] == row[0].area.min[1])
    );
    let broken = areas(&chain, [700.0, 400.0]);
    check_apart(&broken);
    let size = bounds_of(broken.iter(), "").unwrap().size();
    assert!(size[0] < 1000.0 && size[1] < 600.0, "{size:?}");
}

#[test]
fn the_main_line_stays_straight_beside_a_branch() {
    // A residual block: three in a row, and a way around them.
    let blocks = [
        block("", &[]),
        block("", &[0]),
        block("", &[1]),
        block("", &[2, 0]),
    ];
    let placed = areas(&blocks, WIDE);
    assert!(
        placed
            .iter()
            .all(|p| p.area.min[1] == placed[0].area.min[1]),
        "{placed:?}"
    );
}

#[test]
fn circles_and_parts_are_drawn_too() {
    let blocks = [
        block("", &[1, 0, 1]),
        block("", &[0]),
        block("", &[]),
        block("g", &[4]),
        block("", &[3]),
    ];
    check_apart(&areas(&blocks, WIDE));
    assert!(layered(&[], WIDE).is_empty());
}

#[test]
fn many_long_wires_take_no_long_time() {
    let blocks: Vec<Block> = (0..500usize)
        .map(|n| block("", if n == 0 { vec![] } else { vec![n - 1, 0] }.as_slice()))
        .collect();
    let begun = std::time::Instant::now();
    check_apart(&areas(&blocks, WIDE));
    assert!(begun.elapsed().as_secs_f64() < 5.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn boxes_never_overlap_and_groups_stay_apart(
        wires in prop::collection::vec((0usize..40, 0usize..40), 0..80),
        groups in prop::collection::vec(0usize..6, 40),
        heights in prop::collection::vec(40f32..300.0, 40),
        narrow in any::<bool>(),
    ) {
        const GROUPS: [&str; 6] = ["", "a", "a/0", "a/1", "b", "b/x/y"];
        let mut blocks: Vec<Block> = (groups.iter().zip(&heights))
            .map(|(group, height)| Block {
                size: [80.0 + height / 2.0, *height],
                ..block(GROUPS[*group], &[])
            })
            .collect();
        for (from, to) in wires {
            blocks[to].reads.push(from);
        }
        let view = if narrow { [800.0, 500.0] } else { WIDE };
        let placed = areas(&blocks, view);
        check_apart(&placed);
        prop_assert_eq!(&areas(&blocks, view), &placed, "the same every time");
    }

    #[test]
    fn unfolding_and_folding_leave_no_overlap(
        chain in prop::collection::vec(0usize..4, 8..20),
        which in 0usize..8,
        size in (300f32..2000.0, 100f32..900.0),
        narrow in any::<bool>(),
    ) {
        const GROUPS: [&str; 4] = ["", "a", "a/0", "b"];
        let blocks: Vec<Block> = (chain.iter().enumerate())
            .map(|(n, group)| block(GROUPS[*group], &n.checked_sub(1).into_iter().collect::<Vec<_>>()))
            .collect();
        let mut boxes = areas(&blocks, if narrow { [800.0, 500.0] } else { WIDE });
        let folded = boxes.remove(which);
        let old = folded.area;
        let new = Area::at([old.min[0], old.min[1] - size.1 / 3.0], [size.0, size.1]);
        make_room(&mut boxes, &folded.group, old, new);
        let mut all = boxes.clone();
        all.push(Placed { area: new, ..folded.clone() });
        check_apart(&all);
        make_room(&mut boxes, &folded.group, new, old);
        let mut all = boxes.clone();
        all.push(folded);
        check_apart(&all);
    }
}

#[test]
fn a_row_gives_way_and_comes_back() {
    let place = |x: f32, y: f32| Placed {
        group: String::new(),
        area: Area::at([x, y], [100.0, 60.0]),
    };
    let before = vec![
        place(0.0, 0.0),
        place(300.0, 0.0),
        place(0.0, 100.0),
        place(300.0, 100.0),
    ];
    let mut boxes = before.clone();
    let old = Area::at([150.0, 0.0], [100.0, 60.0]);
    let new = Area::at([150.0, -40.0], [400.0, 200.0]);
    make_room(&mut boxes, "", old, new);
    let places: Vec<[f32; 2]> = boxes.iter().map(|placed| placed.area.min).collect();
    // The row goes on at the right, the row below moves down and not aside.
    assert_eq!(
        places,
        [[0.0, 0.0], [600.0, 0.0], [0.0, 200.0], [300.0, 200.0]]
    );
    make_room(&mut boxes, "", new, old);
    assert_eq!(boxes, before);
}

#[test]
fn a_graph_is_laid_out_with_its_folded_groups() {
    let mut graph = residual();
    graph.folded = graph.folded_below(0);
    graph.lay_out([1600.0, 500.0], |_| None);
    let corner = |graph: &Graph, group: &str| {
        let members = graph.members(group);
        let nodes = graph
            .nodes()
            .iter()
            .filter(|node| members.contains(&node.id));
        nodes.fold([f32::INFINITY; 2], |c, node| {
            [c[0].min(node.position[0]), c[1].min(node.position[1])]
        })
    };
    let [a, b] = ["a", "b"].map(|group| corner(&graph, group));
    assert!(
        b[0] - a[0] > 170.0 && b[0] - a[0] < 300.0,
        "{a:?} {b:?}: as boxes side by side"
    );
    // Inside, what is hidden has places too.
    let place = |name: &str| graph.named(name, Phase::Train).unwrap().position;
    assert!(place("a/0/relu")[0] > place("a/0/conv")[0] + 100.0);
}
