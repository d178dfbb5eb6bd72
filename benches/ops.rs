//! Operations by shape: `cargo bench --bench ops`, or `cargo bench --bench ops -- 3×3 'batch norm'`
//! for those whose name contains one of the words (`x` may stand for `×`). `RAYON_NUM_THREADS` sets
//! the threads.
//!
//! The best of several runs, which other programs on the machine disturb least. A gradient by the
//! data stands under "data" and one by the filters or weights under "filter"; where one function
//! makes both, both are under "data". GFLOP/s count the plain way's products, two operations each:
//! Winograd's way needs fewer.

#[path = "ops/conv.rs"]
mod conv;

use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{Device, Result, Tensor};
use layerlab::nn::{self, Averaging, Cell, CellWeights, Lrn, Moments, Pool2d, Rule, Step};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long an operation is repeated, and how often at least.
const PATIENCE: Duration = Duration::from_millis(400);
const RUNS: usize = 4;

/// Inputs, outputs, batch: LeNet, AlexNet, VGG, a ResNet's scores.
const LINEAR: [[usize; 3]; 5] = [
    [800, 500, 128],
    [9216, 4096, 32],
    [4096, 4096, 32],
    [25088, 4096, 2],
    [2048, 1000, 8],
];

/// Channels, side, batch.
const NORMALISED: [[usize; 3]; 4] = [[64, 32, 32], [64, 112, 8], [256, 56, 4], [512, 7, 8]];

/// Channels, side, batch, kernel, stride, pad.
const POOLED: [[usize; 6]; 5] = [
    [20, 24, 128, 2, 2, 0],
    [64, 224, 2, 2, 2, 0],
    [64, 112, 8, 3, 2, 1],
    [480, 14, 8, 3, 1, 1],
    [2048, 7, 4, 7, 7, 0],
];

/// The best time of each direction, and the multiply-adds of one.
#[derive(Default)]
struct Row {
    macs: Option<usize>,
    forward: Option<Duration>,
    data: Option<Duration>,
    filter: Option<Duration>,
}

/// Measures and prints the operations whose name contains one of the words.
struct Table {
    words: Vec<String>,
}

impl Table {
    fn head(&self) {
        let threads = rayon::current_num_threads();
        let title = format!("{threads} threads");
        println!("{title:<46}{:>30}{:>27}", "milliseconds", "GFLOP/s");
        println!(
            "{:<46}{:>10}{:>10}{:>10}{:>9}{:>9}{:>9}",
            "operation", "forward", "data", "filter", "forward", "data", "filter"
        );
    }

    fn add(&self, name: &str, measure: impl FnOnce() -> Result<Row>) -> Result<()> {
        let is_wanted = |word: &String| {
            name.contains(word.as_str()) || name.replace('×', "x").contains(word.as_str())
        };
        if !self.words.is_empty() && !self.words.iter().any(is_wanted) {
            return Ok(());
        }
        let row = measure()?;
        let columns = [row.forward, row.data, row.filter];
        let milliseconds = columns.map(|time| {
            time.map_or(String::new(), |time| {
                format!("{:.3}", time.as_secs_f64() * 1e3)
            })
        });
        let rate = |time: Duration, macs: usize| 2.0 * macs as f64 / time.as_secs_f64() / 1e9;
        let rates = columns.map(|time| {
            let known = time.zip(row.macs);
            known.map_or(String::new(), |(time, macs)| {
                format!("{:.1}", rate(time, macs))
            })
        });
        let mut line = format!("{name:<46}");
        milliseconds
            .iter()
            .for_each(|cell| line += &format!("{cell:>10}"));
        rates.iter().for_each(|cell| line += &format!("{cell:>9}"));
        println!("{}", line.trim_end());
        Ok(())
    }
}

/// The shortest of several runs.
fn best<T>(mut operation: impl FnMut() -> Result<T>) -> Result<Duration> {
    let (begin, mut shortest, mut runs) = (Instant::now(), Duration::MAX, 0);
    while runs < RUNS || begin.elapsed() < PATIENCE {
        let start = Instant::now();
        let result = black_box(operation()?);
        shortest = shortest.min(start.elapsed());
        drop(result);
        runs += 1;
    }
    Ok(shortest)
}

