//! The application: all state of the window, one frame of it, and the one place where actions
//! are applied.
//!
//! It can be driven without a native window: [`App::logic`] and [`App::ui`] need only a context.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Context, Ui};

use super::ViewKind;
use super::commands::{self, CommandId, Situation};
use super::context::{Action, Ctx};
use super::data::OpenData;
use super::dock::{self, Dock};
use super::document::Document;
use super::editor::{Editor, edits};
use super::files::FileDialogs;
use super::frame_times::FrameTimes;
use super::menus::{self, CommandPalette};
use super::modals::{self, Guard, Next};
use super::settings::Settings;
use super::theme;
use super::toasts::{Toasts, Tone};
use super::training::{Start, Training};
use crate::data::SplitName;
use crate::graph::{NodeId, Severity};
use crate::i18n::{Text, set_lang, tr_format};
use crate::project::recovery::{Leftover, Slot};
use crate::project::{EXAMPLES, Project};
use crate::train::{Command, Ending, Event};

/// Names the folder of settings and of unsaved work.
pub const APP_ID: &str = "layerlab";

/// Between two times that unsaved work is kept aside.
const AUTOSAVE: Duration = Duration::from_secs(60);

/// Everything that the window holds.
pub struct App {
    pub document: Document,
    pub settings: Settings,
    pub selection: BTreeSet<NodeId>,
    pub training: Training,
    /// The example that feature maps show.
    pub example: (SplitName, usize),
    pub frame_times: FrameTimes,
    pub files: FileDialogs,
    pub toasts: Toasts,
    pub editor: Editor,
    pub(super) data: OpenData,
    pub(super) palette: CommandPalette,
    pub(super) guard: Option<Next>,
    /// What to go on with once the document is saved.
    pub(super) after_save: Option<Next>,
    pub(super) about: bool,
    slot: Option<Slot>,
    leftover: Option<Leftover>,
    kept: (Instant, u64),
    pub(super) quitting: bool,
    inference_of: Option<u64>,
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
            frame_times: FrameTimes::default(),
            files: FileDialogs::default(),
            toasts: Toasts::default(),
            editor: Editor::default(),
            data: OpenData::default(),
            palette: CommandPalette::default(),
            guard: None,
            after_save: None,
            about: false,
            slot: None,
            leftover: None,
            kept: (Instant::now(), 0),
            quitting: false,
            inference_of: None,
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

    fn find_leftover(&mut self, storage: Option<PathBuf>) {
        let Some(folder) = storage else { return };
        match Slot::take(&folder) {
            Ok(slot) => self.slot = slot,
            Err(error) => self.toasts.show(
                Tone::Warning,
                tr_format!(
                    "unsaved work cannot be kept in {}: {error}",
                    "无法在 {} 中自动保存：{error}",
                    folder.display()
                ),
            ),
        }
        match self.slot.as_ref().and_then(Slot::leftover) {
            Some(Ok(leftover)) => self.leftover = Some(leftover),
            Some(Err(error)) => {
                self.toasts.show(Tone::Warning, error.to_string());
                self.keep_nothing();
            }
            None => {}
        }
    }

    /// Forgets what was kept aside, but not work of a crash that nobody has decided about.
    fn keep_nothing(&self) {
        if let Some(slot) = self.slot.as_ref().filter(|_| self.leftover.is_none()) {
            slot.clear();
        }
    }

    /// Turns the window to a newly opened document.
    pub(super) fn show_document(&mut self) {
        self.training.drop_session();
        self.editor.reset();
        self.data = OpenData::default();
        self.example = (SplitName::Test, 0);
        self.inference_of = None;
        // A first picture to look at while it trains: the first layer that computes maps.
        let graph = &self.document.project().graph;
        let first = graph
            .nodes()
            .iter()
            .find(|node| node.layer.spec().family == crate::graph::Family::Convolution);
        self.selection = first.iter().map(|node| node.id).collect();
    }

