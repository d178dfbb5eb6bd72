//! Commands on groups and layers as a whole: questions that are asked, and what is done with the
//! answers, each as one step of undo.

use std::collections::BTreeSet;

use egui::Context;

use crate::graph::{Graph, NodeId, PortRef, infer};
use crate::gui::ViewKind;
use crate::gui::app::App;
use crate::gui::commands::CommandId;
use crate::gui::comparison::Comparison;
use crate::gui::context::Action;
use crate::gui::dialogs::{Answer, Dialog, Outlook, choices};
use crate::gui::dock;
use crate::gui::editor::edits;
use crate::gui::files::{Purpose, file_name};
use crate::gui::toasts::Tone;
use crate::i18n::{Text, tr};
use crate::layers;
use crate::project::Project;

impl App {
    /// Opens the question that a command asks.
    pub(super) fn ask(&mut self, id: CommandId) {
        let graph = &self.document.project().graph;
        let group = edits::group_around(graph, &self.selection);
        self.dialog = match (id, group) {
            (CommandId::Group, _) => Some(Dialog::Group {
                name: edits::group_name(graph, &self.selection),
                fresh: true,
            }),
            (CommandId::RenameGroup, Some(group)) => Some(Dialog::RenameGroup {
                name: group.clone(),
                group,
                fresh: true,
            }),
            (CommandId::RepeatGroup, Some(group)) => Some(Dialog::Repeat {
                group,
                count: 2,
                outlook: None,
            }),
            (CommandId::ReplaceLayer, _) => {
                let chosen = edits::with_folded(graph, &self.selection);
                let fits = |layer: &dyn crate::graph::Layer| {
                    chosen.iter().all(|id| edits::fits(graph, *id, layer))
                };
                Some(Dialog::Replace {
                    count: chosen.len(),
                    query: String::new(),
                    marked: 0,
                    choices: choices(fits),
                })
            }
            _ => None,
        };
    }

    /// Draws the open question and does what was answered.
    pub(in crate::gui) fn dialog_ui(&mut self, ctx: &Context) {
        let Some(mut dialog) = self.dialog.take() else {
            return;
        };
        let outlook = |group: &str, count: usize| self.outlook(group, count);
        match dialog.ui(ctx, outlook) {
            None => self.dialog = Some(dialog),
            Some(answer) => self.answered(answer, ctx),
        }
    }

    /// Does what was answered.
    pub(in crate::gui) fn answered(&mut self, answer: Answer, ctx: &Context) {
        match answer {
            Answer::Cancel => {}
            Answer::Group(name) => self.group_selection(&name, ctx),
            Answer::RenameGroup { group, name } => {
                let graph = &self.document.project().graph;
                let keyed = graph.keyed(self.document.inference());
                let edit = move |project: &mut Project| {
                    edits::rename_group(project, &group, &name, &keyed);
                };
                self.document
                    .edit(Text::new("Rename a group", "重命名组"), None, edit);
            }
            Answer::Repeat { group, count } => self.repeat_group(&group, count, ctx),
            Answer::Replace(kind) => {
                let chosen = edits::with_folded(&self.document.project().graph, &self.selection);
                let edit = move |project: &mut Project| {
                    for id in &chosen {
                        if let Some(layer) = layers::make(kind) {
                            project.graph.replace_layer(*id, layer);
                        }
                    }
                };
                self.document
                    .edit(Text::new("Replace a layer", "替换层"), None, edit);
            }
        }
    }

    fn group_selection(&mut self, name: &str, ctx: &Context) {
        let mut project = self.document.project().clone();
        let inference = self.document.inference();
        let chosen = edits::with_folded(&project.graph, &self.selection);
        let old = self.editor.area_of(ctx, &project.graph, inference, &chosen);
        let keyed = project.graph.keyed(inference);
        let (group, names) = project.graph.grouping(&chosen, name);
        project.rename_all(&names, &keyed);
        let graph = &mut project.graph;
        self.editor.settle_frame(ctx, graph, inference, &group, old);
        self.replace(Text::new("Group", "编组"), project);
    }

    pub(super) fn ungroup(&mut self, ctx: &Context) {
        let mut project = self.document.project().clone();
        let Some(group) = edits::group_around(&project.graph, &self.selection) else {
            return;
        };
        // What was folded is open afterwards, and needs room.
        if project.graph.folded_boxes().contains(&group) {
            let inference = self.document.inference();
            (self.editor).unfold_one(ctx, &mut project.graph, inference, &group);
        }
        project.graph.folded.remove(&group);
        let keyed = project.graph.keyed(self.document.inference());
        let names = project.graph.ungrouping(&group);
        project.rename_all(&names, &keyed);
        self.replace(Text::new("Ungroup", "解散组"), project);
    }

    /// Takes over a project that was changed aside, as one step.
    fn replace(&mut self, name: Text, project: Project) {
        self.document.edit(name, None, move |old| *old = project);
    }

