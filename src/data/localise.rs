//! `localise`, the built-in data set of boxes: one picture of Fashion-MNIST on a larger canvas,
//! at a random place and size, among scraps of other pictures.
//!
//! The targets are the box around what is seen of the picture: x1, y1, x2, y2 in shares of the
//! canvas, x2 and y2 exclusive. Everything is a function of the built-in pictures and one seed.

use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::picture::Picture;
use super::{ClassNames, DataError, Pixels, SplitName};

/// Height and width of the canvas.
const SIDE: usize = 48;
/// The side of the pasted picture, least and greatest.
const SIDES: [usize; 2] = [16, 32];
const EXAMPLES: usize = 8_000;
const SCRAPS: usize = 5;
/// A scrap's side, and how bright it is at most.
const SCRAP: usize = 6;
const SCRAP_BRIGHTNESS: u16 = 110;
/// Brighter than this belongs to the picture; the rest is its background.
const SEEN: u8 = 40;
const SEED: u64 = 2013;

/// Made of the pictures of `fashion`.
pub(super) fn make(fashion: &Dataset) -> Result<Dataset, DataError> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let count = fashion.len(SplitName::Train);
    let picture = |index: usize| {
        let example = fashion.example(SplitName::Train, index % count.max(1))?;
        let pixels = match example.pixels {
            Pixels::U8(pixels) => pixels,
            _ => Vec::new(),
        };
        let label = example.labels.first().copied().unwrap_or_default();
        Ok::<_, DataError>((pixels, label))
    };
    let mut pixels = Vec::with_capacity(EXAMPLES * SIDE * SIDE);
    let (mut labels, mut boxes) = (Vec::new(), Vec::new());
    for index in 0..EXAMPLES {
        let mut canvas = vec![0u8; SIDE * SIDE];
        for _ in 0..SCRAPS {
            let (other, _) = picture(random.random_range(0..count.max(1)))?;
            scrap(&mut canvas, &other, &mut random);
        }
        let (image, label) = picture(index)?;
        boxes.extend(paste(&mut canvas, image, &mut random));
        pixels.extend_from_slice(&canvas);
        labels.push(label);
    }
    let dataset = Dataset {
        kind: Kind::BuiltIn,
        source: "localise".into(),
        channels: 1,
        size: Some((SIDE, SIDE)),
        classes: fashion.classes().to_vec(),
        names: ClassNames::OfData,
        class_texts: fashion.class_texts,
        counts: Counts {
            train: EXAMPLES,
            validation: 0,
            test: 0,
        },
        labels,
        targets: Targets {
            names: ["x1", "y1", "x2", "y2"].map(String::from).to_vec(),
            values: boxes,
        },
        store: Store::Bytes(pixels),
        mean: None,
        parts: Default::default(),
    };
    dataset.checked(Path::new("localise"))
}

/// Copies a dim piece of a picture of 28 × 28 to some place.
fn scrap(canvas: &mut [u8], picture: &[u8], random: &mut ChaCha8Rng) {
    let from = [(); 2].map(|()| random.random_range(0..=28 - SCRAP));
    let to = [(); 2].map(|()| random.random_range(0..=SIDE - SCRAP));
    for y in 0..SCRAP {
        for x in 0..SCRAP {
            let value = picture
                .get((from[0] + y) * 28 + from[1] + x)
                .copied()
                .unwrap_or(0);
            let dim = u16::from(value) * SCRAP_BRIGHTNESS / 255;
            canvas[(to[0] + y) * SIDE + to[1] + x] = dim as u8;
        }
    }
}

/// Draws a picture of 28 × 28 over the canvas and says where it is seen.
fn paste(canvas: &mut [u8], pixels: Vec<u8>, random: &mut ChaCha8Rng) -> [f32; 4] {
    let side = random.random_range(SIDES[0]..=SIDES[1]);
    let [left, top] = [(); 2].map(|()| random.random_range(0..=SIDE - side));
    let picture = Picture {
        shape: [1, 28, 28],
        pixels,
    };
    let pixels = picture.resized(side, side).pixels;
    let (mut low, mut high) = ([SIDE; 2], [0; 2]);
    for (at, &value) in pixels.iter().enumerate() {
        let place = [left + at % side, top + at / side];
        if value > SEEN {
            canvas[place[1] * SIDE + place[0]] = value;
            low = [low[0].min(place[0]), low[1].min(place[1])];
            high = [high[0].max(place[0] + 1), high[1].max(place[1] + 1)];
        }
    }
    [low[0], low[1], high[0], high[1]].map(|edge| edge as f32 / SIDE as f32)
}
