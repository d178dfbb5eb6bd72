//! The activations and their derivatives, number by number.

/// The slope of PReLU below 0, and ELU's α.
pub const SLOPE: f64 = 0.25;

/// Maxout's two pieces, each slope and height: the larger one counts.
pub type Pieces = [[f64; 2]; 2];

/// The value at x and the derivative there, by the place in
/// [`ACTIVATIONS`](crate::labs::ACTIVATIONS).
pub fn at(kind: usize, x: f64, pieces: &Pieces) -> [f64; 2] {
    match kind {
        0 => {
            let y = 1.0 / (1.0 + (-x).exp());
            [y, y * (1.0 - y)]
        }
        1 => [x.tanh(), 1.0 - x.tanh().powi(2)],
        3 if x <= 0.0 => [SLOPE * x, SLOPE],
        4 if x <= 0.0 => [x.exp() - 1.0, x.exp()],
        5 => {
            let values = pieces.map(|[slope, height]| slope * x + height);
            let first = values[0] >= values[1];
            [values[0].max(values[1]), pieces[usize::from(!first)][0]]
        }
        2 if x <= 0.0 => [0.0, 0.0],
        _ => [x, 1.0],
    }
}

/// Its formula.
pub fn formula(kind: usize) -> &'static str {
    match kind {
        0 => "σ(x) = 1 / (1 + e^−x),  σ′ = σ (1 − σ) ≤ ¼",
        1 => "tanh x,  tanh′ = 1 − tanh² ≤ 1",
        3 => "max(x, 0) + a · min(x, 0)",
        4 => "x > 0: x;  else α (e^x − 1)",
        5 => "max(w₁x + b₁, w₂x + b₂)",
        _ => "max(x, 0)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::activation;
    use crate::labs::trial::{Trial, chain, facts};
    use crate::train::Solver;

    #[test]
    fn values_are_those_of_the_layers_and_derivatives_their_slopes() {
        let pieces = [[1.0, 0.0], [-0.5, 0.2]];
        for kind in 0..6 {
            let width = if kind == 5 { 2 } else { 1 };
            let graph = chain(vec![("unit".into(), activation(kind))]);
            let trial = Trial::new(&graph, &facts(width, None), Solver::default(), 0).unwrap();
            for x in [-3.0, -0.7, 0.4, 2.0] {
                let row = match kind {
                    5 => pieces.map(|[slope, height]| slope * x + height).to_vec(),
                    _ => vec![x],
                };
                let output = trial.outputs(&[row], &["unit".to_owned()]).unwrap();
                let expected = output[0].flatten_all().unwrap().to_vec1::<f64>().unwrap()[0];
                let [value, slope] = at(kind, x, &pieces);
                assert!(
                    (value - expected).abs() < 1e-9,
                    "{kind} {x}: {value} {expected}"
                );
                let step = 1e-6;
                let found = (at(kind, x + step, &pieces)[0] - at(kind, x - step, &pieces)[0])
                    / (2.0 * step);
                assert!((slope - found).abs() < 1e-6, "{kind} {x}");
            }
        }
    }
}
