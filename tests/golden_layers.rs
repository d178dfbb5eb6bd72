//! Whole layers, from their line in a project file to outputs and gradients, against the numbers
//! that the scripts in `golden/` wrote; see `golden/common.py`.
//!
//! A layer of the catalogue without a case fails the test, unless [`WITHOUT`] says why.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use layerlab::graph::{Context, InferContext, Passed, Phase, Role, Shape, Value};
use layerlab::layers::{self, CATALOGUE};
use serde::Deserialize;

/// Both sides compute in double precision and differ in the order of sums only.
const TOLERANCE: f64 = 1e-11;

/// Layers that no other program gives numbers for, and where they are checked instead.
const WITHOUT: &[(&str, &str)] = &[];

#[derive(Deserialize)]
struct Case {
    name: String,
    layer: String,
    phase: Phase,
    inputs: usize,
    params: usize,
    outputs: usize,
    /// Parameters that the pass gives new values.
    buffers: Vec<usize>,
    reference: String,
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "layers"]
        .iter()
        .collect()
}

/// The cases of a file with the tensors beside it.
struct Golden {
    cases: Vec<Case>,
    tensors: HashMap<String, Tensor>,
}

fn files() -> Vec<Golden> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| Golden {
        cases: serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(),
        tensors: candle_core::safetensors::load(path.with_extension("safetensors"), &Device::Cpu)
            .unwrap(),
    };
    paths.into_iter().map(read).collect()
}

impl Golden {
    fn get(&self, case: &Case, kind: &str, index: usize) -> Option<&Tensor> {
        self.tensors.get(&format!("{}.{kind}{index}", case.name))
    }

    fn all(&self, case: &Case, kind: &str, count: usize) -> Vec<Tensor> {
        let get = |index| self.get(case, kind, index).unwrap().clone();
        (0..count).map(get).collect()
    }

    /// The largest difference of all outputs, buffers and gradients of a case.
    fn worst_difference(&self, case: &Case) -> f64 {
        let layer = layers::parse(&case.layer).unwrap();
        let inputs: Vec<Value> = self
            .all(case, "input", case.inputs)
            .into_iter()
            .map(|tensor| match tensor.dtype() {
                DType::U32 => Value::Labels(tensor),
                _ => Value::Tensor(tensor),
            })
            .collect();
        let params = self.all(case, "param", case.params);
        let shape = |value: &Value| Shape::known(value.tensor().dims());
        let shapes: Vec<Shape> = inputs.iter().map(shape).collect();
        let infer = InferContext {
            phase: case.phase,
            classes: None,
            data: None,
            example: None,
        };
        let inferred = layer
            .infer(&infer, &shapes.iter().collect::<Vec<_>>())
            .unwrap();
        let expected: Vec<&[usize]> = params.iter().map(|param| param.dims()).collect();
        let stated: Vec<&[usize]> = inferred.params.iter().map(|p| p.shape.as_slice()).collect();
        assert_eq!(stated, expected, "{}: shapes of the parameters", case.name);
        let needs_input: Vec<bool> = inputs
            .iter()
            .map(|input| matches!(input, Value::Tensor(_)))
            .collect();
        let context = Context {
            phase: case.phase,
            params: &params,
            seed: 1,
            needs_input: &needs_input,
            needs_params: true,
            state: &[],
            frozen: false,
            relu: false,
            precise: false,
        };
        let passed = layer.forward(&context, &inputs).unwrap();
        let mut worst = self.outputs(case, &passed, &inferred.outputs);
        let arriving: Vec<Option<Tensor>> = (0..case.outputs)
            .map(|index| self.get(case, "d_output", index).cloned())
            .collect();
        if arriving.iter().all(Option::is_none) {
            return worst;
        }
        let found = layer.backward(&context, &passed.saved, &arriving).unwrap();
        for (kind, count, found) in [
            ("d_input", case.inputs, &found.inputs),
            ("d_param", case.params, &found.params),
        ] {
            for index in 0..count {
                if let Some(golden) = self.get(case, kind, index) {
                    let ours = match found.get(index) {
                        Some(Some(ours)) => ours.clone(),
                        _ => golden.zeros_like().unwrap(),
                    };
                    worst = worst.max(difference(case, kind, &ours, golden));
                }
            }
        }
        worst
    }

    fn outputs(&self, case: &Case, passed: &Passed, inferred: &[Shape]) -> f64 {
        let mut worst = 0f64;
        assert_eq!(passed.outputs.len(), case.outputs, "{}", case.name);
        for (index, (ours, shape)) in passed.outputs.iter().zip(inferred).enumerate() {
            let golden = self.get(case, "output", index).unwrap();
            let agrees = shape.agrees(&Shape::known(golden.dims()));
            assert!(agrees, "{}: inferred {shape}", case.name);
            worst = worst.max(difference(case, "output", ours.tensor(), golden));
        }
        for index in &case.buffers {
            let golden = self.get(case, "buffer", *index).unwrap();
            let ours = passed.buffers.iter().find(|(of, _)| of == index);
            let (_, ours) = ours.unwrap_or_else(|| panic!("{}: buffer {index}", case.name));
            worst = worst.max(difference(case, "buffer", ours, golden));
        }
        worst
    }
}

/// The largest difference, relative to the largest golden value.
fn difference(case: &Case, what: &str, ours: &Tensor, golden: &Tensor) -> f64 {
    assert_eq!(ours.dims(), golden.dims(), "{}: {what}", case.name);
    let [ours, golden] = [ours, golden].map(|tensor| {
        let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
        flat.to_vec1::<f64>().unwrap()
    });
    let scale = golden.iter().fold(1e-3f64, |scale, v| scale.max(v.abs()));
    let mut worst = 0f64;
    for (ours, golden) in ours.iter().zip(&golden) {
        let error = (ours - golden).abs() / scale;
        worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
    }
    assert!(
        worst <= TOLERANCE,
        "{} ({}), {what}: {worst:e} off",
        case.name,
        case.layer
    );
    worst
}

#[test]
fn every_layer_gives_the_golden_numbers() {
    let mut worst: BTreeMap<String, (usize, f64, BTreeSet<String>)> = BTreeMap::new();
    for golden in files() {
        for case in &golden.cases {
            let difference = golden.worst_difference(case);
            let layer = case.layer.split('(').next().unwrap().to_owned();
            let (count, most, references) = worst.entry(layer).or_default();
            *count += 1;
            *most = most.max(difference);
            references.insert(case.reference.clone());
        }
    }
    for (layer, (count, worst, references)) in &worst {
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        println!(
            "{layer}: {count} cases, {worst:.1e} from {}",
            references.join(", ")
        );
    }
    println!("{} layers", worst.len());
    for entry in CATALOGUE {
        let spec = entry.spec();
        let computes = matches!(spec.role, Role::Layer | Role::Loss);
        let excused = WITHOUT.iter().any(|(name, _)| *name == spec.name);
        assert!(
            !computes || excused || worst.contains_key(spec.name),
            "{} has no golden case",
            spec.name
        );
    }
}
