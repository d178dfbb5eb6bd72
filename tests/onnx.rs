//! ONNX: small models of one operator or two, whole projects there and back, and what a person
//! gets to read of them. `golden/onnx_cases.py` made the models and their answers with
//! onnxruntime; `golden/onnx_check.py` compares large networks, by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use layerlab::graph::{DataFacts, Facts, Graph, Phase};
use layerlab::interop::onnx;
use layerlab::layers;
use layerlab::net::{ForwardOptions, Keep, Net, NetConfig, NetFeed};
use layerlab::project::{EXAMPLES, Project};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/onnx")
}

fn models() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "onnx"))
        .collect();
    paths.sort();
    assert!(paths.len() > 100, "{} models", paths.len());
    paths
}

fn net(graph: &Graph, facts: &Facts, weights: &BTreeMap<String, Tensor>) -> Net {
    let mut net = Net::compile(graph, facts, NetConfig::default()).unwrap();
    let keys: Vec<&String> = net.params().keys().collect();
    assert_eq!(keys, weights.keys().collect::<Vec<_>>());
    for (key, tensor) in weights {
        net.set_param(key, tensor.clone()).unwrap();
    }
    net
}

/// What the network answers with first.
fn answer(net: &Net, x: &Tensor) -> Tensor {
    let wanted = net.outputs(Phase::Test);
    let nodes = std::collections::BTreeSet::from([wanted[0].node.clone()]);
    let options = ForwardOptions {
        keep: Keep::Only(nodes.clone()),
        until: Some(nodes),
        ..ForwardOptions::default()
    };
    let pass = net
        .forward(Phase::Test, &NetFeed::only(x.clone(), net), options)
        .unwrap();
    pass.value(net, &wanted[0]).unwrap().tensor().clone()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F32).unwrap();
    flat.to_vec1().unwrap()
}

/// The largest difference over the largest number.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (numbers(a), numbers(b));
    let scale = b.iter().fold(1e-6f32, |most, b| most.max(b.abs()));
    let pairs = a.iter().zip(&b);
    pairs.fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / scale
}

