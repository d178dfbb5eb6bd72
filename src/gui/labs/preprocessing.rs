//! The view of preprocessing: five clouds and their bowls, and five ways to prepare digits.

use egui::{Align2, Color32, Id, Sense, Stroke, Ui, vec2};

use super::canvas::{Axes, Picture, rgb};
use super::chart::{Chart, Curve};
use super::contest::ContestView;
use super::{BenchView, Lab};
use crate::data::SplitName;
use crate::gui::plots::{color, empty_ui, number, short};
use crate::i18n::tr;
use crate::inspect::{ColorMap, Range};
use crate::labs::Settings;
use crate::labs::preprocessing::cloud::{Cloud, STATES};
use crate::labs::preprocessing::images::{Race, SIDE};

#[derive(Default)]
pub struct PreprocessingView {
    cloud: Option<(Settings, Result<Cloud, String>)>,
    contest: ContestView,
    pictures: Vec<Picture>,
}

impl BenchView for PreprocessingView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.cloud_ui(ui, lab),
            _ => self.images_ui(ui, lab),
        }
    }
}

impl PreprocessingView {
    fn cloud_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        if self
            .cloud
            .as_ref()
            .is_none_or(|(made, _)| made != lab.settings)
        {
            let made = Cloud::new(lab.settings).map_err(|error| error.to_string());
            self.cloud = Some((lab.settings.clone(), made));
        }
        let cloud = match &self.cloud {
            Some((_, Ok(cloud))) => cloud,
            Some((_, Err(problem))) => {
                ui.colored_label(ui.visuals().error_fg_color, problem);
                return;
            }
            None => return,
        };
        let room = ui.available_size();
        let side = ((room.x - 34.0) / 5.0).min(room.y * 0.5).max(70.0);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            for (n, state) in cloud.states.iter().enumerate() {
                ui.vertical(|ui| {
                    ui.set_width(side);
                    ui.colored_label(color(n, ui.visuals()), STATES[n].1.get());
                    let (axes, _) = Axes::show(ui, vec2(side, side), [-6.0, 6.0], [-6.0, 6.0]);
                    let ink = color(n, ui.visuals());
                    for point in &state.points {
                        let at = axes.to_screen(*point);
                        ui.painter_at(axes.rect)
                            .circle_filled(at, 1.8, ink.gamma_multiply(0.8));
                    }
                    if n == 0 {
                        drag_ui(ui, &axes, lab);
                    }
                    let [xx, xy, yy] = state
                        .covariance
                        .map(|value| short((value * 100.0).round() / 100.0));
                    ui.label(format!("Σ = ({xx}, {xy}; {xy}, {yy})"));
                    ui.label(format!("κ = {}", number(state.condition)));
                });
            }
        });
        let curves = cloud.states.iter().enumerate();
        let curves = curves.map(|(n, state)| Curve::of(ui, n, STATES[n].1.get(), &state.losses));
        let curves = curves.collect();
        let chart = Chart {
            id: "preprocessing",
            size: vec2(ui.available_width(), ui.available_height() - 4.0),
            log: true,
            legend: true,
            x: tr(
                "step, each at the best rate for its bowl",
                "步数（各用自身最佳学习率）",
            ),
            y: tr("loss of a linear regression", "线性回归的损失"),
            include: &[1e-4],
        };
        chart.ui(ui, curves);
    }

    fn images_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.contest.poll();
        ui.horizontal(|ui| {
            if self.contest.buttons_ui(ui, lab.keys) {
                let race =
                    Race::start(lab.settings, ContestView::priority(), ContestView::wake(ui));
                self.contest.contest = Some(race.contest);
                self.pictures.clear();
            }
            let folder = lab
                .ctx
                .path
                .and_then(|path| path.parent())
                .map(ToOwned::to_owned);
            self.contest.export_ui(ui, folder, lab.actions);
        });
        if self.contest.contest.is_none() {
            let hint = tr(
                "The same small network is trained on digits that were prepared in five ways.",
                "同一个小网络在五种方式处理的数字上训练。",
            );
            return empty_ui(ui, tr("No runs yet", "尚无训练"), hint);
        }
        self.pictures_ui(ui);
        let room = ui.available_size();
        self.contest
            .curves_ui(ui, vec2(room.x, (room.y - 150.0).max(120.0)));
        self.contest.table_ui(ui, None);
    }

    /// Some digits in each state, once their data are open.
    fn pictures_ui(&mut self, ui: &mut Ui) {
        let Some(contest) = &self.contest.contest else {
            return;
        };
        const SHOWN: usize = 4;
        if self.pictures.is_empty() && contest.runs.iter().all(|run| contest.feed(run).is_some()) {
            for run in &contest.runs {
                for index in 0..SHOWN {
                    let mut picture = Picture::default();
                    let feed = contest.feed(run);
                    let values =
                        feed.and_then(|feed| feed.preprocessed(SplitName::Train, index).ok());
                    let values =
                        values.and_then(|values| values.flatten_all().ok()?.to_vec1::<f32>().ok());
                    let mut values = values.unwrap_or_default();
                    // Principal components are no image: they are laid out row by row.
                    values.resize(SIDE * SIDE, 0.0);
                    let range = Range::of(&values).around_zero();
                    let pixels = values
                        .iter()
                        .map(|value| rgb(ColorMap::Diverging.of(*value, range)))
                        .collect();
                    picture.set(ui, [SIDE, SIDE], pixels, false);
                    self.pictures.push(picture);
                }
            }
        }
        ui.horizontal(|ui| {
            let side = ((ui.available_width() - 60.0) / (5 * SHOWN) as f32).min(44.0);
            for (n, pictures) in self.pictures.chunks(SHOWN).enumerate() {
                ui.vertical(|ui| {
                    ui.colored_label(color(n, ui.visuals()), STATES[n].1.get());
                    ui.horizontal(|ui| {
                        ui.spacing_mut().item_spacing.x = 2.0;
                        for picture in pictures {
                            let (rect, _) =
                                ui.allocate_exact_size(vec2(side, side), Sense::hover());
                            picture.paint(ui, rect);
                        }
                    });
                });
            }
        });
    }
}

/// The middle of the raw cloud, and the end of its long axis, to drag.
fn drag_ui(ui: &Ui, axes: &Axes, lab: &mut Lab<'_>) {
    let [stretch, angle, x, y] =
        ["stretch", "angle", "mean_x", "mean_y"].map(|key| lab.settings.number(key));
    let (sin, cos) = angle.to_radians().sin_cos();
    let reach = 0.5 * stretch;
    let tip = [x + reach * cos, y + reach * sin];
    let ink = ui.visuals().strong_text_color();
    axes.line(ui, &[[x, y], tip], Stroke::new(1.5, ink));
    if let Some([tx, ty]) = axes.handle(ui, Id::new("cloud axis"), tip, color(1, ui.visuals())) {
        let (dx, dy) = (tx - x, ty - y);
        lab.settings.set("stretch", dx.hypot(dy) / 0.5);
        lab.settings
            .set("angle", dy.atan2(dx).to_degrees().rem_euclid(180.0));
    }
    if let Some([mx, my]) = axes.handle(ui, Id::new("cloud middle"), [x, y], Color32::WHITE) {
        lab.settings.set("mean_x", mx);
        lab.settings.set("mean_y", my);
    }
    axes.text(
        ui,
        [-5.8, 5.5],
        Align2::LEFT_CENTER,
        tr("drag the dots", "拖动圆点"),
        ui.visuals().weak_text_color(),
    );
}
