//! Thousands of damaged project and checkpoint files: an error each, or the same content;
//! never a panic.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use layerlab::graph::{DataFacts, Facts, infer};
use layerlab::interop::weights::{Fit, load};
use layerlab::net::{Net, NetConfig};
use layerlab::project::{EXAMPLES, Project};
use layerlab::train::{Checkpoint, History, Progress};

/// Flips, overwrites, inserts, removes, repeats or cuts: one to three of these.
fn spoil(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..=3) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        let end = (at + random.random_range(1..20)).min(bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = b"()[]{}\",:9-.eN/\\\0\xff"[random.random_range(0..18)],
            2 => bytes.insert(at, b"()[]{}\",:9-.eN/\\\0\xff"[random.random_range(0..18)]),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
}

#[test]
fn damaged_projects_are_errors_or_projects() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let facts = Facts {
        data: Some(DataFacts::classified(vec![1, 28, 28], 10)),
        ..Facts::default()
    };
    let mut errors = 0;
    for round in 0..2000 {
        let mut bytes = EXAMPLES[round % EXAMPLES.len()].text.as_bytes().to_vec();
        spoil(&mut bytes, &mut random);
        let Ok(text) = std::str::from_utf8(&bytes) else {
            errors += 1;
            continue;
        };
        match Project::from_ron(text) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                errors += 1;
            }
            Ok(project) => {
                // What was read can be checked, written and read again.
                infer(&project.graph, &facts);
                let again = Project::from_ron(&project.to_ron().unwrap()).unwrap();
                assert_eq!(format!("{again:?}"), format!("{project:?}"));
            }
        }
    }
    println!("{errors} of 2000 damaged projects were refused");
    assert!(errors > 1000, "{errors}");
}

fn checkpoint() -> Checkpoint {
    let project = EXAMPLES[2].open().unwrap();
    let net = net(&project);
    let weights: BTreeMap<String, Tensor> = net
        .params()
        .iter()
        .map(|(key, param)| (key.clone(), param.tensor.clone()))
        .collect();
    let step = |iteration| Progress {
        iteration,
        stage: 0,
        loss: 0.5,
        rate: 0.1,
        examples: 64,
        seconds: 0.01,
    };
    Checkpoint {
        iteration: 40,
        seed: 3,
        momentum: weights.clone(),
        weights,
        history: History {
            steps: (1..=40).map(step).collect(),
            evaluations: Vec::new(),
        },
        ..Checkpoint::default()
    }
}

fn net(project: &Project) -> Net {
    let facts = Facts {
        data: Some(DataFacts::classified(vec![1, 28, 28], 10)),
        ..Facts::default()
    };
    Net::compile(&project.graph, &facts, NetConfig::default()).unwrap()
}

fn values(tensors: &BTreeMap<String, Tensor>) -> Vec<Vec<f32>> {
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.values().map(values).collect()
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = checkpoint();
    good.save(folder.path(), "").unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut errors = 0;
    for round in 0..1200 {
        let names = [
            "state.ron",
            "weights.safetensors",
            "optimizer.safetensors",
            "history.csv",
        ];
        let path = folder.path().join(names[round % names.len()]);
        let bytes = std::fs::read(&path).unwrap();
        let mut spoilt = bytes.clone();
        spoil(&mut spoilt, &mut random);
        std::fs::write(&path, &spoilt).unwrap();
        match Checkpoint::load(folder.path()) {
            Err(error) => {
                let text = error.to_string();
                assert!(names.iter().any(|name| text.contains(name)), "{text}");
                errors += 1;
            }
            // Only spaces, or numbers of the history, which no weight depends on.
            Ok(loaded) => {
                assert!(
                    spoilt == bytes || (round % names.len()).is_multiple_of(3),
                    "{path:?}"
                );
                assert_eq!((loaded.iteration, loaded.seed), (40, 3));
                assert_eq!(values(&loaded.weights), values(&good.weights));
                assert_eq!(values(&loaded.momentum), values(&good.momentum));
            }
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    println!("{errors} of 1200 damaged checkpoints were refused");
    assert!(errors > 900, "{errors}");
    assert!(Checkpoint::load(folder.path()).is_ok());
}

/// A weights file alone has no checksum: its structure must hold, or it is refused.
#[test]
fn damaged_weights_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    checkpoint().save(folder.path(), "").unwrap();
    let path = folder.path().join("weights.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let project = EXAMPLES[2].open().unwrap();
    let mut net = net(&project);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..1000 {
        let mut start = bytes[..header].to_vec();
        spoil(&mut start, &mut random);
        start.extend(&bytes[header..]);
        std::fs::write(&path, &start).unwrap();
        match load(&mut net, &path, Fit::Strict) {
            Err(error) => assert!(error.to_string().contains("weights.safetensors"), "{error}"),
            Ok(_) => assert_eq!(net.params()["ip.weight"].tensor.dims(), [10, 784]),
        }
    }
    let empty = Tensor::zeros((3, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(net.set_param("ip.weight", empty).is_err());
    assert!(load(&mut net, Path::new("/"), Fit::Strict).is_err());
}
