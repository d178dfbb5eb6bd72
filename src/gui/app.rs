//! The application: all state of the window, one frame of it (`frame`), the one place where
//! actions are applied (`apply`), and work kept aside for a crash (`recovery`).
//!
//! It can be driven without a native window: [`App::logic`] and [`App::ui`] need only a context.

mod apply;
mod frame;
mod recovery;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Context, Ui};

use super::commands::Situation;
use super::comparison::Comparison;
use super::context::Shown;
use super::data::OpenData;
use super::dialogs::Dialog;
use super::dock;
use super::document::Document;
use super::editor::{Editor, edits};
use super::files::FileDialogs;
use super::frame_times::FrameTimes;
use super::menus::CommandPalette;
use super::modals::{self, Next};
use super::rewrite::Proposal;
use super::settings::Settings;
use super::theme;
use super::toasts::{Toasts, Tone};
use super::training::Training;
use super::weights::Offer;
use crate::data::SplitName;
use crate::graph::{Facts, Node, NodeId};
use crate::i18n::{set_lang, tr_format};
use crate::project::recovery::{Leftover, Slot};
use crate::project::{EXAMPLES, Project};
use crate::train::{Ending, Event};

/// Names the folder of settings and of unsaved work.
pub const APP_ID: &str = "layerlab";

/// Everything that the window holds.
pub struct App {
    pub document: Document,
    pub settings: Settings,
    pub selection: BTreeSet<NodeId>,
    pub training: Training,
    /// The example that feature maps show.
    pub example: (SplitName, usize),
    /// The picture that the network is asked about.
    pub picture: Option<Shown>,
    /// Whether text was pasted since the paste keys went down.
    pasted: bool,
    pub frame_times: FrameTimes,
    /// How long this frame took before it was drawn.
    undrawn: Duration,
    pub files: FileDialogs,
    pub toasts: Toasts,
    pub editor: Editor,
    pub(super) data: OpenData,
    pub(super) palette: CommandPalette,
    pub(super) guard: Option<Next>,
    /// What to go on with once the document is saved.
    pub(super) after_save: Option<Next>,
    pub(super) about: bool,
    /// A file of weights that waits for an answer.
    pub(super) offer: Option<Offer>,
    /// A question about the graph that waits for an answer.
    pub(super) dialog: Option<Dialog>,
    /// The document is newly opened, and nobody has looked whether its boxes have places.
    pub(super) unseen: bool,
    /// Another project whose differences are shown.
    pub(super) comparison: Option<Comparison>,
    slot: Option<Slot>,
    /// A change of the graph that waits for its answer.
    pub(super) proposal: Option<Proposal>,
    leftover: Option<Leftover>,
    kept: (Instant, u64),
    pub(super) quitting: bool,
    title: String,
}

impl App {
    /// `storage` is the folder for unsaved work; without one nothing is kept.
    pub fn new(
        ctx: &Context,
        settings: Settings,
        storage: Option<PathBuf>,
        file: Option<PathBuf>,
    ) -> Self {
        theme::install(ctx);
        ctx.set_theme(settings.theme);
        set_lang(settings.language());
        let mut app = Self {
            document: Document::new(first_project(), None),
            selection: BTreeSet::new(),
            training: Training::default(),
            example: (SplitName::Test, 0),
            picture: None,
            pasted: false,
            frame_times: FrameTimes::default(),
            undrawn: Duration::ZERO,
            files: FileDialogs::default(),
            toasts: Toasts::default(),
            editor: Editor::default(),
            data: OpenData::default(),
            palette: CommandPalette::default(),
            guard: None,
            after_save: None,
            about: false,
            proposal: None,
            offer: None,
            dialog: None,
            unseen: true,
            comparison: None,
            slot: None,
            leftover: None,
            kept: (Instant::now(), 0),
            quitting: false,
            title: String::new(),
            settings,
        };
        if !dock::is_sound(&app.settings.layout) {
            app.settings.layout = dock::default_layout();
        }
        app.find_leftover(storage);
        app.show_document();
        if let Some(file) = file {
            app.open(file);
        }
        app
    }

    /// Turns the window to a newly opened document.
    pub(super) fn show_document(&mut self) {
        self.training.drop_session();
        self.editor.reset();
        self.settings.panels.labs.fills = false;
        self.offer = None;
        (self.dialog, self.comparison, self.unseen) = (None, None, true);
        self.data = OpenData::default();
        self.example = (SplitName::Test, 0);
        // A first picture to look at while it trains: the first layer that computes maps.
        let graph = &self.document.project().graph;
        let first = graph
            .nodes()
            .iter()
            .find(|node| node.layer.spec().family == crate::graph::Family::Convolution);
        self.selection = first.iter().map(|node| node.id).collect();
    }

    /// What is known of the data.
    pub(super) fn facts(&self) -> &Facts {
        self.data.facts()
    }

