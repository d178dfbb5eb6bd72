//! The view of what was before: pipelines beside a network, what features see, milestones.

mod milestones;

use egui::{Color32, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};

use super::canvas::{Picture, rgb};
use super::contest::ContestView;
use super::player::{Asked, Player};
use super::{BenchView, Lab};
use crate::gui::plots::{color, percent};
use crate::i18n::{tr, tr_format};
use crate::inspect::{ColorMap, Range};
use crate::labs::classical::features::{hog_cells, lbp_code};
use crate::labs::classical::pipeline::{ATOM_SIDE, At, FEATURES, Images, Pipeline};
use crate::labs::classical::{Image, network, source};
use milestones::MilestonesView;

pub struct ClassicalView {
    images: Option<([usize; 2], Result<Images, String>)>,
    pipelines: Vec<Pipeline>,
    results: Vec<Option<f64>>,
    player: Player,
    contest: ContestView,
    pictures: [Picture; 2],
    pictures_of: Option<[usize; 3]>,
    atoms: Vec<Picture>,
    milestones: MilestonesView,
}

impl Default for ClassicalView {
    fn default() -> Self {
        Self {
            images: None,
            pipelines: Vec::new(),
            results: Vec::new(),
            player: Player::new(20_000.0, 100_000.0),
            contest: ContestView::default(),
            pictures: Default::default(),
            pictures_of: None,
            atoms: Vec::new(),
            milestones: MilestonesView::default(),
        }
    }
}

impl BenchView for ClassicalView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.pipeline_ui(ui, lab),
            1 => self.features_ui(ui, lab),
            _ => self.milestones.ui(ui),
        }
    }
}

impl ClassicalView {
    fn open(&mut self, lab: &Lab<'_>) {
        let of = ["data", "train"].map(|key| lab.settings.count(key));
        if self.images.as_ref().is_none_or(|(made, _)| *made != of) {
            let images = Images::open(source(lab.settings), of[1]);
            self.images = Some((of, images.map_err(|error| error.to_string())));
            self.restart();
            self.pictures_of = None;
        }
    }

    fn restart(&mut self) {
        self.pipelines = (0..FEATURES.len()).map(Pipeline::new).collect();
        self.results = vec![None; FEATURES.len()];
        self.contest.contest = None;
        self.atoms.clear();
        self.player.stop();
    }

    fn pipeline_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.open(lab);
        self.contest.poll();
        ui.horizontal(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.restart();
            }
            if self.player.is_playing() && self.contest.contest.is_none() {
                let started = network(lab.settings, ContestView::priority(), ContestView::wake(ui));
                self.contest.contest = Some(started);
            }
        });
        let Some((_, Ok(images))) = &self.images else {
            if let Some((_, Err(problem))) = &self.images {
                ui.colored_label(ui.visuals().error_fg_color, problem);
            }
            return;
        };
        let (pipelines, results) = (&mut self.pipelines, &mut self.results);
        self.player.advance(|| {
            let next = pipelines
                .iter_mut()
                .find(|pipeline| pipeline.at != At::Done);
            let Some(pipeline) = next else { return false };
            pipeline.step(images);
            results[pipeline.feature] = pipeline.accuracy(images);
            true
        });
        let (train, test) = (images.train.len(), images.test.len());
        ui.label(tr_format!(
            "{train} images to train on, {test} to test on, the same for all; press play",
            "训练 {train} 幅，测试 {test} 幅，各方法相同；按播放开始"
        ));
        self.table_ui(ui);
    }

    fn table_ui(&mut self, ui: &mut Ui) {
        ui.add_space(6.0);
        let room = ui.available_size();
        let row = ((room.y - 30.0) / (FEATURES.len() as f32 + 1.0)).clamp(20.0, 44.0);
        for (n, (_, name, kind)) in FEATURES.iter().enumerate() {
            let pipeline = &self.pipelines[n];
            let state = match (pipeline.at, pipeline.progress) {
                (At::Done, _) => None,
                (At::Learning, [0, _]) => Some(tr("waiting", "等待").to_owned()),
                (at, [done, whole]) => {
                    let part = percent(done as f64 / whole.max(1) as f64);
                    Some(match at {
                        At::Learning => tr_format!("learning {part}", "学习 {part}"),
                        At::Extracting => tr_format!("features {part}", "提取特征 {part}"),
                        At::Classifying => tr_format!("linear SVM {part}", "线性 SVM {part}"),
                        _ => tr_format!("testing {part}", "测试 {part}"),
                    })
                }
            };
            let size = pipeline.size();
            let about = match size {
                0 => kind.get().to_owned(),
                _ => tr_format!("{} · {size} numbers", "{} · {size} 维", kind),
            };
            bar_ui(
                ui,
                row,
                name.get(),
                &about,
                self.results[n],
                state,
                color(0, ui.visuals()),
            );
        }
        let run = self
            .contest
            .contest
            .as_ref()
            .and_then(|contest| contest.runs.first());
        let accuracy = run.and_then(|run| run.test_accuracy);
        let state = run.filter(|_| accuracy.is_none()).map(|run| {
            let done = run.losses.len();
            tr_format!("training, iteration {done}", "训练中，第 {done} 次迭代")
        });
        let about = tr("learned from pixels to answer", "从像素到答案一并学习");
        bar_ui(
            ui,
            row,
            "LeNet",
            about,
            accuracy,
            state,
            color(1, ui.visuals()),
        );
    }

    fn features_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.open(lab);
        let Some((_, Ok(images))) = &self.images else {
            return;
        };
        let index = lab.settings.count("index");
        let Some(image) = images.train.get(index) else {
            return;
        };
        let of = [
            lab.settings.count("data"),
            lab.settings.count("train"),
            index,
        ];
        if self.pictures_of != Some(of) {
            self.pictures_of = Some(of);
            let gray = |value: f32| rgb(ColorMap::Gray.rgb(value));
            self.pictures[0].set(
                ui,
                [28, 28],
                image.pixels.iter().map(|v| gray(*v)).collect(),
                false,
            );
            let codes = (0..784).map(|n| {
                let (y, x) = (n / 28, n % 28);
                match (1..27).contains(&y) && (1..27).contains(&x) {
                    true => gray(f32::from(lbp_code(image, y, x)) / 255.0),
                    false => Color32::BLACK,
                }
            });
            self.pictures[1].set(ui, [28, 28], codes.collect(), false);
        }
        let room = ui.available_size();
        let side = ((room.x - 24.0) / 3.0).min(room.y * 0.6).max(80.0);
        ui.horizontal_top(|ui| {
            picture_ui(ui, side, tr("the image", "图像"), &self.pictures[0]);
            ui.vertical(|ui| {
                ui.label(tr(
                    "HOG: nine directions in every cell",
                    "HOG：每个单元九个方向",
                ));
                hog_ui(ui, side, image);
            });
            picture_ui(
                ui,
                side,
                tr("LBP: each pixel's code", "LBP：每个像素的编码"),
                &self.pictures[1],
            );
        });
        ui.add_space(8.0);
        ui.label(tr(
            "The dictionary's patches, learned without labels:",
            "字典图块（无标签学习得到）：",
        ));
        self.atoms_ui(ui);
    }

    fn atoms_ui(&mut self, ui: &mut Ui) {
        let pipeline = &self.pipelines[5];
        if self.atoms.is_empty() && pipeline.at != At::Learning {
            for atom in pipeline.atoms() {
                let range = Range::of(atom).around_zero();
                let pixels = atom
                    .iter()
                    .map(|value| rgb(ColorMap::Gray.of(*value, range)))
                    .collect();
                let mut picture = Picture::default();
                picture.set(ui, [ATOM_SIDE, ATOM_SIDE], pixels, false);
                self.atoms.push(picture);
            }
        }
        if self.atoms.is_empty() {
            let text = tr(
                "Press play in the first part; they come with “Dictionary”.",
                "请在第一部分按播放；运行到“字典”时出现。",
            );
            ui.label(RichText::new(text).weak());
            return;
        }
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(3.0, 3.0);
            for atom in &self.atoms {
                let (rect, _) = ui.allocate_exact_size(vec2(27.0, 27.0), Sense::hover());
                atom.paint(ui, rect);
            }
        });
    }
}

