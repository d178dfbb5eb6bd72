//! The open data set of the project: opened in the background whenever the project's data
//! settings change, a moment after the last change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data::{DataConfig, DataError, Feed, Opening, open_in_background};
use crate::graph::Facts;
use crate::train;

/// How long typing in the form must rest before data are opened.
const REST: Duration = Duration::from_millis(300);

/// The data set that the project names, or the way to it.
#[derive(Default)]
pub struct OpenData {
    wanted: Option<(DataConfig, PathBuf)>,
    /// When to begin.
    due: Option<Instant>,
    opening: Option<Opening>,
    feed: Option<Arc<Feed>>,
    /// Why the wanted data cannot be opened.
    error: Option<DataError>,
    message: String,
    facts: Facts,
}

impl OpenData {
    /// Begins to open what is wanted, and takes what was opened.
    pub fn update(&mut self, config: &DataConfig, base: PathBuf, ctx: &egui::Context) {
        let same = |(wanted, from): &(DataConfig, PathBuf)| wanted == config && *from == base;
        if !self.wanted.as_ref().is_some_and(same) {
            let first = self.wanted.is_none();
            let other_source = (self.wanted.as_ref())
                .is_some_and(|(old, from)| old.source != config.source || *from != base);
            if other_source {
                self.feed = None;
            }
            self.error = None;
            self.opening = None;
            self.due = Some(Instant::now() + if first { Duration::ZERO } else { REST });
            self.wanted = Some((config.clone(), base));
        }
        if let Some(due) = self.due {
            let now = Instant::now();
            if now >= due {
                self.due = None;
                let wake = ctx.clone();
                self.opening = self.wanted.clone().map(|(config, base)| {
                    open_in_background(config, base, move || wake.request_repaint())
                });
            } else {
                ctx.request_repaint_after(due - now);
            }
        }
        if let Some(answer) = self.opening.as_ref().and_then(Opening::poll) {
            self.opening = None;
            match answer {
                Ok(feed) => self.feed = Some(feed),
                Err(error) => (self.feed, self.error) = (None, Some(error)),
            }
        }
        // The text follows the language.
        self.message = self
            .error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.facts = (self.feed.as_ref())
            .map(|feed| train::facts(feed))
            .unwrap_or_default();
    }

    /// The feed as the project's settings want it, once it is open.
    pub fn current(&self) -> Option<&Arc<Feed>> {
        self.feed.as_ref().filter(|_| !self.is_opening())
    }

    pub fn is_opening(&self) -> bool {
        self.due.is_some() || self.opening.is_some()
    }

    /// For views: the newest feed of the project's source, or why there is none.
    pub fn state(&self) -> Option<Result<&Feed, &str>> {
        match (&self.feed, &self.error) {
            (Some(feed), _) => Some(Ok(feed)),
            (None, Some(_)) => Some(Err(&self.message)),
            (None, None) => None,
        }
    }

    /// What inference may know.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}
