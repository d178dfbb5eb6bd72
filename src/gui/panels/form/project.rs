//! The form of the project: its title, its data, and how it is trained.

use egui::{RichText, Ui};

use super::fields::{Typing, count_ui, whole_ui};
use super::{change, classes, grid_ui, name_ui, preprocess, section_ui, sources};
use crate::data::{BUILT_IN, DataConfig, MAX_BATCH};
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
    let (mut title, mut about) = (project.title.clone(), project.about.clone());
    let (mut seed, mut precise) = (project.seed, project.precise);
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
        let meaning = tr(
            "Off: 3 × 3 convolutions take Winograd's way, which is faster and rounds about ten times as much. On: plain sums.",
            "关闭：3 × 3 卷积使用 Winograd 算法，更快，但舍入误差约为十倍。开启：直接求和。",
        );
        name_ui(ui, tr("rounding", "舍入"), meaning);
        let checkbox = ui.checkbox(&mut precise, tr("precise", "精确"));
        let checkbox = checkbox.on_hover_text(meaning);
        if checkbox.changed() {
            actions.push(change(EDIT, "precise", move |project| {
                project.precise = precise;
            }));
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
        });
        ui.end_row();
        let about = tr(
            "Which examples are held back; another seed draws others",
            "决定留出哪些样本；换一个种子就留出另一批",
        );
        name_ui(ui, tr("split seed", "划分种子"), about);
        mark("split seed", whole_ui(ui, &mut data.split.seed, u64::MAX));
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
        let feed = ctx.data.and_then(Result::ok);
        let names = classes::classes_ui(ui, &mut data, feed, typing, actions);
        mark("class names", names);
        mark("text", preprocess::text_ui(ui, &mut data));
        mark("shapes", sources::shapes_ui(ui, &mut data));
        mark("pairs", sources::pairs_ui(ui, &mut data));
        mark("targets", preprocess::targets_ui(ui, &mut data, typing));
        mark(
            "preprocess",
            preprocess::preprocess_ui(ui, &mut data, typing),
        );
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
        let components = &feed.statistics().components;
        let (kept, of) = (
            components.kept(feed.config().preprocess.whiten),
            components.mean.len(),
        );
        if kept > 0 {
            ui.weak(tr_format!(
                "whitening keeps {kept} of {of} components; the others do not vary or are left out",
                "白化保留 {of} 个主成分中的 {kept} 个；其余无变化或被舍去"
            ));
        }
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
