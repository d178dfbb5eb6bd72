//! Questions of commands on the graph: the name of a group, how often to repeat one, and by what
//! to replace a layer.

use egui::{Key, Modifiers, RichText, Ui};

use super::panels::about_layer_ui;
use super::{format, theme};
use crate::graph::LayerSpec;
use crate::i18n::{Text, tr, tr_format};
use crate::layers::CATALOGUE;

/// A group is repeated at most so often in one step.
const MOST: usize = 200;

/// A question that is open.
pub enum Dialog {
    Group {
        name: String,
        fresh: bool,
    },
    RenameGroup {
        group: String,
        name: String,
        fresh: bool,
    },
    Repeat {
        group: String,
        count: usize,
        /// What comes of it, and for which count.
        outlook: Option<(usize, Result<Outlook, String>)>,
    },
    Replace {
        /// How many nodes get another layer.
        count: usize,
        query: String,
        marked: usize,
        /// The layers whose ports fit, and the others.
        choices: [Vec<&'static LayerSpec>; 2],
    },
}

/// What a repeated group costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    pub params: [u64; 2],
    pub macs: [u64; 2],
    /// Problems that were not there before.
    pub problems: usize,
    /// What every copy reads from the same place.
    pub shared: Vec<String>,
}

/// What a person answered.
pub enum Answer {
    Group(String),
    RenameGroup { group: String, name: String },
    Repeat { group: String, count: usize },
    Replace(&'static str),
    Cancel,
}

impl Dialog {
    /// Draws the question; the answer once there is one. `outlook` says what repeating costs.
    pub fn ui(
        &mut self,
        ctx: &egui::Context,
        outlook: impl FnOnce(&str, usize) -> Result<Outlook, String>,
    ) -> Option<Answer> {
        let mut answer = None;
        let modal = egui::Modal::new("graph dialog".into())
            .frame(theme::modal_frame(&ctx.global_style()))
            .show(ctx, |ui| {
                ui.set_width(420.0);
                answer = match self {
                    Self::Group { name, fresh } => {
                        let title = Text::new("Group the selected nodes", "将所选节点编组");
                        let done = name_ui(ui, title, name, fresh);
                        done.map(|name| name.map_or(Answer::Cancel, Answer::Group))
                    }
                    Self::RenameGroup { group, name, fresh } => {
                        let title = Text::new("Rename the group", "重命名组");
                        let group = group.clone();
                        let rename = |name| Answer::RenameGroup { group, name };
                        let done = name_ui(ui, title, name, fresh);
                        done.map(|name| name.map_or(Answer::Cancel, rename))
                    }
                    Self::Repeat {
                        group,
                        count,
                        outlook: known,
                    } => {
                        if known.as_ref().is_none_or(|(of, _)| of != count) {
                            *known = Some((*count, outlook(group, *count)));
                        }
                        repeat_ui(ui, group, count, known.as_ref().map(|(_, known)| known))
                    }
                    Self::Replace {
                        count,
                        query,
                        marked,
                        choices,
                    } => replace_ui(ui, *count, query, marked, choices),
                };
            });
        if modal.should_close() && answer.is_none() {
            answer = Some(Answer::Cancel);
        }
        answer
    }
}

/// `Some(None)` is no.
fn name_ui(
    ui: &mut Ui,
    title: Text,
    name: &mut String,
    fresh: &mut bool,
) -> Option<Option<String>> {
    ui.heading(title.get());
    ui.add_space(4.0);
    ui.weak(tr(
        "Parameters keep their keys: weights that were saved still load.",
        "参数键保持不变：已保存的权重仍可载入。",
    ));
    ui.add_space(6.0);
    let output = egui::TextEdit::singleline(name)
        .desired_width(f32::INFINITY)
        .hint_text(tr("name of the group", "组名"))
        .show(ui);
    let field = output.response.response;
    if std::mem::take(fresh) {
        field.request_focus();
        let mut state = output.state;
        let all = egui::text::CCursorRange::select_all(&output.galley);
        state.cursor.set_char_range(Some(all));
        state.store(ui.ctx(), field.id);
    }
    let problem = name_problem(name.trim());
    if let Some(problem) = problem.filter(|_| !name.trim().is_empty()) {
        ui.label(RichText::new(problem.get()).color(ui.visuals().error_fg_color));
    }
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let ready = problem.is_none();
    match buttons_ui(ui, ready) {
        Some(false) => Some(None),
        yes if ready && (yes == Some(true) || entered) => Some(Some(name.trim().to_owned())),
        _ => None,
    }
}

/// Why a text cannot be a group's name.
fn name_problem(name: &str) -> Option<Text> {
    if name.is_empty() {
        return Some(Text::new("a name is needed", "需要名称"));
    }
    if name.contains(['.', ':']) {
        return Some(Text::new(
            "“.” and “:” are not allowed in names",
            "名称中不能有“.”和“:”",
        ));
    }
    let empty = name.split('/').any(|part| part.trim().is_empty());
    empty.then_some(Text::new("a part of the name is empty", "名称中有一段为空"))
}

/// Yes or no, if a button was pressed.
fn buttons_ui(ui: &mut Ui, ready: bool) -> Option<bool> {
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let yes = egui::Button::new(RichText::new(tr("OK", "确定")).strong());
        let yes = ui.add_enabled(ready, yes).clicked();
        let no = ui.button(tr("Cancel", "取消")).clicked();
        (yes || no).then_some(yes)
    })
    .inner
}

