//! The form of the project: its title, its data, and how it is trained.

use egui::{RichText, Ui};

use super::fields::{Typing, count_ui, list_ui, real_ui, whole_ui};
use super::{change, grid_ui, name_ui, section_ui};
use crate::data::{BUILT_IN, Color, DataConfig, MAX_BATCH, MAX_SIDE, Mean, Std};
use crate::gui::context::{Action, Ctx};
use crate::i18n::{Text, tr, tr_format};

pub fn project_ui(ui: &mut Ui, ctx: &Ctx<'_>, typing: &mut Typing, actions: &mut Vec<Action>) {
    let project = ctx.project;
    ui.label(RichText::new(tr("Project", "项目")).heading());
    ui.weak(tr(
        "Select a node to see its parameters.",
        "选择一个节点以查看其参数。",
    ));
    ui.add_space(4.0);
    let (mut title, mut about, mut seed) =
        (project.title.clone(), project.about.clone(), project.seed);
    const EDIT: Text = Text::new("Edit the project", "编辑项目");
    grid_ui(ui, "project", |ui| {
        name_ui(ui, tr("title", "标题"), "");
        if ui
            .add(egui::TextEdit::singleline(&mut title).desired_width(f32::INFINITY))
            .changed()
        {
            actions.push(change(EDIT, "title", move |project| project.title = title));
        }
        ui.end_row();
        name_ui(
            ui,
            tr("about", "说明"),
            tr("For the person who opens it", "写给打开它的人"),
        );
        let changed = egui::ScrollArea::vertical()
            .id_salt("about")
            .max_height(96.0)
            .show(ui, |ui| {
                let field = egui::TextEdit::multiline(&mut about).desired_rows(2);
                ui.add(field.desired_width(f32::INFINITY)).changed()
            });
        if changed.inner {
            actions.push(change(EDIT, "about", move |project| project.about = about));
        }
        ui.end_row();
        let meaning = tr(
            "Starts every random stream: first weights, order of the examples, dropout. The same seed gives the same run.",
            "所有随机数的起点：初始权重、样本顺序、Dropout。种子相同，结果相同。",
        );
        name_ui(ui, tr("seed", "随机种子"), meaning);
        if whole_ui(ui, &mut seed, u64::MAX) {
            actions.push(change(EDIT, "seed", move |project| project.seed = seed));
        }
        ui.end_row();
    });
    data_ui(ui, ctx, typing, actions);
    super::stages::stages_ui(ui, ctx, typing, actions);
}

fn data_ui(ui: &mut Ui, ctx: &Ctx<'_>, typing: &mut Typing, actions: &mut Vec<Action>) {
    section_ui(ui, Text::new("Data", "数据"));
    let mut data = ctx.project.data.clone();
    let mut changed = "";
    grid_ui(ui, "data", |ui| {
        let mut mark = |field: &'static str, done: bool| {
            if done {
                changed = field;
            }
        };
        mark("source", source_ui(ui, &mut data, actions));
        let about = tr(
            "Held back, drawn at random; a source with splits of its own keeps them",
            "随机留出；数据源自带划分时以其为准",
        );
        name_ui(ui, tr("held back", "留出"), about);
        ui.horizontal_wrapped(|ui| {
            ui.weak(tr("validation", "验证"));
            mark(
                "validation",
                count_ui(ui, &mut data.split.validation, 0, 1 << 30),
            );
            ui.weak(tr("test", "测试"));
            mark("test", count_ui(ui, &mut data.split.test, 0, 1 << 30));
            ui.weak(tr("seed", "种子"));
            mark("split seed", whole_ui(ui, &mut data.split.seed, u64::MAX));
        });
        ui.end_row();
        let about = tr(
            "Examples per step; the second number also serves validation",
            "每步的样本数；后者也用于验证",
        );
        name_ui(ui, tr("batch", "批大小"), about);
        ui.horizontal_wrapped(|ui| {
            ui.weak(tr("train", "训练"));
            mark("batch", count_ui(ui, &mut data.batch.train, 1, MAX_BATCH));
            ui.weak(tr("test", "测试"));
            mark(
                "test batch",
                count_ui(ui, &mut data.batch.test, 1, MAX_BATCH),
            );
        });
        ui.end_row();
        name_ui(
            ui,
            tr("shuffle", "打乱"),
            tr("A new order in each epoch", "每轮重新排序"),
        );
        mark("shuffle", ui.checkbox(&mut data.shuffle, "").changed());
        ui.end_row();
        mark("preprocess", preprocess_ui(ui, &mut data, typing));
    });
    if let Some(Err(message)) = ctx.data {
        ui.label(RichText::new(format!("⚠ {message}")).color(ui.visuals().error_fg_color));
    }
    if !changed.is_empty() {
        actions.push(change(
            Text::new("Change the data", "修改数据"),
            changed,
            move |project| project.data = data,
        ));
    }
    if let Some(Ok(feed)) = ctx.data {
        let summary = feed.summary();
        let (shape, answer) = (summary.shape_text(), summary.answer_text());
        let (train, validation, test) = (summary.train, summary.validation, summary.test);
        ui.weak(tr_format!(
            "{shape}, {answer}; {train} to train on, {validation} for validation, {test} for the test",
            "{shape}，{answer}；训练 {train}，验证 {validation}，测试 {test}"
        ));
    }
}

