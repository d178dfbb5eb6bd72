//! Runs side by side: real training sessions on equal data, from equal seeds and so from equal
//! first weights and in the same order of batches, that differ in one thing.
//!
//! A contest starts its sessions when their data are open, and gathers what they say. It must not
//! know what they differ in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LabError;
use crate::data::{DataConfig, Feed, Opening, SplitName, open_in_background};
use crate::graph::Graph;
use crate::train::{Command, DeviceChoice, Ending, Event, Job, Priority, Session, Stage, Watch};

/// What one run trains.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub graph: Graph,
    pub data: DataConfig,
    pub stage: Stage,
    pub seed: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Waiting,
    Running,
    Finished,
    Failed(String),
}

/// One run, and what it has said.
pub struct Run {
    pub entry: Entry,
    pub state: State,
    /// Iteration and loss of the batch.
    pub losses: Vec<[f64; 2]>,
    /// Iteration, loss and accuracy of the validation split.
    pub evaluations: Vec<[f64; 3]>,
    /// Of the test split, at the end.
    pub test_accuracy: Option<f64>,
    /// Spent in iterations.
    pub seconds: f64,
    session: Option<Session>,
}

type Wake = Arc<dyn Fn() + Send + Sync>;

pub struct Contest {
    pub runs: Vec<Run>,
    opening: Vec<(DataConfig, Opening)>,
    feeds: Vec<(DataConfig, Result<Arc<Feed>, String>)>,
    wake: Wake,
    paused: bool,
    priority: Priority,
}

impl Contest {
    /// Begins to open the data; `wake` is called whenever there is something new.
    pub fn start(
        entries: Vec<Entry>,
        base: PathBuf,
        priority: Priority,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let wake: Wake = Arc::new(wake);
        let mut opening: Vec<(DataConfig, Opening)> = Vec::new();
        for entry in &entries {
            if opening.iter().all(|(config, _)| *config != entry.data) {
                let wake = wake.clone();
                let answer = open_in_background(entry.data.clone(), base.clone(), move || wake());
                opening.push((entry.data.clone(), answer));
            }
        }
        let run = |entry| Run {
            entry,
            state: State::Waiting,
            losses: Vec::new(),
            evaluations: Vec::new(),
            test_accuracy: None,
            seconds: 0.0,
            session: None,
        };
        Self {
            runs: entries.into_iter().map(run).collect(),
            opening,
            feeds: Vec::new(),
            wake,
            paused: false,
            priority,
        }
    }

    /// The data of a run, once they are open.
    pub fn feed(&self, run: &Run) -> Option<&Feed> {
        let found = self
            .feeds
            .iter()
            .find(|(config, _)| *config == run.entry.data);
        found
            .and_then(|(_, feed)| feed.as_ref().ok())
            .map(|feed| &**feed)
    }

    pub fn is_done(&self) -> bool {
        let over = |run: &Run| matches!(run.state, State::Finished | State::Failed(_));
        self.runs.iter().all(over)
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
        let command = if paused {
            Command::Pause
        } else {
            Command::Resume
        };
        for session in self.runs.iter().filter_map(|run| run.session.as_ref()) {
            session.send(command.clone());
        }
    }

    /// Takes what has come, but no longer than this.
    pub fn poll(&mut self, budget: Duration) {
        let begun = Instant::now();
        self.take_feeds();
        self.begin_runs();
        for run in &mut self.runs {
            while let Some(event) = run.session.as_ref().and_then(Session::next_event) {
                run.take(event);
                if begun.elapsed() > budget {
                    (self.wake)();
                    return;
                }
            }
        }
    }

    /// Waits until every run has ended; for programs without a window.
    pub fn finish(&mut self) -> Result<(), LabError> {
        while !self.is_done() {
            self.poll(Duration::from_secs(1));
            std::thread::sleep(Duration::from_millis(2));
        }
        let failed = self.runs.iter().find_map(|run| match &run.state {
            State::Failed(message) => Some(format!("{}: {message}", run.entry.name)),
            _ => None,
        });
        failed.map_or(Ok(()), |message| Err(LabError::Other(message)))
    }

