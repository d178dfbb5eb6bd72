//! Weights from a file in the window: the question that shows what fits, and what sessions begin
//! with since.
//!
//! The file is read by the session that begins with it, so the window only keeps its name.

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Grid, RichText, ScrollArea, Ui};

use super::files::file_name;
use super::theme;
use crate::i18n::{tr, tr_format};
use crate::interop::weights::{Report, initial, shape_text};
use crate::net::{Net, NetError};
use crate::train::{Initial, Snapshot};

/// What new sessions begin with.
#[derive(Clone)]
pub struct Begin {
    name: String,
    initial: Initial,
}

impl Begin {
    pub fn new(path: PathBuf) -> Self {
        Self {
            name: file_name(&path),
            initial: initial(path),
        }
    }

    /// With what fits of a snapshot, whose graph has been changed since: a weight that has as
    /// many numbers as the network's keeps them in their order.
    pub fn carried(snapshot: &Snapshot) -> Self {
        let iteration = snapshot.iteration;
        let weights = snapshot.weights.clone();
        let carry = move |net: &mut Net| -> Result<(), NetError> {
            for (key, tensor) in &weights {
                let known = net
                    .params()
                    .get(key)
                    .map(|param| param.tensor.dims().to_vec());
                if let Some(dims) =
                    known.filter(|dims| tensor.elem_count() == dims.iter().product::<usize>())
                {
                    net.set_param(key, tensor.reshape(dims)?)?;
                }
            }
            Ok(())
        };
        Self {
            name: tr_format!("iteration {iteration}", "第 {iteration} 次迭代"),
            initial: Arc::new(move |net| carry(net).map_err(|error| error.to_string())),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn initial(&self) -> Initial {
        Arc::clone(&self.initial)
    }
}

/// A file beside the network, while a person decides.
pub struct Offer {
    pub path: PathBuf,
    pub report: Report,
}

/// A line of the list: key, shape in the file, shape in the network.
type Row<'a> = (&'a str, Option<&'a [usize]>, Option<&'a [usize]>);

/// Height of a row and of the list, and the width of the question, in points.
const ROW: f32 = 18.0;
const LIST: f32 = 330.0;
const WIDTH: f32 = 640.0;

impl Offer {
    /// Asks whether to load; whether to.
    pub fn ui(&self, ctx: &egui::Context) -> Option<bool> {
        let mut answer = None;
        let modal = egui::Modal::new("weights".into())
            .frame(theme::modal_frame(&ctx.global_style()))
            .show(ctx, |ui| {
                ui.set_width(WIDTH.min(ctx.content_rect().width() - 60.0));
                let name = file_name(&self.path);
                ui.heading(tr_format!("Weights from {name}", "来自 {name} 的权重"));
                ui.add_space(4.0);
                self.counts_ui(ui);
                ui.add_space(6.0);
                self.list_ui(ui);
                ui.add_space(10.0);
                answer = self.buttons_ui(ui);
            });
        if modal.should_close() && answer.is_none() {
            answer = Some(false);
        }
        answer
    }

    fn counts_ui(&self, ui: &mut Ui) {
        let report = &self.report;
        let color = match report.is_complete() {
            true => ui.visuals().text_color(),
            false => ui.visuals().warn_fg_color,
        };
        ui.label(RichText::new(report.summary()).color(color).strong());
        if !report.is_complete() {
            ui.label(tr(
                "What does not fit keeps its fresh values, as a new last layer should.",
                "不符的部分保持新初始化的值，例如新换的最后一层。",
            ));
        }
        for note in &report.notes {
            ui.label(RichText::new(note).weak());
        }
    }

