//! `shapes`, the generated data set of things on photographs: up to eight textured shapes an
//! image, hiding each other by at most a half, with a box, a mask and a class for each and a
//! class for every pixel.
//!
//! Invariant: an example is a function of (size, seed, index) alone, the same bytes on every
//! machine: whole numbers are all that it is computed from. The standard form, `shapes-v1`, has
//! 160 × 160 pixels, and its test set the seed [`TEST_SEED`]; a change that changes a byte needs
//! another name. It knows neither data sets nor networks.

mod export;
mod outline;
mod paint;

#[cfg(test)]
mod tests;

pub use export::{COCO_FILE, export};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::data::DataError;
use crate::i18n::Text;
use outline::{FORMS, Outline, Stamp, WHOLE};
use paint::{Photographs, Texture, mix};

/// What this generator makes, in its standard size.
pub const VERSION: &str = "shapes-v1";
/// The seed of the test set, which nobody may train on.
pub const TEST_SEED: u64 = 2015;
/// The shortest and longest side of an image.
pub const SIDES: [usize; 2] = [32, 2_048];

/// By label; the ground is 0.
pub const CLASSES: [Text; FORMS.len() + 1] = [
    Text::new("background", "背景"),
    Text::new("disc", "圆盘"),
    Text::new("square", "正方形"),
    Text::new("triangle", "三角形"),
    Text::new("star", "五角星"),
    Text::new("ring", "圆环"),
    Text::new("cross", "十字"),
];

/// Things in an image: so many are tried, and at least the first number is there.
const THINGS: [usize; 2] = [2, 8];
/// How often a place is sought for each thing before it is left out.
const TRIES: usize = 24;
/// The same for those that must be there.
const MANY_TRIES: usize = 2_000;

/// An image and everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    pub height: usize,
    pub width: usize,
    /// Red, then green, then blue, each row by row.
    pub pixels: Vec<u8>,
    /// From the back to the front.
    pub things: Vec<Thing>,
    /// For each pixel 0, or one more than the place in `things` of what is seen there.
    owners: Vec<u8>,
}

/// One shape, by what is seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thing {
    /// A label of [`CLASSES`], from 1.
    pub class: u8,
    /// Left, top, right and bottom in pixels; right and bottom exclusive.
    pub bounds: [u32; 4],
    /// Its pixels that are seen.
    pub area: u32,
    /// Its pixels if nothing hid it and the image did not end.
    pub whole: u32,
}

impl Scene {
    /// A label for each pixel, row by row.
    pub fn labels(&self) -> Vec<u8> {
        let class = |&owner: &u8| {
            let thing = usize::from(owner)
                .checked_sub(1)
                .and_then(|nth| self.things.get(nth));
            thing.map_or(0, |thing| thing.class)
        };
        self.owners.iter().map(class).collect()
    }

    /// Whether each pixel, row by row, shows the thing at this place in `things`.
    pub fn mask(&self, nth: usize) -> impl Iterator<Item = bool> + '_ {
        self.owners
            .iter()
            .map(move |&owner| usize::from(owner) == nth + 1)
    }
}

/// Draws the examples of one seed and size.
#[derive(Clone, Copy, Debug)]
pub struct Shapes {
    photographs: &'static Photographs,
    size: [usize; 2],
    seed: u64,
}

impl Shapes {
    /// `size` is height and width, each within [`SIDES`].
    pub fn new(size: [usize; 2], seed: u64) -> Result<Self, DataError> {
        Ok(Self {
            photographs: Photographs::get()?,
            size: size.map(|side| side.clamp(SIDES[0], SIDES[1])),
            seed,
        })
    }

