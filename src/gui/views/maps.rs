//! What the selected nodes compute from the shown example: feature maps, vectors,
//! probabilities; or the gradients that arrive there.

mod pictures;
mod sections;

use std::collections::BTreeMap;

use egui::{Checkbox, DragValue, Key, Label, RichText, ScrollArea, Ui};
use serde::{Deserialize, Serialize};

use super::coloring::{coloring_ui, zoom_ui};
use super::sample::picker_ui;
use super::thumbnails::Thumbnails;
use super::tiles::Tiles;
use super::vector;
use crate::graph::Node;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{empty_ui, number, train_hint};
use crate::i18n::{tr, tr_format};
use crate::inspect::{ColorMap, Coloring, Maps, Scale, Statistics};
use crate::train::Snapshot;
use sections::{Section, selected};

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct MapsView {
    zoom: f32,
    gradients: bool,
    /// Of outputs, and of gradients.
    colorings: [Coloring; 2],
    /// Vectors as colours instead of bars.
    strip: bool,
    /// The example of the training batch whose gradients are shown.
    #[serde(skip)]
    member: usize,
    /// One map alone: its section's title and its channel.
    #[serde(skip)]
    enlarged: Option<(String, usize)>,
    #[serde(skip)]
    shown: BTreeMap<String, Shown>,
    #[serde(skip)]
    thumbnails: Thumbnails,
}

impl Default for MapsView {
    fn default() -> Self {
        let gradients = Coloring {
            map: ColorMap::Diverging,
            scale: Scale::Shared,
        };
        Self {
            zoom: 1.0,
            gradients: false,
            colorings: [Coloring::default(), gradients],
            strip: false,
            member: 0,
            enlarged: None,
            shown: BTreeMap::new(),
            thumbnails: Thumbnails::default(),
        }
    }
}

/// What the screen needs of one tensor, kept until the snapshot or a setting changes.
#[derive(Default)]
struct Shown {
    key: Option<(u64, bool, usize)>,
    maps: Maps,
    statistics: Statistics,
    tiles: Tiles<(u64, bool, usize, Coloring, Option<usize>)>,
}

impl View for MapsView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        if let Some(Ok(feed)) = ctx.data {
            picker_ui(ui, ctx, feed, &mut self.thumbnails, actions);
            ui.separator();
        }
        let nodes = selected(ctx);
        let Some(snapshot) = ctx.run.snapshot() else {
            let title = tr("Nothing computed yet", "尚无计算结果");
            let hint = tr(
                "Press Space to train: the feature maps of the selected node change while it learns.",
                "按空格键开始训练：所选节点的特征图会随学习过程变化。",
            );
            return empty_ui(ui, title, hint);
        };
        if nodes.is_empty() {
            let title = tr("No node selected", "未选择节点");
            let hint = tr(
                "Select a node in the graph to see what it computes.",
                "在网络图中选择一个节点，查看它的计算结果。",
            );
            return empty_ui(ui, title, hint);
        }
        let sections = self.sections(&nodes, snapshot);
        self.shown
            .retain(|title, _| sections.iter().any(|section| section.title == *title));
        self.settings_ui(ui, ctx, snapshot, &sections);
        if sections.is_empty() {
            return missing_ui(ui, ctx, &nodes, self.gradients);
        }
        if ui.input(|input| input.key_pressed(Key::Escape))
            && ui.ctx().memory(|memory| memory.focused().is_none())
        {
            self.enlarged = None;
        }
        let room = ui.available_height();
        let number = sections.len() as f32;
        let height = ((room - 8.0) / number - 30.0).max(110.0);
        ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            for section in &sections {
                self.section_ui(ui, ctx, section, height);
                ui.add_space(4.0);
            }
        });
    }
}

fn missing_ui(ui: &mut Ui, ctx: &Ctx<'_>, nodes: &[&Node], gradients: bool) {
    let names: Vec<&str> = nodes
        .iter()
        .take(3)
        .map(|node| node.name.as_str())
        .collect();
    let names = names.join(tr(", ", "、"));
    let title = match gradients {
        true => tr_format!("No gradient arrives at {names}", "没有到达 {names} 的梯度"),
        false => tr_format!("Nothing of {names} was computed yet", "尚未计算 {names}"),
    };
    let hint = match (gradients, ctx.run.is_live()) {
        (true, _) => tr(
            "Data, labels and metrics have none.",
            "数据、标签和评价指标没有梯度。",
        ),
        (false, true) => tr("It comes with the next snapshot.", "将随下一个快照到来。"),
        (false, false) => train_hint(),
    };
    empty_ui(ui, &title, hint);
}

impl MapsView {
    fn coloring(&mut self) -> &mut Coloring {
        &mut self.colorings[usize::from(self.gradients)]
    }

