//! Sessions from the outside: the same numbers to the bit, commands, snapshots, ways to end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use candle_core::Tensor;

use layerlab::data::{Feed, SplitName};
use layerlab::graph::{Graph, Phase};
use layerlab::interop::caffe;
use layerlab::interop::weights::{Fit, load};
use layerlab::net::{ForwardOptions, Net, NetConfig, NetFeed};
use layerlab::project::{Example, Project};
use layerlab::train::{
    Checkpoint, Command, DeviceChoice, Ending, Event, Job, Method, Policy, Priority, Progress,
    Session, Snapshot, Stage, Watch, facts,
};

fn example(name: &str) -> Project {
    Example::find(name).unwrap().open().unwrap()
}

/// A quick job: few examples to evaluate, small batches, no end evaluation of a large split.
fn job(name: &str, iterations: u64) -> Job {
    let mut project = example(name);
    project.data.split.validation = 150;
    project.data.split.test = 150;
    project.data.batch.train = 16;
    Job {
        graph: project.graph.clone(),
        feed: Arc::new(Feed::open(&project.data, Path::new("")).unwrap()),
        stages: project.stages.clone(),
        iterations: Some(iterations),
        seed: project.seed,
        precise: project.precise,
        device: DeviceChoice::Cpu,
        threads: Some(2),
        priority: Priority::Normal,
        initial: None,
        resume: None,
        save_to: None,
        project: String::new(),
        watch: Watch::default(),
        paused: false,
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

fn next(session: &Session) -> Event {
    session
        .wait_event(PATIENCE)
        .expect("the session went silent")
}

/// All events up to the end.
fn to_the_end(session: &Session) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        events.push(next(session));
        if let Some(Event::Ended(_)) = events.last() {
            return events;
        }
    }
}

fn run(job: Job) -> Vec<Event> {
    to_the_end(&Session::start(job, || {}))
}

/// Waits until the events have brought one that fits.
fn wait_for<T>(session: &Session, fits: impl Fn(&Event) -> Option<T>) -> T {
    loop {
        let event = next(session);
        if let Some(found) = fits(&event) {
            return found;
        }
        assert!(!matches!(event, Event::Ended(_)), "ended early: {event:?}");
    }
}

fn iteration(event: &Event) -> Option<Progress> {
    match event {
        Event::Iteration(progress) => Some(*progress),
        _ => None,
    }
}

/// What a run computes, to the bit: iteration, stage, loss, rate.
fn numbers(events: &[Event]) -> Vec<(u64, usize, u64, u64)> {
    let steps = events.iter().filter_map(iteration);
    steps
        .map(|p| (p.iteration, p.stage, p.loss.to_bits(), p.rate.to_bits()))
        .collect()
}

fn evaluations(events: &[Event]) -> Vec<String> {
    let number = |event: &Event| match event {
        Event::Evaluated(e) => Some(format!(
            "{} {:?} {:?} {:?}",
            e.iteration, e.split, e.loss, e.metrics
        )),
        _ => None,
    };
    events.iter().filter_map(number).collect()
}

