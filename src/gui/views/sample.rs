//! The choice of the example that is shown, and what is known of it.

use egui::{ComboBox, DragValue, RichText, Sense, Ui, vec2};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::thumbnails::{Shot, Thumbnails};
use crate::data::{Feed, SplitName};
use crate::gui::context::{Action, Ctx};
use crate::gui::format::exact;
use crate::gui::plots::percent;
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
    ui.horizontal(|ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(46.0, 46.0), Sense::hover());
        let shot = Shot {
            split,
            index,
            preprocessed: false,
        };
        thumbnails.draw(ui, feed, shot, rect);
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
            None if index < dataset.len(split) => {}
            None => drop(ui.label(tr("there is no such example", "没有这个样本"))),
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