fn picture_ui(ui: &mut Ui, side: f32, title: &str, picture: &Picture) {
    ui.vertical(|ui| {
        ui.label(title);
        let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
        picture.paint(ui, rect);
    });
}

/// Every cell's directions as strokes along the edges that they stand for.
fn hog_ui(ui: &mut Ui, side: f32, image: &Image) {
    let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    ui.painter().rect_filled(rect, 0.0, Color32::BLACK);
    let sums = hog_cells(image);
    let most = sums.iter().copied().fold(1e-6, f32::max);
    let cell = side / 7.0;
    for (n, bins) in sums.chunks_exact(9).enumerate() {
        let middle = rect.min + vec2((n % 7) as f32 + 0.5, (n / 7) as f32 + 0.5) * cell;
        for (bin, sum) in bins.iter().enumerate() {
            // An edge runs across its slope.
            let angle =
                (bin as f32 + 0.5) / 9.0 * std::f32::consts::PI + std::f32::consts::FRAC_PI_2;
            let along = vec2(angle.cos(), angle.sin()) * cell * 0.46;
            let strength = (sum / most).sqrt();
            let ink = Color32::from_gray((strength * 255.0) as u8);
            if strength > 0.12 {
                ui.painter().line_segment(
                    [middle - along, middle + along],
                    Stroke::new(1.0 + 1.5 * strength, ink),
                );
            }
        }
    }
}

fn bar_ui(
    ui: &mut Ui,
    height: f32,
    name: &str,
    about: &str,
    result: Option<f64>,
    state: Option<String>,
    ink: Color32,
) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let names = 300.0f32.min(rect.width() * 0.42);
    let text = ui.visuals().strong_text_color();
    let weak = ui.visuals().weak_text_color();
    let font = egui::FontId::proportional(13.5);
    let small = egui::FontId::proportional(11.0);
    let painter = ui.painter();
    let name = painter.text(
        rect.left_center(),
        egui::Align2::LEFT_CENTER,
        name,
        font.clone(),
        text,
    );
    let clip = painter.with_clip_rect(rect.with_max_x(rect.left() + names - 6.0));
    clip.text(
        pos2(name.right() + 8.0, rect.center().y),
        egui::Align2::LEFT_CENTER,
        about,
        small,
        weak,
    );
    let ground = Rect::from_min_max(
        pos2(rect.left() + names, rect.top() + 3.0),
        rect.right_bottom() - vec2(70.0, 3.0),
    );
    painter.rect_filled(ground, 3.0, ui.visuals().extreme_bg_color);
    match (result, state) {
        (Some(result), _) => {
            // From a half on: below that, nothing of this list goes.
            let part = ((result - 0.5) / 0.5).clamp(0.01, 1.0) as f32;
            painter.rect_filled(
                ground.with_max_x(ground.left() + ground.width() * part),
                3.0,
                ink,
            );
            let at = pos2(rect.right() - 64.0, rect.center().y);
            painter.text(at, egui::Align2::LEFT_CENTER, percent(result), font, text);
        }
        (None, Some(state)) => {
            let at = pos2(ground.left() + 8.0, rect.center().y);
            painter.text(at, egui::Align2::LEFT_CENTER, state, font, weak);
        }
        _ => {}
    }
}
