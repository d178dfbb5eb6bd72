//! ONNX models opened as new projects, and projects written as models.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use crate::graph::{Comment, Graph};
use crate::gui::app::App;
use crate::gui::document::Document;
use crate::gui::files::file_name;
use crate::gui::toasts::Tone;
use crate::gui::weights::Begin;
use crate::i18n::{tr, tr_format};
use crate::interop::onnx;
use crate::net::{Net, NetConfig};

/// So many notes stand in the graph; the rest is counted.
const SHOWN: usize = 12;

impl App {
    /// The graph of a model; what is read otherwise stands in a box above it.
    pub(super) fn open_onnx(&mut self, path: &Path) {
        let imported = match onnx::open(path) {
            Ok(imported) => imported,
            Err(error) => return self.toasts.show(Tone::Error, error.to_string()),
        };
        let mut project = imported.project;
        if let Some(first) = imported.notes.first() {
            let (name, more) = (file_name(path), imported.notes.len() - 1);
            self.toasts.show(
                Tone::Info,
                tr_format!(
                    "{name}: {first} (and {more} more notes; see the box above the graph)",
                    "{name}：{first}（另有 {more} 条说明；见网络上方的文本框）"
                ),
            );
            project
                .graph
                .comments
                .push(noted(&imported.notes, &project.graph));
        }
        self.show(Document::unsaved(project, None));
        if !imported.weights.is_empty() {
            self.training.initial = Some(Begin::new(path.to_owned()));
        }
    }

    /// Writes the test phase with the weights of the newest snapshot, or with those that training
    /// would begin with: a file's, where one was loaded or opened.
    pub(super) fn export_onnx(&mut self, path: &Path) {
        let project = self.document.project();
        let facts = self.data.facts();
        let trained = self
            .training
            .run
            .snapshot()
            .map(|snapshot| (snapshot.iteration, &snapshot.weights));
        let written = match trained {
            Some((_, weights)) => onnx::save(project, facts, weights, path),
            None => match self.fresh_weights() {
                Ok(weights) => onnx::save(project, facts, &weights, path),
                Err(error) => return self.toasts.show(Tone::Error, error),
            },
        };
        let (name, opset) = (file_name(path), onnx::OPSET);
        let whose = match trained {
            Some((iteration, _)) => tr_format!(
                "with the weights of iteration {iteration}",
                "采用第 {iteration} 次迭代的权重"
            ),
            None => match &self.training.initial {
                Some(begin) => {
                    let file = begin.name();
                    tr_format!("with the weights of {file}", "采用 {file} 的权重")
                }
                None => tr(
                    "with fresh weights: nothing is trained yet",
                    "采用初始权重：尚未训练",
                )
                .to_owned(),
            },
        };
        match written {
            Ok(()) => self.toasts.show(
                Tone::Info,
                tr_format!(
                    "{name} written (opset {opset}, test phase without losses), {whose}",
                    "已写入 {name}（算子集版本 {opset}，测试阶段，不含损失），{whose}"
                ),
            ),
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    fn fresh_weights(&self) -> Result<BTreeMap<String, Tensor>, String> {
        let project = self.document.project();
        let config = NetConfig {
            seed: project.seed,
            precise: project.precise,
            ..NetConfig::default()
        };
        let net = Net::compile(&project.graph, self.data.facts(), config);
        let mut net = net.map_err(|error| error.to_string())?;
        if let Some(begin) = &self.training.initial {
            begin.initial()(&mut net)?;
        }
        net.copy_params().map_err(|error| error.to_string())
    }
}

/// A box above the graph.
fn noted(notes: &[String], graph: &Graph) -> Comment {
    let mut lines: Vec<String> = notes.iter().take(SHOWN).cloned().collect();
    if notes.len() > SHOWN {
        let more = notes.len() - SHOWN;
        lines.push(tr_format!("and {more} more", "另有 {more} 条"));
    }
    let height = 40.0 + 36.0 * lines.len() as f32;
    let positions = graph.nodes().iter().map(|node| node.position);
    let corner = positions
        .reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1])])
        .unwrap_or_default();
    Comment {
        text: lines.join("\n"),
        position: [corner[0], corner[1] - height - 30.0],
        size: [620.0, height],
    }
}