fn bits(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Vec<u32>> {
    let bits = |tensor: &Tensor| {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    tensors
        .iter()
        .map(|(key, tensor)| (key.clone(), bits(tensor)))
        .collect()
}

/// Trains 20 iterations at once, and 10 with 10 more after a restart, and compares all bits.
#[track_caller]
fn assert_resumes(make: impl Fn(u64) -> Job) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole = run(Job {
        save_to: Some(at("whole")),
        ..make(20)
    });
    let first = run(Job {
        save_to: Some(at("half")),
        ..make(10)
    });
    let second = run(Job {
        resume: Some(at("half")),
        save_to: Some(at("both")),
        // A resumed run keeps its own seed.
        seed: 999,
        ..make(20)
    });
    let mut joined = numbers(&first);
    joined.extend(numbers(&second));
    assert_eq!(numbers(&whole).len(), 20);
    assert_eq!(joined, numbers(&whole));
    assert_eq!(evaluations(&second).last(), evaluations(&whole).last());
    let (whole, both) = (
        Checkpoint::load(&at("whole")).unwrap(),
        Checkpoint::load(&at("both")).unwrap(),
    );
    assert_eq!(bits(&whole.weights), bits(&both.weights));
    assert_eq!(bits(&whole.momentum), bits(&both.momentum));
    assert!(!whole.momentum.is_empty());
    let losses = |saved: &Checkpoint| -> Vec<u64> {
        saved
            .history
            .steps
            .iter()
            .map(|step| step.loss.to_bits())
            .collect()
    };
    assert_eq!(losses(&whole), losses(&both));
}

#[test]
fn lenet_resumes_to_the_bit() {
    assert_resumes(|iterations| job("lenet-digits", iterations));
}

#[test]
fn a_network_with_dropout_and_fitted_statistics_resumes_to_the_bit() {
    assert_resumes(|iterations| job("mlp-fashion", iterations));
}

/// Stops in the second stage, on its boundary, and before it.
#[test]
fn stages_resume_to_the_bit() {
    for first in [7, 10, 13] {
        assert_resumes(|iterations| {
            let mut job = job("mlp-digits", iterations);
            let stage = |iterations| Stage {
                iterations,
                evaluate_every: 0,
                ..Stage::default()
            };
            job.stages = vec![stage(first), stage(100)];
            job.stages[0].solver.policy = Policy::Poly { power: 1.0 };
            job.stages[1].solver.policy = Policy::Exp { gamma: 0.9 };
            job
        });
    }
}

#[test]
fn every_method_resumes_to_the_bit() {
    for method in Method::ALL {
        assert_resumes(|iterations| {
            let mut job = job("mlp-digits", iterations);
            job.stages[0].solver.method = *method;
            job.stages[0].solver.iter_size = 2;
            job.stages[0].solver.base_lr = 0.001;
            job
        });
    }
}

/// Ten steps each over the whole training split, in two batches and a part.
#[test]
fn batch_descent_resumes_to_the_bit() {
    let mut project = example("perceptron-digits");
    project.data.batch.train = 4_000;
    project.data.split.validation = 150;
    project.data.split.test = 150;
    let feed = Arc::new(Feed::open(&project.data, Path::new("")).unwrap());
    assert_resumes(|iterations| {
        let mut job = job("perceptron-digits", iterations);
        job.feed = feed.clone();
        job.stages[0].solver.iter_size = 0;
        job
    });
}

/// Running means go on from where they were.
#[test]
fn batch_normalisation_resumes_to_the_bit() {
    let text = "layer { name: 'd' type: 'Data' top: 'data' top: 'label' data_param { source: 'digits' batch_size: 16 } }
        layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 kernel_size: 5 stride: 2 weight_filler { type: 'msra' } } }
        layer { name: 'n' type: 'BatchNorm' bottom: 'c' top: 'c' }
        layer { name: 's' type: 'Scale' bottom: 'c' top: 'c' scale_param { bias_term: true } }
        layer { name: 'f' type: 'FusedBatchNorm' bottom: 'c' top: 'f' }
        layer { name: 'ip' type: 'InnerProduct' bottom: 'f' top: 'ip' inner_product_param { num_output: 10 weight_filler { type: 'xavier' } } }
        layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'loss' }";
    let (project, notes) = caffe::import_net(&caffe::parse(text).unwrap(), caffe::blank(), None);
    assert!(notes.is_empty(), "{notes:?}");
    assert_resumes(|iterations| Job {
        graph: project.graph.clone(),
        stages: project.stages.clone(),
        ..job("mlp-digits", iterations)
    });
}

/// A convolution that Winograd's way takes, where there is one.
fn winograd_job(precise: bool, iterations: u64) -> Job {
    let text = "layer { name: 'd' type: 'Data' top: 'data' top: 'label' data_param { source: 'digits' batch_size: 16 } }
        layer { name: 'c1' type: 'Convolution' bottom: 'data' top: 'c1' convolution_param { num_output: 16 kernel_size: 5 stride: 2 weight_filler { type: 'msra' } } }
        layer { name: 'c2' type: 'Convolution' bottom: 'c1' top: 'c2' convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: 'msra' } } }
        layer { name: 'r' type: 'ReLU' bottom: 'c2' top: 'r' }
        layer { name: 'ip' type: 'InnerProduct' bottom: 'r' top: 'ip' inner_product_param { num_output: 10 weight_filler { type: 'xavier' } } }
        layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'loss' }";
    let (project, notes) = caffe::import_net(&caffe::parse(text).unwrap(), caffe::blank(), None);
    assert!(notes.is_empty(), "{notes:?}");
    Job {
        graph: project.graph,
        stages: project.stages,
        precise,
        ..job("mlp-digits", iterations)
    }
}

