//! The weights of a node as pictures, and the distributions of its weights, outputs and
//! gradients.

mod distribution;

use std::collections::BTreeMap;

use candle_core::Tensor;
use egui::{Checkbox, Label, RichText, ScrollArea, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::coloring::{coloring_ui, zoom_ui};
use super::tiles::{Grid, Hit, Tiles};
use crate::graph::Node;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{empty_ui, number, train_hint};
use crate::i18n::{tr, tr_format};
use crate::inspect::{
    ColorMap, Coloring, Filters, Histogram, SAMPLE, Scale, Statistics, Tiling, filters, paint,
    paint_rgb, sample,
};
use crate::train::Snapshot;
use distribution::Distribution;

const BINS: usize = 80;

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct WeightsView {
    zoom: f32,
    coloring: Coloring,
    /// Bars as high as the logarithm of their counts.
    log: bool,
    #[serde(skip)]
    shown: BTreeMap<String, Shown>,
}

impl Default for WeightsView {
    fn default() -> Self {
        Self {
            zoom: 1.0,
            coloring: Coloring {
                map: ColorMap::Gray,
                scale: Scale::PerMap,
            },
            log: false,
            shown: BTreeMap::new(),
        }
    }
}

/// What the screen needs of one node, kept until the next snapshot.
#[derive(Default)]
struct Shown {
    serial: u64,
    filters: Option<Filters>,
    tiles: Tiles<(u64, Coloring)>,
    distributions: Vec<Distribution>,
}

impl View for WeightsView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let Some(snapshot) = ctx.run.snapshot() else {
            return empty_ui(ui, tr("No weights yet", "暂无权重"), train_hint());
        };
        let (nodes, chosen) = nodes(ctx);
        if nodes.is_empty() {
            let title = tr("This network has no weights", "该网络没有权重");
            let hint = tr(
                "Add a layer that learns, such as a convolution.",
                "请添加可学习的层，例如卷积层。",
            );
            return empty_ui(ui, title, hint);
        }
        self.shown
            .retain(|name, _| nodes.iter().any(|node| node.name == *name));
        self.settings_ui(ui, snapshot);
        ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            for node in &nodes {
                if !chosen {
                    let text = tr(
                        "The first layer with weights; select nodes to see others.",
                        "第一个带权重的层；选择节点可查看其他层。",
                    );
                    ui.label(RichText::new(text).weak());
                }
                self.node_ui(ui, ctx, node, snapshot, actions);
                ui.add_space(6.0);
            }
        });
    }
}

/// The selected nodes, or the first one that has weights; and whether a person chose them.
fn nodes<'a>(ctx: &Ctx<'a>) -> (Vec<&'a Node>, bool) {
    let graph = &ctx.project.graph;
    let selected: Vec<&Node> = ctx
        .selection
        .iter()
        .filter_map(|id| graph.node(*id))
        .collect();
    if !selected.is_empty() {
        return (selected, true);
    }
    let learns = |id: &&_| {
        ctx.inference
            .node(**id)
            .is_some_and(|info| info.param_count() > 0)
    };
    let first = ctx
        .inference
        .train
        .order
        .iter()
        .find(learns)
        .and_then(|id| graph.node(*id));
    (first.into_iter().collect(), false)
}

impl Shown {
    fn refresh(&mut self, serial: u64, ctx: &Ctx<'_>, node: &Node, snapshot: &Snapshot) {
        if self.serial == serial {
            return;
        }
        self.serial = serial;
        self.distributions.clear();
        let keys = ctx
            .inference
            .node(node.id)
            .map_or(&[] as &[_], |info| info.params.as_slice());
        let example = match ctx.data {
            Some(Ok(feed)) => match *feed.shape() {
                [channels, height, width] => Some([channels, height, width]),
                _ => None,
            },
            _ => None,
        };
        // A tensor that cannot be read is left out: the heading says what is missing.
        let pictures = |key: &String| filters(snapshot.weights.get(key)?, example).ok()?;
        self.filters = keys.iter().find_map(|(key, _)| pictures(key));
        for (key, _) in keys {
            self.add(key.clone(), snapshot.weights.get(key), 0);
            self.add(format!("∂L/∂ {key}"), snapshot.weight_gradients.get(key), 1);
        }
        let name = &node.name;
        self.add(
            tr_format!("output of {name}", "{name} 的输出"),
            snapshot.activations.get(name),
            2,
        );
        self.add(
            tr_format!("∂L/∂ output of {name}", "∂L/∂ {name} 的输出"),
            snapshot.gradients.get(name),
            3,
        );
    }

    fn add(&mut self, title: String, tensor: Option<&Tensor>, color: usize) {
        let Some((tensor, values)) =
            tensor.and_then(|tensor| Some((tensor, sample(tensor, SAMPLE).ok()?)))
        else {
            return;
        };
        self.distributions.push(Distribution {
            title,
            numbers: tensor.elem_count(),
            statistics: Statistics::of(&values),
            histogram: Histogram::of(&values, BINS),
            color,
        });
    }
}

