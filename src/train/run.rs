//! The training loop.
//!
//! Everything that decides the numbers (weights, momentum, the order of the examples, dropout,
//! the learning rate) is a function of the seed, the iteration and the checkpoint, so that a
//! resumed run repeats an uninterrupted one bit for bit.

mod check;
mod commands;
mod facts;
mod gathered;
mod unread;

pub use facts::{facts, facts_of, feed_of};

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::blame::blame;
use super::evaluate::evaluate;
use super::pictures::{LastPass, Pictures};
use super::schedule::{Place, RateChange, Schedule};
use super::session::{Job, Link, threads};
use super::{
    Checkpoint, Command, Ending, Event, Failure, History, Momentum, Priority, Progress, Stage,
    device, selects, solver,
};
use crate::data::{Batch, Feed, Prefetch, SplitName};
use crate::graph::Phase;
use crate::i18n::tr;
use crate::net::{BackwardStart, Focus, ForwardOptions, Keep, Net, NetConfig, Pass};
use check::check;
use commands::Obeyed;
use gathered::{Gathered, Passed};
use unread::{Loss, Unread};

/// Trains until the schedule ends or the session is stopped.
pub(super) fn run(job: Job, inbox: Receiver<Command>, link: &Link) -> Result<Ending, Failure> {
    let mut run = Run::prepare(job, inbox, link)?;
    let schedule = run.schedule.clone();
    while let Obeyed::GoOn = run.obey()? {
        let Some(place) = schedule.place(run.iteration) else {
            run.evaluate_at_end()?;
            // Commands that came meanwhile, such as Save, are not lost.
            run.paused = false;
            run.obey()?;
            return run.end(!link.stopped());
        };
        run.iterate(&place)?;
        let done = run.iteration - place.start;
        let every = place.stage.evaluate_every;
        let last = run.iteration == place.end.min(schedule.total());
        if last || (every > 0 && done.is_multiple_of(every)) {
            run.evaluate(SplitName::Validation)?;
        }
        if run.pictures.are_due() {
            run.tell()?;
            run.pictures.publish(&run.net, run.iteration, link)?;
        }
    }
    run.end(false)
}

struct Run<'a> {
    net: Net,
    feed: Arc<Feed>,
    batches: Prefetch,
    momentum: Momentum,
    /// Finished iterations, and batches that were taken for them.
    iteration: u64,
    batch: u64,
    /// Batches that hold the training split.
    per_epoch: u64,
    seed: u64,
    schedule: Schedule,
    rate_changes: Vec<RateChange>,
    history: History,
    pictures: Pictures,
    /// Iterations that nobody was told of yet.
    unread: Unread,
    /// Nothing was computed yet.
    fresh: bool,
    paused: bool,
    project: String,
    save_to: Option<PathBuf>,
    inbox: Receiver<Command>,
    link: &'a Link,
}

impl<'a> Run<'a> {
    fn prepare(job: Job, inbox: Receiver<Command>, link: &'a Link) -> Result<Self, Failure> {
        check(&job)?;
        let (device, notice) = job.device.open();
        let saved = match &job.resume {
            Some(folder) => Checkpoint::load(folder)?,
            None => Checkpoint {
                seed: job.seed,
                ..Checkpoint::default()
            },
        };
        let config = NetConfig {
            device: device.clone(),
            seed: saved.seed,
            precise: job.precise,
            ..NetConfig::default()
        };
        let mut net = Net::compile(&job.graph, &facts(&job.feed), config)?;
        let momentum = match &job.resume {
            Some(folder) => saved.restore(folder, &mut net)?,
            None => Momentum::new(),
        };
        if let (Some(initial), None) = (&job.initial, &job.resume) {
            initial(&mut net).map_err(Failure::new)?;
        }
        let schedule = Schedule::new(job.stages, job.iterations);
        let mut order = job.feed.order(saved.seed);
        if schedule.has_whole_epochs() {
            order = order.in_whole_epochs();
        }
        let per_epoch = order.batches_per_epoch();
        let batch = schedule.batches_before(saved.iteration, per_epoch);
        // Batches are prepared beside the training, at its priority.
        let beside = match job.priority {
            Priority::Normal => None,
            low => Some(threads::pool(job.threads, low)?),
        };
        let mut run = Self {
            batches: Prefetch::start(job.feed.clone(), order, batch, beside, &device)?,
            schedule,
            batch,
            per_epoch,
            pictures: Pictures::default(),
            unread: Unread::default(),
            fresh: true,
            net,
            feed: job.feed,
            momentum,
            iteration: saved.iteration,
            seed: saved.seed,
            rate_changes: saved.rate_changes,
            history: saved.history,
            paused: job.paused,
            project: job.project,
            save_to: job.save_to,
            inbox,
            link,
        };
        link.send(Event::Started {
            iteration: run.iteration,
            total: run.schedule.total(),
            device: device::name(&device),
            notice,
        });
        run.watch(job.watch)?;
        if run.paused {
            link.send(Event::Paused);
        }
        Ok(run)
    }