fn source_ui(ui: &mut Ui, data: &mut DataConfig, actions: &mut Vec<Action>) -> bool {
    let mut changed = false;
    name_ui(
        ui,
        tr("source", "来源"),
        tr(
            "A built-in name, or a path relative to the project's file",
            "内置名称，或相对于项目文件的路径",
        ),
    );
    ui.vertical(|ui| {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == data.source);
        let own = tr("file or folder…", "文件或文件夹…");
        let title = built_in.map_or(own, |(name, _)| name);
        egui::ComboBox::from_id_salt("source")
            .selected_text(title)
            .show_ui(ui, |ui| {
                for (name, about) in BUILT_IN {
                    let label = ui
                        .selectable_label(data.source == *name, *name)
                        .on_hover_text(about.get());
                    if label.clicked() && data.source != *name {
                        data.source = (*name).to_owned();
                        changed = true;
                    }
                }
                if ui.selectable_label(built_in.is_none(), own).clicked() && built_in.is_some() {
                    actions.push(Action::BrowseData { folder: true });
                }
            });
        if built_in.is_none() {
            let field = egui::TextEdit::singleline(&mut data.source).desired_width(f32::INFINITY);
            changed |= ui.add(field).changed();
        }
        ui.horizontal(|ui| {
            if ui.small_button(tr("Browse file…", "选择文件…")).clicked() {
                actions.push(Action::BrowseData { folder: false });
            }
            if ui
                .small_button(tr("Browse folder…", "选择文件夹…"))
                .clicked()
            {
                actions.push(Action::BrowseData { folder: true });
            }
        });
    });
    ui.end_row();
    changed
}

/// A list of named values, of which one is in force.
fn pick_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    id: &str,
    value: &mut T,
    options: &[(Text, T)],
    is: impl Fn(&T, &T) -> bool,
) -> bool {
    let mut changed = false;
    let now = options
        .iter()
        .find(|(_, option)| is(option, value))
        .map_or("", |(name, _)| name.get());
    egui::ComboBox::from_id_salt(id)
        .selected_text(now)
        .show_ui(ui, |ui| {
            for (name, option) in options {
                let chosen = is(option, value);
                if ui.selectable_label(chosen, name.get()).clicked() && !chosen {
                    *value = option.clone();
                    changed = true;
                }
            }
        });
    changed
}

fn preprocess_ui(ui: &mut Ui, data: &mut DataConfig, typing: &mut Typing) -> bool {
    let preprocess = &mut data.preprocess;
    let same = |a: &_, b: &_| std::mem::discriminant(a) == std::mem::discriminant(b);
    let mut changed = false;
    name_ui(ui, tr("colour", "颜色"), "");
    let colors = [
        (Text::new("as it is", "保持原样"), Color::Keep),
        (Text::new("gray", "灰度"), Color::Gray),
        (Text::new("RGB", "RGB"), Color::Rgb),
    ];
    changed |= pick_ui(ui, "color", &mut preprocess.color, &colors, PartialEq::eq);
    ui.end_row();
    name_ui(
        ui,
        tr("resize", "缩放"),
        tr(
            "Height × width in pixels; the aspect ratio is not kept",
            "高 × 宽（像素）；不保持长宽比",
        ),
    );
    ui.horizontal(|ui| {
        let mut resizes = preprocess.resize.is_some();
        if ui.checkbox(&mut resizes, "").changed() {
            preprocess.resize = resizes.then_some((28, 28));
            changed = true;
        }
        if let Some((height, width)) = &mut preprocess.resize {
            changed |= count_ui(ui, height, 1, MAX_SIDE);
            ui.label("×");
            changed |= count_ui(ui, width, 1, MAX_SIDE);
        }
    });
    ui.end_row();
    let finite = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite());
    name_ui(
        ui,
        tr("mean", "均值"),
        tr(
            "What is subtracted; (x − mean) / std × scale",
            "减去的值；(x − 均值) / 标准差 × 缩放",
        ),
    );
    ui.horizontal_wrapped(|ui| {
        let means = [
            (Text::new("none", "无"), Mean::None),
            (Text::new("number", "数值"), Mean::Value(vec![128.0])),
            (Text::new("per channel", "每通道"), Mean::Channel),
            (Text::new("per pixel", "每像素"), Mean::Image),
        ];
        changed |= pick_ui(ui, "mean", &mut preprocess.mean, &means, |a, b| same(a, b));
        if let Mean::Value(values) = &mut preprocess.mean {
            let id = ui.id().with("mean values");
            changed |= list_ui(ui, values, 16, finite, id, typing);
        }
    });
    ui.end_row();
    name_ui(
        ui,
        tr("std", "标准差"),
        tr("What the difference is divided by", "差值除以的数"),
    );
    ui.horizontal_wrapped(|ui| {
        let deviations = [
            (Text::new("none", "无"), Std::None),
            (Text::new("number", "数值"), Std::Value(vec![64.0])),
            (Text::new("per channel", "每通道"), Std::Channel),
        ];
        changed |= pick_ui(ui, "std", &mut preprocess.std, &deviations, |a, b| {
            std::mem::discriminant(a) == std::mem::discriminant(b)
        });
        if let Std::Value(values) = &mut preprocess.std {
            let id = ui.id().with("std values");
            changed |= list_ui(
                ui,
                values,
                16,
                |text| finite(text).filter(|x| *x > 0.0),
                id,
                typing,
            );
        }
    });
    ui.end_row();
    name_ui(
        ui,
        tr("scale", "缩放系数"),
        tr(
            "1/256 = 0.00390625 maps bytes to 0 … 1",
            "1/256 = 0.00390625 将字节映射到 0 … 1",
        ),
    );
    changed |= real_ui(ui, &mut preprocess.scale, -1e6, 1e6);
    ui.end_row();
    changed
}
