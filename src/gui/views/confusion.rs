//! The confusion matrix of an evaluation, and the examples behind each of its cells.

mod matrix;

use std::sync::Arc;

use egui::{RichText, ScrollArea, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::gallery::{Entry, Gallery};
use super::thumbnails::{LabelsShown, Thumbnails};
use super::tiles::Tiles;
use crate::data::SplitName;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{empty_ui, percent, train_hint};
use crate::i18n::{tr, tr_format};
use crate::inspect::{Confusion, MAX_CLASSES, Mistake};
use crate::train::{Command, Evaluation};

/// The height of the list of examples.
const LIST: f32 = 118.0;
/// The width of the columns of recall and precision.
const SCORE: f32 = 58.0;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfusionView {
    /// Percent of the row instead of counts.
    relative: bool,
    /// `None`: whichever was evaluated last.
    split: Option<SplitName>,
    /// Truth and prediction of the chosen cell.
    #[serde(skip)]
    cell: Option<(u32, u32)>,
    #[serde(skip)]
    kept: Option<Kept>,
    #[serde(skip)]
    serial: u64,
    #[serde(skip)]
    tiles: Tiles<(u64, bool)>,
    #[serde(skip)]
    thumbnails: Thumbnails,
}

/// What was made of an evaluation; `None` where it has too many classes.
struct Kept {
    of: Arc<Evaluation>,
    matrix: Option<Confusion>,
    /// The examples of a cell.
    listed: Option<((u32, u32), Vec<Mistake>)>,
}

impl View for ConfusionView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let evaluation = match self.split {
            Some(split) => ctx.run.evaluation(split),
            None => ctx.run.newest_evaluation(),
        };
        let evaluation = evaluation.or_else(|| ctx.run.newest_evaluation());
        let Some(evaluation) = evaluation.filter(|evaluation| !evaluation.predictions.is_empty())
        else {
            return nothing_ui(ui, ctx, actions);
        };
        self.keep(ctx, evaluation);
        let Some(mut kept) = self.kept.take() else {
            return;
        };
        if kept.matrix.is_some() {
            self.matrix_and_list_ui(ui, ctx, &mut kept, actions);
        } else {
            let title = tr("Too many classes for a matrix", "类别过多，无法显示矩阵");
            let hint = tr_format!(
                "It shows up to {MAX_CLASSES}.",
                "最多显示 {MAX_CLASSES} 类。"
            );
            empty_ui(ui, title, &hint);
        }
        self.kept = Some(kept);
    }
}

fn nothing_ui(ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
    let title = tr("No predictions yet", "暂无预测结果");
    if !ctx.run.is_live() {
        return empty_ui(ui, title, train_hint());
    }
    let hint = tr(
        "They come with the next evaluation of a network that classifies.",
        "分类网络的下一次评估会给出预测结果。",
    );
    empty_ui(ui, title, hint);
    ui.vertical_centered(|ui| {
        if ui.button(tr("Evaluate now", "立即评估")).clicked() {
            actions.push(Action::Train(Command::Evaluate(SplitName::Validation)));
        }
    });
}

fn class_name(ctx: &Ctx<'_>, class: usize) -> String {
    match ctx.data {
        Some(Ok(feed)) => feed.dataset().class_name(class as u32).into_owned(),
        _ => class.to_string(),
    }
}

impl ConfusionView {
    fn keep(&mut self, ctx: &Ctx<'_>, evaluation: &Arc<Evaluation>) {
        if self
            .kept
            .as_ref()
            .is_some_and(|kept| Arc::ptr_eq(&kept.of, evaluation))
        {
            return;
        }
        let classes = match ctx.data {
            Some(Ok(feed)) => feed.dataset().classes().len(),
            _ => 0,
        };
        let matrix = Confusion::of(&evaluation.predictions, classes);
        self.kept = Some(Kept {
            of: evaluation.clone(),
            matrix,
            listed: None,
        });
        self.serial += 1;
    }