    /// One step of gradient descent.
    fn iterate(&mut self, place: &Place<'_>) -> Result<(), Failure> {
        let begun = Instant::now();
        if let (true, Some(reason)) = (self.fresh, device::compiling(&self.net.config().device)) {
            self.link.send(Event::Compiling(reason.to_owned()));
        }
        if self.iteration == place.start {
            self.momentum.clear();
        }
        self.pictures.forget();
        let solver = &place.stage.solver;
        let focus = focus(&self.net, place.stage);
        let mut gathered = Gathered::default();
        let mut last = None;
        for part in 0..solver.batches(self.per_epoch) {
            if part > 0 && self.link.stopped() {
                // The step is not finished: nothing of it was done.
                return Ok(());
            }
            let passed = self.pass(&focus)?;
            gathered.add(&passed)?;
            last = Some(passed);
        }
        let Some(mut passed) = last else {
            return Ok(());
        };
        let (losses, examples) = (gathered.losses, gathered.examples);
        passed.backward.params = gathered.gradients;
        let rate = place.rate(self.iteration, &self.rate_changes);
        let step = self.iteration - place.start + 1;
        let gradients = &passed.backward.params;
        solver::update(
            &mut self.net,
            gradients,
            &mut self.momentum,
            solver,
            (rate, step),
        )?;
        self.iteration += 1;
        let progress = Progress {
            iteration: self.iteration,
            stage: place.index,
            // These two are known when the losses are read.
            loss: f64::NAN,
            rate,
            examples,
            seconds: 0.0,
        };
        let watched = self.pictures.nodes();
        let Passed {
            pass,
            backward,
            batch,
            ..
        } = passed;
        self.unread
            .add(begun, progress, losses, (batch.clone(), self.batch));
        let last = LastPass::of(watched, &self.net, &pass, backward, batch);
        self.pictures.remember(last);
        if self.unread.is_due() || self.fresh {
            self.tell()?;
        }
        self.fresh = false;
        Ok(())
    }

    /// Tells of the iterations whose losses nobody has read yet, and finds one that is not finite.
    fn tell(&mut self) -> Result<(), Failure> {
        let told = self.unread.take()?;
        for progress in told.iterations {
            if let (false, Some((batch, number))) = (progress.loss.is_finite(), &told.last) {
                // Those behind it have gone on with what it left, so the last batch shows where.
                let at = (number.saturating_sub(1), progress.iteration - 1);
                return Err(blame(&self.net, batch, self.seed, at)?);
            }
            self.history.steps.push(progress);
            self.link.send(Event::Iteration(progress));
        }
        Ok(())
    }

    /// Takes the next batch forward and backward.
    fn pass(&mut self, focus: &Focus) -> Result<Passed, Failure> {
        let batch = self.batches.next_batch()?;
        let options = ForwardOptions {
            keep: Keep::Only(self.pictures.nodes().clone()),
            gradients_at: self.pictures.nodes().clone(),
            backward: true,
            seed: self.seed,
            iteration: self.batch,
            focus: focus.clone(),
            ..ForwardOptions::default()
        };
        let mut pass = self.net.forward(Phase::Train, &feed_of(&batch), options)?;
        let loss = self.loss(&pass, &batch)?;
        let backward = self.net.backward(&mut pass, &BackwardStart::Losses)?;
        for (key, tensor) in std::mem::take(&mut pass.buffers) {
            self.net.set_param(&key, tensor)?;
        }
        self.batch += 1;
        Ok(Passed {
            batch,
            pass,
            backward,
            loss,
        })
    }

    /// The loss of a batch, found to be finite; on a card it stays there, to be read and looked
    /// at with the next ones.
    fn loss(&self, pass: &Pass, batch: &Batch) -> Result<Loss, Failure> {
        if self.net.config().device.is_cuda() {
            let loss = pass.loss_on_device(&self.net)?;
            return match loss {
                Some(loss) => Ok(Loss::Unread(loss)),
                None => Err(Failure::new(no_loss())),
            };
        }
        let Some(loss) = pass.loss(&self.net)? else {
            return Err(Failure::new(no_loss()));
        };
        if !loss.is_finite() {
            let at = (self.batch, self.iteration);
            return Err(blame(&self.net, batch, self.seed, at)?);
        }
        Ok(Loss::Read(loss))
    }

    /// Evaluates a split, unless it is empty; stopping the session cuts it short.
    fn evaluate(&mut self, split: SplitName) -> Result<(), Failure> {
        self.tell()?;
        let stopped = || self.link.stopped();
        let evaluation = evaluate(&self.net, &self.feed, split, self.iteration, &stopped)?;
        if let Some(evaluation) = evaluation {
            self.history.add_evaluation(&evaluation);
            self.link.send(Event::Evaluated(evaluation));
        }
        Ok(())
    }

    /// The validation split was evaluated at the last stage's end, unless nothing was trained.
    fn evaluate_at_end(&mut self) -> Result<(), Failure> {
        let known = self.history.evaluations.last().map(|last| last.iteration);
        if known != Some(self.iteration) {
            self.evaluate(SplitName::Validation)?;
        }
        self.evaluate(SplitName::Test)
    }

    /// The last snapshot and checkpoint.
    fn end(&mut self, finished: bool) -> Result<Ending, Failure> {
        self.tell()?;
        self.pictures
            .publish_if_new(&self.net, self.iteration, self.link)?;
        if let Some(folder) = self.save_to.take() {
            self.save(&folder)?;
        }
        let iteration = self.iteration;
        Ok(if finished {
            Ending::Finished { iteration }
        } else {
            Ending::Stopped { iteration }
        })
    }
}

/// The nodes that a stage's lists mean.
fn focus(net: &Net, stage: &Stage) -> Focus {
    let nodes = |list: &[String]| {
        let named = net.order(Phase::Train).map(|node| node.name.clone());
        (!list.is_empty()).then(|| named.filter(|name| selects(list, name)).collect())
    };
    Focus {
        losses: nodes(&stage.losses),
        trained: nodes(&stage.trained),
    }
}

fn no_loss() -> &'static str {
    tr(
        "the network has no loss in the training phase; add one, such as SoftmaxWithLoss",
        "网络在训练阶段没有损失函数；请添加一个，例如 SoftmaxWithLoss",
    )
}
