//! `textures`, the built-in data set of surfaces: ten kinds of pattern, drawn at random sizes,
//! places, directions and brightness, under noise.
//!
//! Every image is a function of its place and one seed.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::ClassNames;
use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use crate::i18n::Text;

const SIDE: usize = 28;
const EXAMPLES: usize = 5_000;
const SEED: u64 = 1966;

pub(super) const CLASSES: [Text; 10] = [
    Text::new("vertical stripes", "竖条纹"),
    Text::new("horizontal stripes", "横条纹"),
    Text::new("slanting stripes", "斜条纹"),
    Text::new("checks", "棋盘格"),
    Text::new("dots", "圆点"),
    Text::new("rings", "圆环"),
    Text::new("bricks", "砖墙"),
    Text::new("fine noise", "细噪声"),
    Text::new("coarse noise", "粗噪声"),
    Text::new("waves", "波纹"),
];

/// Draws all of them.
pub(super) fn make() -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut pixels = Vec::with_capacity(EXAMPLES * SIDE * SIDE);
    let labels: Vec<u32> = (0..EXAMPLES as u32).map(|place| place % 10).collect();
    for label in &labels {
        pixels.extend(image(*label, &mut random));
    }
    let counts = Counts {
        train: EXAMPLES,
        validation: 0,
        test: 0,
    };
    let dataset = Dataset {
        kind: Kind::BuiltIn,
        source: "textures".into(),
        channels: 1,
        size: Some((SIDE, SIDE)),
        classes: Vec::new(),
        class_texts: &[],
        names: ClassNames::OfData,
        counts,
        labels,
        targets: Targets::default(),
        store: Store::Bytes(pixels),
        mean: None,
        parts: Default::default(),
    };
    dataset.with_class_texts(&CLASSES)
}

/// One image of a kind.
fn image(kind: u32, random: &mut ChaCha8Rng) -> Vec<u8> {
    let turn: f32 = random.random_range(-0.22..0.22);
    let slant = match kind {
        2 if random.random_bool(0.5) => std::f32::consts::FRAC_PI_4,
        2 => -std::f32::consts::FRAC_PI_4,
        _ => 0.0,
    };
    let (sin, cos) = (turn + slant).sin_cos();
    let period: f32 = random.random_range(5.0..9.0);
    let shift = [
        random.random_range(0.0..period),
        random.random_range(0.0..period),
    ];
    let coarse: Vec<f32> = (0..64).map(|_| random.random_range(-1.0..1.0)).collect();
    let (middle, contrast) = (
        random.random_range(0.35..0.65f32),
        random.random_range(0.12..0.34f32),
    );
    let noise = 0.11f32;
    let value = |place: usize| {
        let (x, y) = ((place % SIDE) as f32 - 14.0, (place / SIDE) as f32 - 14.0);
        let (u, v) = (cos * x - sin * y + shift[0], sin * x + cos * y + shift[1]);
        pattern(kind, [u, v], period, [place % SIDE, place / SIDE], &coarse)
    };
    let patterns: Vec<f32> = (0..SIDE * SIDE).map(value).collect();
    let pixel = |pattern: f32| {
        let fine: f32 = random.random_range(-1.0..1.0);
        // Fine noise is nothing else; in the others there is some.
        let part = if kind == 7 { contrast * 1.8 } else { noise };
        ((middle + contrast * pattern + part * fine).clamp(0.0, 1.0) * 255.0) as u8
    };
    patterns.into_iter().map(pixel).collect()
}

/// From −1 to 1.
fn pattern(kind: u32, [u, v]: [f32; 2], period: f32, [x, y]: [usize; 2], coarse: &[f32]) -> f32 {
    let wave = |at: f32| (std::f32::consts::TAU * at / period).sin();
    let within = |at: f32, size: f32| at.rem_euclid(size) - size / 2.0;
    let sign = |inside: bool| if inside { 1.0 } else { -1.0 };
    match kind {
        0 | 2 => wave(u),
        1 => wave(v),
        3 => (wave(u) * wave(v)).signum(),
        4 => sign(within(u, period).hypot(within(v, period)) < period * 0.28),
        5 => wave(1.4 * u.hypot(v)),
        6 => {
            let row = (v / (0.7 * period)).floor();
            let along = u + if row.rem_euclid(2.0) < 1.0 {
                0.0
            } else {
                period * 0.75
            };
            let mortar = within(v, 0.7 * period).abs() > 0.35 * period - 0.8
                || within(along, 1.5 * period).abs() > 0.75 * period - 0.8;
            sign(!mortar)
        }
        8 => {
            // Random values on a coarse grid, with straight lines between.
            let (gx, gy) = (x as f32 / 4.0, y as f32 / 4.0);
            let (cx, cy) = ((gx as usize).min(6), (gy as usize).min(6));
            let (px, py) = (gx - cx as f32, gy - cy as f32);
            let at = |row: usize, column: usize| coarse[row * 8 + column];
            let top = at(cy, cx) * (1.0 - px) + at(cy, cx + 1) * px;
            let bottom = at(cy + 1, cx) * (1.0 - px) + at(cy + 1, cx + 1) * px;
            1.6 * (top * (1.0 - py) + bottom * py)
        }
        9 => wave(v + 2.2 * (std::f32::consts::TAU * u / 14.0).sin()),
        _ => 0.0,
    }
}