    /// What happens without drawing: events, data, inference, autosave.
    pub fn logic(&mut self, ctx: &Context) {
        let begun = Instant::now();
        for event in self.training.drain(ctx) {
            self.tell(event);
        }
        self.data
            .update(&self.document.project().data, self.document.folder(), ctx);
        self.document.refresh(self.data.facts());
        self.update_comparison();
        if self.training.is_pending() {
            if let Some(Err(message)) = self.data.state() {
                let message = message.to_owned();
                self.training.give_up();
                self.toasts.show(Tone::Error, message);
            }
            self.training
                .begin(&self.document, self.data.current(), ctx);
        }
        let graph = &self.document.project().graph;
        self.selection.retain(|id| graph.node(*id).is_some());
        let names = self
            .selection
            .iter()
            .filter_map(|id| Some(graph.node(*id)?.name.clone()));
        self.training.watch(names.collect(), self.example);
        self.autosave(ctx);
        self.undrawn = begun.elapsed();
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Ended(Ending::Failed { node, message, .. }) => {
                let graph = &self.document.project().graph;
                let blamed = node
                    .as_ref()
                    .and_then(|name| graph.nodes().iter().find(|node| node.name == *name));
                if let Some(id) = blamed.map(|node| node.id) {
                    self.select([id].into());
                    self.editor.reveal([id].into());
                }
                let text = match node {
                    Some(node) => tr_format!(
                        "training failed at “{node}”: {message}",
                        "训练在“{node}”处失败：{message}"
                    ),
                    None => tr_format!("training failed: {message}", "训练失败：{message}"),
                };
                self.toasts.show(Tone::Error, text);
            }
            Event::Saved { iteration, folder } => self.toasts.show(
                Tone::Info,
                tr_format!(
                    "checkpoint of iteration {iteration} saved in {}",
                    "第 {iteration} 次迭代的检查点已保存到 {}",
                    folder.display()
                ),
            ),
            Event::Refused(message) => self.toasts.show(Tone::Warning, message),
            _ => {}
        }
    }

    /// What the commands may do now.
    pub fn situation(&self) -> Situation {
        let graph = &self.document.project().graph;
        let history = self.document.history();
        let all = self.selection.is_empty();
        let is_chosen = |node: &&Node| all || self.selection.contains(&node.id);
        let chosen = || graph.nodes().iter().filter(is_chosen);
        Situation {
            selected: self.selection.len(),
            nodes: graph.nodes().len(),
            begins_with_weights: self.training.initial.is_some(),
            has_weights: self.training.run.snapshot().is_some(),
            can_freeze: self.freezing().is_some(),
            can_fold: chosen()
                .any(|node| node.group().is_some() && graph.folded_around(&node.name).is_none()),
            can_unfold: chosen().any(|node| graph.folded_around(&node.name).is_some()),
            in_group: edits::group_around(graph, &self.selection).is_some(),
            has_groups: graph.nodes().iter().any(|node| node.group().is_some()),
            has_folded: !graph.folded.is_empty(),
            comparing: self.comparison.is_some(),
            differs_from_file: self.document.is_dirty() && self.document.path().is_some(),
            asked: self.dialog.is_some() || self.guard.is_some() || self.palette.is_open(),
            comment_selected: self.editor.selected_comment().is_some(),
            can_undo: history.undo_name().is_some(),
            can_redo: history.redo_name().is_some(),
            running: self.training.is_live(),
            in_bench: self.settings.panels.labs.fills,
            can_train: !graph.nodes().is_empty() && !self.document.inference().has_errors(),
        }
    }

    fn close_and_title(&mut self, ctx: &Context) {
        if ctx.input(|input| input.viewport().close_requested()) {
            if self.document.is_dirty() && !self.quitting {
                ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
                self.guard = Some(Next::Quit);
            } else {
                self.keep_nothing();
            }
        }
        let name = modals::name_of(self.document.path(), &self.document.project().title);
        let star = if self.document.is_dirty() { "*" } else { "" };
        let title = format!("{star}{name} — Layerlab");
        if title != self.title {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// Of the native window: the file's name, with a star while it has unsaved changes.
    pub fn title(&self) -> &str {
        &self.title
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _: &mut eframe::Frame) {
        App::logic(self, ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        App::ui(self, ui);
    }

    /// Over the graph a mouse's wheel zooms, as in other editors of drawings; two fingers on a
    /// touch pad still pan.
    fn raw_input_hook(&mut self, ctx: &Context, input: &mut egui::RawInput) {
        let over_graph = ctx.pointer_latest_pos().is_some_and(|pointer| {
            let in_view = self
                .editor
                .view()
                .is_some_and(|view| view.contains(pointer));
            in_view
                && ctx
                    .layer_id_at(pointer)
                    .is_none_or(|layer| layer.order == egui::Order::Background)
        });
        for event in input.events.iter_mut().filter(|_| over_graph) {
            if let egui::Event::MouseWheel {
                unit: egui::MouseWheelUnit::Line,
                modifiers,
                ..
            } = event
                && modifiers.is_none()
            {
                *modifiers = egui::Modifiers::COMMAND;
            }
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        self.settings.save(storage);
    }

    fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
        self.keep_nothing();
    }
}

/// What a start without a file shows: the first example.
fn first_project() -> Project {
    let example = EXAMPLES.first().and_then(|example| example.open().ok());
    example.unwrap_or_default()
}