#[test]
fn small_models_answer_as_onnxruntime_does() {
    let golden = candle_core::safetensors::load(folder().join("golden.safetensors"), &Device::Cpu);
    let golden = golden.unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for path in models() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Some(x) = golden.get(&format!("{name}.x")) else {
            continue;
        };
        let imported = onnx::open(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            !imported
                .notes
                .iter()
                .any(|note| note.contains("counterpart")),
            "{name}: {:?}",
            imported.notes
        );
        // An image with its channels last is given to us with them first.
        let given = match name {
            "channels_last" => x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap(),
            _ => x.clone(),
        };
        let facts = Facts::default();
        let ours = net(&imported.project.graph, &facts, &imported.weights);
        let y = answer(&ours, &given);
        let wanted = &golden[&format!("{name}.y")];
        let found = difference(&y, wanted);
        assert!(found < 2e-6, "{name}: {found}");
        // And written and read again it answers the same.
        let again = temporary.path().join("again.onnx");
        onnx::save(&imported.project, &facts, &imported.weights, &again)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = onnx::open(&again).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = difference(
            &answer(&net(&again.project.graph, &facts, &again.weights), &given),
            &y,
        );
        assert!(found < 2e-6, "{name} again: {found}");
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn an_operator_without_a_counterpart_keeps_its_text_and_is_named() {
    let imported = onnx::open(&folder().join("unknown.onnx")).unwrap();
    let odd = imported.project.graph.named("odd", Phase::Test).unwrap();
    assert_eq!(odd.layer.title(), "Erf");
    assert_eq!(odd.inputs.get(0).unwrap().to_string(), "a");
    assert!(
        imported.notes[0].starts_with("odd (Erf)"),
        "{:?}",
        imported.notes
    );
    let imported = onnx::open(&folder().join("unknown_among_known.onnx")).unwrap();
    let deep = imported.project.graph.named("deep", Phase::Test).unwrap();
    let text = deep.layer.to_ron().unwrap();
    assert!(text.contains("blocksize = 2"), "{text}");
    assert_eq!(imported.weights.len(), 2, "the weights behind it are there");
    let kept = imported.project.to_ron().unwrap();
    assert_eq!(Project::from_ron(&kept).unwrap(), imported.project);
    let path = tempfile::tempdir().unwrap().path().join("x.onnx");
    let error = onnx::save(
        &imported.project,
        &Facts::default(),
        &imported.weights,
        &path,
    )
    .unwrap_err();
    assert!(error.to_string().contains("deep"), "{error}");
    assert!(!path.exists());
}

#[test]
fn names_and_keys_are_those_of_the_modules() {
    let imported = onnx::open(&folder().join("conv.onnx")).unwrap();
    let names: Vec<&str> = imported
        .project
        .graph
        .nodes()
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(names, ["x", "c"]);
    assert_eq!(
        imported.weights.keys().collect::<Vec<_>>(),
        ["c.bias", "c.weight"]
    );
    let imported = onnx::open(&folder().join("lstm_stacked.onnx")).unwrap();
    let rnn = imported.project.graph.named("rnn", Phase::Test).unwrap();
    let text = rnn.layer.to_ron().unwrap();
    assert!(
        text.contains("num_layers: 2") && text.contains("output: last"),
        "{text}"
    );
    assert_eq!(imported.project.graph.nodes().len(), 2);
}

/// The projects of the program, their test phase: written and read again, every layer is the same
/// one under the same name and key, and the answers are equal.
#[test]
fn projects_survive() {
    let temporary = tempfile::tempdir().unwrap();
    for example in EXAMPLES {
        let name = example.name;
        let data = match name {
            "lenet-digits" | "mlp-digits" | "perceptron-digits" | "lstm-digits" => {
                DataFacts::classified([1, 28, 28], 10)
            }
            "char-lstm" => DataFacts {
                labels: Some(vec![16]),
                ..DataFacts::classified([16], 30)
            },
            _ => continue,
        };
        let project = example.open().unwrap();
        let facts = Facts {
            data: Some(data.clone()),
            ..Facts::default()
        };
        let config = NetConfig::default();
        let fresh = Net::compile(&project.graph, &facts, config).unwrap();
        let weights = fresh.copy_params().unwrap();
        let path = temporary.path().join("net.onnx");
        onnx::save(&project, &facts, &weights, &path).unwrap();
        let imported = onnx::open(&path).unwrap();
        assert_eq!(imported.notes, [""; 0], "{name}");
        assert_eq!(imported.project.title, project.title);
        let mut dims = vec![3];
        dims.extend(&data.shape);
        let x = match data.shape.len() {
            1 => Tensor::arange(0f32, 48f32, &Device::Cpu)
                .unwrap()
                .reshape(dims)
                .unwrap()
                .affine(0.5, 0.0)
                .unwrap()
                .floor()
                .unwrap(),
            _ => Tensor::randn(0f32, 1f32, dims, &Device::Cpu).unwrap(),
        };
        let back = net(&imported.project.graph, &facts, &imported.weights);
        let found = difference(&answer(&back, &x), &answer(&fresh, &x));
        assert!(found < 1e-6, "{name}: {found}");
        for node in imported.project.graph.nodes().iter().skip(1) {
            let old = project
                .graph
                .named(&node.name, Phase::Test)
                .unwrap_or_else(|| panic!("{}", node.name));
            assert_eq!(
                old.layer.title(),
                node.layer.title(),
                "{name}: {}",
                node.name
            );
            assert_eq!(old.param_key("weight"), node.param_key("weight"));
        }
    }
}

/// A network of one layer, written.
fn written(layer: &str, shape: &[usize]) -> Result<onnx::Imported, String> {
    let text = format!(
        r#"(version: 1, title: "one", data: (source: "digits"), stages: [], graph: (nodes: [
            (name: "x", layer: Input(shape: {shape:?})), (name: "y", layer: {layer}, inputs: ["x"])]))"#
    );
    let project = Project::from_ron(&text).map_err(|error| error.to_string())?;
    let facts = Facts::default();
    let net = Net::compile(&project.graph, &facts, NetConfig::default())
        .map_err(|error| error.to_string())?;
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("one.onnx");
    let weights = net.copy_params().map_err(|error| error.to_string())?;
    onnx::save(&project, &facts, &weights, &path).map_err(|error| error.to_string())?;
    let imported = onnx::open(&path).map_err(|error| error.to_string())?;
    let mut dims = vec![2];
    dims.extend(shape);
    let x = Tensor::rand(0.1f32, 1f32, dims, &Device::Cpu).unwrap();
    let x = match layer.starts_with("Embed") {
        true => (x * 5.0).unwrap().floor().unwrap(),
        false => x,
    };
    let back = self::net(&imported.project.graph, &facts, &imported.weights);
    let found = difference(&answer(&back, &x), &answer(&net, &x));
    match found < 3e-6 {
        true => Ok(imported),
        false => Err(format!("{layer}: {found}")),
    }
}

