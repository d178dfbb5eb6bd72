//! What shapes and grounds are painted with: colours, patterns and pieces of photographs.
//!
//! Whole numbers alone, as everywhere in this module; it knows no shapes.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use image::ImageFormat;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::data::DataError;
use crate::i18n::tr;

/// The side of a photograph.
const TILE: usize = 128;
/// Photographs beside each other in the file.
const TILES_A_ROW: usize = 4;

pub(super) type Color = [u8; 3];

/// The photographs in the program, as interleaved red, green and blue.
#[derive(Debug)]
pub(super) struct Photographs {
    tiles: Vec<Vec<u8>>,
}

impl Photographs {
    /// Decoded once; they are lossless, so every machine gets the same bytes.
    pub fn get() -> Result<&'static Self, DataError> {
        static DECODED: OnceLock<Option<Photographs>> = OnceLock::new();
        let decode = || {
            let bytes: &[u8] = include_bytes!("../../../assets/data/photographs.webp");
            let image = image::load(Cursor::new(bytes), ImageFormat::WebP).ok()?;
            let (width, height) = (image.width() as usize, image.height() as usize);
            let pixels = image.into_rgb8().into_raw();
            let tile = |nth: usize| {
                let (left, top) = (nth % TILES_A_ROW * TILE, nth / TILES_A_ROW * TILE);
                let rows = (top..top + TILE).map(|y| (y * width + left) * 3);
                rows.flat_map(|start| pixels[start..start + TILE * 3].to_vec())
                    .collect()
            };
            let count = height / TILE * TILES_A_ROW;
            let fits = width == TILES_A_ROW * TILE && count > 0;
            fits.then(|| Self {
                tiles: (0..count).map(tile).collect(),
            })
        };
        DECODED.get_or_init(decode).as_ref().ok_or_else(|| {
            let problem = tr("the built-in photographs are damaged", "内置照片已损坏");
            DataError::format(Path::new("shapes"), problem)
        })
    }

    /// A piece of one, enlarged to this height and width, mirrored and coloured by chance;
    /// interleaved.
    pub fn ground(&self, [height, width]: [usize; 2], random: &mut ChaCha8Rng) -> Vec<u8> {
        let piece = Piece::random(self, [height, width], random);
        let mut pixels = Vec::with_capacity(height * width * 3);
        for y in 0..height {
            for x in 0..width {
                pixels.extend(piece.color(x as i64, y as i64));
            }
        }
        pixels
    }
}

/// A window of a photograph, enlarged.
#[derive(Clone, Debug)]
struct Piece<'a> {
    tile: &'a [u8],
    /// Of the window, in 256ths of a photograph's pixel.
    start: [i64; 2],
    /// 256ths of a photograph's pixel for each 256 pixels of the result.
    step: i64,
    /// The result's width, where it is mirrored.
    mirrored: Option<i64>,
    /// Brightness in 256ths, for each colour.
    gain: [i64; 3],
}

impl<'a> Piece<'a> {
    fn random(
        photographs: &'a Photographs,
        [height, width]: [usize; 2],
        random: &mut ChaCha8Rng,
    ) -> Self {
        let nth = random.random_range(0..photographs.tiles.len() as u32) as usize;
        let (height, width) = (height as i64, width as i64);
        let window = random.random_range(TILE as i64 / 2..TILE as i64);
        let step = window * 65_536 / height.max(width);
        let room = |side: i64| (TILE as i64 - 1) * 256 - side * step / 256;
        let start = [width, height].map(|side| random.random_range(0..=room(side).max(0)));
        let mirrored = random.random_bool(0.5).then_some(width);
        let light = random.random_range(150..=270);
        let gain = [(); 3].map(|()| light * random.random_range(208..=304) / 256);
        Self {
            tile: &photographs.tiles[nth],
            start,
            step,
            mirrored,
            gain,
        }
    }

