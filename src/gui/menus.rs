//! The menu bar and the command palette, both made from the list of commands.

use std::path::PathBuf;
use std::sync::LazyLock;

use egui::{Key, Modifiers, RichText, Ui};

use super::commands::{COMMANDS, Command, CommandId, Menu, Situation, shortcut_text};
use super::context::Action;
use super::files;
use super::settings::Settings;
use super::theme;
use crate::i18n::{Text, lang, tr};
use crate::project::{Chapter, EXAMPLES, Example};

/// What a person chose in a menu.
pub enum Choice {
    Command(CommandId),
    Recent(PathBuf),
    /// By its place in the list of examples.
    Example(usize),
}

/// A command as a line of a menu: its name, and its shortcut at the right.
pub fn command_button(ui: &mut Ui, command: &Command, now: &Situation) -> egui::Response {
    let shortcut = shortcut_text(ui.ctx(), command);
    let button =
        egui::Button::new(command.name.get()).shortcut_text(RichText::new(shortcut).weak());
    let button = button.wrap_mode(egui::TextWrapMode::Extend);
    let response = ui.add_enabled(command.id.enabled(now), button);
    explained(response, command.id, now)
}

/// With what the command does, or why it cannot run now, for hovering.
pub fn explained(response: egui::Response, id: CommandId, now: &Situation) -> egui::Response {
    let about = id.about().map(|about| about.get());
    match (id.reason(now), about) {
        (Some(reason), Some(about)) => {
            response.on_disabled_hover_text(format!("{about}\n({reason})"))
        }
        (Some(reason), None) => response.on_disabled_hover_text(reason.get()),
        (None, Some(about)) => response.on_hover_text(about),
        (None, None) => response,
    }
}

/// The menu bar.
pub fn bar_ui(
    ui: &mut Ui,
    now: &Situation,
    undo: [Option<Text>; 2],
    settings: &Settings,
) -> Option<Choice> {
    let mut choice = None;
    egui::MenuBar::new().ui(ui, |ui| {
        for menu in Menu::ALL {
            ui.menu_button(menu.text().get(), |ui| {
                ui.set_min_width(220.0);
                for command in COMMANDS.iter().filter(|command| command.menu == menu) {
                    if command.section {
                        ui.separator();
                    }
                    if menu_line(ui, command, now, undo, settings).clicked() {
                        choice = Some(Choice::Command(command.id));
                        ui.close();
                    }
                    if command.id == CommandId::Open {
                        choice = file_menus(ui, settings).or(choice.take());
                    }
                }
            });
        }
    });
    choice
}

/// A line of a menu; undo says what it takes back, and what is in force is marked.
fn menu_line(
    ui: &mut Ui,
    command: &Command,
    now: &Situation,
    undo: [Option<Text>; 2],
    settings: &Settings,
) -> egui::Response {
    let mut command = *command;
    let of = match command.id {
        CommandId::Undo => undo[0],
        CommandId::Redo => undo[1],
        _ => None,
    };
    let enabled = command.id.enabled(now);
    if let Some(of) = of {
        let text = format!("{}: {}", command.name.get(), of.get());
        let shortcut = RichText::new(shortcut_text(ui.ctx(), &command)).weak();
        return ui.add_enabled(enabled, egui::Button::new(text).shortcut_text(shortcut));
    }
    let in_force = match command.id {
        CommandId::Theme(theme) => Some(settings.theme == theme),
        CommandId::Language(language) => Some(lang() == language),
        CommandId::FrameTimes => Some(settings.frame_times),
        CommandId::Minimap => Some(settings.minimap),
        _ => None,
    };
    if in_force == Some(true) {
        command.shortcut = None;
        let button = egui::Button::new(command.name.get()).shortcut_text("✓");
        return ui.add_enabled(enabled, button);
    }
    command_button(ui, &command, now)
}

/// Title and explanation of every example, read once.
static TITLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let titled = |example: &Example| {
        let project = example.open().unwrap_or_default();
        match project.title.is_empty() {
            true => (example.name.to_owned(), project.about),
            false => (project.title, project.about),
        }
    };
    EXAMPLES.iter().map(titled).collect()
});

