//! Files that are damaged, or meant to do harm.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::encode::{self, Attribute, FLOAT, Message};
use super::*;

/// A fraction of a second, on a machine that does nothing else.
const SOON: Duration = Duration::from_secs(10);

fn graph(parts: impl IntoIterator<Item = (u32, Message)>) -> Vec<u8> {
    let fold = |graph: Message, (number, part): (u32, Message)| graph.message(number, &part);
    let graph = parts.into_iter().fold(Message::default(), fold);
    let opset = Message::default().number(2, 17);
    Message::default().message(7, &graph).message(8, &opset).0
}

fn problem(bytes: &[u8]) -> String {
    let begun = Instant::now();
    let Err(Broken(problem)) = read(bytes, None, "net") else {
        panic!("it was read");
    };
    let took = begun.elapsed();
    assert!(took < SOON, "{took:?}");
    problem
}

fn input() -> (u32, Message) {
    (11, encode::value_info("x", FLOAT, &[None, Some(4)]))
}

fn output(name: &str) -> (u32, Message) {
    (12, encode::value_info(name, FLOAT, &[]))
}

fn relu(from: &str, to: &str) -> (u32, Message) {
    (1, encode::node("", "Relu", &[from], &[to], &[]))
}

#[test]
fn what_breaks_a_file_is_named() {
    let check = |bytes: &[u8], part: &str| {
        let problem = problem(bytes);
        assert!(problem.contains(part), "{part:?} in {problem:?}");
    };
    check(b"", "no ONNX graph");
    check(b"not a model at all", "");
    check(
        &graph([input(), relu("y", "z"), relu("z", "y"), output("y")]),
        "reads “y”",
    );
    check(&graph([input(), output("y")]), "“y”");
    let weights =
        |dims: &[usize], bytes: usize| (5, encode::tensor("w", dims, FLOAT, &vec![0; bytes]));
    let gemm = || (1, encode::node("g", "Gemm", &["x", "w"], &["y"], &[]));
    check(
        &graph([input(), weights(&[4, 3], 47), gemm(), output("y")]),
        "47 bytes",
    );
    check(
        &graph([
            input(),
            weights(&[1 << 40, 1 << 40], 8),
            gemm(),
            output("y"),
        ]),
        "“w”",
    );
    check(
        &graph([input(), weights(&[1 << 33], 8), gemm(), output("y")]),
        "“w”",
    );
    let strange = (5, encode::tensor("w", &[4], 8, &[0; 4]));
    check(
        &graph([input(), strange, gemm(), output("y")]),
        "element type 8",
    );
    // No bytes at all, and no file beside it.
    let empty = (
        5,
        Message::default()
            .number(1, 1 << 30)
            .number(2, FLOAT)
            .text(8, "w"),
    );
    check(&graph([input(), empty, gemm(), output("y")]), "“w”");
}

#[test]
fn millions_of_nodes_are_refused() {
    let node = encode::node("", "Relu", &["x"], &["y"], &[]);
    let mut body = Vec::new();
    for _ in 0..2_000_000 {
        body = Message(body).message(1, &node).0;
    }
    let bytes = Message::default().bytes(7, &body).0;
    assert!(problem(&bytes).contains("20000"));
    let chain = (0..6_000).map(|index| relu(&format!("v{index}"), &format!("v{}", index + 1)));
    let first = (11, encode::value_info("v0", FLOAT, &[None, Some(4)]));
    let bytes = graph(std::iter::once(first).chain(chain).chain([output("v6000")]));
    assert!(problem(&bytes).contains("5000"));
}

/// Graphs inside graphs are not entered, however deep.
#[test]
fn deep_nesting_costs_nothing() {
    let mut inner = Message::default();
    for _ in 0..20_000 {
        let attribute = Message::default().text(1, "body").message(6, &inner);
        let node = Message::default()
            .text(1, "x")
            .text(2, "y")
            .text(4, "Loop")
            .message(5, &attribute);
        inner = Message::default().message(1, &node);
        if inner.0.len() > 1 << 17 {
            break;
        }
    }
    let node = (1, Message(inner.0[4..].to_vec()));
    let begun = Instant::now();
    _ = read(&graph([input(), node, output("y")]), None, "net");
    assert!(begun.elapsed() < SOON);
}

