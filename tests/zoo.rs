//! The networks of the papers, as the projects have them: their exact numbers of parameters, and
//! how few boxes they open as.

use std::collections::BTreeSet;

use layerlab::graph::{DataFacts, Facts, Graph, infer};
use layerlab::project::{Chapter, EXAMPLES, Example};

fn facts(shape: &[usize]) -> Facts {
    Facts {
        data: Some(DataFacts::classified(shape.to_vec(), 10)),
        ..Facts::default()
    }
}

/// Boxes of a graph with its groups folded.
fn boxes(graph: &Graph) -> usize {
    let shown = |name: &str| {
        let inside = |group: &&String| name.starts_with(&format!("{group}/"));
        let outermost = graph
            .folded
            .iter()
            .filter(inside)
            .min_by_key(|group| group.len());
        outermost.map_or_else(|| name.to_owned(), Clone::clone)
    };
    let names: BTreeSet<String> = graph.nodes().iter().map(|node| shown(&node.name)).collect();
    names.len()
}

/// Parameters of the whole and of the test phase: Krizhevsky et al. 2012 in Caffe's form, the
/// others torchvision's own counts; GoogLeNet's are those of Caffe's model zoo.
#[test]
fn the_numbers_of_parameters_are_exact() {
    let color = [3, 224, 224];
    let cases: [(&str, &[usize], u64, u64); 12] = [
        ("alexnet", &[3, 227, 227], 60_965_224, 60_965_224),
        ("alexnet-torchvision", &color, 61_100_840, 61_100_840),
        ("vgg16", &color, 138_357_544, 138_357_544),
        ("googlenet", &color, 13_378_280, 6_998_552),
        ("googlenet-torchvision", &color, 6_624_904, 6_624_904),
        ("resnet18", &color, 11_689_512, 11_689_512),
        ("resnet34", &color, 21_797_672, 21_797_672),
        ("resnet50", &color, 25_557_032, 25_557_032),
        ("resnet101", &color, 44_549_160, 44_549_160),
        // 0.27 million with three channels in, as in He et al. 2015, table 6.
        ("resnet20-cifar", &[3, 32, 32], 269_722, 269_722),
        ("plain20-cifar", &[3, 32, 32], 269_722, 269_722),
        ("inception-naive", &[1, 28, 28], 559_652, 559_652),
    ];
    for (name, shape, params, test_params) in cases {
        let graph = Example::find(name).unwrap().open().unwrap().graph;
        let inference = infer(&graph, &facts(shape));
        assert_eq!(inference.diagnostics, [], "{name}");
        let totals = inference.totals;
        assert_eq!(
            (totals.params, totals.test_params),
            (params, test_params),
            "{name}"
        );
    }
}

/// Data, loss and metrics, and the boxes of the paper's table or figure.
#[test]
fn large_networks_open_as_few_boxes() {
    let large = (EXAMPLES.iter()).filter(|example| example.chapter == Chapter::Classification);
    for example in large {
        let graph = example.open().unwrap().graph;
        // A single module is there to be seen whole.
        if graph.folded.is_empty() {
            continue;
        }
        assert!(boxes(&graph) <= 22, "{}: {}", example.name, boxes(&graph));
    }
    for name in ["resnet18", "resnet34", "resnet50", "resnet101"] {
        let graph = Example::find(name).unwrap().open().unwrap().graph;
        let ends = ["data", "loss", "accuracy", "accuracy_top5"].len();
        assert_eq!(boxes(&graph), 6 + ends, "{name}");
    }
}