impl WeightsView {
    fn settings_ui(&mut self, ui: &mut Ui, snapshot: &Snapshot) {
        ui.horizontal_wrapped(|ui| {
            zoom_ui(ui, &mut self.zoom);
            coloring_ui(ui, &mut self.coloring);
            let about = tr(
                "bars as high as the logarithm of their counts",
                "条形高度取频数的对数",
            );
            ui.add(Checkbox::new(&mut self.log, tr("log counts", "对数频数")))
                .on_hover_text(about);
            ui.separator();
            let at = exact(snapshot.iteration);
            ui.label(RichText::new(tr_format!("iteration {at}", "第 {at} 次迭代")).weak());
        });
    }

    fn node_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        node: &Node,
        snapshot: &Snapshot,
        actions: &mut Vec<Action>,
    ) {
        let mut shown = self.shown.remove(&node.name).unwrap_or_default();
        shown.refresh(ctx.run.serial(), ctx, node, snapshot);
        ui.horizontal(|ui| {
            if ui
                .link(RichText::new(&node.name).strong())
                .on_hover_text(tr("show in the graph", "在网络图中显示"))
                .clicked()
            {
                actions.push(Action::Reveal(node.id));
            }
            let params = ctx
                .inference
                .node(node.id)
                .map_or(0, |info| info.param_count());
            let params = exact(params);
            let title = node.layer.title();
            let about = tr_format!("{title} · {params} parameters", "{title} · {params} 个参数");
            ui.add(Label::new(RichText::new(about).weak()).truncate());
        });
        if let Some(filters) = &shown.filters {
            self.filters_ui(ui, filters, shown.serial, &mut shown.tiles);
        }
        if shown.distributions.is_empty() {
            let text = match ctx.run.is_live() {
                true => tr(
                    "Its numbers come with the next snapshot.",
                    "数值将随下一个快照到来。",
                ),
                false => tr(
                    "The snapshot has no numbers of this node.",
                    "快照中没有该节点的数值。",
                ),
            };
            ui.label(RichText::new(text).weak());
        }
        let room = ui.available_width().min(ui.clip_rect().width() - 12.0);
        let columns = (room / 330.0).floor().max(1.0) as usize;
        let width = (room - 8.0 * (columns - 1) as f32) / columns as f32;
        for row in shown.distributions.chunks(columns) {
            ui.horizontal_top(|ui| {
                row.iter()
                    .for_each(|distribution| distribution.ui(ui, width.max(140.0), self.log))
            });
        }
        self.shown.insert(node.name.clone(), shown);
    }

    fn filters_ui(
        &self,
        ui: &mut Ui,
        filters: &Filters,
        serial: u64,
        tiles: &mut Tiles<(u64, Coloring)>,
    ) {
        let coloring = self.coloring;
        let (maps, wanted) = (&filters.maps, filters.count());
        let tile = [maps.width, maps.height];
        tiles.refresh(ui, (serial, coloring), |side| {
            let tiling = Tiling::within(wanted, tile, side);
            let picture = match filters.rgb {
                true => paint_rgb(maps, 0, &tiling, coloring.scale),
                false => paint(maps, 0, &tiling, &coloring),
            };
            (tiling, picture)
        });
        let room = vec2(
            ui.available_width().min(ui.clip_rect().width() - 12.0),
            220.0,
        );
        let grid = match filters.per_output {
            1 => Grid::new(wanted, tile, room, self.zoom),
            inputs => Grid::rows_of(inputs, tile, room.x, self.zoom),
        };
        let [width, height] = tile;
        let name = tr_format!(
            "{wanted} filters of {height} × {width}",
            "{wanted} 个 {height} × {width} 滤波器"
        );
        let draw = |ui: &mut Ui| {
            let (response, hit) = tiles.ui(ui, &grid, &name);
            if let Some(hit) = hit {
                response.on_hover_ui_at_pointer(|ui| filter_place_ui(ui, filters, hit));
            }
        };
        // Thousands of kernels get a window of their own to scroll in.
        ScrollArea::both()
            .id_salt((&name, serial == 0))
            .max_height(300.0)
            .auto_shrink([false, true])
            .show(ui, draw);
        let left_out = wanted - tiles.count();
        if left_out > 0 {
            let text = tr_format!(
                "{left_out} more do not fit into one picture",
                "另有 {left_out} 个无法放入同一张图"
            );
            ui.label(RichText::new(text).weak());
        }
    }
}

fn filter_place_ui(ui: &mut Ui, filters: &Filters, Hit { tile, x, y }: Hit) {
    let maps = &filters.maps;
    let value = |channel| {
        maps.at(channel, y, x)
            .map_or_else(String::new, |value| number(f64::from(value)))
    };
    let (values, place) = if filters.rgb {
        let values = [0, 1, 2]
            .map(|channel| value(tile * 3 + channel))
            .join("  ");
        (
            values,
            tr_format!("output {tile}, y {y}, x {x}", "输出 {tile}，y {y}，x {x}"),
        )
    } else if maps.channels == 1 {
        (
            value(0),
            tr_format!("output {y}, input {x}", "输出 {y}，输入 {x}"),
        )
    } else {
        let (output, input) = (tile / filters.per_output, tile % filters.per_output);
        (
            value(tile),
            tr_format!(
                "output {output}, input {input}, y {y}, x {x}",
                "输出 {output}，输入 {input}，y {y}，x {x}"
            ),
        )
    };
    ui.label(RichText::new(values).strong());
    ui.label(RichText::new(place).weak());
}
