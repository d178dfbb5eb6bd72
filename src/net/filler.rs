//! First values of parameters, and the random streams of a network.

use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use crate::graph::{Filler, ParamSpec};

/// The start of the random stream of one node in one iteration, equal on every machine: FNV-1a
/// over the three, then the finaliser of SplitMix64 (Steele et al. 2014).
pub fn stream(seed: u64, iteration: u64, name: &str) -> u64 {
    let bytes = seed
        .to_le_bytes()
        .into_iter()
        .chain(iteration.to_le_bytes())
        .chain(name.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A parameter's first values: a function of the seed and the key alone.
pub fn fill(
    spec: &ParamSpec,
    key: &str,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> candle_core::Result<Tensor> {
    let count = spec.count();
    // Caffe's fan-in: the numbers that one output sums over.
    let fan_in = (count / spec.shape.first().copied().unwrap_or(1).max(1)).max(1) as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(stream(seed, 0, key));
    let values: Vec<f64> = match spec.filler {
        Filler::Constant(value) => vec![value; count],
        Filler::Uniform { min, max } => uniform(min, max, count, &mut rng),
        Filler::Gaussian { mean, std } => gaussian(mean, std, count, &mut rng),
        Filler::Xavier => {
            let bound = (3.0 / fan_in).sqrt();
            uniform(-bound, bound, count, &mut rng)
        }
        Filler::Msra => gaussian(0.0, (2.0 / fan_in).sqrt(), count, &mut rng),
    };
    match dtype {
        DType::F64 => Tensor::from_vec(values, spec.shape.as_slice(), device),
        _ => {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Tensor::from_vec(values, spec.shape.as_slice(), device)?.to_dtype(dtype)
        }
    }
}

fn uniform(min: f64, max: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let unit = rand::distr::StandardUniform;
    let mut sample = || -> f64 { unit.sample(rng) };
    (0..count).map(|_| min + (max - min) * sample()).collect()
}

fn gaussian(mean: f64, std: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let normal = rand_distr::StandardNormal;
    let mut sample = || -> f64 { normal.sample(rng) };
    (0..count).map(|_| mean + std * sample()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(filler: Filler, key: &str) -> Vec<f64> {
        let spec = ParamSpec::learnable("weight", vec![50, 20, 5, 5], filler);
        let tensor = fill(&spec, key, 1, DType::F64, &Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn deviation(values: &[f64]) -> f64 {
        (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn fillers_have_the_deviation_that_their_papers_state() {
        // Uniform in ±√(3/n) has deviation √(1/n); n = 20·5·5.
        assert!((deviation(&values(Filler::Xavier, "a")) - (1.0f64 / 500.0).sqrt()).abs() < 1e-3);
        assert!((deviation(&values(Filler::Msra, "a")) - (2.0f64 / 500.0).sqrt()).abs() < 1e-3);
        let std = deviation(&values(
            Filler::Gaussian {
                mean: 0.0,
                std: 0.01,
            },
            "a",
        ));
        assert!((std - 0.01).abs() < 2e-4, "{std}");
    }

    #[test]
    fn each_key_and_seed_has_its_own_stream() {
        assert_eq!(values(Filler::Xavier, "a"), values(Filler::Xavier, "a"));
        assert_ne!(values(Filler::Xavier, "a"), values(Filler::Xavier, "b"));
        assert_ne!(stream(1, 2, "a"), stream(2, 1, "a"));
    }
}
