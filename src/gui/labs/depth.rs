//! The view of depth: bars of gradients layer by layer, two networks side by side, the
//! activations with a dot to drag.

mod duel;

use egui::{Align2, FontId, Id, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::canvas::Axes;
use super::{BenchView, Lab};
use crate::gui::plots::{color, number, short};
use crate::i18n::{tr, tr_format};
use crate::labs::ACTIVATIONS;
use crate::labs::depth::activations::{Pieces, at, formula};
use crate::labs::depth::chain::{Chain, INITIAL};
use duel::DuelView;

pub struct DepthView {
    chain: Option<([usize; 5], Result<Chain, String>)>,
    /// The share of gradients of every activation and initialisation, found one a frame.
    ratios: Vec<f64>,
    ratios_of: [usize; 3],
    duel: DuelView,
    x: f64,
    pieces: Pieces,
}

impl Default for DepthView {
    fn default() -> Self {
        Self {
            chain: None,
            ratios: Vec::new(),
            ratios_of: [0; 3],
            duel: DuelView::default(),
            x: 0.8,
            pieces: [[1.0, 0.0], [-0.5, 0.2]],
        }
    }
}

impl BenchView for DepthView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.chain_ui(ui, lab),
            1 => self.duel.ui(ui, lab),
            _ => self.activations_ui(ui, lab),
        }
    }
}

impl DepthView {
    fn chain_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let keys = ["activation", "initial", "depth", "width", "seed"];
        let of = keys.map(|key| lab.settings.count(key));
        if self.chain.as_ref().is_none_or(|(made, _)| *made != of) {
            let [kind, initial, depth, width, seed] = of;
            let made = Chain::new(kind, initial, depth, width, seed as u64);
            self.chain = Some((of, made.map_err(|error| error.to_string())));
        }
        let Some((_, Ok(chain))) = &self.chain else {
            if let Some((_, Err(problem))) = &self.chain {
                ui.colored_label(ui.visuals().error_fg_color, problem);
            }
            return;
        };
        let ratio = number(chain.ratio());
        ui.label(tr_format!(
            "gradient of the first layer over that of the last: {ratio}",
            "首层梯度与末层梯度之比：{ratio}"
        ));
        let height = (ui.available_height() - 250.0).max(140.0);
        bars_ui(ui, chain, height);
        ui.add_space(6.0);
        self.table_ui(ui, lab);
    }

    /// Every activation under every initialisation; a click chooses both.
    fn table_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let of = ["depth", "width", "seed"].map(|key| lab.settings.count(key));
        if self.ratios_of != of {
            self.ratios_of = of;
            self.ratios.clear();
        }
        let [depth, width, seed] = of;
        if self.ratios.len() < ACTIVATIONS.len() * INITIAL.len() {
            let (kind, initial) = (
                self.ratios.len() / INITIAL.len(),
                self.ratios.len() % INITIAL.len(),
            );
            let chain = Chain::new(kind, initial, depth, width, seed as u64);
            self.ratios
                .push(chain.map_or(f64::NAN, |chain| chain.ratio()));
            ui.ctx().request_repaint();
        }
        ui.label(tr(
            "first over last gradient of every choice (click one):",
            "各种选择下首末层梯度之比（点击选用）：",
        ));
        egui::Grid::new("ratios")
            .spacing(vec2(6.0, 3.0))
            .show(ui, |ui| {
                ui.label("");
                for (_, name) in INITIAL {
                    ui.label(egui::RichText::new(name.get()).small().weak());
                }
                ui.end_row();
                for (kind, (_, name)) in ACTIVATIONS.iter().enumerate() {
                    ui.label(name.get());
                    for initial in 0..INITIAL.len() {
                        let ratio = self.ratios.get(kind * INITIAL.len() + initial);
                        self.ratio_ui(ui, lab, [kind, initial], ratio.copied());
                    }
                    ui.end_row();
                }
            });
    }

    fn ratio_ui(
        &self,
        ui: &mut Ui,
        lab: &mut Lab<'_>,
        [kind, initial]: [usize; 2],
        ratio: Option<f64>,
    ) {
        let text = ratio.map_or("…".to_owned(), number);
        let chosen = [
            lab.settings.count("activation"),
            lab.settings.count("initial"),
        ] == [kind, initial];
        let decades = ratio.map_or(0.0, |ratio| ratio.abs().max(1e-300).log10());
        let ink = match decades {
            d if d < -3.0 => color(0, ui.visuals()),
            d if d > 3.0 => ui.visuals().error_fg_color,
            d if d.abs() < 1.5 => color(2, ui.visuals()),
            _ => ui.visuals().text_color(),
        };
        let button = egui::Button::selectable(chosen, egui::RichText::new(text).color(ink));
        if ui.add_sized([120.0, 20.0], button).clicked() {
            lab.settings.set("activation", kind as f64);
            lab.settings.set("initial", initial as f64);
        }
    }

    fn activations_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let kind = lab.settings.count("activation");
        let pieces = self.pieces;
        let [value, slope] = at(kind, self.x, &pieces);
        let (xs, vs, ss) = (short(self.x), short(value), short(slope));
        ui.label(formula(kind));
        ui.label(tr_format!(
            "x = {xs}   φ(x) = {vs}   φ′(x) = {ss}: this much of the gradient goes back",
            "x = {xs}   φ(x) = {vs}   φ′(x) = {ss}：反向时梯度保留这么多"
        ));
        let size = vec2(ui.available_width(), ui.available_height() - 4.0);
        let (axes, _) = Axes::show(ui, size, [-5.0, 5.0], [-1.5, 3.0]);
        let curve = |place: usize| -> Vec<[f64; 2]> {
            let xs = (0..=1000).map(|n| -5.0 + f64::from(n) * 0.01);
            xs.map(|x| [x, at(kind, x, &pieces)[place]]).collect()
        };
        let [first, second] = [color(0, ui.visuals()), color(1, ui.visuals())];
        if kind == 5 {
            let faint = Stroke::new(1.0, first.gamma_multiply(0.5));
            for [slope, height] in pieces {
                axes.line(
                    ui,
                    &[[-5.0, height - 5.0 * slope], [5.0, height + 5.0 * slope]],
                    faint,
                );
            }
        }
        axes.line(ui, &curve(1), Stroke::new(1.8, second));
        axes.line(ui, &curve(0), Stroke::new(2.4, first));
        axes.text(ui, [-4.9, 2.85], Align2::LEFT_CENTER, "φ(x)", first);
        axes.text(ui, [-4.4, 2.85], Align2::LEFT_CENTER, "φ′(x)", second);
        let tangent = [
            [self.x - 1.2, value - 1.2 * slope],
            [self.x + 1.2, value + 1.2 * slope],
        ];
        axes.line(ui, &tangent, Stroke::new(1.2, ui.visuals().text_color()));
        axes.dot(ui, [self.x, slope], 4.5, second);
        if kind == 5 {
            for (n, piece) in self.pieces.iter_mut().enumerate() {
                let place = if n == 0 { 3.0 } else { -3.0 };
                let handle = [place, piece[1] + place * piece[0]];
                if let Some([_, y]) =
                    axes.handle(ui, Id::new(("piece", n)), handle, color(3, ui.visuals()))
                {
                    piece[0] = ((y - piece[1]) / place).clamp(-1.0, 1.0);
                }
            }
        }
        if let Some([x, _]) = axes.handle(ui, Id::new("activation at"), [self.x, value], first) {
            self.x = x.clamp(-5.0, 5.0);
        }
    }
}

