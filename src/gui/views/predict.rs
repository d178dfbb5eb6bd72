//! What the network takes a picture for: any file, the clipboard, or a drawing of one's own,
//! with the newest weights while it trains.

mod bars;
mod canvas;

use std::sync::Arc;

use candle_core::Tensor;
use egui::{ColorImage, Rect, RichText, Sense, TextureHandle, TextureOptions, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::thumbnails::Source;
use crate::data::Feed;
use crate::gui::context::{Action, Ctx, Shown, View};
use crate::gui::plots::{duration, empty_ui};
use crate::i18n::{tr, tr_format};
use crate::inspect::{
    self, Answer, Maps, Predictor, Request, Subject, picture_of_bytes, picture_of_values,
};
use crate::train;
use bars::bars_ui;
use canvas::Canvas;

/// The longest side of a picture on the screen, in pixels of its texture.
const SIDE: usize = 512;

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct PredictView {
    /// Whether one draws oneself.
    draws: bool,
    canvas: Canvas,
    #[serde(skip)]
    predictor: Option<Predictor>,
    #[serde(skip)]
    prepared: Option<Prepared>,
    #[serde(skip)]
    subject: Option<Arc<Subject>>,
    #[serde(skip)]
    answer: Option<Result<Answer, String>>,
    /// Of the picture and the weights that were asked about last.
    #[serde(skip)]
    asked: (u64, u64),
    /// The picture that was chosen last.
    #[serde(skip)]
    chosen: u64,
}

impl Default for PredictView {
    fn default() -> Self {
        Self {
            draws: false,
            canvas: Canvas::default(),
            predictor: None,
            prepared: None,
            subject: None,
            answer: None,
            asked: (0, u64::MAX),
            chosen: 0,
        }
    }
}

/// A picture on its way into the network.
struct Prepared {
    /// Which picture, and how the data's settings were.
    picture: u64,
    source: Source,
    input: Result<Tensor, String>,
    original: TextureHandle,
    seen: Option<TextureHandle>,
}

impl View for PredictView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let feed = match ctx.data {
            Some(Ok(feed)) if feed.image_shape().is_some() => feed,
            Some(Ok(_)) => {
                let hint = tr(
                    "The data of this project are numbers or text; open a project that reads images.",
                    "该项目的数据是数值或文本；请打开读取图像的项目。",
                );
                return empty_ui(ui, tr("No pictures here", "此处没有图像"), hint);
            }
            Some(Err(problem)) => {
                return empty_ui(ui, tr("The data cannot be opened", "无法打开数据"), problem);
            }
            None => return empty_ui(ui, tr("The data are being opened", "正在打开数据"), ""),
        };
        // A new picture goes before the drawing.
        if let Some(shown) = ctx.picture
            && shown.serial != self.chosen
        {
            (self.chosen, self.draws) = (shown.serial, false);
        }
        ui.horizontal_wrapped(|ui| self.bar_ui(ui, ctx, feed, actions));
        if self.draws {
            ui.horizontal_wrapped(|ui| self.canvas.bar_ui(ui));
        }
        ui.separator();
        let shown = match self.draws {
            true => Some(self.canvas.shown()),
            false => ctx.picture.cloned(),
        };
        if let (None, false) = (&shown, self.draws) {
            let hint = tr(
                "Drop an image file on the window, open one, paste a picture, or draw one yourself.",
                "把图像文件拖到窗口上，打开图像，粘贴图片，或者自己画一幅。",
            );
            return empty_ui(
                ui,
                tr("Show the network a picture", "给网络看一幅图像"),
                hint,
            );
        }
        let Some(shown) = shown else { return };
        self.prepare(ui, &shown, feed);
        self.ask(ui, ctx, feed);
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                // Beside each other, where there is room for both.
                let room = ui.available_width();
                let wide = room > 280.0;
                let layout = match wide {
                    true => egui::Layout::left_to_right(egui::Align::TOP),
                    false => egui::Layout::top_down(egui::Align::LEFT),
                };
                ui.with_layout(layout, |ui| {
                    ui.vertical(|ui| {
                        ui.set_max_width(if wide { (room * 0.45).min(240.0) } else { room });
                        self.pictures_ui(ui, &shown);
                    });
                    ui.add_space(12.0);
                    ui.vertical(|ui| self.answer_ui(ui, feed));
                });
            });
    }
}