    fn take_feeds(&mut self) {
        let feeds = &mut self.feeds;
        self.opening
            .retain(|(config, opening)| match opening.poll() {
                Some(answer) => {
                    feeds.push((config.clone(), answer.map_err(|error| error.to_string())));
                    false
                }
                None => true,
            });
    }

    fn begin_runs(&mut self) {
        for run in self
            .runs
            .iter_mut()
            .filter(|run| run.state == State::Waiting)
        {
            let feed = self
                .feeds
                .iter()
                .find(|(config, _)| *config == run.entry.data);
            match feed {
                Some((_, Ok(feed))) => {
                    let wake = self.wake.clone();
                    let job = run.entry.job(feed.clone(), self.paused, self.priority);
                    run.session = Some(Session::start(job, move || wake()));
                    run.state = State::Running;
                }
                Some((_, Err(message))) => run.state = State::Failed(message.clone()),
                None => {}
            }
        }
    }
}

impl Entry {
    fn job(&self, feed: Arc<Feed>, paused: bool, priority: Priority) -> Job {
        Job {
            graph: self.graph.clone(),
            feed,
            stages: vec![self.stage.clone()],
            iterations: None,
            seed: self.seed,
            precise: false,
            device: DeviceChoice::Cpu,
            // Each has a processor's worth, so that none waits for another.
            threads: Some(1),
            priority,
            initial: None,
            resume: None,
            save_to: None,
            project: String::new(),
            watch: Watch::default(),
            paused,
        }
    }
}

impl Run {
    fn take(&mut self, event: Event) {
        match event {
            Event::Iteration(progress) => {
                self.losses.push([progress.iteration as f64, progress.loss]);
                self.seconds += progress.seconds;
            }
            Event::Evaluated(found) => {
                let accuracy = found.metrics.first().map_or(f64::NAN, |(_, value)| *value);
                match found.split {
                    SplitName::Test => self.test_accuracy = Some(accuracy),
                    _ => self.evaluations.push([
                        found.iteration as f64,
                        found.loss.unwrap_or(f64::NAN),
                        accuracy,
                    ]),
                }
            }
            Event::Ended(Ending::Failed { message, .. }) => self.state = State::Failed(message),
            Event::Ended(_) => self.state = State::Finished,
            _ => {}
        }
    }

    /// The first evaluated iteration with at least this accuracy.
    pub fn reached(&self, accuracy: f64) -> Option<f64> {
        let found = self
            .evaluations
            .iter()
            .find(|[_, _, found]| *found >= accuracy);
        found.map(|[iteration, _, _]| *iteration)
    }

    pub fn best_accuracy(&self) -> f64 {
        self.evaluations
            .iter()
            .fold(f64::NAN, |best, [_, _, found]| best.max(*found))
    }

    /// The newest accuracy of the validation split.
    pub fn accuracy(&self) -> f64 {
        self.evaluations
            .last()
            .map_or(f64::NAN, |[_, _, found]| *found)
    }

    /// Loss, each the mean of the last few so that curves can be told apart.
    pub fn smooth_losses(&self) -> Vec<[f64; 2]> {
        const KEPT: f64 = 0.93;
        let mut mean: Option<f64> = None;
        let step = (self.losses.len() / 1000).max(1);
        let mut found = Vec::new();
        for (n, [iteration, loss]) in self.losses.iter().enumerate() {
            let now = mean.map_or(*loss, |mean| KEPT * mean + (1.0 - KEPT) * loss);
            mean = Some(now);
            if n % step == 0 {
                found.push([*iteration, now]);
            }
        }
        found
    }
}

/// Results as a table for other programs.
pub fn csv(runs: &[Run]) -> String {
    let mut text = "run,iteration,loss,validation_loss,validation_accuracy\n".to_owned();
    for run in runs {
        let name = run.entry.name.replace('"', "'");
        for [iteration, loss] in &run.losses {
            text += &format!("\"{name}\",{iteration},{loss},,\n");
        }
        for [iteration, loss, accuracy] in &run.evaluations {
            text += &format!("\"{name}\",{iteration},,{loss},{accuracy}\n");
        }
    }
    text
}
