//! What the selected nodes compute from the shown example: feature maps, vectors,
//! probabilities; or the gradients that arrive there.

use std::collections::BTreeMap;

use candle_core::Tensor;
use egui::{Checkbox, ComboBox, DragValue, Key, Label, RichText, ScrollArea, Slider, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::sample::picker_ui;
use super::thumbnails::Thumbnails;
use super::tiles::{Grid, Hit, Tiles};
use super::vector;
use crate::graph::{Node, Value};
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{empty_ui, number, train_hint};
use crate::i18n::{Text, tr, tr_format};
use crate::inspect::{ColorMap, Coloring, Maps, Scale, Statistics, Tiling, paint};
use crate::train::Snapshot;

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

/// One tensor to be shown.
struct Section {
    title: String,
    layer: String,
    tensor: Tensor,
    /// Class indices, not measurements.
    labels: bool,
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

/// The selected nodes in the order of the computation.
fn selected<'a>(ctx: &Ctx<'a>) -> Vec<&'a Node> {
    let order = |id| {
        let place =
            |phase: &crate::graph::PhaseInfo| phase.order.iter().position(|other| *other == id);
        place(&ctx.inference.test)
            .or_else(|| place(&ctx.inference.train))
            .unwrap_or(usize::MAX)
    };
    let mut nodes: Vec<&Node> = ctx
        .selection
        .iter()
        .filter_map(|id| ctx.project.graph.node(*id))
        .collect();
    nodes.sort_by_key(|node| order(node.id));
    nodes
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
    fn sections(&self, nodes: &[&Node], snapshot: &Snapshot) -> Vec<Section> {
        let mut sections = Vec::new();
        for node in nodes {
            let layer = node.layer.title().to_owned();
            if self.gradients {
                if let Some(tensor) = snapshot.gradients.get(&node.name) {
                    let title = format!("∂L/∂ {}", node.name);
                    sections.push(Section {
                        title,
                        layer,
                        tensor: tensor.clone(),
                        labels: false,
                    });
                }
                continue;
            }
            for (port, value) in snapshot
                .outputs
                .get(&node.name)
                .into_iter()
                .flatten()
                .enumerate()
            {
                let title = match port {
                    0 => node.name.clone(),
                    port => format!("{}:{port}", node.name),
                };
                let labels = matches!(value, Value::Labels(_));
                // Data without classes stand for them with nothing.
                if labels && value.tensor().elem_count() == 0 {
                    continue;
                }
                sections.push(Section {
                    title,
                    layer: layer.clone(),
                    tensor: value.tensor().clone(),
                    labels,
                });
            }
        }
        sections
    }

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

    fn tiles_ui(&mut self, ui: &mut Ui, section: &Section, shown: &mut Shown, height: f32) {
        let coloring = *self.coloring();
        let one = self
            .enlarged
            .as_ref()
            .filter(|(title, _)| *title == section.title)
            .map(|(_, channel)| *channel);
        let (serial, gradients, member) = shown.key.unwrap_or_default();
        let maps = &shown.maps;
        let tile = [maps.width, maps.height];
        let first = one.unwrap_or(0);
        let wanted = if one.is_some() { 1 } else { maps.channels };
        shown
            .tiles
            .refresh(ui, (serial, gradients, member, coloring, one), |side| {
                let tiling = Tiling::within(wanted, tile, side);
                (tiling, paint(maps, first, &tiling, &coloring))
            });
        let room = vec2(
            ui.available_width().min(ui.clip_rect().width()) - 12.0,
            height,
        );
        let grid = match one {
            Some(_) => {
                let scale = (room.x / tile[0] as f32)
                    .min(room.y / tile[1] as f32)
                    .max(1.0)
                    * self.zoom;
                Grid {
                    columns: 1,
                    side: vec2(tile[0] as f32, tile[1] as f32) * scale,
                }
            }
            None => Grid::new(wanted, tile, room, self.zoom),
        };
        let (number, [width, height]) = (maps.channels, tile);
        let name = tr_format!(
            "{number} maps of {height} × {width}",
            "{number} 个 {height} × {width} 特征图"
        );
        let (response, hit) = shown.tiles.ui(ui, &grid, &name);
        if one.is_some() {
            numbers_ui(ui, &grid, response.rect, maps, first, &coloring);
        }
        if let Some(hit) = hit {
            let channel = first + hit.tile;
            if response.clicked() {
                self.enlarged = one.is_none().then(|| (section.title.clone(), channel));
            }
            response.on_hover_ui_at_pointer(|ui| place_ui(ui, maps, channel, hit));
        }
        let left_out = wanted - shown.tiles.count();
        if left_out > 0 {
            ui.label(
                RichText::new(tr_format!(
                    "{left_out} more do not fit into one picture",
                    "另有 {left_out} 个无法放入同一张图"
                ))
                .weak(),
            );
        }
    }
}

