//! Planes of numbers, and the three operations on them, term by term.

use crate::i18n::Text;

/// The operations by their places.
pub const OPERATIONS: &[(&str, Text)] = &[
    (
        "correlation",
        Text::new("Cross-correlation (Caffe's)", "互相关（Caffe 的做法）"),
    ),
    ("convolution", Text::new("True convolution", "真正的卷积")),
    (
        "deconvolution",
        Text::new("Deconvolution (transpose)", "反卷积（转置）"),
    ),
];

/// Numbers row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plane {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slide {
    pub stride: usize,
    pub pad: usize,
    pub dilation: usize,
}

/// A product in the sum of one output: the place in the input, and in the kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    pub input: [usize; 2],
    pub weight: [usize; 2],
    pub product: f64,
}

impl Plane {
    pub fn filled(height: usize, width: usize, value: f64) -> Self {
        Self {
            height,
            width,
            values: vec![value; height * width],
        }
    }

    pub fn at(&self, [row, column]: [usize; 2]) -> f64 {
        match row < self.height && column < self.width {
            true => self.values[row * self.width + column],
            false => 0.0,
        }
    }

    pub fn set(&mut self, [row, column]: [usize; 2], value: f64) {
        if row < self.height && column < self.width {
            self.values[row * self.width + column] = value;
        }
    }

    /// Half as large, each number the mean of four.
    pub fn halved(&self) -> Self {
        pooled(self, 2)
    }

    fn map(height: usize, width: usize, value: impl Fn([usize; 2]) -> f64) -> Self {
        let places = (0..height * width).map(|n| [n / width, n % width]);
        Self {
            height,
            width,
            values: places.map(value).collect(),
        }
    }
}

/// The size of the output along one axis; 0 where the kernel does not fit.
pub fn length(operation: usize, input: usize, kernel: usize, slide: Slide) -> usize {
    let window = slide.dilation * (kernel - 1) + 1;
    match operation {
        2 => ((input - 1) * slide.stride + window).saturating_sub(2 * slide.pad),
        _ => match (input + 2 * slide.pad).checked_sub(window) {
            Some(room) => room / slide.stride + 1,
            None => 0,
        },
    }
}

/// The products whose sum is the output at a place; those with the padding's zeros are left out.
pub fn terms(
    operation: usize,
    image: &Plane,
    kernel: &Plane,
    slide: Slide,
    place: [usize; 2],
) -> Vec<Term> {
    let mut terms = Vec::new();
    for row in 0..kernel.height {
        for column in 0..kernel.width {
            let offsets = [row, column];
            let source = |axis: usize| source(operation, slide, place[axis], offsets[axis]);
            let (Some(y), Some(x)) = (source(0), source(1)) else {
                continue;
            };
            if y >= image.height || x >= image.width {
                continue;
            }
            let weight = match operation {
                1 => [kernel.height - 1 - row, kernel.width - 1 - column],
                _ => offsets,
            };
            terms.push(Term {
                input: [y, x],
                weight,
                product: image.at([y, x]) * kernel.at(weight),
            });
        }
    }
    terms
}

/// Where an output reads the input for one offset of the kernel; `None` outside or between.
fn source(operation: usize, slide: Slide, place: usize, offset: usize) -> Option<usize> {
    let offset = offset * slide.dilation;
    match operation {
        2 => {
            let at = (place + slide.pad).checked_sub(offset)?;
            at.is_multiple_of(slide.stride).then_some(at / slide.stride)
        }
        _ => (place * slide.stride + offset).checked_sub(slide.pad),
    }
}

/// The whole output.
pub fn apply(operation: usize, image: &Plane, kernel: &Plane, slide: Slide) -> Plane {
    let height = length(operation, image.height, kernel.height, slide);
    let width = length(operation, image.width, kernel.width, slide);
    Plane::map(height, width, |place| {
        let terms = terms(operation, image, kernel, slide, place);
        terms.iter().map(|term| term.product).sum()
    })
}

/// The mean, or with `size` 2 the mean of each 2 × 2.
fn pooled(plane: &Plane, size: usize) -> Plane {
    pool(plane, size, |values| {
        values.iter().sum::<f64>() / values.len() as f64
    })
}

/// Pooling by its place among the kinds: as it is, maximum, mean.
pub fn pooling(kind: usize, plane: &Plane) -> Plane {
    match kind {
        1 => pool(plane, 2, |values| {
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        }),
        2 => pooled(plane, 2),
        _ => plane.clone(),
    }
}

fn pool(plane: &Plane, size: usize, of: impl Fn(&[f64]) -> f64) -> Plane {
    Plane::map(plane.height / size, plane.width / size, |[row, column]| {
        let places = (0..size * size).map(|n| [row * size + n / size, column * size + n % size]);
        of(&places.map(|place| plane.at(place)).collect::<Vec<_>>())
    })
}

/// The root of the mean squared difference; infinite where sizes differ.
pub fn distance(a: &Plane, b: &Plane) -> f64 {
    if (a.height, a.width) != (b.height, b.width) || a.values.is_empty() {
        return f64::INFINITY;
    }
    let squares = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).powi(2));
    (squares.sum::<f64>() / a.values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    fn image() -> Plane {
        Plane::map(9, 8, |[y, x]| ((3 * y + 5 * x) % 7) as f64 - 2.0)
    }

    fn kernel() -> Plane {
        Plane::map(3, 3, |[y, x]| (y * 3 + x) as f64 * 0.5 - 1.0)
    }

    fn tensor(plane: &Plane) -> Tensor {
        let shape = (1, 1, plane.height, plane.width);
        Tensor::from_slice(&plane.values, shape, &Device::Cpu).unwrap()
    }

    /// Candle's own, on Caffe's definition, for every slide.
    #[test]
    fn it_is_the_layers_convolution_and_its_transpose() {
        for (stride, pad, dilation) in [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 1, 1)] {
            let slide = Slide {
                stride,
                pad,
                dilation,
            };
            let (x, w) = (tensor(&image()), tensor(&kernel()));
            let expected = x.conv2d(&w, pad, stride, dilation, 1).unwrap();
            let found = apply(0, &image(), &kernel(), slide);
            same(&found, &expected);
            let expected = x.conv_transpose2d(&w, pad, 0, stride, dilation).unwrap();
            same(&apply(2, &image(), &kernel(), slide), &expected);
            let mut turned = kernel();
            turned.values.reverse();
            assert_eq!(
                apply(1, &image(), &kernel(), slide),
                apply(0, &image(), &turned, slide)
            );
        }
    }

    fn same(found: &Plane, expected: &Tensor) {
        assert_eq!(expected.dims(), [1, 1, found.height, found.width]);
        let expected = expected
            .to_dtype(DType::F64)
            .unwrap()
            .flatten_all()
            .unwrap();
        for (a, b) in found.values.iter().zip(expected.to_vec1::<f64>().unwrap()) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn pooling_by_hand() {
        let plane = Plane {
            height: 2,
            width: 4,
            values: vec![1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 8.0],
        };
        assert_eq!(pooling(1, &plane).values, [4.0, 8.0]);
        assert_eq!(pooling(2, &plane).values, [2.5, 2.0]);
    }

    #[test]
    fn a_kernel_larger_than_the_image_gives_nothing() {
        let slide = Slide {
            stride: 1,
            pad: 0,
            dilation: 3,
        };
        let output = apply(
            0,
            &Plane::filled(4, 4, 1.0),
            &Plane::filled(3, 3, 1.0),
            slide,
        );
        assert!(output.values.is_empty());
    }
}