/// Every layer of the catalogue that computes is written, or refused by name.
#[test]
fn every_layer_has_a_form_or_says_that_it_has_none() {
    const FORMLESS: [&str; 4] = ["BatchReindex", "Silence", "Crop", "Eltwise"];
    for entry in layers::CATALOGUE {
        let spec = entry.spec();
        if spec.role != layerlab::graph::Role::Layer || FORMLESS.contains(&spec.name) {
            continue;
        }
        let layer = match spec.name {
            "InnerProduct" | "Convolution" | "Deconvolution" | "LSTM" | "GRU" | "RNN" => {
                format!("{}(num_output: 6)", spec.name)
            }
            "Embed" => "Embed(num_output: 3, input_dim: 5)".to_owned(),
            name => name.to_owned(),
        };
        let shape: &[usize] = match spec.name {
            "Embed" => &[4],
            "LSTM" | "GRU" | "RNN" => &[5, 3],
            _ => &[4, 6, 8],
        };
        written(&layer, shape).unwrap_or_else(|error| panic!("{layer}: {error}"));
    }
}

#[test]
fn one_layer_comes_back_as_it_was() {
    let check = |layer: &str, shape: &[usize]| {
        let imported = written(layer, shape).unwrap_or_else(|error| panic!("{layer}: {error}"));
        let nodes = imported.project.graph.nodes();
        assert_eq!(nodes.len(), 2, "{layer}: {nodes:?}");
        let asked = layers::parse(layer).unwrap();
        assert_eq!(nodes[1].layer.to_ron().unwrap(), asked.to_ron().unwrap());
        assert_eq!((nodes[1].name.as_str(), &nodes[1].key), ("y", &None));
    };
    let maps = [4, 7, 9];
    check(
        "Convolution(num_output: 6, kernel: (3, 2), stride: (2, 1), pad: (1, 0), dilation: (1, 2), group: 2)",
        &maps,
    );
    check(
        "Deconvolution(num_output: 6, kernel: (3, 4), stride: (2, 3), pad: (1, 0), group: 2, bias: false)",
        &maps,
    );
    check("InnerProduct(num_output: 3)", &maps);
    check("InnerProduct(num_output: 3, axis: 2)", &[5, 4]);
    check("Embed(num_output: 3, input_dim: 5)", &[4]);
    for pool in ["max", "average"] {
        for settings in [
            "ceil: true",
            "ceil: false",
            "ceil: true, pad: (1, 1)",
            "ceil: false, pad: (1, 1)",
            "global: true, ceil: false",
        ] {
            if settings.starts_with("global") {
                check(&format!("Pooling(method: {pool}, {settings})"), &maps);
            } else {
                check(
                    &format!("Pooling(method: {pool}, kernel: (3, 3), stride: (2, 2), {settings})"),
                    &maps,
                );
                check(
                    &format!("Pooling(method: {pool}, kernel: (2, 3), stride: (3, 2), {settings})"),
                    &[4, 8, 8],
                );
            }
        }
    }
    check("FusedBatchNorm(eps: 0.001, momentum: 0.25)", &maps);
    check("Scale(bias_term: true)", &maps);
    check("Bias()", &maps);
    check("PReLU()", &maps);
    check("LRN(local_size: 3, alpha: 0.5)", &maps);
    check("ReLU(negative_slope: 0.1)", &maps);
    check("ELU(alpha: 0.5)", &maps);
    check("Power(power: 2, scale: 0.5, shift: 3)", &maps);
    check("Softmax()", &maps);
    check("Flatten()", &maps);
    check("Reshape(shape: [0, 2, 126])", &maps);
    check("Slice(slice_point: [1, 3])", &maps);
    check("Slice(parts: 2)", &maps);
    check("Tile(axis: 2, tiles: 3)", &maps);
    check("Upsample(mode: bilinear, scale: 3)", &maps);
    check(
        "Upsample(mode: bilinear, size: (10, 13), align_corners: true)",
        &maps,
    );
    check("LSTM(num_output: 3, num_layers: 3, output: last)", &[5, 4]);
    check("GRU(num_output: 3)", &[5, 4]);
    check("RNN(num_output: 3, num_layers: 2)", &[1, 5, 4]);
}
