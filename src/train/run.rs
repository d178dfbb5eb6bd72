//! The training loop.
//!
//! Everything that decides the numbers (weights, momentum, the order of the examples, dropout,
//! the learning rate) is a function of the seed, the iteration and the checkpoint, so that a
//! resumed run repeats an uninterrupted one bit for bit.

mod check;
mod facts;
mod gathered;

pub(super) use facts::feed_of;
pub use facts::{facts, facts_of};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use super::blame::blame;
use super::evaluate::evaluate;
use super::pictures::{LastPass, Pictures};
use super::schedule::{Place, RateChange, Schedule};
use super::session::{Job, Link, threads};
use super::{
    Checkpoint, Command, Ending, Event, Failure, History, Momentum, Priority, Progress, Stage,
    Watch, device, selects, solver,
};
use crate::data::{Feed, Prefetch, SplitName};
use crate::graph::Phase;
use crate::i18n::{tr, tr_format};
use crate::net::{BackwardStart, Focus, ForwardOptions, Keep, Net, NetConfig};
use check::check;
use gathered::{Gathered, Passed};

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
        run.pictures.publish_if_due(&run.net, run.iteration, link)?;
    }
    run.end(false)
}

/// What to do after the commands that had come.
#[derive(PartialEq)]
enum Obeyed {
    GoOn,
    Stop,
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
            batches: Prefetch::start(job.feed.clone(), order, batch, beside)?,
            schedule,
            batch,
            per_epoch,
            pictures: Pictures::default(),
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
        let begin = Instant::now();
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
        let (loss, examples) = (gathered.mean_loss(), gathered.examples);
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
            loss,
            rate,
            examples,
            seconds: begin.elapsed().as_secs_f64(),
        };
        let watched = self.pictures.nodes();
        let Passed {
            pass,
            backward,
            batch,
            ..
        } = passed;
        let last = LastPass::of(watched, &self.net, &pass, backward, batch);
        self.pictures.remember(last);
        self.history.steps.push(progress);
        self.link.send(Event::Iteration(progress));
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
        let Some(loss) = pass.loss(&self.net)? else {
            return Err(Failure::new(no_loss()));
        };
        if !loss.is_finite() {
            let at = (self.batch, self.iteration);
            return Err(blame(&self.net, &batch, self.seed, at)?);
        }
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

    /// Carries out the commands that have come; while paused, waits for more.
    fn obey(&mut self) -> Result<Obeyed, Failure> {
        loop {
            if self.paused {
                self.pictures
                    .publish_if_new(&self.net, self.iteration, self.link)?;
            }
            let received = if self.paused {
                self.inbox.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.inbox.try_recv()
            };
            match received {
                Err(TryRecvError::Empty) => return Ok(Obeyed::GoOn),
                Err(TryRecvError::Disconnected) | Ok(Command::Stop) => return Ok(Obeyed::Stop),
                Ok(Command::Pause) => self.pause(),
                Ok(Command::Resume) if self.paused => {
                    self.paused = false;
                    self.link.send(Event::Resumed);
                }
                Ok(Command::Resume) => {}
                Ok(Command::Step) => {
                    self.pause();
                    return Ok(Obeyed::GoOn);
                }
                Ok(Command::SetBaseRate(base_lr)) => self.set_base_rate(base_lr),
                Ok(Command::Watch(watch)) => self.watch(watch)?,
                Ok(Command::Save(folder)) => {
                    if let Err(failure) = self.save(&folder) {
                        self.link.send(Event::Refused(failure.message));
                    }
                }
                Ok(Command::Evaluate(split)) => self.evaluate(split)?,
            }
        }
    }

    fn pause(&mut self) {
        if !self.paused {
            self.paused = true;
            self.link.send(Event::Paused);
        }
    }

    fn set_base_rate(&mut self, base_lr: f64) {
        if !(base_lr.is_finite() && base_lr >= 0.0) {
            let text = tr_format!(
                "the learning rate {base_lr} is not a number from 0 up",
                "学习率 {base_lr} 不是大于等于 0 的数"
            );
            return self.link.send(Event::Refused(text));
        }
        let iteration = self.iteration;
        self.rate_changes.push(RateChange { iteration, base_lr });
        self.link.send(Event::RateChanged { iteration, base_lr });
    }

    fn watch(&mut self, watch: Watch) -> Result<(), Failure> {
        if let Err(error) = self.pictures.watch(watch, &self.net, &self.feed) {
            self.link.send(Event::Refused(error.to_string()));
        }
        if self.paused {
            self.pictures
                .look_again(&self.net, self.seed, self.iteration)?;
        }
        self.pictures.publish(&self.net, self.iteration, self.link)
    }

    fn save(&self, folder: &Path) -> Result<(), Failure> {
        let checkpoint = Checkpoint {
            iteration: self.iteration,
            seed: self.seed,
            rate_changes: self.rate_changes.clone(),
            weights: self.net.copy_params()?,
            momentum: self.momentum.clone(),
            history: self.history.clone(),
        };
        checkpoint.save(folder, &self.project)?;
        self.feed.statistics().save(folder)?;
        self.link.send(Event::Saved {
            iteration: self.iteration,
            folder: folder.to_owned(),
        });
        Ok(())
    }

    /// Evaluates a split, unless it is empty; stopping the session cuts it short.
    fn evaluate(&mut self, split: SplitName) -> Result<(), Failure> {
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
