//! Features made by hand: of an image of gray values, a vector.

use super::Image;

/// Slopes along both axes, by differences of neighbours.
fn slopes(image: &Image, y: usize, x: usize) -> [f32; 2] {
    let across = image.at(y, (x + 1).min(image.side - 1)) - image.at(y, x.saturating_sub(1));
    let down = image.at((y + 1).min(image.side - 1), x) - image.at(y.saturating_sub(1), x);
    [across, down]
}

/// Sums of slopes by direction in square cells: cell by cell, row by row. `signed` tells a
/// direction from its opposite.
fn directions(image: &Image, cell: usize, bins: usize, signed: bool) -> Vec<f32> {
    let cells = image.side / cell;
    let mut sums = vec![0f32; cells * cells * bins];
    let turn = if signed {
        std::f32::consts::TAU
    } else {
        std::f32::consts::PI
    };
    for y in 0..cells * cell {
        for x in 0..cells * cell {
            let [across, down] = slopes(image, y, x);
            let size = across.hypot(down);
            if size == 0.0 {
                continue;
            }
            // Between two directions, both get their part.
            let place = down.atan2(across).rem_euclid(turn) / turn * bins as f32 - 0.5;
            let (low, part) = (place.floor(), place - place.floor());
            let first = (low as isize).rem_euclid(bins as isize) as usize;
            let at = (y / cell * cells + x / cell) * bins;
            sums[at + first] += size * (1.0 - part);
            sums[at + (first + 1) % bins] += size * part;
        }
    }
    sums
}

/// Scales to length 1, cuts what sticks out and scales again (Lowe 2004, Dalal and Triggs 2005).
fn normalised(values: &mut [f32]) {
    for most in [0.2, f32::INFINITY] {
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt() + 1e-3;
        values
            .iter_mut()
            .for_each(|value| *value = (*value / length).min(most));
    }
}

/// Histograms of oriented gradients (Dalal and Triggs 2005): nine directions in cells of 4 × 4,
/// normalised in overlapping blocks of 2 × 2 cells.
pub fn hog(image: &Image) -> Vec<f32> {
    const BINS: usize = 9;
    let cells = image.side / 4;
    let sums = directions(image, 4, BINS, false);
    let mut found = Vec::with_capacity((cells - 1) * (cells - 1) * 4 * BINS);
    for row in 0..cells - 1 {
        for column in 0..cells - 1 {
            let start = found.len();
            for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let at = ((row + y) * cells + column + x) * BINS;
                found.extend_from_slice(&sums[at..at + BINS]);
            }
            normalised(&mut found[start..]);
        }
    }
    found
}

/// The directions of every cell of [`hog`], for pictures: cell by cell, nine sums.
pub fn hog_cells(image: &Image) -> Vec<f32> {
    directions(image, 4, 9, false)
}

/// The code of a pixel's eight neighbours: a bit for each that is not darker (Ojala, Pietikäinen
/// and Mäenpää 2002).
pub fn lbp_code(image: &Image, y: usize, x: usize) -> u8 {
    const AROUND: [(isize, isize); 8] = [
        (-1, -1),
        (-1, 0),
        (-1, 1),
        (0, 1),
        (1, 1),
        (1, 0),
        (1, -1),
        (0, -1),
    ];
    let middle = image.at(y, x);
    AROUND
        .iter()
        .enumerate()
        .fold(0, |code, (bit, (down, across))| {
            let neighbour = image.at((y as isize + down) as usize, (x as isize + across) as usize);
            code | u8::from(neighbour >= middle) << bit
        })
}

/// The place of a code among the 58 uniform ones, which change at most twice around; 58 for all
/// others.
fn uniform(code: u8) -> usize {
    let changes = |code: u8| (code ^ code.rotate_left(1)).count_ones();
    match changes(code) <= 2 {
        true => (0..code).filter(|other| changes(*other) <= 2).count(),
        false => 58,
    }
}

/// Local binary patterns: histograms of uniform codes in 4 × 4 cells of the image, square-rooted.
pub fn lbp(image: &Image) -> Vec<f32> {
    const CELLS: usize = 4;
    let places: Vec<usize> = (0..=255).map(uniform).collect();
    let mut sums = vec![0f32; CELLS * CELLS * 59];
    for y in 1..image.side - 1 {
        for x in 1..image.side - 1 {
            let cell = y * CELLS / image.side * CELLS + x * CELLS / image.side;
            sums[cell * 59 + places[usize::from(lbp_code(image, y, x))]] += 1.0;
        }
    }
    for cell in sums.chunks_exact_mut(59) {
        let sum: f32 = cell.iter().sum::<f32>().max(1.0);
        cell.iter_mut()
            .for_each(|value| *value = (*value / sum).sqrt() * 0.5);
    }
    sums
}

/// Energies of Gabor kernels in four directions and two wavelengths, in 4 × 4 cells.
pub struct Gabor {
    kernels: Vec<crate::labs::convolution::plane::Plane>,
}

impl Default for Gabor {
    fn default() -> Self {
        let kernels = (0..8).map(|n| {
            let angle = f64::from(n % 4) * std::f64::consts::FRAC_PI_4;
            let wavelength = if n < 4 { 4.0 } else { 7.0 };
            crate::labs::convolution::kernels::gabor(7, angle, wavelength, 0.45 * wavelength)
        });
        Self {
            kernels: kernels.collect(),
        }
    }
}

