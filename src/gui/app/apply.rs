//! The one place where actions are applied.

use std::collections::BTreeSet;

use egui::Context;

use super::App;
use crate::graph::NodeId;
use crate::gui::ViewKind;
use crate::gui::commands::CommandId;
use crate::gui::context::Action;
use crate::gui::dock;
use crate::gui::editor::edits;
use crate::gui::files::Purpose;
use crate::gui::modals::Next;
use crate::gui::toasts::Tone;
use crate::gui::training::Start;
use crate::i18n::{Text, tr_format};
use crate::labs::Settings;
use crate::project::EXAMPLES;
use crate::train::Command;

impl App {
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
                self.open_view(ViewKind::Editor);
            }
            Action::Jump(node) => self.jump(node, ctx),
            Action::Fold(folded) => self.fold(folded, ctx),
            Action::ShowExample(split, index) => self.example = (split, index),
            Action::Start { resume } => self.start(Start {
                resume,
                ..Start::default()
            }),
            Action::Train(Command::Watch(watch)) => self.training.asked = watch.nodes,
            Action::Train(command) => self.training.send(command),
            Action::Open(kind) => self.open_view(kind),
            Action::OpenExample(name) => {
                let place = EXAMPLES.iter().position(|example| example.name == name);
                if let Some(place) = place {
                    self.open_view(ViewKind::Editor);
                    self.guarded(Next::Example(place), ctx);
                }
            }
            Action::SetLang(language) => self.perform(CommandId::Language(language), ctx),
            Action::Run(id) => self.perform(id, ctx),
            Action::AddLayer {
                kind,
                position,
                beside,
            } => self.add_layer(kind, position, &beside),
            Action::BrowseData { folder } => self.browse_data(folder),
            Action::BrowseClassNames => {
                self.files
                    .ask(Purpose::ClassNames, Some(self.document.folder()));
            }
            Action::ShowPicture(picture, name) => self.show_picture(picture, name),
            Action::BrowsePicture => self.browse_picture(),
            Action::PastePicture => self.paste_picture(),
            Action::Say(tone, text) => self.toasts.show(tone, text),
        }
        // The next action of the frame may look at what this one changed.
        self.document.refresh(self.data.facts());
    }

    /// Opens or focuses a view's tab; the benches take the whole window, others need the dock.
    pub(in crate::gui) fn open_view(&mut self, kind: ViewKind) {
        dock::open(&mut self.settings.layout, kind);
        self.settings.panels.labs.fills = kind == ViewKind::Labs;
    }

    /// Opens the benches at the one of these settings.
    pub fn show_bench(&mut self, bench: Settings) {
        self.settings.panels.labs.set(bench);
        self.open_view(ViewKind::Labs);
    }

    pub(in crate::gui) fn select(&mut self, nodes: BTreeSet<NodeId>) {
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

    pub(in crate::gui) fn start(&mut self, start: Start) {
        if self.situation().can_train {
            self.training.start(start);
        } else {
            self.open_view(ViewKind::Problems);
            let text = tr_format!(
                "this network cannot be trained yet; see the problems",
                "该网络还不能训练；请查看“问题”面板"
            );
            self.toasts.show(Tone::Warning, text);
        }
    }
}
