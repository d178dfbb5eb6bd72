//! Semantic segmentation while it is learned: the shown image, its labels, what the network
//! answers, and how well the answer covers each class.

use std::collections::BTreeSet;

use egui::{Color32, Grid, Rect, RichText, ScrollArea, Slider, TextStyle, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::sample::picker_ui;
use super::thumbnails::{LabelsShown, Shot, Source, Thumbnails, image_and_labels};
use super::tiles::{self, Hit, Tiles};
use crate::data::{Dataset, Feed, IGNORE, SplitName, label_color};
use crate::graph::{Graph, Phase, PortRef, Role};
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{empty_ui, percent};
use crate::i18n::{tr, tr_format};
use crate::inspect::{Picture, answers, beside, blend, overlaps, picture_of_labels};
use crate::train::{Command, Watch};

/// The rows of classes that are seen without scrolling, about.
const TABLE: f32 = 190.0;

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentationView {
    /// Of the answer over the image.
    opacity: f32,
    #[serde(skip)]
    shown: Option<Shown>,
    #[serde(skip)]
    tiles: Tiles<(u64, u32)>,
    #[serde(skip)]
    serial: u64,
    #[serde(skip)]
    thumbnails: Thumbnails,
}

impl Default for SegmentationView {
    fn default() -> Self {
        Self {
            opacity: 0.6,
            shown: None,
            tiles: Tiles::default(),
            serial: 0,
            thumbnails: Thumbnails::default(),
        }
    }
}

/// One example with its answer, kept until the snapshot or the example changes.
struct Shown {
    key: (Source, (SplitName, usize), u64),
    image: Picture,
    labels: Vec<u32>,
    /// Empty before the network was asked.
    answers: Vec<u32>,
    problem: Option<String>,
}

impl View for SegmentationView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let feed = match ctx.data {
            None => {
                let title = tr("Opening the data…", "正在打开数据…");
                return empty_ui(ui, title, &ctx.project.data.source);
            }
            Some(Ok(feed)) if feed.dataset().has_label_maps() => feed,
            _ => {
                let title = tr("No labels of pixels", "没有逐像素标签");
                let hint = tr(
                    "Choose data in which each pixel has a label, such as the built-in shapes or a PASCAL VOC folder.",
                    "请选择带逐像素标签的数据，例如内置的 shapes 或 PASCAL VOC 文件夹。",
                );
                return empty_ui(ui, title, hint);
            }
        };
        let scores = scores_of(&ctx.project.graph);
        if let Some(port) = &scores {
            // The session is to send this node's output with every snapshot.
            actions.push(Action::Train(Command::Watch(Watch {
                nodes: BTreeSet::from([port.node.clone()]),
                ..Watch::default()
            })));
        }
        picker_ui(ui, ctx, feed, &mut self.thumbnails, actions);
        ui.separator();
        self.keep(ctx, feed, scores.as_ref());
        let Some(shown) = self.shown.take() else {
            return;
        };
        match &shown.problem {
            Some(problem) => empty_ui(ui, tr("The image cannot be shown", "无法显示图像"), problem),
            None => self.shown_ui(ui, ctx, feed.dataset(), &shown),
        }
        self.shown = Some(shown);
    }
}

/// What the network's overlap, or else its loss, reads as scores.
fn scores_of(graph: &Graph) -> Option<PortRef> {
    let nodes = graph
        .nodes()
        .iter()
        .filter(|node| node.phases.contains(Phase::Test));
    let by = |name: &str| {
        let judge = nodes.clone().find(|node| node.layer.spec().name == name)?;
        judge.inputs_in(Phase::Test).get(0).cloned()
    };
    let known = by("MeanIoU").or_else(|| by("SoftmaxWithLoss"))?;
    let source = graph.named(&known.node, Phase::Test)?;
    (source.layer.spec().role != Role::Data).then_some(known)
}