    /// What needs to be looked at comes first. Only the rows in view are drawn.
    fn list_ui(&self, ui: &mut Ui) {
        let sections = self.sections();
        let count = sections.iter().map(|(_, rows)| rows.len() + 1).sum();
        let mut lines = sections.iter().flat_map(|(title, rows)| {
            let rows = rows.iter().map(|row| (None, Some(*row)));
            std::iter::once((Some((*title, rows.len())), None)).chain(rows)
        });
        let height = ui.spacing().item_spacing.y;
        ScrollArea::vertical()
            .max_height(LIST)
            .auto_shrink([false, true])
            .show_rows(ui, ROW, count, |ui, range| {
                let width = ui.available_width();
                Grid::new("tensors")
                    .num_columns(3)
                    .min_row_height(ROW)
                    .min_col_width(width * 0.24)
                    .spacing([12.0, height])
                    .show(ui, |ui| {
                        for line in lines.by_ref().skip(range.start).take(range.len()) {
                            line_ui(ui, line, width * 0.46);
                            ui.end_row();
                        }
                    });
            });
    }

    fn sections(&self) -> Vec<(&'static str, Vec<Row<'_>>)> {
        let Report {
            matched,
            differing,
            missing,
            unused,
            ..
        } = &self.report;
        let differing = differing.iter().map(|differing| {
            let shapes = (differing.file.as_slice(), differing.network.as_slice());
            (differing.key.as_str(), Some(shapes.0), Some(shapes.1))
        });
        let missing = missing.iter();
        let missing = missing.map(|named| (named.key.as_str(), None, Some(named.shape.as_slice())));
        let unused = unused.iter();
        let unused = unused.map(|named| (named.key.as_str(), Some(named.shape.as_slice()), None));
        let matched = matched.iter().map(|named| {
            let shape = Some(named.shape.as_slice());
            (named.key.as_str(), shape, shape)
        });
        let mut sections = vec![
            (tr("Differ in shape", "形状不同"), differing.collect()),
            (tr("Not in the file", "不在文件中"), missing.collect()),
            (tr("Not in the network", "不在网络中"), unused.collect()),
            (tr("Match", "匹配"), matched.collect::<Vec<Row<'_>>>()),
        ];
        sections.retain(|(_, rows)| !rows.is_empty());
        sections
    }

    fn buttons_ui(&self, ui: &mut Ui) -> Option<bool> {
        let mut answer = None;
        ui.horizontal(|ui| {
            let text = match self.report.is_complete() {
                true => tr("Load", "载入"),
                false => tr("Load what fits", "载入相符部分"),
            };
            let any = !self.report.matched.is_empty();
            let load = ui.add_enabled(any, egui::Button::new(RichText::new(text).strong()));
            let load = load.on_hover_text(tr(
                "Training begins anew with these weights, paused before its first iteration.",
                "以这些权重重新开始训练，并在第一次迭代之前暂停。",
            ));
            let load = load.on_disabled_hover_text(tr(
                "Nothing in this file fits the network.",
                "文件中没有与网络相符的内容。",
            ));
            if any && ui.memory(|memory| memory.focused().is_none()) {
                load.request_focus();
            }
            if load.clicked() {
                answer = Some(true);
            }
            if ui.button(tr("Cancel", "取消")).clicked() {
                answer = Some(false);
            }
        });
        answer
    }
}

/// A heading, which also names the columns, or a tensor with its shapes side by side.
fn line_ui(ui: &mut Ui, line: (Option<(&str, usize)>, Option<Row<'_>>), width: f32) {
    match line {
        (Some((title, count)), _) => {
            cell_ui(
                ui,
                RichText::new(format!("{title} ({count})")).strong(),
                width,
            );
            ui.label(RichText::new(tr("in the file", "文件中")).weak());
            ui.label(RichText::new(tr("in the network", "网络中")).weak());
        }
        (None, Some((key, file, network))) => {
            cell_ui(ui, RichText::new(key).monospace(), width);
            let differs = file.is_some() && network.is_some() && file != network;
            for shape in [file, network] {
                let text = RichText::new(shape.map_or("–".to_owned(), shape_text));
                ui.label(match differs {
                    true => text.color(ui.visuals().warn_fg_color),
                    false => text,
                });
            }
        }
        (None, None) => {}
    }
}

/// A cell of fixed width, cut where it is longer; whole on hover.
fn cell_ui(ui: &mut Ui, text: RichText, width: f32) {
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.allocate_ui_with_layout(egui::vec2(width, ROW), layout, |ui| {
        ui.set_min_width(width);
        ui.add(egui::Label::new(text).truncate());
    });
}
