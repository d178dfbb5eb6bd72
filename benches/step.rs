//! Where the time of a training step goes, node by node: `cargo bench --bench step` for LeNet, or
//! `cargo bench --bench step -- BATCH FILE SHAPE STEPS`, such as `-- 32 net.prototxt 3,32,32 5`.
//!
//! `layerlab bench` times any project as a whole; `vs_pytorch.py` beside this file times the
//! same steps in PyTorch.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use layerlab::graph::{DataFacts, Facts, Phase};
use layerlab::interop::caffe;
use layerlab::net::{BackwardStart, DataFeed, ForwardOptions, Net, NetConfig, NetFeed};
use layerlab::project::Project;
use layerlab::train::{self, Momentum, Solver};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WARM_UP: usize = 5;
const STEPS: usize = 40;

/// All measurements of each row of the table.
#[derive(Default)]
struct Table(BTreeMap<String, Vec<Duration>>);

impl Table {
    fn add(&mut self, row: impl Into<String>, time: Duration) {
        self.0.entry(row.into()).or_default().push(time);
    }

    /// Prints the smallest, which other programs on the machine disturb least, and the median.
    fn print(&mut self) {
        println!("{:<22} {:>9} {:>9}", "milliseconds", "least", "median");
        for (row, times) in &mut self.0 {
            times.sort_unstable();
            let [least, median] =
                [times[0], times[times.len() / 2]].map(|time| time.as_secs_f64() * 1e3);
            println!("{row:<22} {least:>9.3} {median:>9.3}");
        }
    }
}

fn step(
    net: &mut Net,
    feed: &NetFeed,
    momentum: &mut Momentum,
    table: &mut Table,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let options = ForwardOptions {
        backward: true,
        ..ForwardOptions::default()
    };
    let mut pass = net.forward(Phase::Train, feed, options)?;
    for (node, time) in pass.seconds(net) {
        table.add(format!("{node} forward"), time);
    }
    let backward = net.backward(&mut pass, &BackwardStart::Losses)?;
    for (node, time) in &backward.seconds {
        table.add(format!("{node} backward"), *time);
    }
    let update = Instant::now();
    train::update(
        net,
        &backward.params,
        momentum,
        &Solver::default(),
        (0.001, 1),
    )?;
    table.add("update", update.elapsed());
    table.add("~ whole step", start.elapsed());
    Ok(())
}

/// A project or Caffe's definition of a network.
fn open(path: &Path) -> anyhow::Result<Project> {
    match path.extension().is_some_and(|ending| ending == "prototxt") {
        true => Ok(caffe::open(path)?.project),
        false => Ok(Project::open(path)?),
    }
}

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench` along.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let batch: usize = arguments.first().map_or(Ok(128), |text| text.parse())?;
    let lenet = Path::new(env!("CARGO_MANIFEST_DIR")).join("projects/lenet-digits.ron");
    let path = arguments.get(1).map_or(lenet, |path| path.into());
    let shape = arguments.get(2).map_or("1,28,28", String::as_str);
    let shape: Vec<usize> = shape.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let steps = arguments.get(3).map_or(Ok(STEPS), |text| text.parse())?;
    let data = DataFacts::classified(shape.clone(), 10);
    let facts = Facts {
        data: Some(data),
        ..Facts::default()
    };
    let project = open(&path)?;
    let config = NetConfig {
        precise: project.precise,
        ..NetConfig::default()
    };
    let mut net = Net::compile(&project.graph, &facts, config)?;
    let dims: Vec<usize> = std::iter::once(batch).chain(shape).collect();
    let images = Tensor::rand(0f32, 1.0, dims, &Device::Cpu)?;
    let labels: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
    let feed = NetFeed {
        data: Some(DataFeed::labelled(
            images,
            Tensor::new(labels, &Device::Cpu)?,
        )),
        ..NetFeed::default()
    };
    let (mut momentum, mut table) = (Momentum::new(), Table::default());
    for _ in 0..WARM_UP.min(steps) {
        step(&mut net, &feed, &mut momentum, &mut Table::default())?;
    }
    for _ in 0..steps {
        step(&mut net, &feed, &mut momentum, &mut table)?;
    }
    let (name, threads) = (path.display(), rayon::current_num_threads());
    println!("{name}, batch {batch}, {threads} threads");
    table.print();
    Ok(())
}