impl SegmentationView {
    fn keep(&mut self, ctx: &Ctx<'_>, feed: &Feed, scores: Option<&PortRef>) {
        let key = (Source::of(feed), ctx.example, ctx.run.serial());
        if self.shown.as_ref().is_some_and(|shown| shown.key == key) {
            return;
        }
        let (split, index) = ctx.example;
        let shot = Shot {
            split,
            index,
            preprocessed: true,
            labels: LabelsShown::Off,
        };
        let found = image_and_labels(feed, shot);
        let snapshot = ctx.run.snapshot();
        let snapshot = snapshot.filter(|of| (of.split, of.index) == (Some(split), index));
        let value = scores.and_then(|port| snapshot?.outputs.get(&port.node)?.get(port.port));
        let answers = value.and_then(|value| answers(value.tensor()).ok());
        let (image, labels, problem) = match found {
            Ok((image, labels)) => (image, labels, None),
            Err(error) => (Picture::default(), Vec::new(), Some(error.to_string())),
        };
        self.serial += 1;
        self.shown = Some(Shown {
            key,
            answers: answers
                .filter(|answers| answers.len() == labels.len())
                .unwrap_or_default(),
            image,
            labels,
            problem,
        });
    }

    fn shown_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, dataset: &Dataset, shown: &Shown) {
        let has_answer = !shown.answers.is_empty();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().slider_width = 90.0;
            let slider = Slider::new(&mut self.opacity, 0.0..=1.0).show_value(false);
            ui.add(slider)
                .on_hover_text(tr("opacity of the overlay", "叠加层的不透明度"));
            ui.weak(tr("overlay", "叠加层"));
            if let (true, Some(snapshot)) = (has_answer, ctx.run.snapshot()) {
                let at = exact(snapshot.iteration);
                ui.weak(tr_format!("after iteration {at}", "第 {at} 次迭代后"));
            }
            if !has_answer {
                ui.weak(tr(
                    "Press Space to train: the network's answer appears here and changes while it learns.",
                    "按空格键开始训练：网络的预测会显示在这里，并随学习过程变化。",
                ));
            }
        });
        let room = ui.available_size();
        let is_wide = room.x > 1.6 * room.y;
        if is_wide {
            let left = vec2((room.x - 300.0).max(120.0), room.y);
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| self.pictures_ui(ui, dataset, shown, left));
                ui.vertical(|ui| table_ui(ui, ctx, dataset, shown));
            });
        } else {
            let above = vec2(room.x, (room.y - TABLE).max(90.0));
            self.pictures_ui(ui, dataset, shown, above);
            table_ui(ui, ctx, dataset, shown);
        }
    }

    /// Image, truth, answer and overlay, as large as there is room.
    fn pictures_ui(&mut self, ui: &mut Ui, dataset: &Dataset, shown: &Shown, room: egui::Vec2) {
        let width = shown.image.width;
        let has_answer = !shown.answers.is_empty();
        let opacity = self.opacity;
        self.tiles
            .refresh(ui, (self.serial, opacity.to_bits()), |_| {
                let truth = picture_of_labels(&shown.labels, width);
                let mut pictures = vec![shown.image.clone(), truth.clone()];
                if has_answer {
                    let answer = picture_of_labels(&shown.answers, width);
                    pictures.push(answer.clone());
                    pictures.push(blend(&shown.image, &answer, opacity));
                } else {
                    pictures.push(blend(&shown.image, &truth, opacity));
                }
                beside(&pictures)
            });
        let names: &[&str] = match has_answer {
            true => &[
                tr("image", "图像"),
                tr("truth", "真值"),
                tr("prediction", "预测"),
                tr("overlay", "叠加"),
            ],
            false => &[
                tr("image", "图像"),
                tr("truth", "真值"),
                tr("overlay", "叠加"),
            ],
        };
        let tile = [shown.image.width, shown.image.height];
        let grid = tiles::Grid::new(names.len(), tile, room - vec2(8.0, 4.0), 1.0);
        let area = ScrollArea::both().id_salt("pictures");
        area.max_height(room.y).show(ui, |ui| {
            let (response, hit) = self.tiles.ui(ui, &grid, &names.join(", "));
            let font = TextStyle::Small.resolve(ui.style());
            for (nth, name) in names.iter().enumerate() {
                let corner = grid.rect(nth, response.rect.min).left_top() + vec2(3.0, 2.0);
                let galley =
                    ui.painter()
                        .layout_no_wrap((*name).to_owned(), font.clone(), Color32::WHITE);
                // On a plate of its own: what lies below has any colour.
                let plate = Rect::from_min_size(corner, galley.size()).expand(2.0);
                ui.painter()
                    .rect_filled(plate, 2.0, Color32::from_black_alpha(170));
                ui.painter().galley(corner, galley, Color32::WHITE);
            }
            if let Some(hit) = hit {
                response.on_hover_text_at_pointer(hover(dataset, shown, names, hit));
            }
        });
    }
}

