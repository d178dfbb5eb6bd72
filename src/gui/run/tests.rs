//! A run by its events.

use super::*;
use crate::train::Prediction;

fn started(iteration: u64) -> Event {
    Event::Started {
        iteration,
        total: 1000,
        device: "CPU".into(),
        notice: None,
    }
}

fn iteration(iteration: u64, loss: f64) -> Event {
    Event::Iteration(Progress {
        iteration,
        stage: 0,
        loss,
        rate: 0.1,
        examples: 64,
        seconds: 0.25,
    })
}

fn evaluated(iteration: u64, accuracy: f64) -> Event {
    let prediction = Prediction {
        truth: 0,
        predicted: 0,
        confidence: 1.0,
    };
    Event::Evaluated(Evaluation {
        iteration,
        split: SplitName::Validation,
        loss: Some(0.5),
        metrics: vec![("accuracy".into(), accuracy)],
        details: BTreeMap::new(),
        predictions: vec![prediction; 2],
        seconds: 1.0,
    })
}

fn trained(to: u64) -> Run {
    let mut run = Run::default();
    run.begin();
    run.apply(started(0));
    for step in 1..=to {
        run.apply(iteration(step, 1.0 / step as f64));
        if step % 10 == 0 {
            run.apply(evaluated(step, step as f64 / 1000.0));
        }
    }
    run
}

#[test]
fn a_long_first_iteration_is_explained_until_it_is_done() {
    let mut run = Run::default();
    run.begin();
    run.apply(started(0));
    run.apply(Event::Compiling("the card".into()));
    assert_eq!(run.compiling(), Some("the card"));
    run.apply(iteration(1, 0.5));
    assert_eq!(run.compiling(), None);
}

#[test]
fn a_run_goes_through_its_states() {
    let mut run = Run::default();
    assert_eq!((run.status(), run.is_live()), (&Status::Idle, false));
    run.begin();
    assert_eq!((run.status(), run.is_live()), (&Status::Starting, true));
    run.apply(started(0));
    assert_eq!(
        (run.status(), run.total(), run.device()),
        (&Status::Running, 1000, "CPU")
    );
    run.apply(Event::Paused);
    assert_eq!(run.status(), &Status::Paused);
    run.apply(Event::Refused("the folder is read-only".into()));
    assert_eq!(run.status(), &Status::Paused, "training goes on as before");
    run.apply(Event::Resumed);
    assert_eq!(run.status(), &Status::Running);
    let ending = Ending::Finished { iteration: 1000 };
    run.apply(Event::Ended(ending.clone()));
    assert_eq!(
        (run.status(), run.is_live()),
        (&Status::Ended(ending), false)
    );
}

#[test]
fn numbers_are_kept() {
    let run = trained(40);
    assert_eq!(
        (run.iteration(), run.loss().len(), run.rate().len()),
        (40, 40, 40)
    );
    assert_eq!(run.measures().len(), 2);
    let accuracy = &run.measures()[1];
    assert_eq!(accuracy.metric.as_deref(), Some("accuracy"));
    assert_eq!(accuracy.curve.len(), 4);
    assert_eq!(run.newest_evaluation().unwrap().iteration, 40);
    assert_eq!(
        run.evaluation(SplitName::Validation)
            .unwrap()
            .predictions
            .len(),
        2
    );
    assert!(run.evaluation(SplitName::Test).is_none());
}

#[test]
fn pace_counts_the_last_second_and_the_evaluations() {
    let mut run = trained(40);
    assert_eq!(run.images_per_second(), Some(256.0));
    // A quarter of a second each, and a second of evaluation every ten.
    assert!((run.seconds_left().unwrap() - 960.0 * 0.35).abs() < 1e-6);
    for step in 41..=60 {
        run.apply(Event::Iteration(Progress {
            seconds: 0.5,
            ..*trained(1).latest().unwrap()
        }));
        run.iteration = step;
    }
    assert_eq!(
        run.images_per_second(),
        Some(128.0),
        "what was slower before is forgotten"
    );
    run.apply(Event::Iteration(Progress {
        seconds: f64::NAN,
        ..*trained(1).latest().unwrap()
    }));
    assert!(run.images_per_second().is_some_and(f64::is_finite));
}

#[test]
fn going_on_from_a_checkpoint_keeps_what_was_before() {
    let mut run = trained(40);
    run.apply(Event::RateChanged {
        iteration: 15,
        base_lr: 0.2,
    });
    run.apply(Event::RateChanged {
        iteration: 25,
        base_lr: 0.3,
    });
    run.apply(Event::Saved {
        iteration: 20,
        folder: "a".into(),
    });
    run.begin();
    run.apply(started(20));
    assert_eq!((run.iteration(), run.loss().len()), (20, 20));
    assert_eq!(run.measures()[0].curve.last(), Some((20, 0.5)));
    assert_eq!(run.rate_changes(), [(15, 0.2)]);
    assert_eq!(run.saved().len(), 1);
    assert!(
        run.evaluation(SplitName::Validation).is_none(),
        "its predictions are later ones"
    );
    run.apply(iteration(21, 3.0));
    assert_eq!(run.loss().last(), Some((21, 3.0)));
}

#[test]
fn training_anew_forgets() {
    let mut run = trained(40);
    run.apply(Event::RateChanged {
        iteration: 0,
        base_lr: 0.2,
    });
    run.begin();
    assert_eq!(run.loss().len(), 40, "until the new one has started");
    run.apply(started(0));
    assert!(run.loss().is_empty() && run.measures().is_empty() && run.latest().is_none());
    assert!(run.rate_changes().is_empty() && run.newest_evaluation().is_none());
}

#[test]
fn snapshots_are_told_apart_and_only_the_newest_is_kept() {
    let (mut run, mut other) = (Run::default(), Run::default());
    assert_eq!(run.serial(), 0);
    run.set_snapshot(Arc::new(Snapshot {
        iteration: 1,
        ..Snapshot::default()
    }));
    other.set_snapshot(Arc::default());
    let first = run.serial();
    assert_ne!(first, other.serial(), "also between runs");
    run.set_snapshot(Arc::new(Snapshot {
        iteration: 2,
        ..Snapshot::default()
    }));
    assert_ne!(run.serial(), first);
    assert_eq!(run.snapshot().unwrap().iteration, 2);
}

#[test]
fn changes_of_the_rate_before_one_iteration_are_one() {
    let mut run = trained(3);
    run.apply(Event::RateChanged {
        iteration: 3,
        base_lr: 0.2,
    });
    run.apply(Event::RateChanged {
        iteration: 3,
        base_lr: 0.4,
    });
    assert_eq!(run.rate_changes(), [(3, 0.4)]);
}
