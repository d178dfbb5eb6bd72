//! Every format into a network, strictly and as far as it fits.

use super::*;
use crate::graph::{Facts, Node};
use crate::layers;
use crate::net::NetConfig;
use crate::train::weights_to_bytes;

fn net(outputs: usize) -> Net {
    let mut graph = Graph::default();
    let layers = [
        ("data", "Input(shape: [3, 8, 8])".to_owned(), ""),
        ("conv", "Convolution(num_output: 4)".to_owned(), "data"),
        ("bn", "FusedBatchNorm()".to_owned(), "conv"),
        ("fc", format!("InnerProduct(num_output: {outputs})"), "bn"),
    ];
    for (name, layer, input) in layers {
        let mut node = Node::new(name, layers::parse(&layer).unwrap());
        if !input.is_empty() {
            node.inputs
                .set(0, Some(crate::graph::PortRef::new(input, 0)));
        }
        graph.add(node);
    }
    let config = NetConfig {
        seed: outputs as u64,
        ..NetConfig::default()
    };
    Net::compile(&graph, &Facts::default(), config).unwrap()
}

fn numbers(net: &Net, key: &str) -> Vec<f32> {
    let tensor = net.params()[key].tensor.flatten_all().unwrap();
    tensor.to_vec1().unwrap()
}

/// A file with a network's weights and what PyTorch adds.
fn saved(folder: &Path, net: &Net) -> PathBuf {
    let path = folder.join("weights.safetensors");
    let mut weights = net.copy_params().unwrap();
    let counter = Tensor::new(&[3f32], &candle_core::Device::Cpu).unwrap();
    weights.insert("bn.num_batches_tracked".to_owned(), counter);
    std::fs::write(&path, weights_to_bytes(&path, &weights).unwrap()).unwrap();
    path
}

#[test]
fn everything_fits_its_own_network() {
    let folder = tempfile::tempdir().unwrap();
    let trained = net(5);
    let path = saved(folder.path(), &trained);
    let mut fresh = net(5);
    let weight = fresh.params()["fc.weight"].tensor.clone();
    fresh
        .set_param("fc.weight", weight.zeros_like().unwrap())
        .unwrap();
    let report = load(&mut fresh, &path, Fit::Strict).unwrap();
    assert_eq!((report.matched.len(), report.unused.len()), (8, 0));
    assert!(report.is_complete());
    for key in fresh.params().keys() {
        assert_eq!(numbers(&fresh, key), numbers(&trained, key), "{key}");
    }
}

#[test]
fn a_new_last_layer_stays_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let trained = net(5);
    let path = saved(folder.path(), &trained);
    let mut other = net(7);
    let fresh = numbers(&other, "fc.weight");
    let error = load(&mut other, &path, Fit::Strict)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("“fc.weight” is 5 × 144 in the file, but 7 × 144"),
        "{error}"
    );
    assert_ne!(
        numbers(&other, "conv.weight"),
        numbers(&trained, "conv.weight")
    );
    let report = load(&mut other, &path, Fit::WhatFits).unwrap();
    assert_eq!((report.matched.len(), report.differing.len()), (6, 2));
    assert_eq!(report.differing[0].key, "fc.weight");
    assert_eq!(report.differing[0].file, [5, 144]);
    assert_eq!(
        numbers(&other, "conv.weight"),
        numbers(&trained, "conv.weight")
    );
    assert_eq!(numbers(&other, "fc.weight"), fresh);
}

#[test]
fn what_is_left_over_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("more.safetensors");
    let mut weights = net(5).copy_params().unwrap();
    let moved = weights.remove("conv.bias").unwrap();
    weights.insert("layer9.bias".to_owned(), moved);
    std::fs::write(&path, weights_to_bytes(&path, &weights).unwrap()).unwrap();
    let report = load(&mut net(5), &path, Fit::WhatFits).unwrap();
    assert_eq!(report.missing[0].key, "conv.bias");
    assert_eq!(report.unused[0].key, "layer9.bias");
    let error = load(&mut net(5), &path, Fit::Strict)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("“conv.bias”") && error.contains("“layer9.bias”"),
        "{error}"
    );
}

#[test]
fn a_file_of_another_kind_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], expected: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = WeightsFile::open(&path, None).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    };
    check("a.txt", b"", ".safetensors, .pth");
    check("b.pth", b"some text", "no file of PyTorch's");
    check("c.safetensors", b"", "ends before");
    check("d.safetensors", &[0xff; 64], "header");
    check("e.safetensors", &[8, 0, 0, 0, 0, 0, 0, 0, b'{'], "header");
    assert!(WeightsFile::open(&folder.path().join("gone.pth"), None).is_err());
    let only = folder.path().join("only.bin");
    std::fs::write(&only, b"PK\x03\x04").unwrap();
    assert!(is_weights(&only) && is_weights(Path::new("x.PTH")));
    std::fs::write(&only, b"other").unwrap();
    assert!(!is_weights(&only) && !is_weights(Path::new("x.ron")));
}

/// And back: the file of the convolution fits the full connection.
#[test]
fn a_full_connection_is_a_convolution_of_its_whole_input() {
    let folder = tempfile::tempdir().unwrap();
    let full = net(5);
    let dense = layers::rewrite::full_to_conv(full.graph(), full.inference()).unwrap();
    let mut conv = Net::compile(&dense, &Facts::default(), NetConfig::default()).unwrap();
    let report = load(&mut conv, &saved(folder.path(), &full), Fit::Strict).unwrap();
    assert!(report.is_complete());
    assert_eq!(report.notes.len(), 1);
    assert_eq!(conv.params()["fc.weight"].tensor.dims(), [5, 4, 6, 6]);
    assert_eq!(numbers(&conv, "fc.weight"), numbers(&full, "fc.weight"));
    let mut again = net(5);
    load(&mut again, &saved(folder.path(), &conv), Fit::Strict).unwrap();
    assert_eq!(numbers(&again, "fc.weight"), numbers(&full, "fc.weight"));
    // As many numbers, but in another order.
    assert!(!super::report::is_flat(&[5, 144], &[6, 5, 4, 6]));
    assert!(!super::report::is_flat(&[5, 144], &[5, 144, 1]));
}