    /// Bilinear between the photograph's pixels.
    fn color(&self, x: i64, y: i64) -> Color {
        let x = self.mirrored.map_or(x, |width| width - 1 - x);
        let last = (TILE as i64 - 1) * 256 - 1;
        let [x, y] = [(0, x), (1, y)]
            .map(|(axis, at)| (self.start[axis] + at * self.step / 256).clamp(0, last));
        let ([left, top], [right, low]) = ([x / 256, y / 256], [x % 256, y % 256]);
        std::array::from_fn(|channel| {
            let value = |dx: i64, dy: i64| {
                let at = ((top + dy) * TILE as i64 + left + dx) * 3;
                i64::from(self.tile[at as usize + channel])
            };
            let upper = value(0, 0) * (256 - right) + value(1, 0) * right;
            let lower = value(0, 1) * (256 - right) + value(1, 1) * right;
            let mixed = (upper * (256 - low) + lower * low) >> 16;
            (mixed * self.gain[channel] / 256).min(255) as u8
        })
    }
}

/// What a shape is filled with.
#[derive(Clone, Debug)]
pub(super) struct Texture<'a> {
    colors: [Color; 2],
    /// Of the pattern, in pixels.
    period: i64,
    /// The pattern's own x axis.
    direction: [i64; 2],
    pattern: Pattern<'a>,
}

#[derive(Clone, Debug)]
enum Pattern<'a> {
    Plain,
    Stripes,
    Checks,
    Dots,
    /// From one colour to the other over so many pixels.
    Gradient,
    Photograph(Piece<'a>),
}

impl<'a> Texture<'a> {
    /// For a shape in an image whose shorter side is `side`.
    pub fn random(photographs: &'a Photographs, side: usize, random: &mut ChaCha8Rng) -> Self {
        let first: Color = [(); 3].map(|()| random.random());
        // At least a third of the range apart in each channel.
        let second = first.map(|value| value.wrapping_add(random.random_range(85..=170)));
        let side = (side as i64).max(32);
        let period = random.random_range(side / 20..=side / 9);
        let direction = [(); 2].map(|()| random.random_range(-4i64..=4));
        let pattern = match random.random_range(0..6u32) {
            0 => Pattern::Plain,
            1 => Pattern::Stripes,
            2 => Pattern::Checks,
            3 => Pattern::Dots,
            4 => Pattern::Gradient,
            _ => Pattern::Photograph(Piece::random(photographs, [side as usize; 2], random)),
        };
        Self {
            colors: [first, second],
            period,
            direction: if direction == [0, 0] {
                [1, 0]
            } else {
                direction
            },
            pattern,
        }
    }

    /// `x` and `y` count from the shape's corner.
    pub fn color(&self, x: i64, y: i64) -> Color {
        let [a, b] = self.direction;
        // Of the turned axes, in units in which a pixel is about `scale` long.
        let (u, v) = (a * x + b * y, a * y - b * x);
        let scale = ((a * a + b * b).unsigned_abs()).isqrt() as i64;
        let period = (self.period * scale).max(2);
        let pick = |second: bool| self.colors[usize::from(second)];
        let phase = |at: i64| at.rem_euclid(period);
        match &self.pattern {
            Pattern::Plain => self.colors[0],
            Pattern::Stripes => pick(phase(u) * 2 < period),
            Pattern::Checks => pick((phase(u) * 2 < period) ^ (phase(v) * 2 < period)),
            Pattern::Dots => {
                let [u, v] = [u, v].map(|at| 2 * phase(at) - period);
                pick(u * u + v * v < period * period / 3)
            }
            Pattern::Gradient => {
                // There and back over eight periods.
                let at = (u.rem_euclid(8 * period) - 4 * period).abs();
                mix(self.colors[0], self.colors[1], at, 4 * period)
            }
            Pattern::Photograph(piece) => piece.color(x, y),
        }
    }
}

/// `part` of `whole` of the second colour, the rest of the first.
pub(super) fn mix(first: Color, second: Color, part: i64, whole: i64) -> Color {
    std::array::from_fn(|channel| {
        let [first, second] = [first, second].map(|color| i64::from(color[channel]));
        ((first * (whole - part) + second * part) / whole).clamp(0, 255) as u8
    })
}