impl PredictView {
    fn bar_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, feed: &Feed, actions: &mut Vec<Action>) {
        if ui.button(tr("Open image…", "打开图像…")).clicked() {
            self.draws = false;
            actions.push(Action::BrowsePicture);
        }
        let paste = ui.button(tr("Paste", "粘贴"));
        let about = tr(
            "A picture from the clipboard (Ctrl+V)",
            "剪贴板中的图片（Ctrl+V）",
        );
        if paste.on_hover_text(about).clicked() {
            self.draws = false;
            actions.push(Action::PastePicture);
        }
        let about = tr(
            "The example that the data view and the feature maps show",
            "数据视图和特征图当前显示的样本",
        );
        let example = ui.button(tr("Shown example", "当前样本"));
        if example.on_hover_text(about).clicked() {
            self.draws = false;
            let (split, index) = ctx.example;
            let name = format!("{} {index}", split.name());
            match feed.dataset().picture(split, index) {
                Ok(picture) => actions.push(Action::ShowPicture(picture, name)),
                Err(error) => actions.push(Action::Say(
                    crate::gui::toasts::Tone::Error,
                    error.to_string(),
                )),
            }
        }
        let draw = ui.selectable_label(self.draws, tr("Draw", "手绘"));
        let about = tr(
            "Draw with the mouse; the network answers as you draw",
            "用鼠标绘制；边画边识别",
        );
        if draw.on_hover_text(about).clicked() {
            self.draws = !self.draws;
        }
    }

    /// Turns the picture into the network's input, once for each picture and setting.
    fn prepare(&mut self, ui: &Ui, shown: &Shown, feed: &Feed) {
        let source = Source::of(feed);
        let is_current =
            |prepared: &Prepared| prepared.picture == shown.serial && prepared.source == source;
        if self.prepared.as_ref().is_some_and(is_current) {
            return;
        }
        let input = feed.tensor_of((*shown.picture).clone());
        let texture = |name: &str, picture: inspect::Picture| {
            let picture = picture.reduced(SIDE);
            let image = ColorImage::from_rgb([picture.width, picture.height], &picture.rgb);
            ui.ctx().load_texture(name, image, TextureOptions::NEAREST)
        };
        let seen = input.as_ref().ok().and_then(|input| {
            let maps = Maps::of(input, 0).ok()?;
            let shape = [maps.channels, maps.height, maps.width];
            Some(texture("seen", picture_of_values(&maps.values, shape)))
        });
        self.prepared = Some(Prepared {
            picture: shown.serial,
            original: texture(
                "original",
                picture_of_bytes(&shown.picture.pixels, shown.picture.shape),
            ),
            input: input.map_err(|error| error.to_string()),
            seen,
            source,
        });
    }

    /// Asks for an answer where the picture, the network or its weights are new.
    fn ask(&mut self, ui: &Ui, ctx: &Ctx<'_>, feed: &Feed) {
        let Some(Prepared {
            picture,
            input: Ok(input),
            ..
        }) = &self.prepared
        else {
            self.answer = None;
            return;
        };
        if self.predictor.is_none() {
            let egui = ui.ctx().clone();
            match Predictor::start(move || egui.request_repaint()) {
                Ok(predictor) => self.predictor = Some(predictor),
                Err(error) => self.answer = Some(Err(error.to_string())),
            }
        }
        let Some(predictor) = &mut self.predictor else {
            return;
        };
        if let Some(answer) = predictor.newest() {
            self.answer = Some(answer);
        }
        let project = ctx.project;
        let is_same = |subject: &Arc<Subject>| {
            (subject.seed, subject.precise) == (project.seed, project.precise)
                && subject.graph == project.graph
        };
        let same_network = self.subject.as_ref().is_some_and(is_same);
        let wanted = (*picture, ctx.run.serial());
        // One question at a time: while training, each answer brings the next.
        if predictor.is_busy() || same_network && self.asked == wanted {
            return;
        }
        let fresh = || {
            Arc::new(Subject {
                graph: project.graph.clone(),
                facts: train::facts(feed),
                seed: project.seed,
                precise: project.precise,
            })
        };
        let kept = self.subject.take().filter(|_| same_network);
        let subject = kept.unwrap_or_else(fresh);
        predictor.ask(Request {
            subject: subject.clone(),
            weights: ctx.run.snapshot().cloned(),
            serial: wanted.1,
            input: input.clone(),
            picture: *picture,
        });
        (self.subject, self.asked) = (Some(subject), wanted);
    }

    fn pictures_ui(&mut self, ui: &mut Ui, shown: &Shown) {
        let Some(prepared) = &self.prepared else {
            return;
        };
        if self.draws {
            self.canvas.ui(ui);
        } else {
            picture_ui(ui, &prepared.original, 220.0);
            let [_, height, width] = shown.picture.shape;
            ui.label(RichText::new(&shown.name).strong());
            ui.weak(format!("{width} × {height}"));
        }
        if let Some(seen) = &prepared.seen {
            ui.add_space(8.0);
            ui.weak(tr("As the network sees it", "网络看到的图像"));
            picture_ui(ui, seen, 140.0);
        }
        if let Err(problem) = &prepared.input {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
    }

    fn answer_ui(&self, ui: &mut Ui, feed: &Feed) {
        match &self.answer {
            Some(Ok(answer)) => {
                bars_ui(ui, feed, answer);
                ui.add_space(6.0);
                let time = duration(answer.seconds);
                let text = match answer.iteration {
                    Some(iteration) => tr_format!(
                        "weights of iteration {iteration} · {time} for the picture",
                        "第 {iteration} 次迭代的权重 · 识别耗时 {time}"
                    ),
                    None => tr_format!(
                        "not trained yet: the weights are as at the beginning · {time} for the picture",
                        "尚未训练：权重为初始值 · 识别耗时 {time}"
                    ),
                };
                ui.weak(text);
            }
            Some(Err(problem)) => {
                ui.colored_label(ui.visuals().warn_fg_color, problem);
            }
            None => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.weak(tr("The network is looking …", "网络正在识别……"));
                });
            }
        }
    }
}

/// A picture as large as fits into a square, with sharp pixels.
fn picture_ui(ui: &mut Ui, texture: &TextureHandle, side: f32) {
    let size = texture.size_vec2();
    let side = side.min(ui.available_width());
    let scale = (side / size.x).min(side / size.y);
    let (rect, _) = ui.allocate_exact_size(vec2(side, size.y * scale), Sense::hover());
    let rect = Rect::from_min_size(rect.min, size * scale);
    let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
    ui.painter()
        .image(texture.id(), rect, whole, egui::Color32::WHITE);
}