fn random(dims: &[usize]) -> Result<Tensor> {
    Tensor::rand(-1f32, 1.0, dims, &Device::Cpu)
}

fn linear([inputs, outputs, batch]: [usize; 3]) -> Result<Row> {
    let (x, w) = (random(&[batch, inputs])?, random(&[outputs, inputs])?);
    let (bias, dy) = (random(&[outputs])?, random(&[batch, outputs])?);
    Ok(Row {
        macs: Some(batch * inputs * outputs),
        forward: Some(best(|| nn::linear(&x, &w, Some(&bias)))?),
        data: Some(best(|| nn::linear_backward_data(&dy, &w))?),
        filter: Some(best(|| nn::linear_backward_weight(&x, &dy))?),
    })
}

fn batch_norm([channels, side, batch]: [usize; 3], relu: bool) -> Result<Row> {
    let x = random(&[batch, channels, side, side])?;
    let dy = random(x.dims())?;
    let (weight, bias) = (random(&[channels])?, random(&[channels])?);
    let affine = Some((&weight, &bias));
    let (y, mean, variance) = nn::batch_norm_of_batch(&x, 1e-5, affine, relu)?;
    let rectified = relu.then_some(&y);
    let moments = Moments {
        mean: &mean,
        variance: &variance,
        eps: 1e-5,
    };
    let backward = || nn::batch_norm_backward(&x, &dy, rectified, &moments, Some(&weight), true);
    Ok(Row {
        forward: Some(best(|| nn::batch_norm_of_batch(&x, 1e-5, affine, relu))?),
        data: Some(best(backward)?),
        ..Row::default()
    })
}

fn pool([channels, side, batch, kernel, stride, pad]: [usize; 6], average: bool) -> Result<Row> {
    let pool = Pool2d {
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [pad; 2],
        ceil: false,
    };
    let (x, size) = (random(&[batch, channels, side, side])?, [side, side]);
    let (forward, data) = if average {
        let dy = random(nn::avg_pool2d(&x, &pool)?.dims())?;
        let backward = || nn::avg_pool2d_backward(&dy, size, &pool);
        (best(|| nn::avg_pool2d(&x, &pool))?, best(backward)?)
    } else {
        let (y, indices) = nn::max_pool2d(&x, &pool)?;
        let dy = random(y.dims())?;
        let backward = || nn::max_pool2d_backward(&dy, &indices, size);
        (best(|| nn::max_pool2d(&x, &pool))?, best(backward)?)
    };
    Ok(Row {
        forward: Some(forward),
        data: Some(data),
        ..Row::default()
    })
}

/// AlexNet's numbers.
fn lrn([channels, side, batch]: [usize; 3], within: bool) -> Result<Row> {
    let lrn = Lrn {
        size: 5,
        alpha: 1e-4,
        beta: 0.75,
        k: 1.0,
        within,
    };
    let x = random(&[batch, channels, side, side])?;
    let dy = random(x.dims())?;
    let (_, sums) = nn::lrn(&x, &lrn)?;
    Ok(Row {
        forward: Some(best(|| nn::lrn(&x, &lrn))?),
        data: Some(best(|| nn::lrn_backward(&x, &sums, &dy, &lrn))?),
        ..Row::default()
    })
}

fn softmax_cross_entropy(dims: &[usize]) -> Result<Row> {
    let (x, classes) = (random(dims)?, dims[1] as u32);
    let places = [&dims[..1], &dims[2..]].concat();
    let labels = (0..places.iter().product::<usize>() as u32).map(|index| index % classes);
    let labels = Tensor::from_vec(labels.collect(), places, &Device::Cpu)?;
    let averaging = Averaging::default();
    let (_, probabilities) = nn::softmax_cross_entropy(&x, &labels, &averaging)?;
    let d_loss = Tensor::new(1f32, &Device::Cpu)?;
    let backward =
        || nn::softmax_cross_entropy_backward(&probabilities, &labels, &averaging, &d_loss);
    Ok(Row {
        forward: Some(best(|| nn::softmax_cross_entropy(&x, &labels, &averaging))?),
        data: Some(best(backward)?),
        ..Row::default()
    })
}

