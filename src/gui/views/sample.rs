//! The choice of the example that is shown, and what is known of it.

use egui::{Color32, ComboBox, DragValue, Rect, RichText, Sense, Stroke, StrokeKind, Ui, vec2};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::thumbnails::{LabelsShown, Shot, Thumbnails};
use crate::data::{Feed, Pixels, SplitName};
use crate::gui::context::{Action, Ctx};
use crate::gui::format::exact;
use crate::gui::plots::{color, number, percent};
use crate::i18n::{tr, tr_format};

/// The shown example, its label and what the network takes it for; buttons to others.
pub fn picker_ui(
    ui: &mut Ui,
    ctx: &Ctx<'_>,
    feed: &Feed,
    thumbnails: &mut Thumbnails,
    actions: &mut Vec<Action>,
) {
    let (split, index) = ctx.example;
    thumbnails.begin(feed);
    let boxed = is_boxed(feed);
    let side = if boxed { 140.0 } else { 46.0 };
    ui.horizontal(|ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
        let shot = Shot {
            split,
            index,
            preprocessed: false,
            labels: LabelsShown::Over,
        };
        thumbnails.draw(ui, feed, shot, rect);
        if boxed {
            boxes_ui(ui, ctx, feed, rect);
        }
        if let Some(problem) = thumbnails.problem(shot) {
            response.on_hover_text(problem);
        }
        ui.vertical(|ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                choice_ui(ui, ctx, feed, actions);
            });
            truth_ui(ui, ctx, feed);
        });
    });
}

fn choice_ui(ui: &mut Ui, ctx: &Ctx<'_>, feed: &Feed, actions: &mut Vec<Action>) {
    let (split, index) = ctx.example;
    let len = feed.dataset().len(split);
    let last = len.saturating_sub(1);
    let mut chosen = (split, index);
    let width = ui.spacing().combo_width;
    ComboBox::from_id_salt("split")
        .width(width)
        .selected_text(split.name())
        .show_ui(ui, |ui| {
            for other in SplitName::ALL {
                let empty = feed.dataset().is_empty(other);
                let option = egui::Button::selectable(other == split, other.name());
                if ui.add_enabled(!empty, option).clicked() {
                    chosen = (other, 0);
                }
            }
        });
    let step = |ui: &mut Ui, sign: &str, name: &str, possible: bool| {
        ui.add_enabled(possible, egui::Button::new(sign))
            .on_hover_text(name)
            .clicked()
    };
    if step(ui, "←", tr("previous example", "上一个样本"), index > 0) {
        chosen.1 = index.min(len) - 1;
    }
    let mut number = index;
    let field = DragValue::new(&mut number)
        .range(0..=last)
        .speed(0.2)
        .update_while_editing(false);
    let of = exact(len as u64);
    let about = tr_format!(
        "place in the split, from 0; it holds {of}",
        "样本在该划分中的序号，从 0 开始；共 {of} 个"
    );
    if ui.add(field).on_hover_text(about).changed() {
        chosen.1 = number;
    }
    ui.label(RichText::new(format!("/ {of}")).weak());
    if step(ui, "→", tr("next example", "下一个样本"), index < last) {
        chosen.1 = index + 1;
    }
    if step(
        ui,
        tr("random", "随机"),
        tr("a random example", "随机选一个样本"),
        len > 1,
    ) {
        let seed = ui.input(|input| input.time).to_bits();
        chosen.1 = ChaCha8Rng::seed_from_u64(seed).random_range(0..len);
    }
    if chosen != (split, index) {
        actions.push(Action::ShowExample(chosen.0, chosen.1));
    }
}

