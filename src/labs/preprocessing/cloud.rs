//! Points of the plane in five states, and descent on a regression from each.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use crate::data::{Components, Whiten, Whitening};
use crate::i18n::Text;
use crate::labs::{LabError, Settings};

/// The states by their places.
pub const STATES: [(&str, Text); 5] = [
    ("raw", Text::new("raw", "原始")),
    ("scaled", Text::new("scaled", "缩放")),
    ("centred", Text::new("mean subtracted", "减均值")),
    ("pca", Text::new("PCA-whitened", "PCA 白化")),
    ("zca", Text::new("ZCA-whitened", "ZCA 白化")),
];

const POINTS: usize = 200;
/// Steps of the descent.
pub const STEPS: usize = 120;

pub struct State {
    pub points: Vec<[f64; 2]>,
    /// Variance of x, covariance, variance of y.
    pub covariance: [f64; 3],
    /// Of the second moments of (x, y, 1).
    pub condition: f64,
    /// Of the regression, from weights of 0, each step at the best rate for this bowl.
    pub losses: Vec<f64>,
}

pub struct Cloud {
    pub states: Vec<State>,
}

impl Cloud {
    pub fn new(settings: &Settings) -> Result<Self, LabError> {
        let numbers = ["stretch", "angle", "mean_x", "mean_y"].map(|key| settings.number(key));
        let raw = raw(numbers, settings.count("seed") as u64);
        // What is to be predicted depends on the points as they are, whatever is done to them.
        let targets: Vec<f64> = raw.iter().map(|[x, y]| 0.7 * x - 1.1 * y + 2.0).collect();
        let [xx, _, yy] = covariance(&raw);
        let scale = [1.0 / xx.sqrt().max(1e-9), 1.0 / yy.sqrt().max(1e-9)];
        let scaled: Vec<[f64; 2]> = raw
            .iter()
            .map(|[x, y]| [x * scale[0], y * scale[1]])
            .collect();
        let middle = mean(&scaled);
        let centred = scaled
            .iter()
            .map(|[x, y]| [x - middle[0], y - middle[1]])
            .collect();
        let pca = whitened(
            &raw,
            Whiten::Pca {
                epsilon: 0.0,
                keep: 0,
            },
        )?;
        let zca = whitened(&raw, Whiten::Zca { epsilon: 0.0 })?;
        let states = [raw, scaled, centred, pca, zca].into_iter();
        Ok(Self {
            states: states.map(|points| State::of(points, &targets)).collect(),
        })
    }
}

fn raw([stretch, angle, x, y]: [f64; 4], seed: u64) -> Vec<[f64; 2]> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { rand_distr::StandardNormal.sample(&mut random) };
    let (sin, cos) = angle.to_radians().sin_cos();
    let width = 0.5;
    let point = |_| {
        let (along, across) = (width * stretch * normal(), width * normal());
        [
            x + along * cos - across * sin,
            y + along * sin + across * cos,
        ]
    };
    (0..POINTS).map(point).collect()
}

/// By the data's own whitening.
fn whitened(points: &[[f64; 2]], whiten: Whiten) -> Result<Vec<[f64; 2]>, LabError> {
    let values: Vec<f32> = points.iter().flatten().map(|value| *value as f32).collect();
    let components = Components::of(&values, 2)?;
    let Some(whitening) = Whitening::new(&components, whiten) else {
        return Ok(points.to_vec());
    };
    let white = values.chunks_exact(2).map(|point| {
        let found = whitening.apply(point);
        [0, 1].map(|axis| found.get(axis).copied().map_or(0.0, f64::from))
    });
    Ok(white.collect())
}

fn mean(points: &[[f64; 2]]) -> [f64; 2] {
    let count = points.len().max(1) as f64;
    [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / count)
}

fn covariance(points: &[[f64; 2]]) -> [f64; 3] {
    let [mx, my] = mean(points);
    let count = points.len().max(1) as f64;
    let sum = |of: fn(f64, f64) -> f64| {
        points.iter().map(|[x, y]| of(x - mx, y - my)).sum::<f64>() / count
    };
    [sum(|x, _| x * x), sum(|x, y| x * y), sum(|_, y| y * y)]
}

impl State {
    fn of(points: Vec<[f64; 2]>, targets: &[f64]) -> Self {
        let count = points.len();
        let rows = points.iter().flat_map(|[x, y]| [*x, *y, 1.0]);
        let x = DMatrix::from_row_iterator(count, 3, rows);
        let t = DVector::from_column_slice(targets);
        let hessian = x.transpose() * &x / count as f64;
        let values = SymmetricEigen::new(hessian.clone()).eigenvalues;
        let (least, greatest) = (values.min().max(1e-12), values.max());
        let rate = 2.0 / (least + greatest);
        let mut w = DVector::zeros(3);
        let mut losses = Vec::with_capacity(STEPS + 1);
        for _ in 0..=STEPS {
            let rest = &x * &w - &t;
            losses.push(0.5 * rest.norm_squared() / count as f64);
            w -= rate * (x.transpose() * rest) / count as f64;
        }
        Self {
            covariance: covariance(&points),
            condition: greatest / least,
            losses,
            points,
        }
    }
}