    /// What happens without drawing: events, data, inference, autosave.
    pub fn logic(&mut self, ctx: &Context) {
        for event in self.training.drain(ctx) {
            self.tell(event);
        }
        self.data
            .update(&self.document.project().data, self.document.folder(), ctx);
        self.document.refresh(self.data.facts());
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

    fn autosave(&mut self, ctx: &Context) {
        let Some(slot) = self.slot.as_ref().filter(|_| self.leftover.is_none()) else {
            return;
        };
        if !self.document.is_dirty() {
            return;
        }
        let due = self.kept.0 + AUTOSAVE;
        let now = Instant::now();
        if now < due {
            ctx.request_repaint_after(due - now);
        } else if self.kept.1 != self.document.revision() {
            self.kept = (now, self.document.revision());
            if let Err(error) = slot.keep(self.document.project(), self.document.path()) {
                self.toasts.show(Tone::Warning, error.to_string());
            }
        }
    }

    /// Keeps unsaved work aside now, whatever the clock says.
    pub fn autosave_now(&mut self) {
        self.kept = (
            Instant::now() - AUTOSAVE,
            self.document.revision().wrapping_sub(1),
        );
        self.autosave(&Context::default());
    }

    /// Draws one frame and applies what was asked for in it.
    pub fn ui(&mut self, ui: &mut Ui) {
        let begun = Instant::now();
        let ctx = ui.ctx().clone();
        let mut actions = Vec::new();
        let now = self.situation();
        self.keys(&ctx, &now, &mut actions);
        let undo = [
            self.document.history().undo_name(),
            self.document.history().redo_name(),
        ];
        let bar =
            egui::Panel::top("menu").show(ui, |ui| menus::bar_ui(ui, &now, undo, &self.settings));
        match bar.inner {
            Some(menus::Choice::Command(id)) => actions.push(Action::Run(id)),
            Some(menus::Choice::Recent(path)) => self.guarded(Next::Open(path), &ctx),
            Some(menus::Choice::Example(index)) => self.guarded(Next::Example(index), &ctx),
            None => {}
        }
        self.frame_ui(ui, &now, &mut actions);
        self.modals_ui(&ctx, &now, &mut actions);
        self.toasts.ui(&ctx);
        for action in actions {
            self.apply(action, &ctx);
        }
        let busy = ctx.input(|input| input.pointer.any_down()) || ctx.text_edit_focused();
        if !busy {
            self.document.close_step();
        }
        self.close_and_title(&ctx);
        self.frame_times.record(begun.elapsed());
    }

    /// Training bar, docked panels and status line.
    fn frame_ui(&mut self, ui: &mut Ui, now: &Situation, actions: &mut Vec<Action>) {
        let Self {
            document,
            settings,
            selection,
            training,
            example,
            editor,
            data,
            frame_times,
            ..
        } = self;
        let Settings {
            panels,
            layout,
            frame_times: shows_times,
            ..
        } = settings;
        let shown = Ctx {
            project: document.project(),
            path: document.path(),
            inference: document.inference(),
            selection,
            data: data.state(),
            run: &training.run,
            example: *example,
        };
        egui::Panel::top("training").show(ui, |ui| {
            let outdated = training.is_outdated(document);
            panels.training_ui(ui, &shown, outdated, training.is_pending(), actions);
        });
        let frame =
            egui::Frame::side_top_panel(ui.style()).inner_margin(egui::Margin::symmetric(10, 3));
        egui::Panel::bottom("status").frame(frame).show(ui, |ui| {
            let times = shows_times.then_some(&*frame_times);
            super::status::status_ui(ui, &shown, data.is_opening(), times, actions);
        });
        let count = |severity| {
            shown
                .inference
                .diagnostics
                .iter()
                .filter(|d| d.severity() == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let visuals = ui.visuals().clone();
        let note = |kind| match (kind, errors, warnings) {
            (ViewKind::Problems, 0, 0) => None,
            (ViewKind::Problems, 0, n) => Some((n.to_string(), visuals.warn_fg_color)),
            (ViewKind::Problems, n, _) => Some((n.to_string(), visuals.error_fg_color)),
            _ => None,
        };
        editor.situation = *now;
        let revision = [document.graph_revision(), document.inference_revision()];
        let mut pane = |ui: &mut Ui, kind: ViewKind| match kind {
            ViewKind::Editor => editor.ui(ui, &shown, revision, actions),
            kind => panels.ui(ui, kind, &shown, actions),
        };
        egui::CentralPanel::no_frame().show(ui, |ui| {
            Dock::new(&mut pane, &note).ui(layout, ui);
        });
    }

    /// What the commands may do now.
    pub fn situation(&self) -> Situation {
        let graph = &self.document.project().graph;
        let history = self.document.history();
        Situation {
            selected: self.selection.len(),
            nodes: graph.nodes().len(),
            can_fold: !edits::foldable(graph, &self.selection).is_empty(),
            can_unfold: !edits::unfoldable(graph, &self.selection).is_empty(),
            comment_selected: self.editor.selected_comment().is_some(),
            can_undo: history.undo_name().is_some(),
            can_redo: history.redo_name().is_some(),
            running: self.training.is_live(),
            can_train: !graph.nodes().is_empty() && !self.document.inference().has_errors(),
        }
    }

    fn keys(&mut self, ctx: &Context, now: &Situation, actions: &mut Vec<Action>) {
        let waiting = self.guard.is_some() || self.leftover.is_some() || self.files.is_open();
        if waiting || self.palette.is_open() || self.about {
            return;
        }
        let dropped = ctx.input(|input| Some(input.raw.dropped_files.first()?.path().to_owned()));
        if let Some(path) = dropped {
            self.guarded(Next::Open(path), ctx);
        }
        if let Some(id) = commands::pressed(ctx, now) {
            actions.push(Action::Run(id));
        }
        if ctx.text_edit_focused() {
            return;
        }
        for event in ctx.input(|input| input.events.clone()) {
            match event {
                egui::Event::Copy if now.selected > 0 => actions.push(Action::Run(CommandId::Copy)),
                egui::Event::Cut if now.selected > 0 => actions.push(Action::Run(CommandId::Cut)),
                egui::Event::Paste(text) => self.paste(&text),
                _ => {}
            }
        }
    }

    fn modals_ui(&mut self, ctx: &Context, now: &Situation, actions: &mut Vec<Action>) {
        if let Some(leftover) = &self.leftover {
            if let Some(recover) = modals::recovery_ui(ctx, leftover) {
                self.recover(recover);
            }
            return;
        }
        if let Some(next) = self.guard.clone() {
            let name = modals::name_of(self.document.path(), &self.document.project().title);
            match modals::guard_ui(ctx, &name) {
                Some(Guard::Save) => {
                    self.guard = None;
                    self.after_save = Some(next);
                    self.save(ctx);
                }
                Some(Guard::Discard) => {
                    self.guard = None;
                    self.go_on(next, ctx);
                }
                Some(Guard::Cancel) => self.guard = None,
                None => {}
            }
        }
        if let Some((purpose, path)) = self.files.ui(ctx) {
            self.chosen(purpose, path, ctx);
        }
        actions.extend(self.palette.ui(ctx, now));
        self.about = self.about && modals::about_ui(ctx);
    }

    fn recover(&mut self, recover: bool) {
        let Some(leftover) = self.leftover.take() else {
            return;
        };
        if recover {
            self.document = Document::unsaved(leftover.project, leftover.path);
            self.show_document();
        } else {
            self.keep_nothing();
        }
    }

    /// Applies one action.
    pub fn apply(&mut self, action: Action, ctx: &Context) {
        match action {
            Action::Edit { name, merge, edit } => self.document.edit(name, merge, edit),
            Action::Undo => self.perform(CommandId::Undo, ctx),
            Action::Redo => self.perform(CommandId::Redo, ctx),
            Action::Select(nodes) => self.select(nodes),
            Action::Reveal(node) => {
                self.select([node].into());
                self.editor.reveal([node].into());
                dock::open(&mut self.settings.layout, ViewKind::Editor);
            }
            Action::ShowExample(split, index) => self.example = (split, index),
            Action::Start { resume } => self.start(Start {
                resume,
                one_step: false,
            }),
            Action::Train(Command::Watch(watch)) => self.training.asked = watch.nodes,
            Action::Train(command) => self.training.send(command),
            Action::Open(kind) => dock::open(&mut self.settings.layout, kind),
            Action::SetLang(language) => self.perform(CommandId::Language(language), ctx),
            Action::Run(id) => self.perform(id, ctx),
            Action::AddLayer {
                kind,
                position,
                beside,
            } => self.add_layer(kind, position, &beside),
            Action::BrowseData { folder } => self.browse_data(folder),
            Action::Say(tone, text) => self.toasts.show(tone, text),
        }
        // The next action of the frame may look at what this one changed.
        self.document.refresh(self.data.facts());
    }

    pub(super) fn select(&mut self, nodes: BTreeSet<NodeId>) {
        self.editor.forget_comment();
        self.selection = nodes;
    }

    fn add_layer(
        &mut self,
        kind: &'static str,
        position: Option<[f32; 2]>,
        beside: &BTreeSet<NodeId>,
    ) {
        let free = self.editor.free_place(beside);
        let position = position.unwrap_or([free.x.round(), free.y.round()]);
        let beside = beside.clone();
        let before: BTreeSet<NodeId> = self
            .document
            .project()
            .graph
            .nodes()
            .iter()
            .map(|node| node.id)
            .collect();
        self.document
            .edit(Text::new("Add a layer", "添加层"), None, |project| {
                edits::add_layer(&mut project.graph, kind, position, &beside);
            });
        let graph = &self.document.project().graph;
        let new: BTreeSet<NodeId> = graph
            .nodes()
            .iter()
            .map(|node| node.id)
            .filter(|id| !before.contains(id))
            .collect();
        self.editor.reveal(new.clone());
        self.select(new);
    }

    pub(super) fn start(&mut self, start: Start) {
        if self.situation().can_train {
            self.training.start(start);
        } else {
            dock::open(&mut self.settings.layout, ViewKind::Problems);
            let text = tr_format!(
                "this network cannot be trained yet; see the problems",
                "该网络还不能训练；请查看“问题”面板"
            );
            self.toasts.show(Tone::Warning, text);
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
    let example = EXAMPLES
        .first()
        .and_then(|(_, text)| Project::from_ron(text).ok());
    example.unwrap_or_default()
}
