//! What each command does.

mod exports;
mod files;
mod groups;
mod onnx;
mod weights;

use std::path::{Path, PathBuf};

use egui::Context;

use super::ViewKind;
use super::app::App;
use super::commands::CommandId;
use super::context::Action;
use super::dock;
use super::document::Document;
use super::editor::{align::Align, edits};
use super::files::{Purpose, with_ending};
use super::modals::Next;
use super::rewrite::Proposal;
use super::run::Status;
use super::toasts::Tone;
use super::training::Start;
use crate::data::{BUILT_IN, SplitName};
use crate::graph::Comment;
use crate::i18n::{Text, set_lang, tr, tr_format};
use crate::interop::caffe;
use crate::project::{EXAMPLES, Project};
use crate::train::{Command, Stage};

impl App {
    /// Carries a command out, if it makes sense now.
    pub fn perform(&mut self, id: CommandId, ctx: &Context) {
        if !id.enabled(&self.situation()) {
            return;
        }
        match id {
            CommandId::New => self.guarded(Next::New, ctx),
            CommandId::Open => self.guarded(Next::AskOpen, ctx),
            CommandId::Save => self.save(ctx),
            CommandId::SaveAs => self.ask_save(),
            CommandId::ExportCaffe => {
                let suggestion = self.suggested_path("prototxt");
                self.files.ask(Purpose::ExportCaffe, Some(suggestion));
            }
            CommandId::ExportScript => self.ask_export(Purpose::ExportScript, "py"),
            CommandId::ExportDrawing => self.ask_export(Purpose::ExportDrawing, "svg"),
            CommandId::ExportTable => self.ask_export(Purpose::ExportTable, "csv"),
            CommandId::OpenPicture => self.browse_picture(),
            CommandId::ExportOnnx => {
                let suggestion = self.suggested_path("onnx");
                self.files.ask(Purpose::ExportOnnx, Some(suggestion));
            }
            CommandId::LoadWeights => self.files.ask(Purpose::LoadWeights, self.start_folder()),
            CommandId::SaveWeights => {
                let suggestion = self.suggested_path("safetensors");
                self.files.ask(Purpose::SaveWeights, Some(suggestion));
            }
            CommandId::FreshWeights => self.training.initial = None,
            CommandId::Freeze => self.freeze(),
            CommandId::Quit => self.guarded(Next::Quit, ctx),
            CommandId::Undo => _ = self.document.undo(),
            CommandId::Redo => _ = self.document.redo(),
            CommandId::Cut | CommandId::Copy => {
                let chosen = edits::with_folded(&self.document.project().graph, &self.selection);
                match edits::to_text(&self.document.project().graph, &chosen) {
                    Ok(text) => ctx.copy_text(text),
                    Err(error) => return self.toasts.show(Tone::Error, error.to_string()),
                }
                if id == CommandId::Cut {
                    self.delete(Text::new("Cut", "剪切"));
                }
            }
            CommandId::Paste if super::clipboard::picture().is_ok_and(|found| found.is_some()) => {
                self.paste_picture();
            }
            CommandId::Paste => ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            CommandId::Delete => self.delete(Text::new("Delete", "删除")),
            CommandId::SelectAll => {
                let nodes = self.document.project().graph.nodes();
                self.selection = nodes.iter().map(|node| node.id).collect();
            }
            CommandId::Rename => {
                self.open_view(ViewKind::Editor);
                self.editor.rename(&self.selection);
            }
            CommandId::TrainOrPause | CommandId::Step | CommandId::Stop | CommandId::Restart => {
                self.perform_training(id);
            }
            CommandId::SaveCheckpoint => self
                .files
                .ask(Purpose::SaveCheckpoint, Some(self.document.folder())),
            CommandId::ResumeCheckpoint => self
                .files
                .ask(Purpose::ResumeCheckpoint, Some(self.document.folder())),
            CommandId::EvaluateValidation => {
                self.training.send(Command::Evaluate(SplitName::Validation))
            }
            CommandId::EvaluateTest => self.training.send(Command::Evaluate(SplitName::Test)),
            CommandId::Show(kind) => self.open_view(kind),
            CommandId::ResetLayout => self.settings.layout = dock::default_layout(),
            CommandId::Theme(theme) => {
                self.settings.theme = theme;
                ctx.set_theme(theme);
            }
            CommandId::Language(language) => {
                self.settings.set_language(language);
                set_lang(language);
            }
            CommandId::Find => {
                dock::open(&mut self.settings.layout, ViewKind::Editor);
                self.editor.search.open();
            }
            CommandId::Minimap => self.settings.minimap = !self.settings.minimap,
            CommandId::CompareFile | CommandId::CompareSaved | CommandId::EndComparison => {
                self.perform_comparison(id);
            }
            CommandId::Group
            | CommandId::RenameGroup
            | CommandId::RepeatGroup
            | CommandId::ReplaceLayer => self.ask(id),
            CommandId::Ungroup => self.ungroup(ctx),
            CommandId::CommandPalette => self.palette.open(),
            CommandId::FrameTimes => self.settings.frame_times = !self.settings.frame_times,
            CommandId::About => self.about = true,
            _ => self.perform_on_graph(id, ctx),
        }
    }

