//! The data set: its splits and classes, and its examples before and after preprocessing.

use egui::{CollapsingHeader, ComboBox, RichText, ScrollArea, Slider, TextStyle, Ui};
use serde::{Deserialize, Serialize};

use super::gallery::{Entry, Gallery};
use super::sample::target_texts;
use super::segmentation::legend_ui;
use super::thumbnails::{LabelsShown, Source, Thumbnails};
use crate::data::{Dataset, Feed, Pixels, SplitName};
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::empty_ui;
use crate::i18n::{tr, tr_format};

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct DataView {
    split: SplitName,
    preprocessed: bool,
    labels: LabelsShown,
    /// Only this class.
    class: Option<u32>,
    /// The side of an image in points.
    side: f32,
    #[serde(skip)]
    listed: Option<Listed>,
    #[serde(skip)]
    counts: Option<(Source, Vec<[usize; 3]>)>,
    #[serde(skip)]
    thumbnails: Thumbnails,
}

impl Default for DataView {
    fn default() -> Self {
        Self {
            split: SplitName::Train,
            preprocessed: false,
            labels: LabelsShown::default(),
            class: None,
            side: 56.0,
            listed: None,
            counts: None,
            thumbnails: Thumbnails::default(),
        }
    }
}

/// The examples of one class in one split.
struct Listed {
    source: Source,
    split: SplitName,
    class: u32,
    indices: Vec<usize>,
}

impl View for DataView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let feed = match ctx.data {
            None => {
                let title = tr("Opening the data…", "正在打开数据…");
                return empty_ui(ui, title, &ctx.project.data.source);
            }
            Some(Err(message)) => {
                return empty_ui(ui, tr("The data cannot be opened", "无法打开数据"), message);
            }
            Some(Ok(feed)) => feed,
        };
        let dataset = feed.dataset();
        // The class may be one of another data set.
        self.class = self
            .class
            .filter(|class| (*class as usize) < dataset.classes().len());
        if dataset.is_empty(self.split) {
            self.split = SplitName::Train;
        }
        self.about_ui(ui, feed);
        self.settings_ui(ui, dataset);
        if dataset.is_text() {
            return texts_ui(ui, ctx, dataset, self.split, actions);
        }
        let total = self.list(feed);
        self.gallery_ui(ui, ctx, feed, total, actions);
    }
}

impl DataView {
    fn about_ui(&mut self, ui: &mut Ui, feed: &Feed) {
        let dataset = feed.dataset();
        let sides = |shape: &[usize]| {
            let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
            sides.join("×")
        };
        let shape = match dataset.shape() {
            Some(shape) => sides(&shape),
            None => tr("images of several sizes", "尺寸不一的图像").to_owned(),
        };
        let (kind, source) = (dataset.kind().name(), dataset.source());
        let answer = feed.summary().answer_text();
        let name = tr_format!("{source}: {answer}", "{source}：{answer}");
        let about = format!("{kind} · {shape} → {}", sides(feed.shape()));
        let hover = tr(
            "shape of an example, before and after preprocessing",
            "样本的形状：预处理前 → 预处理后",
        );
        CollapsingHeader::new(name)
            .id_salt("about the data")
            .show(ui, |ui| {
                ui.label(about).on_hover_text(hover);
                spectrum_ui(ui, feed);
                if !dataset.has_label_maps() {
                    self.classes_ui(ui, feed);
                }
            });
        if dataset.has_label_maps() {
            legend_ui(ui, dataset);
        }
    }

