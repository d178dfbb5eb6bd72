//! What each command does.

use std::path::{Path, PathBuf};

use egui::Context;

use super::ViewKind;
use super::app::App;
use super::commands::CommandId;
use super::context::Action;
use super::dock;
use super::document::Document;
use super::editor::{edits, layout::Align};
use super::files::{Purpose, with_ending};
use super::modals::Next;
use super::run::Status;
use super::toasts::Tone;
use super::training::Start;
use crate::data::{BUILT_IN, SplitName};
use crate::graph::Comment;
use crate::i18n::{Text, set_lang, tr_format};
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
            CommandId::Paste => ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            CommandId::Delete => self.delete(Text::new("Delete", "删除")),
            CommandId::SelectAll => {
                let nodes = self.document.project().graph.nodes();
                self.selection = nodes.iter().map(|node| node.id).collect();
            }
            CommandId::Rename => {
                dock::open(&mut self.settings.layout, ViewKind::Editor);
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
            CommandId::Show(kind) => dock::open(&mut self.settings.layout, kind),
            CommandId::ResetLayout => self.settings.layout = dock::default_layout(),
            CommandId::Theme(theme) => {
                self.settings.theme = theme;
                ctx.set_theme(theme);
            }
            CommandId::Language(language) => {
                self.settings.set_language(language);
                set_lang(language);
            }
            CommandId::CommandPalette => self.palette.open(),
            CommandId::FrameTimes => self.settings.frame_times = !self.settings.frame_times,
            CommandId::About => self.about = true,
            _ => self.perform_on_graph(id, ctx),
        }
    }

    fn perform_on_graph(&mut self, id: CommandId, ctx: &Context) {
        let graph = &self.document.project().graph;
        let chosen = edits::with_folded(graph, &self.selection);
        let folds = (
            edits::foldable(graph, &self.selection),
            edits::unfoldable(graph, &self.selection),
        );
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
                dock::open(&mut self.settings.layout, ViewKind::Palette);
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
            CommandId::Group => Action::edit(Text::new("Group", "编组"), move |project| {
                edits::group(&mut project.graph, &chosen);
            }),
            CommandId::Fold => Action::edit(Text::new("Fold", "折叠"), move |project| {
                project.graph.folded.extend(folds.0);
            }),
            CommandId::Unfold => Action::edit(Text::new("Unfold", "展开"), move |project| {
                project
                    .graph
                    .folded
                    .retain(|group| !folds.1.contains(group));
            }),
            CommandId::AlignLeft => self.editor.align(&self.selection, Align::Left),
            CommandId::AlignTop => self.editor.align(&self.selection, Align::Top),
            CommandId::DistributeAcross => self.editor.align(&self.selection, Align::Across),
            CommandId::DistributeDown => self.editor.align(&self.selection, Align::Down),
            CommandId::AutoLayout => self.editor.auto_layout(),
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
                    resume: None,
                    one_step,
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
                let Some((_, text)) = EXAMPLES.get(index) else {
                    return;
                };
                match Project::from_ron(text) {
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

    fn start_folder(&self) -> Option<PathBuf> {
        let of_recent = || Some(self.settings.recent.first()?.parent()?.to_owned());
        self.document.path().map(PathBuf::from).or_else(of_recent)
    }

    /// Opens a project file, or Caffe's definition as a new project; what is wrong with it is
    /// said, and the window stays as it is.
    pub fn open(&mut self, path: PathBuf) {
        if path.extension().is_some_and(|ending| ending == "prototxt") {
            return self.open_caffe(&path);
        }
        match Project::open(&path) {
            Ok(project) => {
                self.settings.add_recent(&path);
                self.show(Document::new(project, Some(path)));
            }
            Err(error) => {
                self.settings.recent.retain(|recent| *recent != path);
                self.toasts.show(Tone::Error, error.to_string());
            }
        }
    }

    fn open_caffe(&mut self, path: &Path) {
        match caffe::open(path) {
            Ok(imported) => {
                self.show(Document::unsaved(imported.project, None));
                if let Some((file, note)) = imported.notes.first() {
                    let (file, line) = (super::files::file_name(file), note.line);
                    let (first, more) = (&note.message, imported.notes.len() - 1);
                    self.toasts.show(
                        Tone::Info,
                        tr_format!(
                            "{file}, line {line}: {first} (and {more} more notes; see Prototxt)",
                            "{file} 第 {line} 行：{first}（另有 {more} 条说明；见 Prototxt）"
                        ),
                    );
                    dock::open(&mut self.settings.layout, ViewKind::Prototxt);
                }
            }
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    pub(super) fn save(&mut self, ctx: &Context) {
        match self.document.path().map(PathBuf::from) {
            Some(path) => self.save_to(path, ctx),
            None => self.ask_save(),
        }
    }

    fn ask_save(&mut self) {
        let here = self.document.path().map(PathBuf::from);
        let suggestion = here.unwrap_or_else(|| self.suggested_path("ron"));
        self.files.ask(Purpose::SaveProject, Some(suggestion));
    }

    /// A file of the project's title, in the folder that was used last.
    fn suggested_path(&self, ending: &str) -> PathBuf {
        let title = &self.document.project().title;
        let stem: String = title
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let stem = stem.trim_matches('-').to_lowercase();
        let stem = if stem.is_empty() { "network" } else { &stem };
        let folder = self.start_folder().and_then(|path| {
            if path.is_dir() {
                Some(path)
            } else {
                path.parent().map(PathBuf::from)
            }
        });
        let folder = folder.or_else(std::env::home_dir).unwrap_or_default();
        folder.join(format!("{stem}.{ending}"))
    }

    /// Writes the network and its solvers; says what Caffe reads otherwise.
    fn export_caffe(&mut self, path: &Path) {
        let project = self.document.project();
        let summary = self.data.current().map(|feed| feed.summary());
        let size = project.data.batch.test.max(1);
        let tests = summary.map(|summary| summary.test.div_ceil(size) as u64);
        match caffe::save(project, self.data.facts(), tests, path) {
            Ok(files) => {
                let names: Vec<String> = files
                    .iter()
                    .map(|(path, _)| super::files::file_name(path))
                    .collect();
                let names = names.join(", ");
                self.toasts
                    .show(Tone::Info, tr_format!("{names} written", "已写入 {names}"));
                let notes: Vec<String> = files.into_iter().flat_map(|(_, notes)| notes).collect();
                if let Some(first) = notes.first() {
                    let more = notes.len() - 1;
                    self.toasts.show(
                        Tone::Warning,
                        tr_format!("{first} (and {more} more)", "{first}（另有 {more} 条）"),
                    );
                }
            }
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    /// A relative path of data means the same file when the project moves to another folder.
    fn keep_data(&mut self, path: &Path) {
        let source = Path::new(&self.document.project().data.source);
        let built_in = BUILT_IN.iter().any(|(name, _)| Path::new(name) == source);
        let old = self.document.folder().join(source);
        let new_folder = path.parent().unwrap_or(Path::new(""));
        if built_in || source.is_absolute() || !old.exists() || new_folder.join(source).exists() {
            return;
        }
        let Ok(old) = std::path::absolute(old) else {
            return;
        };
        let inside = std::path::absolute(new_folder)
            .ok()
            .and_then(|folder| old.strip_prefix(folder).ok());
        let source = inside.unwrap_or(&old).display().to_string();
        self.document
            .edit(Text::new("Save elsewhere", "另存"), None, move |project| {
                project.data.source = source
            });
    }

    /// Writes the project; a relative data path still means the same file afterwards.
    fn save_to(&mut self, path: PathBuf, ctx: &Context) {
        self.keep_data(&path);
        let project = self.document.shared();
        match project.save(&path) {
            Ok(()) => {
                self.settings.add_recent(&path);
                let name = super::files::file_name(&path);
                self.document.saved_as(path, project);
                self.toasts
                    .show(Tone::Info, tr_format!("{name} saved", "{name} 已保存"));
                if let Some(next) = self.after_save.take() {
                    self.go_on(next, ctx);
                }
            }
            Err(error) => {
                self.after_save = None;
                self.toasts.show(Tone::Error, error.to_string());
            }
        }
    }

    pub(super) fn browse_data(&mut self, folder: bool) {
        let purpose = if folder {
            Purpose::DataFolder
        } else {
            Purpose::DataFile
        };
        self.files.ask(purpose, Some(self.document.folder()));
    }

    /// A file or folder was chosen.
    pub(super) fn chosen(&mut self, purpose: Purpose, path: PathBuf, ctx: &Context) {
        match purpose {
            Purpose::OpenProject => self.open(path),
            Purpose::SaveProject => self.save_to(with_ending(path, "ron"), ctx),
            Purpose::ExportCaffe => self.export_caffe(&with_ending(path, "prototxt")),
            Purpose::SaveCheckpoint => self.training.send(Command::Save(path)),
            Purpose::ResumeCheckpoint => self.start(Start {
                resume: Some(path),
                one_step: false,
            }),
            Purpose::DataFile | Purpose::DataFolder => {
                let inside = path.strip_prefix(self.document.folder()).ok();
                let inside = inside.filter(|_| self.document.path().is_some());
                let source = inside.map_or_else(
                    || path.display().to_string(),
                    |inside| inside.display().to_string(),
                );
                self.document.edit(
                    Text::new("Choose data", "选择数据"),
                    None,
                    move |project| {
                        project.data.source = source;
                    },
                );
            }
        }
    }
}