    fn perform_on_graph(&mut self, id: CommandId, ctx: &Context) {
        let graph = &self.document.project().graph;
        let chosen = edits::with_folded(graph, &self.selection);
        let action = match id {
            CommandId::Duplicate => {
                let fragment = graph.fragment(&chosen);
                return self.add_fragment(
                    Text::new("Duplicate", "创建副本"),
                    fragment,
                    [36.0, 36.0],
                );
            }
            CommandId::AddLayer => {
                self.open_view(ViewKind::Palette);
                return self.settings.panels.focus_palette();
            }
            CommandId::AddComment => {
                let place = self.editor.pointed_place();
                Action::edit(Text::new("Add a comment", "添加注释"), move |project| {
                    project.graph.comments.push(Comment {
                        text: String::new(),
                        position: [place.x.round(), place.y.round()],
                        size: [200.0, 60.0],
                    });
                })
            }
            CommandId::Connect => Action::edit(Text::new("Connect", "连接"), move |project| {
                edits::connect_row(&mut project.graph, &chosen);
            }),
            CommandId::Fold => Action::Fold(graph.folded_one_more(&self.selection)),
            CommandId::Unfold => Action::Fold(graph.folded_one_less(&self.selection)),
            CommandId::FoldAll => Action::Fold(graph.folded_below(0)),
            CommandId::FoldTo(levels) => Action::Fold(graph.folded_below(levels.into())),
            CommandId::UnfoldAll => Action::Fold(Default::default()),
            CommandId::AlignLeft => self.editor.align(&self.selection, Align::Left),
            CommandId::AlignTop => self.editor.align(&self.selection, Align::Top),
            CommandId::DistributeAcross => self.editor.align(&self.selection, Align::Across),
            CommandId::DistributeDown => self.editor.align(&self.selection, Align::Down),
            CommandId::StackOf3x3 | CommandId::FullToConv => {
                let (inference, facts) = (self.document.inference(), self.data.facts());
                match Proposal::of(id, graph, inference, facts, &self.selection) {
                    Ok(proposal) => self.proposal = Some(proposal),
                    Err(error) => self.toasts.show(Tone::Error, error.to_string()),
                }
                return;
            }
            CommandId::AutoLayout => {
                (self.editor).auto_layout(ctx, graph, self.document.inference())
            }
            CommandId::ZoomFit => return self.editor.fit(),
            CommandId::ZoomSelection => return self.editor.zoom_to(&self.selection),
            _ => return,
        };
        self.apply(action, ctx);
    }

    fn perform_training(&mut self, id: CommandId) {
        let command = match (id, self.training.run.status()) {
            _ if !self.training.is_live() && id != CommandId::Stop => {
                let one_step = id == CommandId::Step;
                return self.start(Start {
                    one_step,
                    ..Start::default()
                });
            }
            (CommandId::Restart, _) => return self.start(Start::default()),
            (CommandId::TrainOrPause, Status::Paused) => Command::Resume,
            (CommandId::TrainOrPause, _) => Command::Pause,
            (CommandId::Step, _) => Command::Step,
            _ => Command::Stop,
        };
        self.training.send(command);
    }

    fn delete(&mut self, name: Text) {
        let comment = self.editor.selected_comment();
        let chosen = edits::with_folded(&self.document.project().graph, &self.selection);
        self.document.edit(name, None, move |project| {
            project.graph.remove(&chosen);
            if let Some(index) = comment.filter(|index| *index < project.graph.comments.len()) {
                project.graph.comments.remove(index);
            }
        });
        self.editor.forget_comment();
    }

    /// Adds what the clipboard holds, if it is nodes.
    pub(super) fn paste(&mut self, text: &str) {
        match edits::from_text(text) {
            Ok(fragment) if !fragment.nodes.is_empty() => {
                let corner = fragment
                    .nodes
                    .iter()
                    .fold([f32::INFINITY; 2], |corner, node| {
                        [
                            corner[0].min(node.position[0]),
                            corner[1].min(node.position[1]),
                        ]
                    });
                let place = self.editor.pointed_place();
                let offset = [(place.x - corner[0]).round(), (place.y - corner[1]).round()];
                self.add_fragment(Text::new("Paste", "粘贴"), fragment, offset);
            }
            Ok(_) => {}
            Err(error) => self.toasts.show(
                Tone::Warning,
                tr_format!(
                    "the clipboard holds no layers ({error})",
                    "剪贴板中没有可粘贴的层（{error}）"
                ),
            ),
        }
    }

    fn add_fragment(&mut self, name: Text, fragment: crate::graph::Fragment, offset: [f32; 2]) {
        let mut new = std::collections::BTreeSet::new();
        self.document.edit(name, None, |project| {
            new = project.graph.paste(&fragment, offset)
        });
        self.select(new);
    }

    /// Goes on to something that would lose unsaved changes, after asking about them.
    pub(super) fn guarded(&mut self, next: Next, ctx: &Context) {
        if self.document.is_dirty() {
            self.guard = Some(next);
        } else {
            self.go_on(next, ctx);
        }
    }

    pub(super) fn go_on(&mut self, next: Next, ctx: &Context) {
        match next {
            Next::New => {
                let project = Project {
                    stages: vec![Stage::default()],
                    ..Project::default()
                };
                self.show(Document::new(project, None));
            }
            Next::AskOpen => self.files.ask(Purpose::OpenProject, self.start_folder()),
            Next::Open(path) => self.open(path),
            Next::Example(index) => {
                let Some(example) = EXAMPLES.get(index) else {
                    return;
                };
                match example.open() {
                    Ok(project) => self.show(Document::new(project, None)),
                    Err(error) => self.toasts.show(Tone::Error, error.to_string()),
                }
            }
            Next::Quit => {
                self.quitting = true;
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
        }
    }

    fn show(&mut self, document: Document) {
        self.document = document;
        self.show_document();
    }
}