    /// What repeating a group so often comes to, or why it cannot be done.
    fn outlook(&self, group: &str, count: usize) -> Result<Outlook, String> {
        let before = self.document.inference();
        let mut graph = self.document.project().graph.clone();
        let chain = graph.chain_of(group)?;
        graph.repeat(group, &chain, count, [0.0; 2]);
        let after = infer(&graph, self.facts());
        Ok(Outlook {
            params: [before.totals.params, after.totals.params],
            macs: [before.totals.macs, after.totals.macs],
            problems: after
                .diagnostics
                .len()
                .saturating_sub(before.diagnostics.len()),
            shared: chain.shared.iter().map(PortRef::to_string).collect(),
        })
    }

    fn repeat_group(&mut self, group: &str, count: usize, ctx: &Context) {
        let mut project = self.document.project().clone();
        let inference = self.document.inference();
        let chain = match project.graph.chain_of(group) {
            Ok(chain) => chain,
            Err(reason) => return self.toasts.show(Tone::Warning, reason),
        };
        let step = self
            .editor
            .widen(ctx, &mut project.graph, inference, group, count - 1);
        let new = project.graph.repeat(group, &chain, count, [step, 0.0]);
        let inference = infer(&project.graph, self.facts());
        if self.editor.is_crowded(ctx, &project.graph, &inference) {
            self.editor.lay_out(ctx, &mut project.graph, &inference);
        }
        let graph = &project.graph;
        let copies: BTreeSet<NodeId> = new.iter().flat_map(|group| graph.members(group)).collect();
        self.replace(Text::new("Repeat a group", "重复组"), project);
        self.select(copies.clone());
        self.editor.reveal(copies);
    }

    /// Goes to a node, out of whatever folded group hides it.
    pub(in crate::gui) fn jump(&mut self, node: NodeId, ctx: &Context) {
        let graph = &self.document.project().graph;
        let Some(name) = graph.node(node).map(|node| node.name.clone()) else {
            return;
        };
        if graph.folded_around(&name).is_some() {
            let hides = |group: &&String| crate::graph::is_in(&name, group);
            let stay = graph.folded.iter().filter(|group| !hides(group));
            let folded = stay.cloned().collect();
            self.apply(Action::Fold(folded), ctx);
        }
        self.select([node].into());
        self.editor.centre_on([node].into());
        dock::open(&mut self.settings.layout, ViewKind::Editor);
    }

    /// Folds these groups and no others.
    pub(in crate::gui) fn fold(&mut self, folded: BTreeSet<String>, ctx: &Context) {
        let (document, editor) = (&self.document, &mut self.editor);
        let graph: &Graph = &document.project().graph;
        let action = editor.refold(ctx, graph, document.inference(), folded);
        self.apply(action, ctx);
    }

    pub(super) fn perform_comparison(&mut self, id: CommandId) {
        match id {
            CommandId::CompareFile => {
                let folder = self.document.folder();
                self.files.ask(Purpose::Compare, Some(folder));
            }
            CommandId::CompareSaved => {
                let name = tr("the saved version", "已保存的版本").to_owned();
                let saved = self.document.saved().clone();
                self.compare(Comparison::new(name, saved));
            }
            _ => self.comparison = None,
        }
    }

    /// Compares with a project in a file.
    pub(super) fn compare_with(&mut self, path: &std::path::Path) {
        let is_caffe = path.extension().is_some_and(|ending| ending == "prototxt");
        let read = if is_caffe {
            let read = crate::interop::caffe::open(path);
            read.map(|imported| imported.project)
                .map_err(|error| error.to_string())
        } else {
            Project::open(path).map_err(|error| error.to_string())
        };
        match read {
            Ok(other) => self.compare(Comparison::new(file_name(path), other)),
            Err(error) => self.toasts.show(Tone::Error, error),
        }
    }

    fn compare(&mut self, comparison: Comparison) {
        self.comparison = Some(comparison);
        dock::open(&mut self.settings.layout, ViewKind::Comparison);
    }

    /// Brings the marks of a comparison up to date.
    pub(in crate::gui) fn update_comparison(&mut self) {
        let marks = &mut self.editor.marks;
        match &mut self.comparison {
            Some(comparison) => {
                let document = &self.document;
                if comparison.update(document.project(), document.revision()) {
                    marks.differs = comparison.differs();
                    marks.ghosts = comparison.ghosts();
                }
            }
            None => {
                marks.differs.clear();
                marks.ghosts.clear();
            }
        }
    }

    /// Places the boxes of a newly opened project that nobody has placed, such as one that a
    /// program has written. That is no change of a person's, so it is no step of undo.
    pub(in crate::gui) fn place_new(&mut self, ctx: &Context) {
        let (document, editor) = (&mut self.document, &mut self.editor);
        let mut graph = document.project().graph.clone();
        if editor.is_unplaced(ctx, &graph, document.inference()) {
            // First also what is hidden, for when it unfolds.
            graph.lay_out([1000.0, 600.0], |_| None);
            editor.lay_out(ctx, &mut graph, document.inference());
            document.place(graph);
            editor.fit();
        }
    }
}
