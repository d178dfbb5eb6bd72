//! The open document: the project, where it is kept, whether it is saved, its history, and what
//! is known of its graph.
//!
//! Every change goes through [`Document::edit`] and is one step of undo. Inference runs again
//! only when the graph, the facts about the data or the language have changed. It knows no widgets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::History;
use crate::graph::{Facts, Graph, Inference, infer};
use crate::i18n::{Lang, Text, lang};
use crate::project::Project;

/// A project that is being worked on.
pub struct Document {
    project: Arc<Project>,
    path: Option<PathBuf>,
    /// As it is in the file.
    saved: Arc<Project>,
    dirty: bool,
    history: History<Project>,
    revision: u64,
    graph_revision: u64,
    inference: Inference,
    inference_revision: u64,
    inferred_for: Option<(u64, Facts, Lang)>,
}

impl Document {
    /// A project that was just made or read.
    pub fn new(project: Project, path: Option<PathBuf>) -> Self {
        let project = Arc::new(project);
        Self {
            saved: project.clone(),
            project,
            path,
            dirty: false,
            history: History::default(),
            revision: 0,
            graph_revision: 0,
            inference: Inference::default(),
            inference_revision: 0,
            inferred_for: None,
        }
    }

    /// A project that is in no file as it is here, such as one recovered after a crash.
    pub fn unsaved(project: Project, path: Option<PathBuf>) -> Self {
        let mut document = Self::new(project, path);
        document.saved = Arc::new(Project::default());
        document.dirty = true;
        document
    }

    pub fn project(&self) -> &Project {
        &self.project
    }

    pub fn shared(&self) -> Arc<Project> {
        self.project.clone()
    }

    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The folder that relative paths in the project start from.
    pub fn folder(&self) -> PathBuf {
        let parent = self.path.as_deref().and_then(Path::parent);
        parent.map_or_else(PathBuf::new, Path::to_owned)
    }

    /// Whether closing would lose something.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The project as it is in its file.
    pub fn saved(&self) -> &Project {
        &self.saved
    }

    /// Counts the changes of the project.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Counts the changes of the graph.
    pub fn graph_revision(&self) -> u64 {
        self.graph_revision
    }

    pub fn history(&self) -> &History<Project> {
        &self.history
    }

    /// Of the graph as it was at the last [`Document::refresh`].
    pub fn inference(&self) -> &Inference {
        &self.inference
    }

    /// Counts how often [`Document::inference`] was made anew.
    pub fn inference_revision(&self) -> u64 {
        self.inference_revision
    }

    /// Changes the project as one step of undo; a change that changes nothing is no step.
    pub fn edit(&mut self, name: Text, merge: Option<String>, edit: impl FnOnce(&mut Project)) {
        let mut project = (*self.project).clone();
        edit(&mut project);
        if project == *self.project {
            return;
        }
        let before = self.replace(Arc::new(project));
        self.history.record(name, merge, before);
    }

    /// Takes over where a graph's boxes stand, without a step of undo and as if the file had it.
    pub fn place(&mut self, graph: Graph) {
        let mut project = (*self.project).clone();
        project.graph = graph;
        let was_saved = !self.dirty;
        self.replace(Arc::new(project));
        if was_saved {
            self.saved = self.project.clone();
            self.dirty = false;
        }
    }

    /// Ends the running step of edits with one merge key.
    pub fn close_step(&mut self) {
        self.history.close_step();
    }

    /// Whether there was something to take back.
    pub fn undo(&mut self) -> bool {
        match self.history.undo(self.project.clone()) {
            Some(project) => {
                self.replace(project);
                true
            }
            None => false,
        }
    }

    /// Whether there was something to bring back.
    pub fn redo(&mut self) -> bool {
        match self.history.redo(self.project.clone()) {
            Some(project) => {
                self.replace(project);
                true
            }
            None => false,
        }
    }

    fn replace(&mut self, project: Arc<Project>) -> Arc<Project> {
        let before = std::mem::replace(&mut self.project, project);
        self.revision += 1;
        if !same_graph(&before.graph, &self.project.graph) {
            self.graph_revision += 1;
        }
        self.dirty = *self.saved != *self.project;
        before
    }

    /// Notes that the project is now in this file.
    pub fn saved_as(&mut self, path: PathBuf, project: Arc<Project>) {
        self.path = Some(path);
        self.saved = project;
        self.dirty = *self.saved != *self.project;
    }

    /// Brings [`Document::inference`] up to date.
    pub fn refresh(&mut self, facts: &Facts) {
        let up_to_date = (self.inferred_for.as_ref()).is_some_and(|(revision, of, language)| {
            *revision == self.graph_revision && of == facts && *language == lang()
        });
        if !up_to_date {
            self.inference = infer(&self.project.graph, facts);
            self.inference_revision += 1;
            self.inferred_for = Some((self.graph_revision, facts.clone(), lang()));
        }
    }
}

/// Also the same ids: undo may bring back a node of equal content under another id.
fn same_graph(a: &Graph, b: &Graph) -> bool {
    a == b && (a.nodes().iter().map(|node| node.id)).eq(b.nodes().iter().map(|node| node.id))
}
