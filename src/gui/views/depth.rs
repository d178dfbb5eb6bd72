//! How large the gradient of each layer is, from the first to the last, while the network trains;
//! a curve can be kept to be compared with another network's.

use egui::{ComboBox, Ui, vec2};
use egui_plot::{
    Corner, HoverPosition, Legend, Line, MarkerShape, Plot, PlotPoint, PlotPoints, Points,
};
use serde::{Deserialize, Serialize};

use crate::graph::Phase;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::plots::{color, empty_ui, log_grid, number, round_grid, short, train_hint};
use crate::i18n::{Text, tr, tr_format};
use crate::inspect::{LayerGradient, gradients_by_depth};

/// Curves that are kept at a time.
const MOST_KEPT: usize = 7;

/// What is drawn of each layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Quantity {
    #[default]
    Gradient,
    Ratio,
    Weight,
}

impl Quantity {
    const ALL: [Self; 3] = [Self::Gradient, Self::Ratio, Self::Weight];

    fn text(self) -> Text {
        match self {
            Self::Gradient => Text::new("gradient", "梯度"),
            Self::Ratio => Text::new("gradient / weight", "梯度 / 权重"),
            Self::Weight => Text::new("weight", "权重"),
        }
    }

    fn of(self, layer: &LayerGradient) -> f64 {
        match self {
            Self::Gradient => layer.gradient,
            Self::Ratio => layer.ratio(),
            Self::Weight => layer.weight,
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DepthView {
    quantity: Quantity,
    #[serde(skip)]
    serial: u64,
    #[serde(skip)]
    layers: Vec<LayerGradient>,
    /// Of other networks or other moments, with what they are called.
    #[serde(skip)]
    kept: Vec<(String, Vec<LayerGradient>)>,
}

impl View for DepthView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        self.refresh(ctx);
        if self.layers.is_empty() && self.kept.is_empty() {
            let title = tr("No gradients yet", "暂无梯度");
            return empty_ui(ui, title, train_hint());
        }
        self.settings_ui(ui, ctx);
        let Some(clicked) = self.plot_ui(ui, ctx) else {
            return;
        };
        if let Some(node) = ctx.project.graph.named(&clicked, Phase::Train) {
            actions.push(Action::Reveal(node.id));
        }
    }
}

impl DepthView {
    fn refresh(&mut self, ctx: &Ctx<'_>) {
        let Some(snapshot) = ctx.run.snapshot() else {
            self.layers.clear();
            return;
        };
        if self.serial == ctx.run.serial() && !self.layers.is_empty() {
            return;
        }
        self.serial = ctx.run.serial();
        let graph = &ctx.project.graph;
        let order = ctx.inference.train.order.iter();
        let nodes = order.filter_map(|id| graph.node(*id));
        // What cannot be read is not drawn: the trainer says why, in its own place.
        self.layers = gradients_by_depth(nodes, &snapshot.weights, &snapshot.weight_gradients)
            .unwrap_or_default();
    }

    fn settings_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>) {
        ui.horizontal_wrapped(|ui| {
            ComboBox::from_id_salt("quantity")
                .selected_text(self.quantity.text().get())
                .show_ui(ui, |ui| {
                    for quantity in Quantity::ALL {
                        ui.selectable_value(&mut self.quantity, quantity, quantity.text().get());
                    }
                })
                .response
                .on_hover_text(tr(
                    "Root mean square over the weights of each layer, on the last training batch",
                    "最近一个训练批次上，各层权重的均方根",
                ));
            let about = tr(
                "Keep this curve to compare it with another network, such as the same without shortcuts, or with a later moment",
                "保留这条曲线，以便与另一网络（例如没有捷径的同一网络）或之后的时刻比较",
            );
            let room = self.kept.len() < MOST_KEPT && !self.layers.is_empty();
            let keep = ui.add_enabled(room, egui::Button::new(tr("Keep", "保留")));
            if keep.on_hover_text(about).clicked() {
                let title = &ctx.project.title;
                let iteration = ctx.run.snapshot().map_or(0, |snapshot| snapshot.iteration);
                let name = tr_format!(
                    "{title}, iteration {iteration}",
                    "{title}，迭代 {iteration}"
                );
                self.kept.push((name, self.layers.clone()));
            }
            let any = !self.kept.is_empty();
            let clear = ui.add_enabled(any, egui::Button::new(tr("Clear kept", "清除保留")));
            if clear.clicked() {
                self.kept.clear();
            }
            if let [first, .., last] = &self.layers[..] {
                let ratio = number(self.quantity.of(first) / self.quantity.of(last));
                ui.weak(tr_format!("first layer to last: {ratio}", "首层与末层之比：{ratio}"))
                    .on_hover_text(tr(
                        "Far below 1, the gradient vanishes on its way back; far above, it explodes",
                        "远小于 1 表示梯度在回传中消失，远大于 1 表示爆炸",
                    ));
            }
        });
    }