    /// The example `index`.
    pub fn draw(&self, index: u64) -> Scene {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(index);
        let mut canvas = Canvas::new(self.size, self.photographs.ground(self.size, &mut random));
        let wanted = random.random_range(THINGS[0] as u32..=THINGS[1] as u32) as usize;
        for nth in 0..wanted {
            let tries = if nth < THINGS[0] { MANY_TRIES } else { TRIES };
            for _ in 0..tries {
                let class = random.random_range(1..=FORMS.len() as u32) as u8;
                let form = FORMS[usize::from(class) - 1];
                let stamp = Outline::random(form, self.size, &mut random).stamp();
                let side = self.size[0].min(self.size[1]);
                let texture = Texture::random(self.photographs, side, &mut random);
                if canvas.add(class, &stamp, &texture) {
                    break;
                }
            }
        }
        canvas.finish()
    }
}

/// An image under way.
struct Canvas {
    size: [usize; 2],
    /// Interleaved.
    pixels: Vec<u8>,
    owners: Vec<u8>,
    things: Vec<Thing>,
}

impl Canvas {
    fn new(size: [usize; 2], pixels: Vec<u8>) -> Self {
        Self {
            size,
            pixels,
            owners: vec![0; size[0] * size[1]],
            things: Vec::new(),
        }
    }

    /// Where a pixel lies in the image, if it does.
    fn place(&self, x: i64, y: i64) -> Option<usize> {
        let [height, width] = self.size.map(|side| side as i64);
        let inside = (0..width).contains(&x) && (0..height).contains(&y);
        inside.then_some((y * width + x) as usize)
    }

    /// Paints a shape over all others, unless it or one of them would be hidden by more than half.
    fn add(&mut self, class: u8, stamp: &Stamp, texture: &Texture<'_>) -> bool {
        let mut hidden = vec![0u32; self.things.len() + 1];
        let (mut whole, mut area) = (0u32, 0u32);
        for (x, y) in stamp.own() {
            whole += 1;
            if let Some(at) = self.place(x, y) {
                area += 1;
                hidden[usize::from(self.owners[at])] += 1;
            }
        }
        let half_seen = |(thing, hidden): (&Thing, &u32)| (thing.area - hidden) * 2 >= thing.whole;
        let others = self.things.iter().zip(&hidden[1..]).all(half_seen);
        if !others || area * 2 < whole || area == 0 {
            return false;
        }
        for (thing, hidden) in self.things.iter_mut().zip(&hidden[1..]) {
            thing.area -= hidden;
        }
        self.things.push(Thing {
            class,
            bounds: [0; 4],
            area,
            whole,
        });
        let own = self.things.len() as u8;
        for (x, y, coverage) in stamp.pixels() {
            let Some(at) = self.place(x, y) else {
                continue;
            };
            if coverage * 2 >= WHOLE {
                self.owners[at] = own;
            }
            let color = texture.color(x - stamp.left, y - stamp.top);
            let pixel = &mut self.pixels[at * 3..at * 3 + 3];
            let below = [pixel[0], pixel[1], pixel[2]];
            pixel.copy_from_slice(&mix(below, color, coverage, WHOLE));
        }
        true
    }

    fn finish(mut self) -> Scene {
        let [height, width] = self.size;
        let empty = [u32::MAX, u32::MAX, 0, 0];
        let mut bounds = vec![empty; self.things.len() + 1];
        for (at, &owner) in self.owners.iter().enumerate() {
            let (x, y) = ((at % width) as u32, (at / width) as u32);
            let [left, top, right, bottom] = &mut bounds[usize::from(owner)];
            (*left, *top) = ((*left).min(x), (*top).min(y));
            (*right, *bottom) = ((*right).max(x + 1), (*bottom).max(y + 1));
        }
        for (thing, bounds) in self.things.iter_mut().zip(&bounds[1..]) {
            thing.bounds = *bounds;
        }
        let channel = |nth: usize| self.pixels.iter().skip(nth).step_by(3).copied();
        Scene {
            height,
            width,
            pixels: (0..3).flat_map(channel).collect(),
            things: self.things,
            owners: self.owners,
        }
    }
}