#[test]
fn precise_or_not_a_run_with_winograd_resumes_to_the_bit() {
    for precise in [false, true] {
        assert_resumes(|iterations| winograd_job(precise, iterations));
    }
}

/// Other bits, and the same run but for the rounding.
#[test]
fn precise_sums_are_rounded_otherwise() {
    let of = |precise| run(winograd_job(precise, 5));
    let (fast, precise) = (of(false), of(true));
    let losses = |events: &[Event]| -> Vec<f64> {
        let steps = events.iter().filter_map(iteration);
        steps.map(|progress| progress.loss).collect()
    };
    for (fast, precise) in losses(&fast).into_iter().zip(losses(&precise)) {
        assert!((fast - precise).abs() < 1e-3 * precise, "{fast} {precise}");
    }
    // On a processor that Winograd's way is not written for, both are plain sums.
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
        assert_ne!(numbers(&fast), numbers(&precise));
    }
    assert_eq!(numbers(&precise), numbers(&of(true)));
}

#[test]
fn one_seed_gives_one_run() {
    let of = |seed| {
        numbers(&run(Job {
            seed,
            ..job("lenet-digits", 8)
        }))
    };
    assert_eq!(of(5), of(5));
    assert_ne!(of(5), of(6));
}

/// Neither how many threads there are nor what they give way to changes a bit.
#[test]
fn threads_and_their_priority_change_no_number() {
    let of = |threads, priority| {
        numbers(&run(Job {
            threads,
            priority,
            ..winograd_job(false, 6)
        }))
    };
    let whole = of(Some(2), Priority::Normal);
    for threads in [None, Some(1), Some(2), Some(3)] {
        assert_eq!(of(threads, Priority::Low), whole, "{threads:?}");
    }
}

/// What prepares batches has threads of its own at a low priority.
#[test]
fn a_run_of_low_priority_resumes_to_the_bit() {
    assert_resumes(|iterations| Job {
        threads: None,
        priority: Priority::Low,
        ..job("mlp-fashion", iterations)
    });
}

#[test]
fn watching_changes_no_number() {
    let watched = Job {
        watch: Watch {
            nodes: ["conv1", "pool2", "ip1", "data"].map(str::to_owned).into(),
            split: Some(SplitName::Test),
            index: 3,
        },
        ..job("lenet-digits", 8)
    };
    assert_eq!(
        numbers(&run(watched)),
        numbers(&run(job("lenet-digits", 8)))
    );
}

#[test]
fn the_loss_falls_and_the_end_is_evaluated() {
    let events = run(Job {
        iterations: Some(150),
        ..job("mlp-digits", 0)
    });
    let losses: Vec<f64> = events
        .iter()
        .filter_map(iteration)
        .map(|p| p.loss)
        .collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(
        mean(&losses[140..]) < 0.5 * mean(&losses[..10]),
        "{losses:?}"
    );
    let evaluated: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Evaluated(evaluation) => Some(evaluation),
            _ => None,
        })
        .collect();
    let splits: Vec<_> = evaluated.iter().map(|e| (e.iteration, e.split)).collect();
    // Every 100 iterations, at the stage's end, and the test split last.
    use SplitName::{Test, Validation};
    assert_eq!(splits, [(100, Validation), (150, Validation), (150, Test)]);
    for evaluation in evaluated {
        assert_eq!(evaluation.predictions.len(), 150);
        let right = evaluation
            .predictions
            .iter()
            .filter(|p| p.predicted == p.truth)
            .count();
        let (name, accuracy) = &evaluation.metrics[0];
        assert_eq!(name, "accuracy");
        assert!((accuracy - right as f64 / 150.0).abs() < 1e-9, "{accuracy}");
        assert!(*accuracy > 0.5, "{accuracy}");
        assert!(
            evaluation
                .predictions
                .iter()
                .all(|p| (0.1..=1.0).contains(&p.confidence))
        );
    }
    assert_eq!(
        events.last(),
        Some(&Event::Ended(Ending::Finished { iteration: 150 }))
    );
}