fn repeat_ui(
    ui: &mut Ui,
    group: &str,
    count: &mut usize,
    outlook: Option<&Result<Outlook, String>>,
) -> Option<Answer> {
    ui.heading(tr_format!("Repeat “{group}”", "重复“{group}”"));
    ui.add_space(4.0);
    ui.weak(tr(
        "Each copy reads what the one before it gives, and has weights of its own.",
        "每个副本读取前一个的输出，并有自己的权重。",
    ));
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        ui.label(tr("times in all", "总次数"));
        let field = ui.add(egui::DragValue::new(count).range(2..=MOST).speed(0.05));
        if ui.memory(|memory| memory.focused().is_none()) {
            field.request_focus();
        }
    });
    ui.add_space(6.0);
    let ready = match outlook {
        Some(Ok(outlook)) => {
            outlook_ui(ui, outlook);
            true
        }
        Some(Err(reason)) => {
            let color = ui.visuals().error_fg_color;
            let reason = tr_format!(
                "It cannot be chained: {reason}.",
                "无法首尾相接：{reason}。"
            );
            ui.label(RichText::new(reason).color(color));
            false
        }
        None => false,
    };
    let entered = ui.input(|input| input.key_pressed(Key::Enter));
    match buttons_ui(ui, ready) {
        Some(false) => Some(Answer::Cancel),
        yes if ready && (yes == Some(true) || entered) => Some(Answer::Repeat {
            group: group.to_owned(),
            count: *count,
        }),
        _ => None,
    }
}

fn outlook_ui(ui: &mut Ui, outlook: &Outlook) {
    let line = |ui: &mut Ui, name: &str, [before, after]: [u64; 2]| {
        ui.label(RichText::new(name).weak());
        ui.label(format!(
            "{} → {}",
            format::exact(before),
            format::exact(after)
        ));
        ui.end_row();
    };
    egui::Grid::new("outlook").num_columns(2).show(ui, |ui| {
        line(ui, tr("parameters", "参数量"), outlook.params);
        line(ui, tr("multiply-adds", "乘加次数"), outlook.macs);
    });
    if !outlook.shared.is_empty() {
        let sources = outlook.shared.join(", ");
        ui.weak(tr_format!(
            "Every copy reads {sources} as the first does.",
            "每个副本都像第一个那样读取 {sources}。"
        ));
    }
    let problems = outlook.problems;
    if problems > 0 {
        let text = tr_format!(
            "⚠ {problems} new problems: what the group gives does not fit what it reads. They will be shown at the copies.",
            "⚠ 将出现 {problems} 个新问题：该组的输出与其输入不匹配。问题会标在副本上。"
        );
        ui.label(RichText::new(text).color(ui.visuals().warn_fg_color));
    }
}

