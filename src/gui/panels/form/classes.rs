//! What the classes are called: the data's names, a built-in list, or names that are typed.

use egui::Ui;

use super::fields::Typing;
use super::name_ui;
use crate::data::{CLASS_LISTS, ClassNames, DataConfig, Feed};
use crate::gui::context::Action;
use crate::i18n::{tr, tr_format};

/// The row of the data's form; whether something changed.
pub fn classes_ui(
    ui: &mut Ui,
    data: &mut DataConfig,
    feed: Option<&Feed>,
    typing: &mut Typing,
    actions: &mut Vec<Action>,
) -> bool {
    let about = tr(
        "What the classes are called. A list names whatever has as many classes: the outputs of the network, or the data",
        "类别的名称。列表用于类别数与之相同者：网络的输出或数据",
    );
    name_ui(ui, tr("class names", "类别名称"), about);
    let mut changed = false;
    ui.vertical(|ui| {
        changed |= choice_ui(ui, data);
        if matches!(data.classes, ClassNames::List(_)) {
            changed |= names_ui(ui, data, typing);
        }
        if !data.classes.is_of_data() {
            let count = data.classes.count();
            let own = feed.filter(|feed| feed.dataset().has_labels());
            let own = own.map(|feed| feed.dataset().classes().len());
            ui.weak(match own {
                Some(own) if own != count => tr_format!(
                    "{count} names; the data have {own} classes and keep their own names",
                    "{count} 个名称；数据有 {own} 个类别，仍用其自身名称"
                ),
                _ => tr_format!("{count} names", "{count} 个名称"),
            });
        }
        if ui
            .small_button(tr("Read from a file…", "从文件读取…"))
            .clicked()
        {
            actions.push(Action::BrowseClassNames);
        }
    });
    ui.end_row();
    changed
}

fn choice_ui(ui: &mut Ui, data: &mut DataConfig) -> bool {
    let before = data.classes.clone();
    let (own, list) = (tr("as the data say", "与数据一致"), tr("a list", "列表"));
    let title = match &data.classes {
        ClassNames::OfData => own,
        ClassNames::BuiltIn(name) => name,
        ClassNames::List(_) => list,
    };
    egui::ComboBox::from_id_salt("class names")
        .selected_text(title.to_owned())
        .show_ui(ui, |ui| {
            let mut option =
                |ui: &mut Ui, selected: bool, text: &str, about: &str, to: ClassNames| {
                    let mut label = ui.selectable_label(selected, text);
                    if !about.is_empty() {
                        label = label.on_hover_text(about);
                    }
                    if label.clicked() && !selected {
                        data.classes = to;
                    }
                };
            option(ui, before.is_of_data(), own, "", ClassNames::OfData);
            for (name, about) in CLASS_LISTS {
                let choice = ClassNames::BuiltIn((*name).to_owned());
                option(ui, before == choice, name, about.get(), choice);
            }
            let is_list = matches!(before, ClassNames::List(_));
            let first = ClassNames::List(vec!["0".to_owned(), "1".to_owned()]);
            option(ui, is_list, list, "", first);
        });
    data.classes != before
}

/// The names, one a line, to be typed or pasted.
fn names_ui(ui: &mut Ui, data: &mut DataConfig, typing: &mut Typing) -> bool {
    let ClassNames::List(names) = &data.classes else {
        return false;
    };
    let id = ui.id().with("names");
    // While one types, a line that is still empty stays.
    let mut text = match typing {
        Some((of, text)) if *of == id => text.clone(),
        _ => names.join("\n"),
    };
    let field = egui::ScrollArea::vertical()
        .id_salt("class names")
        .max_height(110.0);
    let response = field.show(ui, |ui| {
        let field = egui::TextEdit::multiline(&mut text).id(id).desired_rows(3);
        ui.add(
            field
                .desired_width(f32::INFINITY)
                .hint_text(tr("one a line", "每行一个")),
        )
    });
    if !response.inner.has_focus() {
        if typing.as_ref().is_some_and(|(of, _)| *of == id) {
            *typing = None;
        }
        return false;
    }
    let typed: Vec<String> = text
        .lines()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    *typing = Some((id, text));
    if typed.is_empty() || typed == *names {
        return false;
    }
    data.classes = ClassNames::List(typed);
    true
}