    /// How many examples of each class each split holds.
    fn classes_ui(&mut self, ui: &mut Ui, feed: &Feed) {
        let source = Source::of(feed);
        if self.counts.as_ref().is_none_or(|(of, _)| *of != source) {
            self.counts = Some((source, class_counts(feed.dataset())));
        }
        let Some((_, counts)) = &self.counts else {
            return;
        };
        let row = ui.text_style_height(&TextStyle::Body);
        let cell = |ui: &mut Ui, width: f32, text: String, strong: bool| {
            let text = RichText::new(text);
            let text = if strong { text.strong() } else { text };
            let label = egui::Label::new(text).truncate();
            ui.add_sized([width, row], label);
        };
        let widths = [120.0, 80.0, 80.0, 80.0];
        ui.horizontal(|ui| {
            let heads = [
                tr("class", "类别"),
                SplitName::Train.name(),
                SplitName::Validation.name(),
                SplitName::Test.name(),
            ];
            heads
                .iter()
                .zip(widths)
                .for_each(|(head, width)| cell(ui, width, (*head).to_owned(), true));
        });
        ScrollArea::vertical()
            .max_height(160.0)
            .id_salt("class counts")
            .show_rows(ui, row, counts.len(), |ui, rows| {
                for class in rows {
                    ui.horizontal(|ui| {
                        cell(
                            ui,
                            widths[0],
                            feed.dataset().class_name(class as u32).into_owned(),
                            false,
                        );
                        counts[class]
                            .iter()
                            .for_each(|number| cell(ui, 80.0, exact(*number as u64), false));
                    });
                }
            });
    }

    /// What does not wrap by itself, a slider and a list, goes first in its row.
    fn settings_ui(&mut self, ui: &mut Ui, dataset: &Dataset) {
        ui.horizontal_wrapped(|ui| {
            for split in SplitName::ALL {
                let (name, number) = (split.name(), exact(dataset.len(split) as u64));
                let text = format!("{name} {number}");
                let option = egui::Button::selectable(self.split == split, text);
                if ui.add_enabled(!dataset.is_empty(split), option).clicked() {
                    self.split = split;
                }
            }
        });
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().slider_width = 50.0;
            let size = Slider::new(&mut self.side, 28.0..=160.0).show_value(false);
            ui.add(size)
                .on_hover_text(tr("size of the images", "图像大小"));
            if dataset.has_label_maps() {
                self.class = None;
                self.labels_ui(ui);
                return self.preprocessed_ui(ui);
            }
            let all = tr("all classes", "所有类别");
            let name = self
                .class
                .map_or(all.into(), |class| dataset.class_name(class));
            let combo = ComboBox::from_id_salt("class").width(96.0);
            combo.selected_text(name.as_ref()).show_ui(ui, |ui| {
                ui.selectable_value(&mut self.class, None, all);
                for class in 0..dataset.classes().len() as u32 {
                    let name = dataset.class_name(class);
                    ui.selectable_value(&mut self.class, Some(class), name.as_ref());
                }
            });
            self.preprocessed_ui(ui);
        });
    }

    fn preprocessed_ui(&mut self, ui: &mut Ui) {
        let about = tr(
            "as the network sees it: from each image's least value (black) to its greatest (white)",
            "网络所见：每幅图像从最小值（黑）到最大值（白）",
        );
        let name = tr("preprocessed", "预处理后");
        ui.checkbox(&mut self.preprocessed, name)
            .on_hover_text(about);
    }

    fn labels_ui(&mut self, ui: &mut Ui) {
        ui.weak(tr("labels", "标签"));
        for (shown, name) in [
            (LabelsShown::Over, tr("over the image", "叠加")),
            (LabelsShown::Beside, tr("beside it", "并排")),
            (LabelsShown::Off, tr("hidden", "隐藏")),
        ] {
            ui.selectable_value(&mut self.labels, shown, name);
        }
    }

    /// The number of examples to show; those of one class are listed once.
    fn list(&mut self, feed: &Feed) -> usize {
        let Some(class) = self.class else {
            return feed.dataset().len(self.split);
        };
        let source = Source::of(feed);
        let split = self.split;
        let same = |listed: &Listed| {
            listed.source == source && (listed.split, listed.class) == (split, class)
        };
        if !self.listed.as_ref().is_some_and(same) {
            let is_one = |index: &usize| feed.dataset().label(split, *index) == Some(class);
            let indices = (0..feed.dataset().len(split)).filter(is_one).collect();
            self.listed = Some(Listed {
                source,
                split,
                class,
                indices,
            });
        }
        self.listed
            .as_ref()
            .map_or(0, |listed| listed.indices.len())
    }

    fn gallery_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        feed: &Feed,
        total: usize,
        actions: &mut Vec<Action>,
    ) {
        if total == 0 {
            let title = tr("No examples", "没有样本");
            let hint = tr(
                "This split has none of this class.",
                "该划分中没有此类样本。",
            );
            return empty_ui(ui, title, hint);
        }
        let split = self.split;
        let listed = self.listed.as_ref().filter(|_| self.class.is_some());
        let evaluation = ctx.run.evaluation(split);
        let entry = |place: usize| {
            let index = listed.map_or(place, |listed| {
                listed.indices.get(place).copied().unwrap_or_default()
            });
            let label = feed.dataset().label(split, index);
            let name = label.map_or(index.to_string().into(), |label| {
                feed.dataset().class_name(label)
            });
            let mut about = tr_format!("example {index}: {name}", "样本 {index}：{name}");
            let seen = evaluation.and_then(|evaluation| evaluation.predictions.get(index));
            let wrong = seen.filter(|seen| Some(seen.predicted) != label);
            if let Some(wrong) = wrong {
                let other = feed.dataset().class_name(wrong.predicted);
                about += &tr_format!("; the network says {other}", "；网络预测为 {other}");
            }
            let (targets, _) = target_texts(feed, split, index);
            if !targets.is_empty() {
                about += "\n";
                about += &targets;
            }
            Entry {
                index,
                caption: if label.is_none() && !targets.is_empty() {
                    targets
                } else {
                    name.into_owned()
                },
                wrong: wrong.is_some(),
                about,
            }
        };
        let gallery = Gallery {
            split,
            preprocessed: self.preprocessed,
            labels: self.labels,
            side: self.side,
            total,
            entry: &entry,
        };
        gallery.ui(ui, ctx, feed, &mut self.thumbnails, actions);
    }
}