/// A file beside the model lies in its folder and holds what is asked of it.
#[test]
fn numbers_elsewhere_are_only_read_beside_the_model() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("w.data"), [0; 48]).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/w.data"), [0; 48]).unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), [0; 48]).unwrap();
    let check = |location: &str, offset: &str, length: &str| {
        let mut tensor = Message::default()
            .number(1, 4)
            .number(1, 3)
            .number(2, FLOAT)
            .text(8, "w");
        for (key, value) in [
            ("location", location),
            ("offset", offset),
            ("length", length),
        ] {
            let entry = Message::default().text(1, key).text(2, value);
            tensor = tensor.message(13, &entry);
        }
        let tensor = (5, tensor.number(14, 1));
        let gemm = (1, encode::node("g", "Gemm", &["x", "w"], &["y"], &[]));
        let bytes = graph([input(), tensor, gemm, output("y")]);
        read(&bytes, Some(folder.path()), "net").is_ok()
    };
    assert!(check("w.data", "0", "48"));
    let absolute = secret.path().to_str().unwrap();
    for location in [
        absolute,
        "../w.data",
        "sub/../w.data",
        "sub/w.data",
        "",
        ".",
        "..",
        "c:w.data",
    ] {
        assert!(!check(location, "0", "48"), "{location}");
    }
    let huge = u64::MAX.to_string();
    for (offset, length) in [
        ("1", "48"),
        ("0", "47"),
        ("0", "49"),
        ("-1", "48"),
        ("4", &huge),
        (&huge, "48"),
    ] {
        assert!(!check("w.data", offset, length), "{offset} {length}");
    }
}

#[test]
fn names_nest_within_bounds() {
    let name = "/a".repeat(2_000);
    let node = (1, encode::node(&name[1..], "Relu", &["x"], &["y"], &[]));
    let imported = read(&graph([input(), node, output("y")]), None, "net").unwrap();
    let depth = |node: &crate::graph::Node| node.name.matches('/').count();
    assert!(
        imported
            .project
            .graph
            .nodes()
            .iter()
            .all(|node| depth(node) < 12)
    );
}

/// Weights that many operators read under names of their own are copied within bounds.
#[test]
fn weights_are_not_copied_without_bound() {
    let weights = encode::tensor("w", &[1000, 1000], FLOAT, &vec![0; 4_000_000]);
    let mut parts = vec![
        (11, encode::value_info("v0", FLOAT, &[None, Some(1000)])),
        (5, weights),
    ];
    for index in 0..1000 {
        let (from, to, w) = (
            format!("v{index}"),
            format!("v{}", index + 1),
            format!("w{index}"),
        );
        parts.push((1, encode::node("", "Identity", &["w"], &[&w], &[])));
        parts.push((
            1,
            encode::node(
                "",
                "Gemm",
                &[&from, &w],
                &[&to],
                &[Attribute::Integer("transB", 1)],
            ),
        ));
    }
    parts.push(output("v1000"));
    assert!(problem(&graph(parts)).contains("too many names"));
}

/// A list of numbers that doubles again and again is folded only while it is short.
#[test]
fn constants_do_not_grow_without_bound() {
    let raw: Vec<u8> = (0..1024i64).flat_map(i64::to_le_bytes).collect();
    let mut parts = vec![
        input(),
        (5, encode::tensor("v0", &[1024], encode::INT64, &raw)),
    ];
    for index in 0..60 {
        let (from, to) = (format!("v{index}"), format!("v{}", index + 1));
        let axis = [Attribute::Integer("axis", 0)];
        parts.push((
            1,
            encode::node("", "Concat", &[&from, &from], &[&to], &axis),
        ));
    }
    parts.extend([relu("x", "y"), output("y")]);
    let begun = Instant::now();
    let imported = read(&graph(parts), None, "net").unwrap();
    assert!(begun.elapsed() < SOON);
    assert!(!imported.notes.is_empty());
}

/// Tens of thousands of damaged files: an error or a project, never a panic.
#[test]
fn damaged_models_are_errors_or_projects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/onnx");
    let names = [
        "conv",
        "conv_transpose",
        "reshape_by_numbers",
        "lstm_stacked",
        "gru_both",
        "scale",
        "split",
        "slice",
        "average_pool_padded",
        "resize_corners",
        "mat_mul_add",
        "batch_norm_opset_9",
        "gather_one",
        "gate",
        "typed_floats",
        "unknown_among_known",
        "channels_last",
        "concat",
        "squeeze",
        "clip",
    ];
    let originals = names.map(|name| std::fs::read(folder.join(format!("{name}.onnx"))).unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let (mut refused, mut whole) = (0, 0);
    for round in 0..40_000 {
        let mut bytes = originals[round % originals.len()].clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..6) {
                0 => bytes[at] = random.random(),
                1 => {
                    bytes[at] = bytes[at]
                        .wrapping_add(random.random_range(0..3))
                        .wrapping_sub(1)
                }
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, random.random()),
                4 => bytes[at] ^= 1 << random.random_range(0..8),
                _ => drop(bytes.drain(at..(at + random.random_range(1..30)).min(bytes.len()))),
            }
            if bytes.is_empty() {
                break;
            }
        }
        match read(&bytes, None, "net") {
            Ok(imported) => {
                let numbers: usize = imported.weights.values().map(Tensor::elem_count).sum();
                assert!(
                    numbers <= 1 << 22,
                    "{numbers} numbers of {} bytes",
                    bytes.len()
                );
                infer(&imported.project.graph, &Facts::default());
                whole += 1;
            }
            Err(Broken(problem)) => {
                assert!(!problem.is_empty());
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {whole} read");
    assert!(
        refused > 2_000 && whole > 2_000,
        "both ways are walked: {refused}, {whole}"
    );
}
