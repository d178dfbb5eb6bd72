//! Weights in Caffe's binary form, whole and damaged.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::*;
use crate::data::Blob;
use crate::graph::infer;
use crate::net::{Net, NetConfig};

const NET: &str = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 9
    layer { name: 'c/1' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 2 kernel_size: 3 } }
    layer { name: 'bn' type: 'BatchNorm' bottom: 'c' top: 'c' }
    layer { name: 's' type: 'Scale' bottom: 'c' top: 'c' scale_param { bias_term: true } }
    layer { name: 'ip' type: 'InnerProduct' bottom: 'c' top: 'ip' inner_product_param { num_output: 5 } }";

fn trained() -> (Project, Net) {
    let (project, _) = import(NET);
    let net = Net::compile(&project.graph, &Facts::default(), NetConfig::default()).unwrap();
    (project, net)
}

fn numbers(net: &Net) -> std::collections::BTreeMap<String, candle_core::Tensor> {
    let params = net.params().iter();
    params
        .map(|(key, param)| (key.clone(), param.tensor.clone()))
        .collect()
}

fn message(bytes: &mut Vec<u8>, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(value.len() as u64, bytes);
    bytes.extend_from_slice(value);
}

fn varint(bytes: &mut Vec<u8>, number: u32, value: u64) {
    encode_key(number, WireType::Varint, bytes);
    encode_varint(value, bytes);
}

#[test]
fn weights_survive_to_the_bit() {
    let (project, net) = trained();
    let weights = numbers(&net);
    assert_eq!(weights.len(), 2 + 3 + 2 + 2);
    let layers = layers_of(&weights, Some(&project.graph)).unwrap();
    let bytes = write_model("small", &layers);
    let read = read_model(&bytes).unwrap();
    assert_eq!(read, layers);
    let found = weights_for(read.clone(), &project.graph, net.inference());
    assert_eq!(found.len(), weights.len());
    let flat =
        |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (key, tensor) in &weights {
        assert_eq!(found[key].dims(), tensor.dims(), "{key}");
        assert_eq!(flat(&found[key]), flat(tensor), "{key}");
    }
    let by_type = weights_by_type(read);
    assert_eq!(
        by_type.keys().collect::<Vec<_>>(),
        weights.keys().collect::<Vec<_>>()
    );
    let by_key = read_model(&write_model("", &layers_of(&weights, None).unwrap())).unwrap();
    assert_eq!(weights_by_type(by_key).len(), weights.len());
}

/// V1's layers, their numbers of four axes, one number at a time and in double precision.
#[test]
fn the_older_forms_are_read() {
    let (project, net) = trained();
    let mut bytes = Vec::new();
    let blob = |dims: [u64; 4], single: bool| {
        let mut blob = Vec::new();
        (1..)
            .zip(dims)
            .for_each(|(number, size)| varint(&mut blob, number, size));
        for index in 0..dims.iter().product::<u64>() {
            match single {
                true => {
                    encode_key(5, WireType::ThirtyTwoBit, &mut blob);
                    blob.extend((index as f32).to_le_bytes());
                }
                false => {
                    encode_key(8, WireType::SixtyFourBit, &mut blob);
                    blob.extend((index as f64).to_le_bytes());
                }
            }
        }
        blob
    };
    for (name, kind, shapes) in [
        ("c/1", 4, [[2, 3, 3, 3], [1, 1, 1, 2]]),
        ("ip", 14, [[1, 1, 5, 2 * 6 * 7], [1, 1, 1, 5]]),
        ("gone", 18, [[1, 1, 1, 1], [1, 1, 1, 1]]),
    ] {
        let mut layer = Vec::new();
        message(&mut layer, 4, name.as_bytes());
        varint(&mut layer, 5, kind);
        shapes
            .iter()
            .zip([true, false])
            .for_each(|(shape, single)| message(&mut layer, 6, &blob(*shape, single)));
        message(&mut bytes, 2, &layer);
    }
    let layers = read_model(&bytes).unwrap();
    let found = weights_for(layers.clone(), &project.graph, net.inference());
    let keys: Vec<&String> = found.keys().collect();
    // One layer of the file is not in the network; BatchNorm and Scale are not in the file.
    let expected = [
        "c.1.bias",
        "c.1.weight",
        "gone.bias",
        "gone.weight",
        "ip.bias",
        "ip.weight",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        found["ip.bias"].to_vec1::<f32>().unwrap(),
        [0.0, 1.0, 2.0, 3.0, 4.0]
    );
    assert_eq!(found["ip.weight"].dims(), [5, 84]);
    let by_type = weights_by_type(layers);
    assert_eq!(by_type["c.1.weight"].dims(), [2, 3, 3, 3]);
    assert_eq!(by_type["ip.weight"].dims(), [5, 84]);
}

#[test]
fn shapes_that_do_not_fit_stay_as_they_are() {
    let (project, net) = trained();
    let mut layers = layers_of(&numbers(&net), Some(&project.graph)).unwrap();
    layers[3].blobs[0] = Blob {
        shape: vec![7, 12],
        data: vec![0.0; 84],
    };
    let found = weights_for(layers, &project.graph, net.inference());
    assert_eq!(found["ip.weight"].dims(), [7, 12]);
}

/// A hundred thousand damaged files: an error or weights, never a panic, and never more numbers
/// than there are bytes for them.
#[test]
fn damaged_weights_are_errors_or_weights() {
    let (project, net) = trained();
    let inference = infer(&project.graph, &Facts::default());
    let layers = layers_of(&numbers(&net), Some(&project.graph)).unwrap();
    let original = write_model("small", &layers);
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let (mut refused, mut whole) = (0, 0);
    for _ in 0..100_000 {
        let mut bytes = original.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..5) {
                0 => bytes[at] = random.random(),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, random.random()),
                3 => bytes[at] ^= 1 << random.random_range(0..8),
                _ => drop(bytes.drain(at..(at + random.random_range(1..30)).min(bytes.len()))),
            }
            if bytes.is_empty() {
                break;
            }
        }
        match read_model(&bytes) {
            Ok(layers) => {
                let blobs = layers.iter().flat_map(|layer| &layer.blobs);
                let numbers: usize = blobs.clone().map(|blob| blob.data.capacity()).sum();
                assert!(numbers * 4 <= bytes.len() && blobs.count() <= bytes.len());
                weights_for(layers, &project.graph, &inference);
                whole += 1;
            }
            Err(Damaged) => refused += 1,
        }
    }
    println!("{refused} refused, {whole} read");
    assert!(refused > 1000 && whole > 1000, "both ways are walked");
}
