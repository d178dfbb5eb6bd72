//! A blurred image, and the ways back: the transpose alone, which blurs again, and gradient
//! descent on ½‖y − W x‖² (Landweber 1951), whose every step goes through the transpose.

use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use super::kernels::gaussian;
use super::picture;
use super::plane::{Plane, Slide, apply, distance};
use crate::labs::{LabError, Settings};

const SIZE: usize = 9;
const SLIDE: Slide = Slide {
    stride: 1,
    pad: SIZE / 2,
    dilation: 1,
};

/// The image, its blur, and what descent has found so far.
pub struct Restoring {
    pub image: Plane,
    pub blurred: Plane,
    pub transposed: Plane,
    pub restored: Plane,
    pub iterations: u64,
    kernel: Plane,
}

impl Restoring {
    pub fn new(image: Plane, blur: f64, noise: f64) -> Self {
        let kernel = gaussian(SIZE, blur);
        let mut blurred = apply(0, &image, &kernel, SLIDE);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for value in &mut blurred.values {
            let normal: f64 = rand_distr::StandardNormal.sample(&mut random);
            *value += noise * normal;
        }
        Self {
            transposed: apply(2, &blurred, &kernel, SLIDE),
            restored: blurred.clone(),
            iterations: 0,
            kernel,
            blurred,
            image,
        }
    }

    /// One step along the gradient; η is 1.9, just below twice the inverse of the greatest
    /// eigenvalue of WᵀW, which is 1 because a blur keeps the mean.
    pub fn step(&mut self) {
        const RATE: f64 = 1.9;
        let again = apply(0, &self.restored, &self.kernel, SLIDE);
        let mut rest = self.blurred.clone();
        for (rest, again) in rest.values.iter_mut().zip(&again.values) {
            *rest -= again;
        }
        let gradient = apply(2, &rest, &self.kernel, SLIDE);
        for (value, gradient) in self.restored.values.iter_mut().zip(&gradient.values) {
            *value = (*value + RATE * gradient).clamp(0.0, 1.0);
        }
        self.iterations += 1;
    }

    /// Distances from the image: of its blur, of the transpose, of what was restored.
    pub fn errors(&self) -> [f64; 3] {
        [&self.blurred, &self.transposed, &self.restored].map(|plane| distance(plane, &self.image))
    }
}

pub fn demonstrate(settings: &Settings) -> Result<[f64; 3], LabError> {
    let image = picture(settings)?;
    let mut restoring = Restoring::new(image, settings.number("blur"), settings.number("noise"));
    for _ in 0..settings.count("iterations") {
        restoring.step();
    }
    Ok(restoring.errors())
}