/// What is under the pointer.
fn hover(dataset: &Dataset, shown: &Shown, names: &[&str], hit: Hit) -> String {
    let at = hit.y * shown.image.width + hit.x;
    let class = |labels: &[u32]| labels.get(at).map(|label| name_of(dataset, *label));
    let picture = names.get(hit.tile).copied().unwrap_or_default();
    let mut text = format!("{picture} ({}, {})", hit.x, hit.y);
    if let Some(truth) = class(&shown.labels) {
        text += &tr_format!("\ntruth: {truth}", "\n真值：{truth}");
    }
    if let Some(answer) = class(&shown.answers) {
        text += &tr_format!("\nprediction: {answer}", "\n预测：{answer}");
    }
    text
}

fn name_of(dataset: &Dataset, label: u32) -> String {
    match label == u32::from(IGNORE) {
        true => tr("left out", "忽略").to_owned(),
        false => dataset.class_name(label).into_owned(),
    }
}

/// The overlap of each class, on the shown image and on the split that was evaluated last.
fn table_ui(ui: &mut Ui, ctx: &Ctx<'_>, dataset: &Dataset, shown: &Shown) {
    let classes = dataset.classes().len();
    let own = match shown.answers.is_empty() {
        true => vec![None; classes],
        false => overlaps(&shown.labels, &shown.answers, classes),
    };
    let evaluation = ctx.run.newest_evaluation();
    let details = evaluation.and_then(|evaluation| {
        let mut details = evaluation.details.values();
        details.find(|details| details.by_class.len() == classes)
    });
    let head = |ui: &mut Ui, text: &str, about: &str| {
        ui.label(RichText::new(text).strong()).on_hover_text(about);
    };
    let cell = |ui: &mut Ui, value: Option<f64>| {
        let text = value.map_or_else(|| "–".to_owned(), percent);
        ui.label(text);
    };
    ScrollArea::vertical().id_salt("overlaps").show(ui, |ui| {
        Grid::new("overlap").num_columns(3).striped(true).show(ui, |ui| {
            head(ui, tr("IoU", "交并比"), tr(
                "pixels that are rightly named, over all that are of the class or are named so",
                "预测正确的像素数除以属于或被预测为该类的像素数",
            ));
            head(ui, tr("this image", "本图"), "");
            let split = evaluation.map_or("–", |evaluation| evaluation.split.name());
            let about = evaluation.map_or_else(String::new, |evaluation| {
                let at = exact(evaluation.iteration);
                tr_format!("after iteration {at}", "第 {at} 次迭代后")
            });
            head(ui, split, &about);
            ui.end_row();
            let all = |values: &[Option<f64>]| {
                let known: Vec<f64> = values.iter().flatten().copied().collect();
                (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
            };
            let known = |value: &f64| Some(*value).filter(|value| !value.is_nan());
            let whole: Vec<Option<f64>> = match details {
                Some(details) => details.by_class.iter().map(known).collect(),
                None => vec![None; classes],
            };
            ui.label(RichText::new(tr("mean", "平均")).strong());
            cell(ui, all(&own));
            cell(ui, all(&whole));
            ui.end_row();
            for class in 0..classes {
                ui.horizontal(|ui| {
                    color_ui(ui, class as u32);
                    ui.label(dataset.class_name(class as u32).as_ref());
                });
                cell(ui, own.get(class).copied().flatten());
                cell(ui, whole.get(class).copied().flatten());
                ui.end_row();
            }
        });
    });
}

/// A class's colour.
fn color_ui(ui: &mut Ui, class: u32) {
    let [red, green, blue] = label_color(u8::try_from(class).unwrap_or(IGNORE));
    let (rect, _) = ui.allocate_exact_size(vec2(11.0, 11.0), egui::Sense::hover());
    let ink = Color32::from_rgb(red, green, blue);
    ui.painter().rect_filled(rect, 2.0, ink);
    // Black is a class's colour too, and the window may be dark.
    let edge = egui::Stroke::new(1.0, ui.visuals().weak_text_color());
    ui.painter()
        .rect_stroke(rect, 2.0, edge, egui::StrokeKind::Inside);
}

/// Which colour is which class.
pub fn legend_ui(ui: &mut Ui, dataset: &Dataset) {
    ui.horizontal_wrapped(|ui| {
        for class in 0..dataset.classes().len() {
            color_ui(ui, class as u32);
            let name = dataset.class_name(class as u32);
            ui.add(egui::Label::new(name.as_ref()).extend());
        }
    });
}