impl Gabor {
    pub fn of(&self, image: &Image) -> Vec<f32> {
        const CELLS: usize = 4;
        let mut found = vec![0f32; self.kernels.len() * CELLS * CELLS];
        for (n, kernel) in self.kernels.iter().enumerate() {
            let weights: Vec<f32> = kernel.values.iter().map(|value| *value as f32).collect();
            let room = image.side - 6;
            for y in 0..room {
                for x in 0..room {
                    let mut sum = 0.0;
                    for row in 0..7 {
                        let from = (y + row) * image.side + x;
                        let pixels = &image.pixels[from..from + 7];
                        sum += pixels
                            .iter()
                            .zip(&weights[row * 7..])
                            .map(|(p, w)| p * w)
                            .sum::<f32>();
                    }
                    let cell = y * CELLS / room * CELLS + x * CELLS / room;
                    found[n * CELLS * CELLS + cell] += sum.abs();
                }
            }
        }
        normalised(&mut found);
        found
    }
}

/// Descriptors as SIFT's, on a grid: eight directions in 4 × 4 cells of patches of 16 × 16
/// (Lowe 2004), without his keypoints and turning.
pub fn sift(image: &Image) -> Vec<Vec<f32>> {
    const PATCH: usize = 16;
    let steps = (image.side - PATCH) / 4 + 1;
    let patch = |place: usize| {
        let (top, left) = (place / steps * 4, place % steps * 4);
        let mut part = Image {
            side: PATCH,
            pixels: Vec::with_capacity(PATCH * PATCH),
        };
        for y in top..top + PATCH {
            part.pixels
                .extend_from_slice(&image.pixels[y * image.side + left..][..PATCH]);
        }
        let mut found = directions(&part, 4, 8, true);
        normalised(&mut found);
        found
    };
    (0..steps * steps).map(patch).collect()
}

/// Covariances of place, gray value and slopes (Tuzel, Porikli and Meer 2006) over the image and
/// its quarters, through the matrix logarithm, whose numbers may be compared as vectors.
pub fn covariance(image: &Image) -> Vec<f32> {
    let half = image.side / 2;
    let regions = [
        (0, 0, image.side),
        (0, 0, half),
        (0, half, half),
        (half, 0, half),
        (half, half, half),
    ];
    regions
        .into_iter()
        .flat_map(|region| of_region(image, region))
        .collect()
}

fn of_region(image: &Image, (top, left, side): (usize, usize, usize)) -> Vec<f32> {
    const SIZE: usize = 7;
    let mut rows = nalgebra::DMatrix::<f64>::zeros(side * side, SIZE);
    for n in 0..side * side {
        let (y, x) = (top + n / side, left + n % side);
        let [across, down] = slopes(image, y, x);
        let values = [
            (x - left) as f64 / side as f64,
            (y - top) as f64 / side as f64,
            f64::from(image.at(y, x)),
            f64::from(across.abs()),
            f64::from(down.abs()),
            f64::from(across),
            f64::from(down),
        ];
        values
            .into_iter()
            .enumerate()
            .for_each(|(column, value)| rows[(n, column)] = value);
    }
    let mean = rows.row_mean();
    rows.row_iter_mut().for_each(|mut row| row -= &mean);
    let scatter = rows.transpose() * &rows / (side * side) as f64;
    let scatter = scatter + nalgebra::DMatrix::identity(SIZE, SIZE) * 1e-3;
    let eigen = nalgebra::SymmetricEigen::new(scatter);
    let logarithms = eigen.eigenvalues.map(|value| value.max(1e-9).ln());
    let log = &eigen.eigenvectors
        * nalgebra::DMatrix::from_diagonal(&logarithms)
        * eigen.eigenvectors.transpose();
    let upper = (0..SIZE).flat_map(|row| (row..SIZE).map(move |column| (row, column)));
    upper.map(|place| 0.2 * log[place] as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(down: bool) -> Image {
        let value = |n: usize| {
            let place = if down { n / 28 } else { n % 28 };
            if place / 3 % 2 == 0 { 1.0 } else { 0.0 }
        };
        Image {
            side: 28,
            pixels: (0..784).map(value).collect(),
        }
    }

    #[test]
    fn sizes_and_directions_are_as_described() {
        let image = stripes(false);
        assert_eq!(hog(&image).len(), 6 * 6 * 36);
        assert_eq!(lbp(&image).len(), 16 * 59);
        assert_eq!((sift(&image).len(), sift(&image)[0].len()), (16, 128));
        assert_eq!(covariance(&image).len(), 5 * 28);
        // Vertical stripes have slopes along x only, horizontal ones along y only.
        let [across, down] = [false, true].map(|down| directions(&stripes(down), 28, 9, false));
        assert!(
            across[0] + across[8] > 0.99 * across.iter().sum::<f32>(),
            "{across:?}"
        );
        assert!(down[4] > 0.99 * down.iter().sum::<f32>(), "{down:?}");
        let [a, b] = [false, true].map(|down| Gabor::default().of(&stripes(down)));
        let energy = |found: &[f32], n: usize| found[n * 16..(n + 1) * 16].iter().sum::<f32>();
        assert!(energy(&a, 4) > 3.0 * energy(&a, 6) && energy(&b, 6) > 3.0 * energy(&b, 4));
    }

    #[test]
    fn there_are_58_uniform_patterns() {
        let mut seen: Vec<usize> = (0..=255).map(uniform).collect();
        assert_eq!((uniform(0), uniform(255), uniform(0b101)), (0, 57, 58));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 59);
        let flat = Image {
            side: 28,
            pixels: vec![0.5; 784],
        };
        assert_eq!(lbp_code(&flat, 5, 5), 255);
    }
}