fn truth_ui(ui: &mut Ui, ctx: &Ctx<'_>, feed: &Feed) {
    let (split, index) = ctx.example;
    let dataset = feed.dataset();
    ui.horizontal_wrapped(|ui| {
        match dataset.label(split, index) {
            Some(label) => {
                let name = dataset.class_name(label);
                ui.label(tr_format!("label: {name}", "标签：{name}"));
            }
            None if index < dataset.len(split) && dataset.has_label_maps() => {
                ui.weak(tr("a label for each pixel", "逐像素标签"));
            }
            None if index < dataset.len(split) => text_ui(ui, feed, split, index),
            None => drop(ui.label(tr("there is no such example", "没有这个样本"))),
        }
        let (targets, _) = target_texts(feed, split, index);
        if !targets.is_empty() {
            ui.label(tr_format!("target: {targets}", "目标值：{targets}"));
        }
        let evaluation = ctx.run.evaluation(split);
        let Some(evaluation) = evaluation else { return };
        let Some(prediction) = evaluation.predictions.get(index) else {
            return;
        };
        let name = dataset.class_name(prediction.predicted);
        let sure = percent(f64::from(prediction.confidence));
        let text = tr_format!("predicted: {name} ({sure})", "预测：{name}（{sure}）");
        let color = match prediction.predicted == prediction.truth {
            true => ui.visuals().text_color(),
            false => ui.visuals().error_fg_color,
        };
        let at = exact(evaluation.iteration);
        let hover = tr_format!(
            "by the network after iteration {at}",
            "第 {at} 次迭代后的网络"
        );
        ui.label(RichText::new(text).color(color))
            .on_hover_text(hover);
    });
}

/// Whether the targets are a box in shares of a square picture.
fn is_boxed(feed: &Feed) -> bool {
    feed.dataset().target_names() == ["x1", "y1", "x2", "y2"]
}

/// The true box and, where a node with four outputs is selected, the one that it answers with.
fn boxes_ui(ui: &Ui, ctx: &Ctx<'_>, feed: &Feed, rect: Rect) {
    let (split, index) = ctx.example;
    let draw = |corners: &[f32], ink: Color32| {
        let [x1, y1, x2, y2] = *corners else { return };
        let at =
            |x: f32, y: f32| rect.min + rect.size() * vec2(x.clamp(0.0, 1.0), y.clamp(0.0, 1.0));
        let shown = Rect::from_two_pos(at(x1, y1), at(x2, y2));
        let stroke = Stroke::new(2.0, ink);
        ui.painter()
            .rect_stroke(shown, 0.0, stroke, StrokeKind::Middle);
    };
    let (_, truth) = target_texts(feed, split, index);
    draw(&truth, color(2, ui.visuals()));
    let Some(snapshot) = ctx.run.snapshot() else {
        return;
    };
    if snapshot.split != Some(split) || snapshot.index != index {
        return;
    }
    // The data's own outputs come in three: the answer is whatever else has four numbers.
    let answers = snapshot
        .outputs
        .values()
        .filter(|outputs| outputs.len() == 1);
    let tensors = answers.filter_map(|outputs| outputs.first());
    for value in tensors.filter(|value| value.tensor().dims() == [1, 4]) {
        let corners = value.tensor().flatten_all();
        if let Ok(corners) = corners.and_then(|corners| corners.to_vec1::<f32>()) {
            draw(&feed.in_units(&corners), color(3, ui.visuals()));
        }
    }
}

/// The targets of an example with their names, and the numbers themselves.
pub fn target_texts(feed: &Feed, split: SplitName, index: usize) -> (String, Vec<f32>) {
    let dataset = feed.dataset();
    if dataset.target_names().is_empty() {
        return (String::new(), Vec::new());
    }
    let values = dataset.targets(split, index).to_vec();
    let named = dataset.target_names().iter().zip(&values).take(8);
    let named = named.map(|(name, value)| format!("{name} {}", number(f64::from(*value))));
    (named.collect::<Vec<_>>().join(" · "), values)
}

/// An example of a text, in one line.
fn text_ui(ui: &mut Ui, feed: &Feed, split: SplitName, index: usize) {
    let dataset = feed.dataset();
    let Ok(example) = dataset.example(split, index) else {
        return;
    };
    if let Pixels::Tokens(tokens) = &example.pixels {
        let text = dataset.text_of(tokens);
        let line = RichText::new(text.replace('\n', "⏎")).monospace();
        ui.add(egui::Label::new(line).truncate())
            .on_hover_text(text);
    }
}