#[test]
fn it_pauses_steps_changes_the_rate_and_goes_on() {
    let session = Session::start(
        Job {
            paused: true,
            ..job("mlp-digits", 6)
        },
        || {},
    );
    wait_for(&session, |event| {
        matches!(event, Event::Paused).then_some(())
    });
    session.send(Command::Step);
    let first = wait_for(&session, iteration);
    assert_eq!((first.iteration, first.rate), (1, 0.1));
    session.send(Command::SetBaseRate(f64::NAN));
    wait_for(&session, |event| {
        matches!(event, Event::Refused(_)).then_some(())
    });
    session.send(Command::SetBaseRate(0.02));
    let changed = |event: &Event| {
        matches!(
            event,
            Event::RateChanged {
                iteration: 1,
                base_lr: 0.02
            }
        )
        .then_some(())
    };
    wait_for(&session, changed);
    assert_eq!(
        session.wait_event(Duration::from_millis(300)),
        None,
        "a paused session is silent"
    );
    session.send(Command::Step);
    assert_eq!(wait_for(&session, iteration).rate, 0.02);
    session.send(Command::Evaluate(SplitName::Train));
    let of_train = |event: &Event| match event {
        Event::Evaluated(evaluation) if evaluation.split == SplitName::Train => {
            Some(evaluation.iteration)
        }
        _ => None,
    };
    assert_eq!(wait_for(&session, of_train), 2);
    session.send(Command::Resume);
    wait_for(&session, |event| {
        matches!(event, Event::Resumed).then_some(())
    });
    let events = to_the_end(&session);
    assert_eq!(
        events.last(),
        Some(&Event::Ended(Ending::Finished { iteration: 6 }))
    );
    assert_eq!(numbers(&events).len(), 4);
}

