//! The contract of the command line, on the real program: exit codes, JSON, files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use candle_core::Tensor;
use serde_json::Value;

use layerlab::interop::weights::WeightsFile;

const PROGRAM: &str = env!("CARGO_BIN_EXE_layerlab");

/// The program in English without a display, in the repository's folder.
fn layerlab(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    for name in ["LC_ALL", "LC_MESSAGES", "DISPLAY", "WAYLAND_DISPLAY"] {
        command.env_remove(name);
    }
    command.env("LANG", "en_GB.UTF-8");
    command
}

fn output(arguments: &[&str]) -> Output {
    layerlab(arguments).output().unwrap()
}

/// Runs it and expects this exit code.
#[track_caller]
fn expect(code: i32, arguments: &[&str]) -> (String, String) {
    let output = output(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}\n{out}\n{err}"
    );
    assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    (out, err)
}

/// Every line of stdout as JSON.
#[track_caller]
fn json_lines(code: i32, arguments: &[&str]) -> Vec<Value> {
    let (out, err) = expect(code, arguments);
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{err}"))
    };
    out.lines().map(parse).collect()
}

#[track_caller]
fn json(code: i32, arguments: &[&str]) -> Value {
    let mut lines = json_lines(code, arguments);
    assert_eq!(lines.len(), 1, "{arguments:?}: {lines:?}");
    lines.remove(0)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file with this project's text, changed.
fn project(folder: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("projects")
        .join(format!("{name}.ron"));
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let path = folder.join(format!("{name}.ron"));
    std::fs::write(&path, text).unwrap();
    path
}

/// The small digits project with few examples held back, so that evaluation is quick.
fn small(folder: &Path) -> PathBuf {
    let fewer = [("validation: 1000, test: 2000", "validation: 150, test: 150")];
    project(folder, "mlp-digits", &fewer)
}

const LENET: &str = "projects/lenet-digits.ron";

#[test]
fn check_counts_lenet_as_the_book_does() {
    let report = json(0, &["check", LENET, "--json"]);
    assert_eq!(report["ok"], true);
    // 20·(25+1) + 50·(500+1) + 500·(800+1) + 10·(500+1)
    assert_eq!(report["params"], 431_080);
    assert_eq!(report["neurons"], 11_520 + 3_200 + 500 + 10);
    assert_eq!(report["macs"], 288_000 + 1_600_000 + 400_000 + 5_000);
    assert_eq!(report["diagnostics"], serde_json::json!([]));
    let node = |name: &str| {
        let nodes = report["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["name"] == name).unwrap()
    };
    let expected = serde_json::json!({
        "name": "conv2", "type": "Convolution", "phase": "both", "out": [[null, 50, 8, 8]],
        "params": 25_050, "neurons": 3_200, "macs": 1_600_000, "rf": [14, 14],
    });
    assert_eq!(node("conv2"), &expected);
    assert_eq!(
        node("data")["out"],
        serde_json::json!([[null, 1, 28, 28], [null]])
    );
    assert_eq!(node("accuracy")["phase"], "test");
    assert_eq!(node("loss")["rf"], Value::Null);
}

#[test]
fn check_tells_errors_from_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let broken = project(
        folder.path(),
        "mlp-digits",
        &[(r#"inputs: ["hidden"]"#, r#"inputs: ["hiden"]"#)],
    );
    let report = json(1, &["check", text(&broken), "--json"]);
    assert_eq!(report["ok"], false);
    let finding = &report["diagnostics"][0];
    assert_eq!(
        (&finding["severity"], &finding["node"]),
        (&"error".into(), &"sigmoid".into())
    );
    assert!(finding["message"].as_str().unwrap().contains("hiden"));
    let (_, err) = expect(1, &["check", text(&broken)]);
    assert!(err.contains("error: sigmoid:"), "{err}");

    let unknown = project(
        folder.path(),
        "mlp-digits",
        &[("Sigmoid()", "Swish(beta: 2)")],
    );
    let report = json(0, &["check", text(&unknown), "--json"]);
    assert_eq!(report["ok"], true);
    assert!(report["diagnostics"].to_string().contains("Swish"));
    let row = report["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "output")
        .unwrap();
    assert_eq!(
        (&row["out"], &row["params"]),
        (&serde_json::json!([]), &Value::Null)
    );

    let bad = project(
        folder.path(),
        "mlp-digits",
        &[("momentum: 0.9", "momentum: 9.0")],
    );
    let report = json(1, &["check", text(&bad), "--json"]);
    assert!(
        report["diagnostics"][0]["message"]
            .as_str()
            .unwrap()
            .contains("momentum")
    );
    assert_eq!(report["diagnostics"][0]["node"], Value::Null);
}

#[test]
fn check_takes_shapes_and_data_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = project(
        folder.path(),
        "perceptron-digits",
        &[(r#"source: "digits""#, r#"source: "no/such/folder""#)],
    );
    let report = json(0, &["check", text(&elsewhere), "--json"]);
    assert!(
        report["diagnostics"][0]["message"]
            .as_str()
            .unwrap()
            .contains("no/such/folder"),
        "{report}"
    );
    let report = json(
        0,
        &["check", text(&elsewhere), "--json", "--data", "fashion"],
    );
    assert_eq!(report["params"], 7_850);
    json_lines(
        1,
        &[
            "check",
            text(&elsewhere),
            "--json",
            "--data",
            "no/such/file",
        ],
    );
    let shaped = json(0, &["check", LENET, "--json", "--shape", "data=3,32,32"]);
    assert_eq!(
        shaped["nodes"][0]["out"][0],
        serde_json::json!([null, 3, 32, 32])
    );
    let report = json(1, &["check", LENET, "--json", "--shape", "nobody=3,32,32"]);
    assert!(report["diagnostics"].to_string().contains("nobody"));
}

#[test]
fn wrong_usage_is_2_and_wrong_input_is_1() {
    let usage: [&[&str]; 9] = [
        &["check"],
        &["train"],
        &["train", LENET, "--device", "abacus"],
        &["train", LENET, "--threads", "0"],
        &["train", LENET, "--seed", "1", "--resume", "x"],
        &["eval", LENET],
        &["eval", LENET, "--weights", "w", "--split", "exam"],
        &["infer", LENET, "--weights", "w", "--out", "x.npy"],
        &[
            "infer",
            LENET,
            "--weights",
            "w",
            "--input",
            "x.npy",
            "--out",
            "x.gif",
        ],
    ];
    for arguments in usage {
        let (out, _) = expect(2, arguments);
        assert_eq!(out, "", "{arguments:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let prototxt = folder.path().join("net.prototxt");
    std::fs::write(&prototxt, "name: \"x\"\nlayer }").unwrap();
    let input: [(&[&str], &str); 8] = [
        (&["check", "nowhere.ron"], "nowhere.ron"),
        (&["check", text(&prototxt)], "net.prototxt:2:7"),
        (&["check", "Cargo.toml"], "line 1"),
        (&["train", LENET, "--data", "nowhere"], "nowhere"),
        (
            &["train", LENET, "--resume", "nowhere", "--iterations", "1"],
            "nowhere",
        ),
        (
            &["eval", LENET, "--weights", "nowhere.safetensors"],
            "nowhere.safetensors",
        ),
        (&["eval", LENET, "--weights", "Cargo.toml"], "Cargo.toml"),
        (&["layers", "Perceptron"], "Perceptron"),
    ];
    for (arguments, named) in input {
        let (out, err) = expect(1, arguments);
        assert_eq!(out, "", "{arguments:?}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}

/// Caffe's two files alone: a network, and a solver that names it by another folder.
#[test]
fn a_caffe_solver_trains_its_network() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let net = "layer { name: 'd' type: 'Data' top: 'data' top: 'label' transform_param { scale: 0.004 } data_param { batch_size: 20 source: 'lmdb' } }
        layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip' inner_product_param { num_output: 10 weight_filler { type: 'xavier' } } }
        layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'loss' }";
    std::fs::write(at("net.prototxt"), net).unwrap();
    let solver = "net: 'models/somewhere/net.prototxt' base_lr: 0.1 lr_policy: 'fixed' max_iter: 30 display: 1";
    std::fs::write(at("solver.prototxt"), solver).unwrap();
    let (_, err) = expect(
        0,
        &["check", text(&at("net.prototxt")), "--shape", "d=1,28,28"],
    );
    assert!(err.contains("lmdb"), "the data are not there: {err}");
    let (out, err) = expect(
        0,
        &["train", text(&at("solver.prototxt")), "--data", "digits"],
    );
    assert!(
        err.contains("solver.prototxt:1:"),
        "display is noted: {err}"
    );
    assert!(out.contains("30") || err.contains("30"), "{out}{err}");
    std::fs::remove_file(at("net.prototxt")).unwrap();
    let (_, err) = expect(
        1,
        &["train", text(&at("solver.prototxt")), "--data", "digits"],
    );
    assert!(err.contains("models/somewhere/net.prototxt"), "{err}");
}

/// Weights from outside: compared tensor by tensor, loaded as far as they fit, frozen by group.
#[test]
fn weights_are_compared_begun_with_and_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = small(folder.path());
    let train = |out: &str, more: &[&str]| {
        let path = at(out);
        let mut arguments = vec![
            "train",
            text(&file),
            "--iterations",
            "2",
            "--out",
            text(&path),
        ];
        arguments.extend(more);
        expect(0, &arguments).1
    };
    let tensors = |out: &str| {
        let path = at(out).join("weights.safetensors");
        let tensors = WeightsFile::open(&path, None).unwrap().tensors().unwrap();
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let pairs = tensors
            .iter()
            .map(|(key, tensor)| (key.clone(), flat(tensor)));
        pairs.collect::<BTreeMap<String, Vec<f32>>>()
    };
    train("first", &["--seed", "5"]);
    let weights = at("first").join("weights.safetensors");

    let report = json(0, &["weights", text(&file), text(&weights), "--json"]);
    assert_eq!(report["complete"], true);
    assert_eq!(report["matched"].as_array().unwrap().len(), 4);
    let other = project(
        folder.path(),
        "mlp-digits",
        &[
            (r#""classes""#, "7"),
            (r#"(name: "hidden""#, r#"(key: "h", name: "hidden""#),
        ],
    );
    let report = json(0, &["weights", text(&other), text(&weights), "--json"]);
    assert_eq!(report["complete"], false);
    assert_eq!(
        report["differing"][0],
        serde_json::json!({ "key": "output.weight", "file": [10, 32], "network": [7, 32] })
    );
    assert_eq!(
        (&report["missing"][0]["key"], &report["unused"][0]["key"]),
        (&"h.weight".into(), &"hidden.bias".into())
    );
    let (out, _) = expect(0, &["weights", text(&other), text(&weights)]);
    assert!(
        out.contains("10 × 32") && out.contains("7 × 32") && out.contains("not used"),
        "{out}"
    );

    let file = small(folder.path());
    let err = {
        let path = at("second");
        let arguments = [
            "train",
            text(&file),
            "--iterations",
            "2",
            "--out",
            text(&path),
            "--init",
            text(&weights),
            "--freeze",
            "hid*",
        ];
        expect(0, &arguments).1
    };
    assert!(
        err.contains("4 of the network's 4 tensors match") && err.contains("1 nodes are frozen"),
        "{err}"
    );
    let (first, second) = (tensors("first"), tensors("second"));
    for key in ["hidden.weight", "hidden.bias"] {
        assert_eq!(first[key], second[key], "{key}");
    }
    assert_ne!(first["output.weight"], second["output.weight"]);
    let kept = std::fs::read_to_string(at("second").join("project.ron")).unwrap();
    assert!(
        kept.contains("lr: 0.0"),
        "the checkpoint says what was trained"
    );
    let text_now = std::fs::read_to_string(&file).unwrap();
    assert!(!text_now.contains("multipliers"), "the file stays");

    for (arguments, expected) in [
        (["train", text(&file), "--freeze", "hiddn"], "hiddn"),
        (["train", text(&file), "--init", "gone.pth"], "gone.pth"),
        (
            [
                "weights",
                text(&file),
                "tests/cases/pytorch/code.pth",
                "--json",
            ],
            "posix.system",
        ),
        (
            [
                "weights",
                text(&file),
                "tests/cases/pytorch/bomb.pth",
                "--json",
            ],
            "larger than the file",
        ),
    ] {
        let (_, err) = expect(1, &arguments);
        assert!(err.contains(expected), "{err}");
    }
    let converted = at("from-torch.safetensors");
    expect(
        0,
        &[
            "convert",
            "tests/cases/pytorch/wrapped.pth",
            text(&converted),
        ],
    );
    let tensors = WeightsFile::open(&converted, None)
        .unwrap()
        .tensors()
        .unwrap();
    assert_eq!(tensors["transposed"].dims(), [6, 4]);
}

/// Projects, networks, solvers, weights and a mean image from one form into another and back.
#[test]
fn files_are_converted_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // `BlobProto`: 1 × 28 × 28 numbers, all 8.
    let mut mean = vec![0x08, 1, 0x10, 1, 0x18, 28, 0x20, 28, 0x2a, 0xc0, 0x18];
    mean.extend(std::iter::repeat_n(8f32.to_le_bytes(), 28 * 28).flatten());
    std::fs::write(at("mean.binaryproto"), &mean).unwrap();
    let net = "name: 'n' layer { name: 'd' type: 'Data' top: 'data' top: 'label' transform_param { scale: 0.004 mean_file: 'far/away/mean.binaryproto' } data_param { batch_size: 20 source: 'lmdb' rand_skip: 3 } }
        layer { name: 'g/ip' type: 'InnerProduct' bottom: 'data' top: 'ip' inner_product_param { num_output: 10 weight_filler { type: 'xavier' } } }
        layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'loss' }";
    std::fs::write(at("net.prototxt"), net).unwrap();
    let solver = "net: 'net.prototxt' base_lr: 0.1 lr_policy: 'inv' gamma: 0.1 power: 0.5 max_iter: 20 display: 1";
    std::fs::write(at("solver.prototxt"), solver).unwrap();
    let convert = |from: &str, to: &str, more: &[&str]| {
        let (from, to) = (at(from), at(to));
        let mut arguments = vec!["convert", text(&from), text(&to)];
        arguments.extend(more);
        let (out, _) = expect(0, &arguments);
        assert!(out.contains(text(&to)), "{out}");
    };
    convert("solver.prototxt", "a.ron", &[]);
    convert("a.ron", "out_solver.prototxt", &[]);
    convert("out_solver.prototxt", "b.ron", &[]);
    convert("out.prototxt", "c.ron", &[]);
    let read = |name: &str| std::fs::read(at(name)).unwrap();
    assert_eq!(read("a.ron"), read("b.ron"));
    assert_eq!(read("a.ron"), read("c.ron"));
    let written = String::from_utf8(read("out.prototxt")).unwrap();
    assert!(
        written.contains("rand_skip: 3") && written.contains("mean_file"),
        "{written}"
    );

    let (project, run) = (at("a.ron"), at("run"));
    expect(
        0,
        &[
            "train",
            text(&project),
            "--data",
            "digits",
            "--out",
            text(&run),
        ],
    );
    let net = at("net.prototxt");
    convert(
        "run/weights.safetensors",
        "w.caffemodel",
        &["--net", text(&net)],
    );
    convert(
        "w.caffemodel",
        "w.safetensors",
        &["--net", text(&run.join("project.ron"))],
    );
    convert("w.caffemodel", "plain.safetensors", &[]);
    assert_eq!(read("w.safetensors"), read("run/weights.safetensors"));
    assert_eq!(read("plain.safetensors"), read("run/weights.safetensors"));
    std::fs::copy(
        run.join("statistics.safetensors"),
        at("statistics.safetensors"),
    )
    .unwrap();
    let eval = |weights: &Path| {
        let evaluated = [
            "eval",
            text(&project),
            "--data",
            "digits",
            "--weights",
            text(weights),
            "--json",
        ];
        json_lines(0, &evaluated)
    };
    assert_eq!(
        eval(&at("w.caffemodel")),
        eval(&run.join("weights.safetensors"))
    );
    convert("mean.binaryproto", "mean.npy", &[]);
    assert!(read("mean.npy").len() > 4 * 28 * 28);

    // A solver of another network, which stands where this one's would, is left alone.
    std::fs::write(at("other_solver.prototxt"), solver).unwrap();
    std::fs::create_dir(at("my")).unwrap();
    let wrong = [
        ("a.ron", "other.prototxt", "other_solver.prototxt"),
        ("a.ron", "a.tflite", "tflite"),
        ("a.ron", "a.ron", "itself"),
        ("mean.binaryproto", "x.ron", "binaryproto"),
    ];
    for (from, to, said) in wrong {
        let (_, err) = expect(1, &["convert", text(&at(from)), text(&at(to))]);
        assert!(err.contains(said), "{err}");
    }
    assert!(!at("other.prototxt").exists());
    assert_eq!(read("other_solver.prototxt"), solver.as_bytes());
    convert("a.ron", "my/solver.prototxt", &[]);
    assert!(at("my/net.prototxt").exists());
    std::fs::write(at("bad.caffemodel"), &mean[..40]).unwrap();
    let (_, err) = expect(
        1,
        &[
            "convert",
            text(&at("bad.caffemodel")),
            text(&at("x.safetensors")),
        ],
    );
    assert!(
        err.contains("bad.caffemodel") && !at("x.safetensors").exists(),
        "{err}"
    );
}

#[test]
fn models_of_onnx_are_projects_with_weights() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/onnx");
    let model = cases.join("gemm.onnx");
    let report = json(0, &["check", text(&model), "--json"]);
    assert_eq!(report["params"], 4 * 5 + 4);
    std::fs::write(at("x.npy"), npy("(2, 5)", &[0.5; 10])).unwrap();
    let answer = |net: &Path, more: &[&str]| {
        let (x, y) = (at("x.npy"), at("y.npy"));
        let mut line = vec!["infer", text(net), "--input", text(&x), "--out", text(&y)];
        line.extend(more);
        expect(0, &line);
        std::fs::read(y).unwrap()
    };
    let own = answer(&model, &[]);
    let (ron, weights, again) = (at("g.ron"), at("g.safetensors"), at("again.onnx"));
    let (out, _) = expect(0, &["convert", text(&model), text(&ron)]);
    assert!(
        out.contains("g.ron") && out.contains("g.safetensors"),
        "{out}"
    );
    assert_eq!(answer(&ron, &["--weights", text(&weights)]), own);
    assert_eq!(
        answer(&ron, &["--weights", text(&model)]),
        own,
        "a model holds weights"
    );
    let (_, err) = expect(
        0,
        &[
            "convert",
            text(&ron),
            text(&again),
            "--weights",
            text(&weights),
        ],
    );
    assert!(err.contains("opset 17"), "{err}");
    assert_eq!(answer(&again, &[]), own);
    expect(
        1,
        &[
            "infer",
            text(&ron),
            "--input",
            text(&at("x.npy")),
            "--out",
            text(&at("y.npy")),
        ],
    );
    let (_, err) = expect(0, &["check", text(&cases.join("unknown.onnx"))]);
    assert!(err.contains("odd (Erf)"), "{err}");
    std::fs::write(at("bad.onnx"), &std::fs::read(&model).unwrap()[..90]).unwrap();
    let (_, err) = expect(1, &["check", text(&at("bad.onnx"))]);
    assert!(err.contains("bad.onnx"), "{err}");
    // Nothing is written of what has no form, and what was there stays.
    std::fs::write(at("kept.onnx"), "old").unwrap();
    expect(
        0,
        &[
            "convert",
            text(&cases.join("unknown.onnx")),
            text(&at("u.ron")),
        ],
    );
    let (_, err) = expect(1, &["convert", text(&at("u.ron")), text(&at("kept.onnx"))]);
    assert!(err.contains("odd"), "{err}");
    assert_eq!(std::fs::read(at("kept.onnx")).unwrap(), b"old");
}

#[test]
fn training_saves_resumes_and_evaluates() {
    let folder = tempfile::tempdir().unwrap();
    let file = small(folder.path());
    let at = |name: &str| folder.path().join(name);
    let train = |out: &str, more: &[&str]| {
        let out = at(out);
        let mut arguments = vec![
            "train",
            text(&file),
            "--json",
            "--threads",
            "2",
            "--out",
            text(&out),
        ];
        arguments.extend(more);
        json_lines(0, &arguments)
    };
    let whole = train("whole", &["--iterations", "20"]);
    assert_eq!(whole[0]["event"], "started");
    assert_eq!(
        (&whole[0]["iteration"], &whole[0]["total"]),
        (&0.into(), &20.into())
    );
    let steps = |events: &[Value]| -> Vec<(u64, f64)> {
        let steps = events.iter().filter(|event| event["event"] == "iteration");
        steps
            .map(|e| {
                (
                    e["iteration"].as_u64().unwrap(),
                    e["loss"].as_f64().unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(steps(&whole).len(), 20);
    let last = whole.last().unwrap();
    assert_eq!(
        (&last["event"], &last["iteration"], &last["split"]),
        (&"finished".into(), &20.into(), &"test".into())
    );
    assert!(last["loss"].as_f64().unwrap() > 0.0 && last["seconds"].as_f64().unwrap() > 0.0);

    let mut parts = steps(&train("half", &["--iterations", "10"]));
    let half = at("half");
    parts.extend(steps(&train(
        "both",
        &["--iterations", "20", "--resume", text(&half)],
    )));
    assert_eq!(parts, steps(&whole));
    let read = |name: &str, file: &str| std::fs::read(at(name).join(file)).unwrap();
    for file in ["weights.safetensors", "optimizer.safetensors"] {
        assert_eq!(read("whole", file), read("both", file), "{file}");
        assert_ne!(read("whole", file), read("half", file), "{file}");
    }
    let history = String::from_utf8(read("both", "history.csv")).unwrap();
    assert_eq!(history.lines().count(), 21, "{history}");
    assert!(read("both", "state.ron").starts_with(b"("));

    // The copy of the project in the folder evaluates to the same numbers.
    let (copy, weights) = (
        at("both").join("project.ron"),
        at("both").join("weights.safetensors"),
    );
    let eval = json(
        0,
        &["eval", text(&copy), "--weights", text(&weights), "--json"],
    );
    assert_eq!(eval["split"], "test");
    assert_eq!(eval["loss"], last["loss"]);
    assert_eq!(eval["metrics"], last["metrics"]);
    let eval = json(
        0,
        &[
            "eval",
            text(&file),
            "--weights",
            text(&weights),
            "--split",
            "train",
            "--json",
        ],
    );
    assert_eq!(eval["split"], "train");
    // Going on without --out goes on in the same folder.
    expect(
        0,
        &[
            "train",
            text(&file),
            "--resume",
            text(&half),
            "--iterations",
            "12",
        ],
    );
    assert_eq!(
        String::from_utf8(read("half", "history.csv"))
            .unwrap()
            .lines()
            .count(),
        13
    );
    // Another network's weights are refused by the key.
    let (_, err) = expect(1, &["eval", LENET, "--weights", text(&weights)]);
    assert!(err.contains("conv1.weight"), "{err}");
}

/// A float32 array in NumPy's format, version 1.
fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn infer_writes_any_node_in_three_formats() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let fewer = [
        ("validation: 1000, test: 2000", "validation: 150, test: 150"),
        ("validation: 500, test: 2000", "validation: 150, test: 150"),
    ];
    let text_of = std::fs::read_to_string(LENET).unwrap();
    let fewer: Vec<_> = fewer
        .into_iter()
        .filter(|(from, _)| text_of.contains(from))
        .collect();
    let file = project(folder.path(), "lenet-digits", &fewer);
    let run = at("run");
    expect(
        0,
        &[
            "train",
            text(&file),
            "--iterations",
            "3",
            "--out",
            text(&run),
        ],
    );
    let weights = run.join("weights.safetensors");
    let pixels: Vec<f32> = (0..784).map(|i| (i % 29) as f32 / 29.0).collect();
    std::fs::write(at("three.npy"), npy("(1, 28, 28)", &pixels)).unwrap();
    std::fs::write(at("four.npy"), npy("(1, 1, 28, 28)", &pixels)).unwrap();
    let infer = |code: i32, more: &[&str]| {
        let mut arguments = vec!["infer", text(&file), "--weights", text(&weights)];
        arguments.extend(more);
        expect(code, &arguments)
    };
    let (three, four) = (at("three.npy"), at("four.npy"));
    for (input, out) in [(&three, "a.npy"), (&four, "b.npy")] {
        infer(
            0,
            &[
                "--input",
                text(input),
                "--node",
                "conv1",
                "--out",
                text(&at(out)),
            ],
        );
    }
    let a = std::fs::read(at("a.npy")).unwrap();
    assert_eq!(a, std::fs::read(at("b.npy")).unwrap());
    assert!(a.starts_with(b"\x93NUMPY") && a.len() > 20 * 24 * 24 * 4);
    // Without --node, the network's answer.
    infer(0, &["--input", text(&four), "--out", text(&at("c.json"))]);
    let answer: Value = serde_json::from_slice(&std::fs::read(at("c.json")).unwrap()).unwrap();
    assert_eq!(answer["ip2"][0].as_array().unwrap().len(), 10);
    // Twenty maps of 24 × 24 in a grid of five by four, with lines between.
    infer(
        0,
        &[
            "--input",
            text(&four),
            "--node",
            "conv1",
            "--out",
            text(&at("d.png")),
        ],
    );
    let grid = image::open(at("d.png")).unwrap();
    assert_eq!((grid.width(), grid.height()), (5 * 25 - 1, 4 * 25 - 1));
    // An image is coloured, resized and scaled as the project says.
    infer(
        0,
        &[
            "--image",
            text(&at("d.png")),
            "--node",
            "data",
            "--out",
            text(&at("e.npy")),
        ],
    );
    assert!(std::fs::read(at("e.npy")).unwrap().len() > 784 * 4);

    std::fs::write(at("wrong.npy"), npy("(3, 28, 28)", &[0.0; 3 * 784])).unwrap();
    std::fs::write(at("short.npy"), npy("(1, 28, 28)", &pixels[..700])).unwrap();
    let [wrong, short, no_image, out] =
        ["wrong.npy", "short.npy", "a.npy", "x.npy"].map(|name| text(&at(name)).to_owned());
    let four = text(&four);
    let wrong: [&[&str]; 5] = [
        &["--input", &wrong, "--out", &out],
        &["--input", &short, "--out", &out],
        &["--input", four, "--node", "conv9", "--out", &out],
        &["--input", four, "--node", "conv1:3", "--out", &out],
        &["--image", &no_image, "--out", &out],
    ];
    for arguments in wrong {
        infer(1, arguments);
    }
    assert!(!at("x.npy").exists());
}

#[test]
fn layers_lists_the_catalogue() {
    let layers = json_lines(0, &["layers", "--json"]);
    let known = layerlab::layers::CATALOGUE
        .iter()
        .map(|entry| entry.spec().name);
    assert!(
        layers
            .iter()
            .map(|layer| layer["name"].as_str().unwrap())
            .eq(known)
    );
    let convolution = json(0, &["layers", "Convolution", "--json"]);
    assert_eq!(convolution["caffe"]["param"], "convolution_param");
    let fields = convolution["fields"].as_array().unwrap();
    let kernel = fields
        .iter()
        .find(|field| field["name"] == "kernel")
        .unwrap();
    assert_eq!(kernel["type"], "pair");
    let (english, _) = expect(0, &["layers", "Pooling"]);
    let (chinese, _) = expect(0, &["layers", "Pooling", "--lang", "zh"]);
    assert!(
        english.contains("parameter") && chinese.contains("参数"),
        "{english}\n{chinese}"
    );
}

#[test]
fn bench_measures_every_part_of_a_step() {
    let report = json(
        0,
        &[
            "bench",
            "projects/mlp-digits.ron",
            "--batch",
            "8",
            "--iterations",
            "5",
            "--json",
        ],
    );
    let number = |name: &str| report[name].as_f64().unwrap();
    for name in [
        "forward_ms",
        "backward_ms",
        "update_ms",
        "step_ms",
        "images_per_s",
    ] {
        assert!(number(name) > 0.0, "{name}: {report}");
    }
    let images_per_s = 8.0 / number("step_ms") * 1000.0;
    assert!((number("images_per_s") - images_per_s).abs() < 1e-6 * images_per_s);
    assert!(report.as_object().unwrap().contains_key("peak_mb"));
}

#[test]
fn bench_measures_the_forward_walk_alone() {
    let project = "projects/mlp-digits.ron";
    let report = json(
        0,
        &["bench", project, "--iterations", "3", "--forward", "--json"],
    );
    assert!(report["forward_ms"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["step_ms"].is_null(), "{report}");
}

#[test]
fn the_language_is_chosen_by_option_or_locale() {
    let (help, _) = expect(0, &["train", "--help", "--lang", "zh"]);
    assert!(help.contains("随机种子"), "{help}");
    let chinese = layerlab(&["check", "nowhere.ron"])
        .env("LANG", "zh_CN.UTF-8")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(chinese.stderr)
            .unwrap()
            .contains("无法读取")
    );
    let (_, err) = expect(1, &["--lang", "en", "check", "nowhere.ron"]);
    assert!(err.contains("cannot read"), "{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_display_it_says_so_and_trains_in_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let fewer = [
        ("validation: 1000, test: 2000", "validation: 150, test: 150"),
        ("iterations: 1000", "iterations: 12"),
    ];
    let file = project(folder.path(), "mlp-digits", &fewer);
    let (_, err) = expect(0, &[text(&file)]);
    assert!(err.contains("no window: "), "{err}");
    assert!(err.contains("finished after 12 iterations"), "{err}");
}

#[test]
#[cfg(unix)]
fn ctrl_c_saves_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (small(folder.path()), folder.path().join("run"));
    let arguments = [
        "train",
        text(&file),
        "--iterations",
        "10000000",
        "--out",
        text(&out),
        "--json",
    ];
    let mut child = layerlab(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let first = lines.find(|line| line.contains("\"iteration\"")).unwrap();
    assert!(!first.is_empty());
    assert!(lines.nth(50).is_some());
    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    let last: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(last["event"], "stopped");
    let done = last["iteration"].as_u64().unwrap();
    assert!(done > 50);
    let next = (done + 5).to_string();
    let resumed = json_lines(
        0,
        &[
            "train",
            text(&file),
            "--resume",
            text(&out),
            "--iterations",
            &next,
            "--json",
        ],
    );
    assert_eq!(resumed[0]["iteration"], done);
    assert_eq!(resumed.last().unwrap()["iteration"], done + 5);
}

#[test]
fn every_shipped_project_is_sound() {
    for entry in std::fs::read_dir("projects").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ron") {
            let report = json(0, &["check", text(&path), "--json"]);
            assert_eq!(
                report["diagnostics"],
                serde_json::json!([]),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn labs_are_listed_and_refuse_what_makes_no_sense() {
    let benches = json_lines(0, &["labs", "--json"]);
    assert_eq!(benches.len(), 12);
    for bench in &benches {
        for key in [
            "id", "chapter", "title", "about", "try", "notice", "formula", "takeaway", "project",
        ] {
            assert!(!bench[key].as_str().unwrap().is_empty(), "{bench}");
        }
        assert!(!bench["controls"].as_array().unwrap().is_empty());
    }
    let (out, _) = expect(0, &["labs", "--lang", "zh"]);
    assert!(out.contains("万能逼近"));
    for wrong in [
        &["labs", "nothing"][..],
        &["labs", "neuron", "--set", "hidden1"],
        &["labs", "neuron", "--set", "nothing=1"],
        &["labs", "neuron", "--set", "hidden1=99"],
        &["labs", "neuron", "--set", "data=own"],
        &["labs", "arena", "--set", "graph=project"],
    ] {
        expect(1, wrong);
    }
    expect(2, &["labs", "--set", "a=1"]);
}

/// The figures that the benches are built to show.
#[test]
fn labs_print_their_figures() {
    let figures = |arguments: &[&str]| json(0, arguments)["figures"].clone();
    let number = |value: &Value| value.as_f64().unwrap();

    let descent = figures(&["labs", "descent", "--json", "--set", "curvature=4"]);
    assert!((number(&descent["best_rate"]) - 0.25).abs() <= 0.0025);
    assert!((number(&descent["diverges_above"]) - 0.5).abs() <= 0.005);
    assert!(number(&descent["distance_after_20"][3]) > 1.0);

    let approximation = figures(&["labs", "approximation", "--json", "--set", "steps=300"]);
    let functions = approximation["functions"].as_array().unwrap();
    assert_eq!(functions.len(), 5);
    for function in functions {
        assert!(
            number(&function["trained"]) < number(&function["by_hand"]),
            "{function}"
        );
    }

    let policies = json(0, &["labs", "policies", "--json", "--set", "first=poly"]);
    assert!(
        policies["prototxt"][0]
            .as_str()
            .unwrap()
            .contains("lr_policy: \"poly\"")
    );
    let losses = figures(&["labs", "losses", "--json"]);
    assert_eq!(losses["logistic"], losses["softmax_of_two"]);
    let unroll = figures(&["labs", "unroll", "--json"]);
    assert!(number(&unroll["lstm_first"]) > number(&unroll["rnn_first"]).abs());
    let convolution = figures(&["labs", "convolution", "--json"]);
    assert!(number(&convolution["restored_error"]) < number(&convolution["blurred_error"]));
}

#[test]
fn hand_made_features_read_digits_and_lenet_reads_them_better() {
    let found = json(
        0,
        &[
            "labs",
            "classical",
            "--json",
            "--set",
            "train=3800",
            "--set",
            "iterations=800",
        ],
    );
    let (hog, lenet) = (&found["figures"]["hog_svm"], &found["figures"]["lenet"]);
    assert!(hog.as_f64().unwrap() >= 0.95, "{hog}");
    assert!(
        lenet.as_f64().unwrap() > hog.as_f64().unwrap(),
        "{lenet} {hog}"
    );
    let table = found["figures"]["accuracies"].as_array().unwrap();
    assert_eq!(table.len(), 11, "both in one table");
}

#[test]
fn diff_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string("projects/lenet-digits.ron").unwrap();
    let [a, b] = ["a.ron", "b.ron"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&a, &text).unwrap();
    std::fs::write(&b, text.replacen("kernel: (5, 5)", "kernel: (3, 3)", 1)).unwrap();
    let same = output(&["diff", &a, &a]);
    assert_eq!(
        String::from_utf8_lossy(&same.stdout),
        "the projects are the same\n"
    );
    let differ = output(&["diff", &a, &b]);
    let said = String::from_utf8_lossy(&differ.stdout).into_owned();
    assert!(
        said.starts_with("~ ") && said.contains("kernel: 5 → 3"),
        "{said}"
    );
    let json = output(&["diff", &a, &b, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["same"], false);
    assert_eq!(report["changed"][0]["changes"][0]["after"], "3");
    assert!(!output(&["diff", &a, "nowhere.ron"]).status.success());
}