fn file_menus(ui: &mut Ui, settings: &Settings) -> Option<Choice> {
    let mut choice = None;
    ui.menu_button(tr("Recent files", "最近的文件"), |ui| {
        if settings.recent.is_empty() {
            ui.weak(tr("nothing yet", "暂无"));
        }
        for path in &settings.recent {
            let button = ui
                .button(files::file_name(path))
                .on_hover_text(path.display().to_string());
            if button.clicked() {
                choice = Some(Choice::Recent(path.clone()));
                ui.close();
            }
        }
    });
    ui.menu_button(tr("Examples", "示例"), |ui| {
        for chapter in Chapter::ALL {
            ui.menu_button(chapter.text().get(), |ui| {
                let examples = EXAMPLES.iter().zip(&*TITLES).enumerate();
                for (index, (_, (title, about))) in
                    examples.filter(|(_, (example, _))| example.chapter == chapter)
                {
                    if ui.button(title).on_hover_text(about).clicked() {
                        choice = Some(Choice::Example(index));
                        ui.close();
                    }
                }
            });
        }
    });
    choice
}

/// The search box over everything that can be done.
#[derive(Default)]
pub struct CommandPalette {
    open: bool,
    query: String,
    selected: usize,
}

impl CommandPalette {
    pub fn open(&mut self) {
        *self = Self {
            open: true,
            ..Self::default()
        };
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn ui(&mut self, ctx: &egui::Context, now: &Situation) -> Option<Action> {
        if !self.open {
            return None;
        }
        let mut chosen = None;
        let area = egui::Modal::default_area("commands".into())
            .anchor(egui::Align2::CENTER_TOP, [0.0, 70.0]);
        let modal = egui::Modal::new("commands".into())
            .frame(theme::modal_frame(&ctx.global_style()))
            .area(area)
            .show(ctx, |ui| {
                ui.set_width(460.0);
                chosen = self.list_ui(ui, now);
            });
        if modal.should_close() || chosen.is_some() {
            self.open = false;
        }
        chosen.map(Action::Run)
    }

    fn list_ui(&mut self, ui: &mut Ui, now: &Situation) -> Option<CommandId> {
        let step = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let (down, up) = (step(Key::ArrowDown), step(Key::ArrowUp));
        let field = egui::TextEdit::singleline(&mut self.query).desired_width(f32::INFINITY);
        let field = ui.add(field.hint_text(tr("Type the name of a command", "输入命令名称")));
        field.request_focus();
        if field.changed() {
            self.selected = 0;
        }
        let found: Vec<&Command> = COMMANDS
            .iter()
            .filter(|command| matches(command, &self.query))
            .collect();
        let last = found.len().saturating_sub(1);
        self.selected = (self.selected + usize::from(down))
            .saturating_sub(usize::from(up))
            .min(last);
        let mut chosen = None;
        let entered = ui.input(|input| input.key_pressed(Key::Enter));
        ui.add_space(4.0);
        egui::ScrollArea::vertical()
            .max_height(330.0)
            .min_scrolled_height(330.0)
            .auto_shrink(false)
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                if found.is_empty() {
                    ui.weak(tr("No command has this name.", "没有这样的命令。"));
                }
                for (index, command) in found.iter().enumerate() {
                    let enabled = command.id.enabled(now);
                    let name = format!("{}: {}", command.menu.text(), command.name);
                    let shortcut = RichText::new(shortcut_text(ui.ctx(), command)).weak();
                    let button = egui::Button::selectable(index == self.selected, name)
                        .shortcut_text(shortcut);
                    let response = ui
                        .add_enabled_ui(enabled, |ui| {
                            ui.add_sized([ui.available_width(), 24.0], button)
                        })
                        .inner;
                    let response = explained(response, command.id, now);
                    if index == self.selected && (down || up) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() || entered && index == self.selected && enabled {
                        chosen = Some(command.id);
                    }
                }
            });
        chosen
    }
}

/// Whether every word of the query is in the command's name, in either language.
fn matches(command: &Command, query: &str) -> bool {
    let texts = [command.name, command.menu.text()];
    let text = texts
        .map(|text| format!("{} {}", text.en, text.zh))
        .join(" ")
        .to_lowercase();
    query
        .to_lowercase()
        .split_whitespace()
        .all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_words_of_either_language() {
        let found = |query: &str| {
            let found = COMMANDS.iter().filter(|command| matches(command, query));
            found.map(|command| command.id).collect::<Vec<_>>()
        };
        assert_eq!(found("SAVE as"), [CommandId::SaveAs]);
        assert_eq!(found("自动布局"), [CommandId::AutoLayout]);
        assert_eq!(found("").len(), COMMANDS.len());
        assert!(found("no such thing").is_empty());
    }
}