/// Rows of an image of `side`², as in `projects/lstm-digits.ron`.
fn lstm([side, units, batch]: [usize; 3]) -> Result<Row> {
    let x = random(&[side, batch, side])?;
    let weights = CellWeights {
        weight_ih: &random(&[4 * units, side])?,
        weight_hh: &random(&[4 * units, units])?,
        bias_ih: &random(&[4 * units])?,
        bias_hh: &random(&[4 * units])?,
    };
    let state = [random(&[batch, units])?, random(&[batch, units])?];
    let unrolled = nn::recurrent(Cell::Lstm, &x, &weights, &state)?;
    let dy = random(unrolled.y.dims())?;
    let backward = || nn::recurrent_backward(Cell::Lstm, &x, &weights, &state, &unrolled, &dy);
    Ok(Row {
        forward: Some(best(|| nn::recurrent(Cell::Lstm, &x, &weights, &state))?),
        data: Some(best(backward)?),
        ..Row::default()
    })
}

/// One parameter of `count` numbers.
fn update(rule: Rule, count: usize) -> Result<Row> {
    let (mut w, g) = (random(&[count])?, random(&[count])?);
    let states = (0..rule.states()).map(|_| Tensor::zeros_like(&w));
    let mut states = states.collect::<Result<Vec<_>>>()?;
    let step = Step {
        rule,
        rate: 1e-6,
        decay: 5e-4,
        l1: false,
        scale: 1.0,
    };
    Ok(Row {
        forward: Some(best(|| nn::update(&mut w, &g, &mut states, &step))?),
        ..Row::default()
    })
}

fn main() -> Result<()> {
    // Cargo passes `--bench` along.
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let table = Table {
        words: words.collect(),
    };
    table.head();
    for shape in conv::CONVOLUTIONS {
        table.add(&shape.name(), || shape.measure())?;
    }
    for [inputs, outputs, batch] in LINEAR {
        let name = format!("linear {inputs}→{outputs} batch {batch}");
        table.add(&name, || linear([inputs, outputs, batch]))?;
    }
    for shape @ [channels, side, batch] in NORMALISED {
        for (relu, ending) in [(false, ""), (true, " and ReLU")] {
            let name = format!("batch norm{ending} {channels} @{side} batch {batch}");
            table.add(&name, || batch_norm(shape, relu))?;
        }
    }
    for shape @ [channels, side, batch, kernel, stride, _] in POOLED {
        for (average, kind) in [(false, "max"), (true, "average")] {
            let name =
                format!("{kind} pool {kernel}×{kernel}/{stride} {channels} @{side} batch {batch}");
            table.add(&name, || pool(shape, average))?;
        }
    }
    for (within, kind) in [(false, "across channels"), (true, "within a channel")] {
        table.add(&format!("LRN 5 {kind} 96 @27 batch 16"), || {
            lrn([96, 27, 16], within)
        })?;
    }
    for dims in [&[128, 10][..], &[32, 1000], &[2, 21, 128, 128]] {
        table.add(&format!("softmax cross-entropy {dims:?}"), || {
            softmax_cross_entropy(dims)
        })?;
    }
    table.add("LSTM 28→128, 28 steps, batch 128", || {
        lstm([28, 128, 128])
    })?;
    let (momentum, momentum2, delta) = (0.9, 0.999, 1e-8);
    let adam = Rule::Adam {
        momentum,
        momentum2,
        delta,
        step: 1,
    };
    for (kind, rule) in [("SGD", Rule::Sgd { momentum }), ("Adam", adam)] {
        for count in [36_864, 2_359_296, 37_748_736] {
            table.add(&format!("update {kind} {count}"), || update(rule, count))?;
        }
    }
    Ok(())
}
