//! Weights from files and into them, and what training leaves as it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use egui::Context;

use crate::graph::NodeId;
use crate::gui::app::App;
use crate::gui::editor::edits;
use crate::gui::files::{file_name, is_image};
use crate::gui::modals::Next;
use crate::gui::toasts::Tone;
use crate::gui::training::Start;
use crate::gui::weights::{Begin, Offer};
use crate::i18n::{Text, tr_format};
use crate::interop::weights::{compare, is_weights};
use crate::project::write_atomically;
use crate::train;

impl App {
    /// Weights are compared with the network, about images it is asked, anything else is opened.
    pub(in crate::gui) fn dropped(&mut self, path: PathBuf, ctx: &Context) {
        match () {
            () if is_weights(&path) => self.compare_weights(path),
            () if is_image(&path) => self.open_picture(&path),
            () => self.guarded(Next::Open(path), ctx),
        }
    }

    /// Shows what of a file fits the network, and asks.
    pub(super) fn compare_weights(&mut self, path: PathBuf) {
        let graph = &self.document.project().graph;
        let inference = self.document.inference();
        match compare(&path, graph, inference) {
            Ok(report) => self.offer = Some(Offer { path, report }),
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    /// The answer to the question: a run that begins with the weights, paused.
    pub(in crate::gui) fn decided(&mut self, load: bool) {
        let Some(Offer { path, .. }) = self.offer.take().filter(|_| load) else {
            return;
        };
        self.training.initial = Some(Begin::new(path));
        self.start(Start {
            paused: true,
            ..Start::default()
        });
    }

    /// Writes the weights of the newest snapshot.
    pub(super) fn save_weights(&mut self, path: &Path) {
        let Some(snapshot) = self.training.run.snapshot() else {
            return;
        };
        let iteration = snapshot.iteration;
        let bytes = train::weights_to_bytes(path, &snapshot.weights);
        let written = bytes
            .map_err(|error| error.to_string())
            .and_then(|bytes| write_atomically(path, &bytes).map_err(|error| error.to_string()));
        let name = file_name(path);
        match written {
            Ok(()) => self.toasts.show(
                Tone::Info,
                tr_format!(
                    "weights of iteration {iteration} saved in {name}",
                    "第 {iteration} 次迭代的权重已保存到 {name}"
                ),
            ),
            Err(error) => {
                let text = tr_format!("cannot write {name}: {error}", "无法写入 {name}：{error}");
                self.toasts.show(Tone::Error, text);
            }
        }
    }

    /// The selected nodes that have something to learn, and whether freezing is what the command
    /// would do: it unfreezes only where all of them are frozen.
    pub(in crate::gui) fn freezing(&self) -> Option<(BTreeSet<NodeId>, bool)> {
        let graph = &self.document.project().graph;
        let mut chosen = edits::with_folded(graph, &self.selection);
        let params = |id| self.document.inference().node(id).map(|info| &info.params);
        chosen.retain(|id| params(*id).is_some_and(|params| !params.is_empty()));
        let thaws = |id: &NodeId| {
            let known = graph.node(*id).zip(params(*id));
            known.is_some_and(|(node, params)| {
                node.is_frozen(params) || params.iter().all(|(_, spec)| !spec.learnable)
            })
        };
        let freeze = !chosen.iter().all(thaws);
        (!chosen.is_empty()).then_some((chosen, freeze))
    }

    pub(super) fn freeze(&mut self) {
        let Some((chosen, freeze)) = self.freezing() else {
            return;
        };
        let name = match freeze {
            true => Text::new("Freeze", "冻结"),
            false => Text::new("Unfreeze", "解冻"),
        };
        let inference = self.document.inference().clone();
        self.document.edit(name, None, move |project| {
            project.graph.freeze(&chosen, &inference, freeze);
        });
    }
}