    fn matrix_and_list_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        kept: &mut Kept,
        actions: &mut Vec<Action>,
    ) {
        let Some(matrix) = &kept.matrix else { return };
        self.summary_ui(ui, ctx, &kept.of, matrix);
        let room = ui.available_size();
        // The list stands beside the matrix where the panel is flat, else below it.
        let square = room.y + 2.0 * SCORE + 60.0;
        let beside = room.x > square + 220.0;
        let size = match (self.cell, beside) {
            (None, _) => room,
            (Some(_), true) => vec2(square, room.y),
            (Some(_), false) => vec2(room.x, (room.y - LIST).max(80.0)),
        };
        let both = |ui: &mut Ui| {
            let area = ScrollArea::both().auto_shrink(false);
            area.max_width(size.x).max_height(size.y).show(ui, |ui| {
                self.matrix_ui(ui, ctx, matrix, size.y);
            });
            if let Some(cell) = self.cell {
                if kept.listed.as_ref().is_none_or(|(of, _)| *of != cell) {
                    let examples = Confusion::cell(&kept.of.predictions, cell.0, cell.1);
                    kept.listed = Some((cell, examples));
                }
                let examples = kept
                    .listed
                    .as_ref()
                    .map_or(&[] as &[_], |(_, listed)| listed);
                ui.vertical(|ui| self.list_ui(ui, ctx, cell, kept.of.split, examples, actions));
            }
        };
        if beside {
            ui.horizontal_top(both);
        } else {
            ui.vertical(both);
        }
    }

    fn summary_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        evaluation: &Evaluation,
        matrix: &Confusion,
    ) {
        ui.horizontal_wrapped(|ui| {
            let accuracy = matrix.accuracy().map_or_else(String::new, percent);
            ui.label(
                RichText::new(tr_format!("accuracy {accuracy}", "准确率 {accuracy}")).strong(),
            );
            let (split, at) = (evaluation.split.name(), exact(evaluation.iteration));
            let total = exact(matrix.total());
            let text = tr_format!(
                "{total} examples of the {split}, iteration {at}",
                "{split}的 {total} 个样本，第 {at} 次迭代"
            );
            ui.label(RichText::new(text).weak());
            ui.separator();
            ui.selectable_value(&mut self.relative, false, tr("counts", "计数"));
            ui.selectable_value(&mut self.relative, true, tr("% of row", "行百分比"));
            let evaluated: Vec<SplitName> = SplitName::ALL
                .into_iter()
                .filter(|split| ctx.run.evaluation(*split).is_some())
                .collect();
            if evaluated.len() > 1 {
                ui.separator();
                for split in evaluated {
                    if ui
                        .selectable_label(evaluation.split == split, split.name())
                        .clicked()
                    {
                        self.split = Some(split);
                    }
                }
            }
        });
    }

    fn list_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        (truth, predicted): (u32, u32),
        split: SplitName,
        examples: &[Mistake],
        actions: &mut Vec<Action>,
    ) {
        let (is, said) = (
            class_name(ctx, truth as usize),
            class_name(ctx, predicted as usize),
        );
        let number = exact(examples.len() as u64);
        let text = match truth == predicted {
            true => tr_format!("{number} of {is} recognised", "{number} 个 {is} 识别正确"),
            false => tr_format!(
                "{number} of {is} taken for {said}",
                "{number} 个 {is} 被误判为 {said}"
            ),
        };
        ui.horizontal(|ui| {
            if ui.button("×").on_hover_text(tr("close", "关闭")).clicked() {
                self.cell = None;
            }
            let label = egui::Label::new(text).truncate();
            ui.add(label).on_hover_text(tr(
                "with the probability that the network gave them, the highest first",
                "附网络给出的概率，从高到低",
            ));
        });
        let Some(Ok(feed)) = ctx.data else { return };
        let entry = |place: usize| {
            let Some(Mistake { index, confidence }) = examples.get(place).copied() else {
                return Entry::default();
            };
            Entry {
                index,
                caption: percent(f64::from(confidence)),
                wrong: truth != predicted,
                about: tr_format!(
                    "example {index}: {is}, predicted {said}",
                    "样本 {index}：{is}，预测为 {said}"
                ),
            }
        };
        let gallery = Gallery {
            split,
            preprocessed: false,
            labels: LabelsShown::Off,
            side: 60.0,
            total: examples.len(),
            entry: &entry,
        };
        gallery.ui(ui, ctx, feed, &mut self.thumbnails, actions);
    }
}