/// The newest snapshot, once there is one that fits.
fn snapshot(session: &Session, fits: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match session.snapshot() {
            Some(snapshot) if fits(&snapshot) => return snapshot,
            _ => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    panic!("no such snapshot came");
}

fn watch(nodes: &[&str], index: usize) -> Watch {
    Watch {
        nodes: nodes
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>(),
        split: Some(SplitName::Validation),
        index,
    }
}

/// What a snapshot shows is what the saved weights give, to the bit.
#[test]
fn a_snapshot_equals_inference_with_the_saved_weights() {
    let folder = tempfile::tempdir().unwrap();
    let start = Job {
        paused: true,
        watch: watch(&["conv1", "no such node"], 3),
        ..job("lenet-digits", 50)
    };
    let (graph, feed): (Graph, Arc<Feed>) = (start.graph.clone(), start.feed.clone());
    let session = Session::start(start, || {});
    for _ in 0..3 {
        session.send(Command::Step);
    }
    let before = snapshot(&session, |s| s.iteration == 3);
    assert_eq!(before.outputs.keys().collect::<Vec<_>>(), ["conv1"]);
    session.send(Command::Watch(watch(&["conv2", "ip2", "data"], 4)));
    session.send(Command::Save(folder.path().to_owned()));
    wait_for(&session, |event| {
        matches!(event, Event::Saved { .. }).then_some(())
    });
    let shown = snapshot(&session, |s| s.index == 4);
    assert_eq!(
        (shown.iteration, shown.split),
        (3, Some(SplitName::Validation))
    );

    let mut net = Net::compile(&graph, &facts(&feed), NetConfig::default()).unwrap();
    load(
        &mut net,
        &folder.path().join("weights.safetensors"),
        Fit::Strict,
    )
    .unwrap();
    let example = feed.preprocessed(SplitName::Validation, 4).unwrap();
    let input = NetFeed::only(example, &net);
    let pass = net.forward(Phase::Test, &input, ForwardOptions::default());
    // The loss and the accuracy have no labels here: walk only to what is shown.
    assert!(pass.is_err());
    let options = ForwardOptions {
        until: Some(BTreeSet::from(["ip2".to_owned()])),
        ..ForwardOptions::default()
    };
    let pass = net.forward(Phase::Test, &input, options).unwrap();
    for name in ["data", "conv2", "ip2"] {
        let value = |values: &[layerlab::graph::Value]| {
            BTreeMap::from([(name.to_owned(), values[0].tensor().clone())])
        };
        assert_eq!(
            bits(&value(&shown.outputs[name])),
            bits(&value(pass.outputs(&net, name)))
        );
    }
    // On the last training batch of 16, also for nodes that were not watched when it ran.
    assert_eq!(shown.activations["conv2"].dims(), [16, 50, 8, 8]);
    assert_eq!(shown.gradients["conv2"].dims(), [16, 50, 8, 8]);
    assert_eq!(shown.gradients["data"].dims(), [16, 1, 28, 28]);
    assert_eq!(shown.weight_gradients["ip2.bias"].dims(), [10]);
    assert_eq!(shown.weights.len(), 8);
    // A snapshot keeps its weights while training goes on.
    let held = bits(&shown.weights);
    session.send(Command::Step);
    let later = snapshot(&session, |s| s.iteration == 4);
    assert_eq!(bits(&shown.weights), held);
    assert_ne!(bits(&later.weights), held);
    session.send(Command::Watch(watch(&["ip2"], 1_000_000)));
    wait_for(&session, |event| {
        matches!(event, Event::Refused(_)).then_some(())
    });
}

#[test]
fn stopping_is_prompt_even_in_an_evaluation() {
    let session = Session::start(
        Job {
            paused: true,
            ..job("lenet-digits", 1000)
        },
        || {},
    );
    session.send(Command::Step);
    wait_for(&session, iteration);
    // 9,700 examples through LeNet take seconds.
    session.send(Command::Evaluate(SplitName::Train));
    std::thread::sleep(Duration::from_millis(100));
    let begin = Instant::now();
    session.send(Command::Stop);
    let events = to_the_end(&session);
    assert_eq!(events, [Event::Ended(Ending::Stopped { iteration: 1 })]);
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(
        session.wait_event(PATIENCE),
        None,
        "nothing comes after the end"
    );
}

#[test]
fn a_loss_that_is_not_finite_stops_with_the_node() {
    let mut job = job("mlp-digits", 100);
    job.stages[0].solver.base_lr = 1e38;
    let events = run(job);
    let Some(Event::Ended(Ending::Failed {
        iteration,
        node,
        message,
    })) = events.last()
    else {
        panic!("{:?}", events.last());
    };
    // The first step throws the weights away; the next forward shows it.
    assert!(*iteration >= 1);
    let node = node.as_deref().unwrap();
    assert!(["hidden", "output"].contains(&node), "{node}");
    assert!(message.contains(node), "{message}");
}

#[test]
fn a_panic_in_the_trainer_becomes_an_ending() {
    let calls = AtomicU64::new(0);
    let wake = move || {
        assert!(
            calls.fetch_add(1, Ordering::SeqCst) != 5,
            "the screen is on fire"
        )
    };
    let events = to_the_end(&Session::start(job("mlp-digits", 100), wake));
    let Some(Event::Ended(Ending::Failed { message, .. })) = events.last() else {
        panic!("{:?}", events.last());
    };
    assert!(message.contains("the screen is on fire"), "{message}");
}

type Spoil = fn(&mut Job);

#[test]
fn what_cannot_be_trained_ends_with_the_reason() {
    let failure = |spoil: Spoil| {
        let mut job = job("mlp-digits", 5);
        spoil(&mut job);
        match run(job).pop() {
            Some(Event::Ended(Ending::Failed { message, .. })) => message,
            other => panic!("{other:?}"),
        }
    };
    let cases: [(&str, Spoil); 6] = [
        ("stage", |job| job.stages.clear()),
        ("momentum", |job| job.stages[0].solver.momentum = 2.0),
        ("no loss", |job| {
            let losses = job.graph.nodes().iter().filter(|node| node.name == "loss");
            let losses = losses.map(|node| node.id).collect();
            job.graph.remove(&losses);
        }),
        ("thread", |job| job.threads = Some(0)),
        ("state.ron", |job| job.resume = Some("/nowhere".into())),
        ("not connected", |job| {
            let data = job.graph.nodes().iter().filter(|node| node.name == "data");
            let data = data.map(|node| node.id).collect();
            job.graph.remove(&data);
        }),
    ];
    for (expected, spoil) in cases {
        let message = failure(spoil);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_checkpoint_of_another_network_is_refused_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let other = Job {
        save_to: Some(folder.path().to_owned()),
        ..job("perceptron-digits", 2)
    };
    run(other);
    let events = run(Job {
        resume: Some(folder.path().to_owned()),
        ..job("mlp-digits", 4)
    });
    let Some(Event::Ended(Ending::Failed { message, .. })) = events.last() else {
        panic!("{:?}", events.last());
    };
    assert!(
        message.contains("ip.") || message.contains("hidden."),
        "{message}"
    );
}

#[test]
fn dropping_a_session_stops_its_thread() {
    let alive = Arc::new(());
    let held = alive.clone();
    let wake = move || {
        let _ = &held;
    };
    let session = Session::start(job("lenet-digits", 1_000_000), wake);
    wait_for(&session, iteration);
    drop(session);
    let begin = Instant::now();
    while Arc::strong_count(&alive) > 1 && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Arc::strong_count(&alive), 1, "the thread still runs");
}
