//! What a view may read and what it may ask for.
//!
//! Views get a [`Ctx`], made fresh for every frame, and push [`Action`]s; `App` alone applies
//! them, at the end of the frame.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::run::Run;
use crate::data::{Feed, Picture, SplitName};
use crate::graph::{Inference, NodeId};
use crate::i18n::{Lang, Text};
use crate::project::Project;
use crate::train;

/// Everything that a view may read.
pub struct Ctx<'a> {
    pub project: &'a Project,
    /// Where the project was opened from or saved to.
    pub path: Option<&'a Path>,
    /// Of `project.graph` as it is in this frame.
    pub inference: &'a Inference,
    pub selection: &'a BTreeSet<NodeId>,
    /// The data set that the project names, or why it cannot be opened; `None` while it opens.
    pub data: Option<Result<&'a Feed, &'a str>>,
    /// The training run: what happened so far and the newest snapshot.
    pub run: &'a Run,
    /// The example that feature maps show and the data browser marks.
    pub example: (SplitName, usize),
    /// The picture that the network is asked about.
    pub picture: Option<&'a Shown>,
}

/// A picture that a person chose.
#[derive(Clone, Debug)]
pub struct Shown {
    pub picture: Arc<Picture>,
    pub name: String,
    /// Tells one picture from another.
    pub serial: u64,
}

/// A number that the program never gave before.
pub fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A change of the project; the closure runs on the document itself.
pub type Edit = Box<dyn FnOnce(&mut Project)>;

/// What a view asks for.
pub enum Action {
    /// One undo step. Edits in a row with the same `merge` key become one step (a slider's way).
    Edit {
        name: Text,
        merge: Option<String>,
        edit: Edit,
    },
    Undo,
    Redo,
    Select(BTreeSet<NodeId>),
    /// Selects a node and brings it into the editor's view.
    Reveal(NodeId),
    /// As `Reveal`, and unfolds what hides the node.
    Jump(NodeId),
    /// Folds these groups and no others, with room for what appears.
    Fold(BTreeSet<String>),
    ShowExample(SplitName, usize),
    /// Starts training anew, or goes on from this checkpoint folder.
    Start {
        resume: Option<PathBuf>,
    },
    Train(train::Command),
    /// Opens or focuses a view's tab.
    Open(super::ViewKind),
    /// Opens the example of this name, after asking about unsaved changes.
    OpenExample(&'static str),
    SetLang(Lang),
    /// Runs a command of the command list by its id.
    Run(super::commands::CommandId),
    /// Adds a layer of this type, wired to the nodes `beside` as far as the types say how;
    /// without a position, right of them.
    AddLayer {
        kind: &'static str,
        position: Option<[f32; 2]>,
        beside: BTreeSet<NodeId>,
    },
    /// Lets a person choose a file or folder for the project's data.
    BrowseData {
        folder: bool,
    },
    /// Lets a person choose a text file with the names of the classes.
    BrowseClassNames,
    /// Asks the network about a picture of this name.
    ShowPicture(Picture, String),
    /// Lets a person choose an image file for that.
    BrowsePicture,
    /// Takes the clipboard's picture for that.
    PastePicture,
    /// Shows a short message.
    Say(super::toasts::Tone, String),
}

impl Action {
    /// An edit that is a step of its own.
    pub fn edit(name: Text, edit: impl FnOnce(&mut Project) + 'static) -> Self {
        Self::Edit {
            name,
            merge: None,
            edit: Box::new(edit),
        }
    }

    /// An edit that is one step with those before it that have the same key.
    pub fn merging(
        name: Text,
        key: impl Into<String>,
        edit: impl FnOnce(&mut Project) + 'static,
    ) -> Self {
        Self::Edit {
            name,
            merge: Some(key.into()),
            edit: Box::new(edit),
        }
    }
}

/// A panel of the window.
pub trait View {
    fn ui(&mut self, ui: &mut egui::Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>);
}
