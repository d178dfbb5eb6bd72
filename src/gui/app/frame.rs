//! One frame of the window: keys, menus, panels, questions; what they ask for is applied last.

use std::time::Instant;

use egui::{Context, Ui};

use super::App;
use crate::graph::Severity;
use crate::gui::ViewKind;
use crate::gui::commands::{self, CommandId, Situation};
use crate::gui::context::{Action, Ctx};
use crate::gui::dock::Dock;
use crate::gui::menus;
use crate::gui::modals::{self, Guard, Next};
use crate::gui::settings::Settings;
use crate::gui::status;
use crate::gui::training::Start;
use crate::gui::weights::Begin;

impl App {
    /// Draws one frame and applies what was asked for in it.
    pub fn ui(&mut self, ui: &mut Ui) {
        let begun = Instant::now();
        let ctx = ui.ctx().clone();
        let mut actions = Vec::new();
        if std::mem::take(&mut self.unseen) {
            self.place_new(&ctx);
        }
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
        let undrawn = std::mem::take(&mut self.undrawn);
        self.frame_times.record(undrawn + begun.elapsed());
    }

    /// Training bar, docked panels and status line.
    fn frame_ui(&mut self, ui: &mut Ui, now: &Situation, actions: &mut Vec<Action>) {
        let Self {
            document,
            settings,
            selection,
            training,
            example,
            picture,
            editor,
            data,
            frame_times,
            comparison,
            ..
        } = self;
        let Settings {
            panels,
            layout,
            frame_times: shows_times,
            minimap,
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
            picture: picture.as_ref(),
        };
        egui::Panel::top("training").show(ui, |ui| {
            let outdated = training.is_outdated(document);
            panels.training_ui(ui, &shown, outdated, training.is_pending(), actions);
        });
        let frame =
            egui::Frame::side_top_panel(ui.style()).inner_margin(egui::Margin::symmetric(10, 3));
        egui::Panel::bottom("status").frame(frame).show(ui, |ui| {
            let times = shows_times.then_some(&*frame_times);
            let begin = training.initial.as_ref();
            status::status_ui(ui, &shown, (data.is_opening(), begin), times, actions);
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
        let bench_fills = panels.labs.fills;
        (editor.situation, editor.minimap) = (*now, *minimap);
        let revision = [document.graph_revision(), document.inference_revision()];
        let mut pane = |ui: &mut Ui, kind: ViewKind| match kind {
            ViewKind::Editor => editor.ui(ui, &shown, revision, actions),
            ViewKind::Comparison => {
                panels.comparison_ui(ui, comparison.as_ref(), &shown, now, actions);
            }
            kind => panels.ui(ui, kind, &shown, actions),
        };
        egui::CentralPanel::no_frame().show(ui, |ui| match bench_fills {
            true => {
                let ground = ui.visuals().panel_fill;
                ui.painter().rect_filled(ui.max_rect(), 0.0, ground);
                pane(ui, ViewKind::Labs);
            }
            false => Dock::new(&mut pane, &note).ui(layout, ui),
        });
    }

    fn keys(&mut self, ctx: &Context, now: &Situation, actions: &mut Vec<Action>) {
        let waiting = self.guard.is_some() || self.leftover.is_some() || self.files.is_open();
        let asked = self.dialog.is_some() || self.offer.is_some() || self.proposal.is_some();
        if waiting || asked || self.palette.is_open() || self.about {
            return;
        }
        let dropped = ctx.input(|input| Some(input.raw.dropped_files.first()?.path().to_owned()));
        if let Some(path) = dropped {
            self.dropped(path, ctx);
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
                egui::Event::Paste(text) => {
                    self.pasted = true;
                    self.paste(&text);
                }
                // Where the clipboard holds a picture, the system's paste says nothing but that
                // its key went up again.
                egui::Event::Key {
                    key: egui::Key::V,
                    pressed: false,
                    modifiers,
                    ..
                } if modifiers.command && !std::mem::take(&mut self.pasted) => {
                    self.paste_picture();
                }
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
        if let Some(load) = self.offer.as_ref().and_then(|shown| shown.ui(ctx)) {
            self.decided(load);
        }
        self.dialog_ui(ctx);
        actions.extend(self.palette.ui(ctx, now));
        self.proposal_ui(ctx, actions);
        self.about = self.about && modals::about_ui(ctx);
    }

    /// A change of the graph that is shown first. A network that was trained goes on with its
    /// weights where they fit the new graph, paused.
    fn proposal_ui(&mut self, ctx: &Context, actions: &mut Vec<Action>) {
        let Some(proposal) = &self.proposal else {
            return;
        };
        let keeps_weights = proposal.keeps_weights;
        let Some(answer) = proposal.ui(ctx) else {
            return;
        };
        self.proposal = None;
        let snapshot = self.training.run.snapshot().filter(|_| keeps_weights);
        if let (Some(_), Some(snapshot)) = (&answer, snapshot) {
            self.training.initial = Some(Begin::carried(snapshot));
            self.start(Start {
                paused: true,
                ..Start::default()
            });
        }
        actions.extend(answer);
    }
}