fn replace_ui(
    ui: &mut Ui,
    count: usize,
    query: &mut String,
    marked: &mut usize,
    choices: &[Vec<&'static LayerSpec>; 2],
) -> Option<Answer> {
    ui.heading(match count {
        1 => tr("Replace the layer by", "将该层替换为").to_owned(),
        _ => tr_format!("Replace {count} layers by", "将 {count} 个层替换为"),
    });
    ui.add_space(4.0);
    let step = |ui: &mut Ui, key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let (down, up) = (step(ui, Key::ArrowDown), step(ui, Key::ArrowUp));
    let entered = ui.input(|input| input.key_pressed(Key::Enter));
    let field = egui::TextEdit::singleline(query).desired_width(f32::INFINITY);
    let field = ui.add(field.hint_text(tr("Search layers", "搜索层")));
    field.request_focus();
    if field.changed() {
        *marked = 0;
    }
    let matching = |specs: &Vec<&'static LayerSpec>| -> Vec<&'static LayerSpec> {
        let found = specs
            .iter()
            .filter(|spec| super::panels::layer_matches(spec, query));
        found.copied().collect()
    };
    let fitting = matching(&choices[0]);
    // What does not fit is offered to those who ask for it by name.
    let others = if query.trim().is_empty() {
        Vec::new()
    } else {
        matching(&choices[1])
    };
    let last = (fitting.len() + others.len()).saturating_sub(1);
    *marked = marked
        .saturating_add_signed(isize::from(down) - isize::from(up))
        .min(last);
    let mut chosen = None;
    ui.add_space(4.0);
    let list = egui::ScrollArea::vertical()
        .max_height(300.0)
        .min_scrolled_height(300.0);
    list.auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (index, spec) in fitting.iter().chain(&others).enumerate() {
            if index == fitting.len() {
                ui.add_space(6.0);
                let text = tr(
                    "Other ports: some wires will not fit",
                    "端口不同：部分连线将不匹配",
                );
                ui.label(RichText::new(text).small().weak());
            }
            let title = if spec.title.get() == spec.name {
                ""
            } else {
                spec.title.get()
            };
            let button = egui::Button::selectable(index == *marked, spec.name)
                .shortcut_text(RichText::new(title).small().weak());
            let size = [ui.available_width(), 24.0];
            let response = ui.add_sized(size, button);
            // Beside the list and not over the next layers of it.
            let mut tooltip = egui::Tooltip::for_enabled(&response);
            tooltip.popup = tooltip.popup.align(egui::RectAlign::RIGHT_START).gap(24.0);
            tooltip.show(|ui| about_layer_ui(ui, spec));
            if index == *marked && (down || up) {
                response.scroll_to_me(None);
            }
            if response.clicked() || entered && index == *marked {
                chosen = Some(spec.name);
            }
        }
        if fitting.is_empty() && others.is_empty() {
            ui.weak(tr("No layer matches.", "没有匹配的层。"));
        }
    });
    chosen.map(Answer::Replace)
}

/// Every layer of the catalogue: those that fit, and the others.
pub fn choices(fits: impl Fn(&dyn crate::graph::Layer) -> bool) -> [Vec<&'static LayerSpec>; 2] {
    let (mut fitting, mut others) = (Vec::new(), Vec::new());
    for entry in CATALOGUE {
        match fits(&*entry.make()) {
            true => fitting.push(entry.spec()),
            false => others.push(entry.spec()),
        }
    }
    [fitting, others]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_are_checked() {
        let allowed = |name| name_problem(name).is_none();
        assert!(allowed("block") && allowed("a/b") && allowed("残差块"));
        for name in ["", "a.b", "a:1", "a//b", "/a", "a/ "] {
            assert!(!allowed(name), "{name}");
        }
    }
}