    fn settings_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        snapshot: &Snapshot,
        sections: &[Section],
    ) {
        ui.horizontal_wrapped(|ui| {
            self.kind_ui(ui);
            if self.gradients {
                self.member_ui(ui, sections);
            }
            ui.separator();
            ui.label(RichText::new(self.moment(ctx, snapshot)).weak());
        });
        ui.horizontal_wrapped(|ui| {
            zoom_ui(ui, &mut self.zoom);
            coloring_ui(ui, self.coloring());
            let about = tr(
                "vectors as colours instead of bars",
                "用颜色而不是条形显示向量",
            );
            ui.add(Checkbox::new(&mut self.strip, tr("strip", "色带")))
                .on_hover_text(about);
        });
    }

    /// Outputs or gradients.
    fn kind_ui(&mut self, ui: &mut Ui) {
        let outputs = tr(
            "what the node computes from the shown example",
            "节点对所示样本的计算结果",
        );
        let gradients = tr(
            "∂loss/∂output on the last training batch",
            "最近一个训练批次上的 ∂损失/∂输出",
        );
        for (kind, name, about) in [
            (false, tr("outputs", "输出"), outputs),
            (true, tr("gradients", "梯度"), gradients),
        ] {
            let button = ui.selectable_label(self.gradients == kind, name);
            if button.on_hover_text(about).clicked() {
                self.gradients = kind;
                self.enlarged = None;
            }
        }
    }

    /// When this was computed, and from what.
    fn moment(&self, ctx: &Ctx<'_>, snapshot: &Snapshot) -> String {
        let at = exact(snapshot.iteration);
        let stale = !self.gradients
            && snapshot
                .split
                .is_some_and(|split| (split, snapshot.index) != ctx.example);
        if stale {
            let index = snapshot.index;
            return tr_format!(
                "iteration {at}, still of example {index}",
                "第 {at} 次迭代，仍为样本 {index}"
            );
        }
        tr_format!("iteration {at}", "第 {at} 次迭代")
    }

    fn member_ui(&mut self, ui: &mut Ui, sections: &[Section]) {
        let batch = sections
            .iter()
            .filter_map(|section| section.tensor.dims().first())
            .min();
        let last = batch.map_or(0, |batch| batch.saturating_sub(1));
        self.member = self.member.min(last);
        let about = tr(
            "which example of the training batch",
            "训练批次中的第几个样本",
        );
        ui.add(DragValue::new(&mut self.member).range(0..=last).speed(0.1))
            .on_hover_text(about);
    }

    fn section_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, section: &Section, height: f32) {
        let member = if self.gradients { self.member } else { 0 };
        let key = (ctx.run.serial(), self.gradients, member);
        let mut shown = self.shown.remove(&section.title).unwrap_or_default();
        if shown.key != Some(key) {
            shown.key = Some(key);
            let side = ui.input(|input| input.max_texture_side);
            shown.maps = Maps::of(&section.tensor, member)
                .unwrap_or_default()
                .thinned(side);
            shown.statistics = Statistics::of(&shown.maps.values);
        }
        self.heading_ui(ui, section, &shown.statistics);
        let maps = &shown.maps;
        if maps.is_empty() {
            ui.label(RichText::new(tr("an empty tensor", "空张量")).weak());
        } else if maps.values.len() == 1 {
            vector::scalar_ui(ui, ctx, maps.values[0], section.labels);
        } else if maps.is_vector() && !self.strip {
            let salt = section.title.as_str();
            vector::bars_ui(ui, ctx, salt, &maps.values, self.gradients, height);
        } else {
            self.tiles_ui(ui, section, &mut shown, height);
        }
        self.shown.insert(section.title.clone(), shown);
    }

    fn heading_ui(&mut self, ui: &mut Ui, section: &Section, statistics: &Statistics) {
        let dims: Vec<String> = section.tensor.dims().iter().map(usize::to_string).collect();
        let Statistics {
            min,
            max,
            non_finite: bad,
            ..
        } = *statistics;
        let (lo, hi) = (number(f64::from(min)), number(f64::from(max)));
        let mut back = false;
        ui.horizontal(|ui| {
            if self
                .enlarged
                .as_ref()
                .is_some_and(|(title, _)| *title == section.title)
            {
                back = ui
                    .button(tr("← all maps", "← 全部"))
                    .on_hover_text(tr(
                        "also Esc, or a click on the map",
                        "也可按 Esc 或点击该图",
                    ))
                    .clicked();
            }
            ui.label(RichText::new(&section.title).strong());
            let about = format!("{} · {} · {lo} … {hi}", section.layer, dims.join("×"));
            ui.add(Label::new(RichText::new(about).weak()).truncate());
            if bad > 0 {
                let text = tr_format!("{bad} not finite", "{bad} 个非有限值");
                ui.colored_label(ui.visuals().error_fg_color, text);
            }
        });
        if back {
            self.enlarged = None;
        }
    }
}