/// The examples of a text, a line each; a click shows one in all views.
fn texts_ui(
    ui: &mut Ui,
    ctx: &Ctx<'_>,
    dataset: &Dataset,
    split: SplitName,
    actions: &mut Vec<Action>,
) {
    let row = ui.text_style_height(&TextStyle::Body);
    let area = ScrollArea::vertical()
        .auto_shrink(false)
        .id_salt(split.key());
    area.show_rows(ui, row, dataset.len(split), |ui, rows| {
        for index in rows {
            let Ok(example) = dataset.example(split, index) else {
                continue;
            };
            let Pixels::Tokens(tokens) = &example.pixels else {
                continue;
            };
            let text = dataset.text_of(tokens);
            let line = format!("{index}  {}", text.replace('\n', "⏎"));
            let chosen = ctx.example == (split, index);
            let line = egui::Button::selectable(chosen, RichText::new(line).monospace()).truncate();
            if ui.add(line).on_hover_text(text).clicked() {
                actions.push(Action::ShowExample(split, index));
            }
        }
    });
}

/// The variances along the principal components, greatest first, on a logarithmic scale.
fn spectrum_ui(ui: &mut Ui, feed: &Feed) {
    let components = &feed.statistics().components;
    let kept = components.kept(feed.config().preprocess.whiten);
    if kept == 0 {
        return;
    }
    let of = components.mean.len();
    ui.label(tr_format!(
        "whitening keeps {kept} of {of} components; lg of their variances:",
        "白化保留 {of} 个主成分中的 {kept} 个；其方差的常用对数："
    ));
    let variances = components.variances.iter().take(kept);
    let logarithms: Vec<f32> = variances.map(|variance| variance.log10()).collect();
    super::vector::chart_ui(ui, "variances", &logarithms, 60.0);
}

/// By class, then by split.
fn class_counts(dataset: &Dataset) -> Vec<[usize; 3]> {
    let mut counts = vec![[0; 3]; dataset.classes().len()];
    for (place, split) in SplitName::ALL.into_iter().enumerate() {
        for index in 0..dataset.len(split) {
            let label = dataset.label(split, index);
            if let Some(count) = label.and_then(|label| counts.get_mut(label as usize)) {
                count[place] += 1;
            }
        }
    }
    counts
}
