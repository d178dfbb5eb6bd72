//! The training session of the window: started from the document, drained every frame.
//!
//! A session trains the graph as it was when it was started; what changed since is only said.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::document::Document;
use super::run::Run;
use super::weights::Begin;
use crate::data::{Feed, SplitName};
use crate::graph::{Graph, Node};
use crate::project::Project;
use crate::train::{Command, DeviceChoice, Event, Job, Priority, Session, Watch};

/// Events of one frame are taken no longer than this; the rest waits for the next frame.
const DRAIN: Duration = Duration::from_millis(4);

/// How a session shall begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// A checkpoint folder to go on from.
    pub resume: Option<PathBuf>,
    /// Does one iteration and pauses.
    pub one_step: bool,
    /// Pauses before the first iteration.
    pub paused: bool,
}

/// The session, and what is to become one.
pub struct Training {
    pub run: Run,
    session: Option<Session>,
    /// Waits for the data to be open.
    pending: Option<Start>,
    /// The project that the session trains.
    trained: Option<Arc<Project>>,
    watch: Watch,
    /// Weights from a file that fresh runs begin with.
    pub initial: Option<Begin>,
    /// What sessions compute on; the window needs room to draw.
    pub threads: Option<usize>,
    pub priority: Priority,
    /// Nodes that views asked for beside the selected ones.
    pub asked: BTreeSet<String>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            run: Run::default(),
            session: None,
            pending: None,
            trained: None,
            watch: Watch::default(),
            initial: None,
            threads: None,
            priority: Priority::Low,
            asked: BTreeSet::new(),
        }
    }
}

impl Training {
    pub fn is_live(&self) -> bool {
        self.session.is_some() && self.run.is_live()
    }

    /// Whether a session is on its way, but its data are not open yet.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the session trains another network than the document shows.
    pub fn is_outdated(&self, document: &Document) -> bool {
        let other =
            |trained: &Arc<Project>| !same_network(&trained.graph, &document.project().graph);
        self.is_live() && self.trained.as_ref().is_some_and(other)
    }

    /// Starts as soon as the data are open; a running session ends.
    pub fn start(&mut self, start: Start) {
        self.pending = Some(start);
        self.session = None;
    }

    /// Begins the pending session if its data are there.
    pub fn begin(&mut self, document: &Document, feed: Option<&Arc<Feed>>, ctx: &egui::Context) {
        let Some(feed) = feed else { return };
        let Some(start) = self.pending.take() else {
            return;
        };
        let project = document.project();
        let job = Job {
            graph: project.graph.clone(),
            feed: feed.clone(),
            stages: project.stages.clone(),
            iterations: None,
            seed: project.seed,
            precise: project.precise,
            device: DeviceChoice::Auto,
            threads: self.threads,
            priority: self.priority,
            initial: self.initial.as_ref().map(Begin::initial),
            resume: start.resume,
            save_to: None,
            project: project.to_ron().unwrap_or_default(),
            watch: self.watch.clone(),
            paused: start.one_step || start.paused,
        };
        let wake = ctx.clone();
        let session = Session::start(job, move || wake.request_repaint());
        if start.one_step {
            session.send(Command::Step);
        }
        self.trained = Some(document.shared());
        self.run.begin();
        self.session = Some(session);
    }

    /// Gives up waiting for the data.
    pub fn give_up(&mut self) {
        self.pending = None;
    }

    /// Stops without waiting for the end, as when another project is opened.
    pub fn drop_session(&mut self) {
        *self = Self {
            watch: std::mem::take(&mut self.watch),
            threads: self.threads,
            priority: self.priority,
            ..Self::default()
        };
    }

    pub fn send(&self, command: Command) {
        if let Some(session) = &self.session {
            session.send(command);
        }
    }

    /// Tells the session what the open views want to see.
    pub fn watch(&mut self, selected: BTreeSet<String>, example: (SplitName, usize)) {
        let nodes = selected.union(&self.asked).cloned().collect();
        let watch = Watch {
            nodes,
            split: Some(example.0),
            index: example.1,
        };
        if watch != self.watch {
            self.send(Command::Watch(watch.clone()));
            self.watch = watch;
        }
    }

    /// Takes what the session has said; gives back what a person should be told.
    pub fn drain(&mut self, ctx: &egui::Context) -> Vec<Event> {
        let Some(session) = &self.session else {
            return Vec::new();
        };
        let begun = Instant::now();
        let mut notable = Vec::new();
        while let Some(event) = session.next_event() {
            if matches!(
                event,
                Event::Ended(_) | Event::Saved { .. } | Event::Refused(_)
            ) {
                notable.push(event.clone());
            }
            self.run.apply(event);
            if begun.elapsed() > DRAIN {
                ctx.request_repaint();
                break;
            }
        }
        if let Some(snapshot) = session.snapshot() {
            self.run.set_snapshot(snapshot);
        }
        if !self.run.is_live() {
            self.session = None;
        }
        notable
    }
}

/// Equal but for how it is drawn.
fn same_network(a: &Graph, b: &Graph) -> bool {
    let same = |(a, b): (&Node, &Node)| {
        a.name == b.name
            && a.layer.same_as(&*b.layer)
            && a.inputs == b.inputs
            && a.test_inputs == b.test_inputs
            && a.phases == b.phases
            && a.key == b.key
            && a.multipliers == b.multipliers
            && a.loss_weight == b.loss_weight
    };
    a.nodes().len() == b.nodes().len() && a.nodes().iter().zip(b.nodes()).all(same)
}
