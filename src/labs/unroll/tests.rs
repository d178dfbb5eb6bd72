//! The unrolled cells against slopes and against the layers.

use super::*;
use crate::graph::Phase;
use crate::labs::figure;
use crate::labs::trial::{Trial, chain};
use crate::train::Solver;

const WEIGHTS: Weights = Weights {
    u: 1.2,
    w: 0.7,
    a: 2.0,
    bi: -0.5,
    bf: 1.0,
    bo: 0.3,
};
const INPUTS: [f64; 6] = [1.0, -0.4, 0.0, 0.7, 0.2, -1.1];

#[test]
fn gradients_are_the_slopes() {
    for lstm in [false, true] {
        let steps = run(lstm, WEIGHTS, &INPUTS);
        for t in 0..INPUTS.len() {
            let moved = |by: f64| {
                let mut inputs = INPUTS;
                inputs[t] += by;
                run(lstm, WEIGHTS, &inputs)[5].hidden
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - steps[t].by_input).abs() < 1e-8, "{lstm} {t}");
        }
    }
}

#[test]
fn the_cells_are_the_layers() {
    for (lstm, name) in [(false, "RNN"), (true, "LSTM")] {
        let layer = crate::layers::parse(&format!("{name}(num_output: 1)")).unwrap();
        let graph = chain(vec![("cell".into(), layer)]);
        let facts = crate::graph::Facts {
            data: Some(crate::graph::DataFacts {
                shape: vec![6, 1],
                classes: None,
                labels: None,
                targets: None,
            }),
            ..Default::default()
        };
        let mut trial = Trial::new(&graph, &facts, Solver::default(), 0).unwrap();
        let keys: Vec<String> = trial.net().params().keys().cloned().collect();
        let Weights {
            u,
            w,
            a,
            bi,
            bf,
            bo,
        } = WEIGHTS;
        for key in keys {
            let values: Vec<f64> = match (lstm, key.as_str()) {
                (true, key) if key.contains("weight_ih") => vec![a, 0.0, u, 0.0],
                (true, key) if key.contains("weight_hh") => vec![0.0, 0.0, w, 0.0],
                (true, key) if key.contains("bias_ih") => vec![bi, bf, 0.0, bo],
                (false, key) if key.contains("weight_ih") => vec![u],
                (false, key) if key.contains("weight_hh") => vec![w],
                (true, _) => vec![0.0; 4],
                (false, _) => vec![0.0],
            };
            trial.set_param(&key, &values).unwrap();
        }
        let data =
            candle_core::Tensor::from_slice(&INPUTS, (1, 6, 1), &candle_core::Device::Cpu).unwrap();
        let feed = crate::net::NetFeed::only(data, trial.net());
        let pass = trial
            .net()
            .forward(Phase::Test, &feed, Default::default())
            .unwrap();
        let output = pass.outputs(trial.net(), "cell")[0]
            .tensor()
            .flatten_all()
            .unwrap();
        let expected: Vec<f64> = output.to_vec1().unwrap();
        let steps = run(lstm, WEIGHTS, &INPUTS);
        for (step, expected) in steps.iter().rev().zip(expected.iter().rev()) {
            assert!((step.hidden - expected).abs() < 1e-9, "{name}: {expected}");
        }
    }
}

#[test]
fn an_lstm_keeps_the_gradient_that_an_rnn_loses() {
    let mut settings = Settings::of(&BENCH);
    settings.set_text("length=40").unwrap();
    let figures = demonstrate(&settings).unwrap();
    let number = |key| figure(&figures, key).unwrap().as_number();
    assert!(number("lstm_first") > 100.0 * number("rnn_first").abs());
    let gate: f64 = 1.0 / (1.0 + (-4.0f64).exp());
    assert!((number("forget_product") - gate.powi(39)).abs() < 1e-12);
}