/// Sizes of gradients as bars over powers of ten, from the input at the left to the loss.
fn bars_ui(ui: &mut Ui, chain: &Chain, height: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let ground = rect
        .with_min_x(rect.left() + 40.0)
        .with_max_y(rect.bottom() - 18.0);
    let painter = ui.painter();
    painter.rect_filled(ground, 2.0, ui.visuals().extreme_bg_color);
    let logs = |of: fn(&crate::labs::depth::chain::Sizes) -> f64| {
        chain
            .layers
            .iter()
            .map(move |layer| of(layer).max(1e-30).log10())
    };
    let all = || logs(|layer| layer.gradient).chain(logs(|layer| layer.output));
    let lo = all().fold(-4.0, f64::min).floor();
    let hi = all().fold(2.0, f64::max).ceil();
    let up = |log: f64| ground.bottom() - ((log - lo) / (hi - lo)) as f32 * ground.height();
    let faint = ui.visuals().weak_text_color();
    let font = FontId::proportional(10.5);
    let every = ((hi - lo) / 8.0).ceil().max(1.0);
    let mut decade = lo;
    while decade <= hi {
        painter.hline(
            ground.x_range(),
            up(decade),
            Stroke::new(1.0, faint.gamma_multiply(0.25)),
        );
        let at = pos2(ground.left() - 4.0, up(decade));
        painter.text(
            at,
            Align2::RIGHT_CENTER,
            number(10f64.powf(decade)),
            font.clone(),
            faint,
        );
        decade += every;
    }
    let step = ground.width() / chain.layers.len() as f32;
    let inks = [color(0, ui.visuals()), color(2, ui.visuals())];
    for (n, layer) in chain.layers.iter().enumerate() {
        let left = ground.left() + n as f32 * step;
        for (part, value) in [layer.gradient, layer.output].into_iter().enumerate() {
            let top = up(value.max(1e-30).log10()).min(ground.bottom() - 1.0);
            let left = left + step * (0.12 + 0.4 * part as f32);
            let bar =
                Rect::from_min_max(pos2(left, top), pos2(left + step * 0.36, ground.bottom()));
            painter.rect_filled(bar, 1.0, inks[part]);
        }
        if chain.layers.len() <= 25 || n % 5 == 0 {
            let at = pos2(left + step * 0.5, ground.bottom() + 3.0);
            painter.text(at, Align2::CENTER_TOP, n + 1, font.clone(), faint);
        }
    }
    let key = [
        tr("gradient of the sums, ∂L/∂z", "加权和的梯度 ∂L/∂z"),
        tr("output", "输出"),
    ];
    let mut at = ground.left_top() + vec2(8.0, 6.0);
    for (text, ink) in key.into_iter().zip(inks) {
        let text = painter.text(at, Align2::LEFT_TOP, text, FontId::proportional(12.5), ink);
        at.x = text.right() + 16.0;
    }
}
