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
    let first = spec.shape.first().copied().unwrap_or(1).max(1);
    let second = spec.shape.get(1).copied().unwrap_or(1).max(1);
    // As Caffe counts them: the numbers behind one output, and the outputs behind one input.
    let fan_in = (count / first).max(1) as f64;
    let fan_out = (count / second).max(1) as f64;
    let average = (fan_in + fan_out) / 2.0;
    let mut rng = ChaCha8Rng::seed_from_u64(stream(seed, 0, key));
    let rng = &mut rng;
    let xavier = |n: f64, rng| {
        let bound = (3.0 / n).sqrt();
        uniform(-bound, bound, count, rng)
    };
    let msra = |n: f64, rng| gaussian(0.0, (2.0 / n).sqrt(), count, rng);
    // One at a time, so that a large weight is never held in double precision too.
    let values: Values<'_> = match spec.filler {
        Filler::Constant(value) => Box::new(std::iter::repeat_n(value, count)),
        Filler::Uniform { min, max } => uniform(min, max, count, rng),
        Filler::Gaussian { mean, std } => gaussian(mean, std, count, rng),
        Filler::Xavier => xavier(fan_in, rng),
        Filler::XavierFanOut => xavier(fan_out, rng),
        Filler::XavierAverage => xavier(average, rng),
        Filler::Msra => msra(fan_in, rng),
        Filler::MsraFanOut => msra(fan_out, rng),
        Filler::MsraAverage => msra(average, rng),
        Filler::Bilinear => Box::new(bilinear(&spec.shape)),
        Filler::PositiveUnitball => {
            let values = uniform(0.0, 1.0, count, rng).collect();
            Box::new(unit_sums(values, count / first).into_iter())
        }
        Filler::ScaledUniform(scale) => uniform(0.0, scale / fan_in.sqrt(), count, rng),
        Filler::ScaledGaussian(scale) => gaussian(0.0, scale / fan_in.sqrt(), count, rng),
    };
    match dtype {
        DType::F64 => {
            let values: Vec<f64> = values.collect();
            Tensor::from_vec(values, spec.shape.as_slice(), device)
        }
        _ => {
            let values: Vec<f32> = values.map(|value| value as f32).collect();
            Tensor::from_vec(values, spec.shape.as_slice(), device)?.to_dtype(dtype)
        }
    }
}

/// A parameter's numbers, drawn as they are taken.
type Values<'a> = Box<dyn Iterator<Item = f64> + 'a>;

fn uniform(min: f64, max: f64, count: usize, rng: &mut ChaCha8Rng) -> Values<'_> {
    let unit = rand::distr::StandardUniform;
    let mut sample = move || -> f64 { unit.sample(rng) };
    Box::new((0..count).map(move |_| min + (max - min) * sample()))
}

fn gaussian(mean: f64, std: f64, count: usize, rng: &mut ChaCha8Rng) -> Values<'_> {
    let normal = rand_distr::StandardNormal;
    let mut sample = move || -> f64 { normal.sample(rng) };
    Box::new((0..count).map(move |_| mean + std * sample()))
}

/// Caffe's `BilinearFiller` for each map of a (…, kernel, kernel) weight: with the factor
/// f = ⌈kernel/2⌉ and the centre c = (2f − 1 − f mod 2) / 2f.
fn bilinear(shape: &[usize]) -> impl Iterator<Item = f64> + use<> {
    let count = shape.iter().product();
    let width = shape.last().copied().unwrap_or(1).max(1);
    let height = shape.iter().rev().nth(1).copied().unwrap_or(1).max(1);
    let factor = width.div_ceil(2) as f64;
    let center = (2.0 * factor - 1.0 - factor % 2.0) / (2.0 * factor);
    let hat = move |place: usize| 1.0 - (place as f64 / factor - center).abs();
    (0..count).map(move |index| hat(index % width) * hat(index / width % height))
}

/// Divides each run of `length` values by its sum.
fn unit_sums(mut values: Vec<f64>, length: usize) -> Vec<f64> {
    for run in values.chunks_mut(length.max(1)) {
        let sum: f64 = run.iter().sum();
        run.iter_mut().for_each(|value| *value /= sum);
    }
    values
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
    fn fan_out_and_average_count_as_caffe_does() {
        let deviation = |filler| deviation(&values(filler, "a"));
        // The shape is (50, 20, 5, 5): fan-in 20·25, fan-out 50·25.
        assert!((deviation(Filler::XavierFanOut) - (1.0f64 / 1250.0).sqrt()).abs() < 1e-3);
        assert!((deviation(Filler::MsraAverage) - (2.0f64 / 875.0).sqrt()).abs() < 1e-3);
    }

    #[test]
    fn the_course_s_filler_is_positive_as_written_and_centred_as_meant() {
        let written = values(Filler::ScaledUniform(0.01), "a");
        let bound = 0.01 / 500f64.sqrt();
        assert!(written.iter().all(|&v| (0.0..=bound).contains(&v)));
        let meant = values(Filler::ScaledGaussian(0.01), "a");
        assert!((deviation(&meant) / bound - 1.0).abs() < 0.02);
        assert!((meant.iter().sum::<f64>() / meant.len() as f64).abs() < bound * 0.02);
    }

    #[test]
    fn positive_unitball_sums_to_one_for_each_output() {
        for run in values(Filler::PositiveUnitball, "a").chunks(500) {
            assert!((run.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(run.iter().all(|&v| v >= 0.0));
        }
    }

    /// Caffe's documented kernels: 4 for a factor of 2, 3 for an odd one.
    #[test]
    fn bilinear_is_the_hat_of_interpolation() {
        let row = |kernel: usize| {
            let spec = ParamSpec::learnable("w", vec![1, 1, kernel, kernel], Filler::Bilinear);
            let tensor = fill(&spec, "w", 0, DType::F64, &Device::Cpu).unwrap();
            tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        let hat = [0.25, 0.75, 0.75, 0.25];
        for (index, value) in row(4).into_iter().enumerate() {
            assert!((value - hat[index % 4] * hat[index / 4]).abs() < 1e-12);
        }
        let hat = [1.0, 2.0, 3.0, 2.0, 1.0].map(|value| value / 3.0);
        for (index, value) in row(5).into_iter().enumerate() {
            assert!((value - hat[index % 5] * hat[index / 5]).abs() < 1e-12);
        }
    }

    #[test]
    fn each_key_and_seed_has_its_own_stream() {
        assert_eq!(values(Filler::Xavier, "a"), values(Filler::Xavier, "a"));
        assert_ne!(values(Filler::Xavier, "a"), values(Filler::Xavier, "b"));
        assert_ne!(stream(1, 2, "a"), stream(2, 1, "a"));
    }
}
