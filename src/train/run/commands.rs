//! What a run does at commands, between two iterations.

use std::path::Path;
use std::sync::mpsc::TryRecvError;

use super::Run;
use crate::i18n::tr_format;
use crate::train::schedule::RateChange;
use crate::train::{Checkpoint, Command, Event, Failure, Watch};

/// What to do after the commands that had come.
#[derive(PartialEq)]
pub(super) enum Obeyed {
    GoOn,
    Stop,
}

impl Run<'_> {
    /// Carries out the commands that have come; while paused, waits for more.
    pub fn obey(&mut self) -> Result<Obeyed, Failure> {
        loop {
            if self.paused {
                self.tell()?;
                self.pictures
                    .publish_if_new(&self.net, self.iteration, self.link)?;
            }
            let received = if self.paused {
                self.inbox.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.inbox.try_recv()
            };
            if received.is_ok() {
                self.tell()?;
            }
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

    pub fn watch(&mut self, watch: Watch) -> Result<(), Failure> {
        if let Err(error) = self.pictures.watch(watch, &self.net, &self.feed) {
            self.link.send(Event::Refused(error.to_string()));
        }
        if self.paused {
            self.pictures
                .look_again(&self.net, self.seed, self.iteration)?;
        }
        self.pictures.publish(&self.net, self.iteration, self.link)
    }

    pub fn save(&self, folder: &Path) -> Result<(), Failure> {
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
}
