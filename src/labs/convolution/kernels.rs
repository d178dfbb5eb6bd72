//! Kernels that people made by hand before any were learned.

use super::plane::Plane;
use crate::i18n::Text;

/// The kernels by their places.
pub const KERNELS: &[(&str, Text)] = &[
    (
        "sobel_x",
        Text::new("Vertical edges (Sobel)", "垂直边缘（Sobel）"),
    ),
    (
        "sobel_y",
        Text::new("Horizontal edges (Sobel)", "水平边缘（Sobel）"),
    ),
    (
        "laplace",
        Text::new("All edges (Laplace)", "各向边缘（Laplace）"),
    ),
    ("blur", Text::new("Blur (Gaussian)", "模糊（高斯）")),
    ("sharpen", Text::new("Sharpen", "锐化")),
    ("emboss", Text::new("Emboss", "浮雕")),
    ("gabor", Text::new("Gabor", "Gabor")),
    ("identity", Text::new("Identity", "恒等")),
];

/// The kernel of that place; `angle`, in degrees, turns the Gabor kernel.
pub fn kernel(place: usize, angle: f64) -> Plane {
    let of = |values: [f64; 9]| Plane {
        height: 3,
        width: 3,
        values: values.to_vec(),
    };
    match place {
        0 => of([-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0]),
        1 => of([-1.0, -2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 1.0]),
        2 => of([0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0]),
        3 => gaussian(3, 0.85),
        4 => of([0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0]),
        5 => of([-2.0, -1.0, 0.0, -1.0, 1.0, 1.0, 0.0, 1.0, 2.0]),
        6 => gabor(5, angle.to_radians(), 4.0, 1.6),
        _ => of([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    }
}

/// A Gaussian of that deviation, whose weights sum to 1.
pub fn gaussian(size: usize, deviation: f64) -> Plane {
    let middle = (size as f64 - 1.0) / 2.0;
    let weight = |n: usize| {
        let (y, x) = ((n / size) as f64 - middle, (n % size) as f64 - middle);
        (-(x * x + y * y) / (2.0 * deviation * deviation)).exp()
    };
    let mut values: Vec<f64> = (0..size * size).map(weight).collect();
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
    Plane {
        height: size,
        width: size,
        values,
    }
}

/// A wave under a Gaussian (Gabor 1946, Daugman 1985), its mean taken away: it answers to stripes
/// across `angle`.
pub fn gabor(size: usize, angle: f64, wavelength: f64, deviation: f64) -> Plane {
    let middle = (size as f64 - 1.0) / 2.0;
    let (sin, cos) = angle.sin_cos();
    let weight = |n: usize| {
        let (y, x) = ((n / size) as f64 - middle, (n % size) as f64 - middle);
        let along = x * cos + y * sin;
        let hill = (-(x * x + y * y) / (2.0 * deviation * deviation)).exp();
        hill * (std::f64::consts::TAU * along / wavelength).cos()
    };
    let mut values: Vec<f64> = (0..size * size).map(weight).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    Plane {
        height: size,
        width: size,
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plane::{Slide, apply};
    use super::*;

    #[test]
    fn edges_answer_to_edges_and_blur_keeps_the_mean() {
        let mut step = Plane::filled(7, 7, 0.0);
        (0..7).for_each(|row| (4..7).for_each(|column| step.set([row, column], 1.0)));
        let slide = Slide {
            stride: 1,
            pad: 0,
            dilation: 1,
        };
        let across = apply(0, &step, &kernel(0, 0.0), slide);
        assert_eq!(across.values[..5], [0.0, 0.0, 4.0, 4.0, 0.0]);
        let along = apply(0, &step, &kernel(1, 0.0), slide);
        assert!(along.values.iter().all(|value| *value == 0.0));
        let flat = apply(0, &Plane::filled(5, 5, 0.7), &kernel(3, 0.0), slide);
        assert!(flat.values.iter().all(|value| (value - 0.7).abs() < 1e-12));
        let none = apply(0, &Plane::filled(7, 7, 0.7), &kernel(6, 30.0), slide);
        assert!(none.values.iter().all(|value| value.abs() < 1e-12));
    }
}
