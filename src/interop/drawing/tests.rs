//! The three formats of one small graph, folded and unfolded, with names that mean no harm.

use super::*;
use crate::graph::{DataFacts, Facts, Graph, Inputs, Node, PortRef, infer};
use crate::layers;

fn graph(evil: &str) -> Graph {
    let mut graph = Graph::default();
    let inner = format!("block/{evil}");
    let nodes = [
        ("data", "Data()", vec![]),
        (
            "block/conv",
            "Convolution(num_output: 4, pad: (1, 1))",
            vec!["data"],
        ),
        (inner.as_str(), "ReLU()", vec!["block/conv"]),
        ("sum", "Eltwise()", vec![inner.as_str(), "block/conv"]),
    ];
    for (index, (name, layer, reads)) in nodes.into_iter().enumerate() {
        let mut node = Node::new(name, layers::parse(layer).unwrap());
        node.inputs = Inputs(
            reads
                .into_iter()
                .map(|name| Some(PortRef::new(name, 0)))
                .collect(),
        );
        node.position = [220.0 * index as f32, 0.0];
        graph.add(node);
    }
    graph
}

fn figure(evil: &str, folding: Folding) -> Figure {
    let graph = graph(evil);
    let facts = Facts {
        data: Some(DataFacts::classified(vec![3, 8, 8], 2)),
        ..Facts::default()
    };
    Figure::new(evil, &graph, &infer(&graph, &facts), folding)
}

#[test]
fn boxes_wires_and_shapes_are_those_of_the_graph() {
    let open = figure("关系", Folding::AsIs);
    let titles: Vec<&str> = open
        .boxes
        .iter()
        .map(|drawn| drawn.title.as_str())
        .collect();
    assert_eq!(titles, ["data", "conv", "关系", "sum"]);
    assert_eq!(open.frames.len(), 1);
    let wires: Vec<(usize, usize, Option<&str>)> = (open.wires.iter())
        .map(|wire| (wire.from, wire.to, wire.shape.as_deref()))
        .collect();
    let expected = [
        (0, 1, Some("3×8×8")),
        (1, 2, Some("4×8×8")),
        (2, 3, Some("4×8×8")),
        (1, 3, None),
    ];
    assert_eq!(wires, expected);
    let folded = figure("关系", Folding::Folded);
    assert_eq!(folded.boxes.len(), 3);
    assert_eq!((folded.frames.len(), folded.wires.len()), (0, 2));
    assert_eq!(figure("a", Folding::Unfolded).boxes.len(), 4);
}

#[test]
fn names_stay_in_their_place() {
    let evil = "</text><script>\"]; n0 -> n1 \\\" & \u{1}\n";
    let figure = figure(evil, Folding::AsIs);
    let svg = svg(&figure);
    assert!(!svg.contains("<script") && !svg.contains('\u{1}'), "{svg}");
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&quot;]; n0 -&gt; n1 \\&quot; &amp;"));
    assert!(resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).is_ok());
    let dot = dot(&figure);
    assert!(dot.contains("<script>\\\"]; n0 -> n1 \\\\\\\" &"), "{dot}");
    assert_eq!(
        dot.matches("->").count(),
        figure.wires.len() + dot.matches("n0 -> n1 \\\\").count()
    );
}

#[test]
fn the_picture_is_twice_the_size_of_the_drawing_and_says_something() {
    let figure = figure("网络", Folding::AsIs);
    let bytes = png(&figure).unwrap();
    let picture = image::load_from_memory(&bytes).unwrap().into_luma8();
    assert_eq!(picture.width(), (figure.size[0] * 2.0).ceil() as u32);
    // Chinese letters of the title leave dark pixels, as the white page would not.
    let title = picture.enumerate_pixels().filter(|(_, y, _)| *y < 100);
    assert!(title.filter(|(_, _, pixel)| pixel.0[0] < 100).count() > 200);
    let empty = Graph::default();
    let nothing = Figure::new("", &empty, &infer(&empty, &Facts::default()), Folding::AsIs);
    assert!(png(&nothing).is_ok() && svg(&nothing).ends_with("</svg>\n"));
}