fn place_ui(ui: &mut Ui, maps: &Maps, channel: usize, Hit { x, y, .. }: Hit) {
    let value = maps
        .at(channel, y, x)
        .map_or_else(String::new, |value| number(f64::from(value)));
    let place = match maps.is_vector() {
        true => tr_format!("element {channel}", "第 {channel} 个元素"),
        false => tr_format!(
            "channel {channel}, y {y}, x {x}",
            "通道 {channel}，y {y}，x {x}"
        ),
    };
    ui.label(RichText::new(value).strong());
    ui.label(RichText::new(place).weak());
}

/// Writes the numbers into the cells of an enlarged map where they are large enough.
fn numbers_ui(
    ui: &Ui,
    grid: &Grid,
    area: egui::Rect,
    maps: &Maps,
    channel: usize,
    coloring: &Coloring,
) {
    let cell = vec2(
        grid.side.x / maps.width as f32,
        grid.side.y / maps.height as f32,
    );
    if cell.x < 40.0 || cell.y < 16.0 {
        return;
    }
    let font = egui::TextStyle::Small.resolve(ui.style());
    let range = coloring.range(maps, channel);
    for (index, value) in maps.channel(channel).iter().enumerate() {
        let place = vec2(
            (index % maps.width) as f32 + 0.5,
            (index / maps.width) as f32 + 0.5,
        );
        let at = area.min + place * cell;
        if ui.clip_rect().contains(at) {
            let ink = ink_on(coloring.map.of(*value, range));
            ui.painter().text(
                at,
                egui::Align2::CENTER_CENTER,
                number(f64::from(*value)),
                font.clone(),
                ink,
            );
        }
    }
}

/// Black or white, whichever is easier to read on a colour.
pub fn ink_on([red, green, blue]: [u8; 3]) -> egui::Color32 {
    let light = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
    if light > 140.0 {
        egui::Color32::BLACK
    } else {
        egui::Color32::WHITE
    }
}

/// How large pictures are; it goes first in a row, because a slider does not wrap.
pub fn zoom_ui(ui: &mut Ui, zoom: &mut f32) {
    ui.spacing_mut().slider_width = 60.0;
    let slider = Slider::new(zoom, 0.25..=8.0)
        .logarithmic(true)
        .show_value(false);
    let about = tr("zoom; double click: fit the panel", "缩放；双击：适应面板");
    if ui.add(slider).on_hover_text(about).double_clicked() {
        *zoom = 1.0;
    }
}

/// The choice of colour map and scale.
pub fn coloring_ui(ui: &mut Ui, coloring: &mut Coloring) {
    let name = |map| match map {
        ColorMap::Gray => Text::new("gray", "灰度"),
        ColorMap::Viridis => Text::new("viridis", "viridis"),
        ColorMap::Diverging => Text::new("blue–red", "蓝–红"),
    };
    ComboBox::from_id_salt("color map")
        .width(70.0)
        .selected_text(name(coloring.map).get())
        .show_ui(ui, |ui| {
            for map in ColorMap::ALL {
                ui.selectable_value(&mut coloring.map, map, name(map).get());
            }
        });
    let kind = |scale| match scale {
        Scale::PerMap => Text::new("each map", "逐图"),
        Scale::Shared => Text::new("shared", "共享"),
        Scale::Fixed(..) => Text::new("fixed", "固定"),
    };
    let fixed = match coloring.scale {
        Scale::Fixed(lo, hi) => Scale::Fixed(lo, hi),
        _ => Scale::Fixed(
            if coloring.map == ColorMap::Diverging {
                -1.0
            } else {
                0.0
            },
            1.0,
        ),
    };
    let combo = ComboBox::from_id_salt("scale")
        .width(70.0)
        .selected_text(kind(coloring.scale).get());
    let response = combo.show_ui(ui, |ui| {
        for scale in [Scale::PerMap, Scale::Shared, fixed] {
            ui.selectable_value(&mut coloring.scale, scale, kind(scale).get());
        }
    });
    response.response.on_hover_text(tr(
        "range of the colour scale: of each map by itself, shared by all, or fixed",
        "颜色刻度的范围：逐图、全部共享或固定",
    ));
    if let Scale::Fixed(lo, hi) = &mut coloring.scale {
        ui.add(DragValue::new(lo).speed(0.01));
        ui.label("…");
        ui.add(DragValue::new(hi).speed(0.01));
    }
}