    /// Draws the curves; returns the layer that was clicked.
    fn plot_ui(&self, ui: &mut Ui, ctx: &Ctx<'_>) -> Option<String> {
        let now = tr("now", "当前");
        let curves = (self
            .kept
            .iter()
            .map(|(name, layers)| (name.as_str(), layers)))
        .chain((!self.layers.is_empty()).then_some((now, &self.layers)));
        let curves: Vec<(&str, &Vec<LayerGradient>)> = curves.collect();
        let visuals = ui.visuals().clone();
        let names: Vec<String> = self.layers.iter().map(|layer| layer.node.clone()).collect();
        let label = names.clone();
        let grid = ui.visuals().text_color().gamma_multiply(0.22);
        let mut plot = Plot::new("depth")
            .grid_color(grid)
            .x_grid_spacer(round_grid)
            .y_grid_spacer(log_grid)
            .y_axis_min_width(44.0)
            .set_margin_fraction(vec2(0.02, 0.08))
            .x_axis_label(tr("depth (layers with weights)", "深度（带权重的层）"))
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .y_axis_formatter(|mark, _| short(10f64.powf(mark.value)))
            .x_axis_formatter(
                |mark, _| match mark.value.fract() == 0.0 && mark.value >= 1.0 {
                    true => format!("{}", mark.value),
                    false => String::new(),
                },
            )
            .label_formatter(move |pointed| {
                let HoverPosition::NearDataPoint {
                    plot_name,
                    position,
                    ..
                } = pointed
                else {
                    return None;
                };
                let node = at(&label, position).map_or("", String::as_str);
                let value = number(10f64.powf(position.y));
                Some(format!("{plot_name}\n{node}\n{value}"))
            });
        if !self.kept.is_empty() {
            let legend = Legend::default().follow_insertion_order(true);
            plot = plot.legend(legend.background_alpha(0.6).position(Corner::LeftTop));
        }
        let chosen: Vec<usize> = (names.iter().enumerate())
            .filter(|(_, name)| {
                let node = ctx.project.graph.named(name, Phase::Train);
                node.is_some_and(|node| ctx.selection.contains(&node.id))
            })
            .map(|(index, _)| index)
            .collect();
        let response = plot.show(ui, |plot| {
            for (index, (name, layers)) in curves.iter().enumerate() {
                let shade = color(index, &visuals);
                let points = || -> PlotPoints<'_> { self.points(layers) };
                plot.line(Line::new(*name, points()).color(shade).width(2.0));
                plot.points(Points::new(*name, points()).color(shade).radius(3.0));
            }
            let marked: PlotPoints<'_> = chosen
                .iter()
                .filter_map(|index| self.point(*index, self.layers.get(*index)?))
                .collect();
            let marks = Points::new("", marked)
                .shape(MarkerShape::Circle)
                .filled(false)
                .color(visuals.strong_text_color())
                .radius(6.0);
            if !chosen.is_empty() {
                plot.points(marks);
            }
            plot.pointer_coordinate()
        });
        let pointed = response.inner.filter(|_| response.response.clicked())?;
        at(&names, &pointed).cloned()
    }

    fn points(&self, layers: &[LayerGradient]) -> PlotPoints<'static> {
        let points = layers.iter().enumerate();
        points
            .filter_map(|(index, layer)| self.point(index, layer))
            .collect()
    }

    /// On a logarithmic axis; nothing where a size is 0 or not finite.
    fn point(&self, index: usize, layer: &LayerGradient) -> Option<[f64; 2]> {
        let value = self.quantity.of(layer).log10();
        value.is_finite().then_some([index as f64 + 1.0, value])
    }
}

/// The layer at a place of the plot.
fn at<'a>(names: &'a [String], point: &PlotPoint) -> Option<&'a String> {
    let index = point.x.round();
    (index >= 1.0).then(|| names.get(index as usize - 1))?
}
