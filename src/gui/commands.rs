//! The one list of everything that a person can tell the window to do.
//!
//! Menus, shortcuts and the command palette are made from it, so that nothing is in one and not
//! in the others. What a command does is in `perform`; nothing here changes anything.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::ViewKind;
use crate::i18n::{Lang, Text, tr};

/// Names a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandId {
    New,
    Open,
    Save,
    SaveAs,
    ExportCaffe,
    Quit,
    Undo,
    Redo,
    Cut,
    Copy,
    Paste,
    Duplicate,
    Delete,
    SelectAll,
    Rename,
    AddLayer,
    AddComment,
    Connect,
    Group,
    Fold,
    Unfold,
    AlignLeft,
    AlignTop,
    DistributeAcross,
    DistributeDown,
    AutoLayout,
    ZoomFit,
    ZoomSelection,
    TrainOrPause,
    Step,
    Stop,
    Restart,
    SaveCheckpoint,
    ResumeCheckpoint,
    EvaluateValidation,
    EvaluateTest,
    Show(ViewKind),
    ResetLayout,
    Theme(egui::ThemePreference),
    Language(Lang),
    CommandPalette,
    FrameTimes,
    About,
}

/// The menus of the menu bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    File,
    Edit,
    Graph,
    Train,
    View,
    Help,
}

impl Menu {
    pub const ALL: [Self; 6] = [
        Self::File,
        Self::Edit,
        Self::Graph,
        Self::Train,
        Self::View,
        Self::Help,
    ];

    pub fn text(self) -> Text {
        match self {
            Self::File => Text::new("File", "文件"),
            Self::Edit => Text::new("Edit", "编辑"),
            Self::Graph => Text::new("Graph", "网络"),
            Self::Train => Text::new("Train", "训练"),
            Self::View => Text::new("View", "视图"),
            Self::Help => Text::new("Help", "帮助"),
        }
    }
}

/// One command: where it is found and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    pub id: CommandId,
    pub menu: Menu,
    pub name: Text,
    pub shortcut: Option<KeyboardShortcut>,
    /// Begins a new section of its menu.
    pub section: bool,
    /// The shortcut also works while a text is being typed.
    pub in_text: bool,
}

const COMMAND: Modifiers = Modifiers::COMMAND;
const SHIFT: Modifiers = Modifiers::SHIFT;
const NONE: Modifiers = Modifiers::NONE;
const COMMAND_SHIFT: Modifiers = COMMAND.plus(SHIFT);

const fn command(menu: Menu, id: CommandId, en: &'static str, zh: &'static str) -> Command {
    Command {
        id,
        menu,
        name: Text::new(en, zh),
        shortcut: None,
        section: false,
        in_text: false,
    }
}

impl Command {
    const fn key(mut self, modifiers: Modifiers, key: Key) -> Self {
        self.shortcut = Some(KeyboardShortcut::new(modifiers, key));
        self
    }

    /// As `key`, and also while a text is being typed.
    const fn any_key(mut self, modifiers: Modifiers, key: Key) -> Self {
        self.in_text = true;
        self.key(modifiers, key)
    }

    const fn section(mut self) -> Self {
        self.section = true;
        self
    }
}

const fn show(kind: ViewKind) -> Command {
    let title = kind.title();
    command(Menu::View, CommandId::Show(kind), title.en, title.zh)
}

/// Every command, in the order of the menus.
pub static COMMANDS: &[Command] = &[
    command(Menu::File, CommandId::New, "New project", "新建项目").any_key(COMMAND, Key::N),
    command(Menu::File, CommandId::Open, "Open…", "打开…").any_key(COMMAND, Key::O),
    command(Menu::File, CommandId::Save, "Save", "保存")
        .any_key(COMMAND, Key::S)
        .section(),
    command(Menu::File, CommandId::SaveAs, "Save as…", "另存为…").any_key(COMMAND_SHIFT, Key::S),
    command(
        Menu::File,
        CommandId::ExportCaffe,
        "Export for Caffe (.prototxt)…",
        "导出为 Caffe（.prototxt）…",
    ),
    command(Menu::File, CommandId::Quit, "Quit", "退出")
        .any_key(COMMAND, Key::Q)
        .section(),
    command(Menu::Edit, CommandId::Undo, "Undo", "撤销").key(COMMAND, Key::Z),
    command(Menu::Edit, CommandId::Redo, "Redo", "重做").key(COMMAND_SHIFT, Key::Z),
    // Cut, copy and paste come from the system as events, whatever keys it uses for them.
    command(Menu::Edit, CommandId::Cut, "Cut", "剪切").section(),
    command(Menu::Edit, CommandId::Copy, "Copy", "复制"),
    command(Menu::Edit, CommandId::Paste, "Paste", "粘贴"),
    command(Menu::Edit, CommandId::Duplicate, "Duplicate", "创建副本").key(COMMAND, Key::D),
    command(Menu::Edit, CommandId::Delete, "Delete", "删除").key(NONE, Key::Delete),
    command(Menu::Edit, CommandId::SelectAll, "Select all", "全选")
        .key(COMMAND, Key::A)
        .section(),
    command(Menu::Edit, CommandId::Rename, "Rename", "重命名").key(NONE, Key::F2),
    command(Menu::Graph, CommandId::AddLayer, "Add a layer…", "添加层…").any_key(COMMAND, Key::K),
    command(
        Menu::Graph,
        CommandId::AddComment,
        "Add a comment",
        "添加注释",
    ),
    command(
        Menu::Graph,
        CommandId::Connect,
        "Connect the selected nodes",
        "连接所选节点",
    )
    .key(COMMAND, Key::J),
    command(
        Menu::Graph,
        CommandId::Group,
        "Group the selected nodes",
        "将所选节点编组",
    )
    .key(COMMAND, Key::G)
    .section(),
    command(
        Menu::Graph,
        CommandId::Fold,
        "Fold the group of the selection",
        "折叠所选的组",
    )
    .key(COMMAND, Key::OpenBracket),
    command(Menu::Graph, CommandId::Unfold, "Unfold", "展开").key(COMMAND, Key::CloseBracket),
    command(Menu::Graph, CommandId::AlignLeft, "Align left", "左对齐").section(),
    command(Menu::Graph, CommandId::AlignTop, "Align top", "顶端对齐"),
    command(
        Menu::Graph,
        CommandId::DistributeAcross,
        "Distribute across",
        "水平均布",
    ),
    command(
        Menu::Graph,
        CommandId::DistributeDown,
        "Distribute down",
        "垂直均布",
    ),
    command(
        Menu::Graph,
        CommandId::AutoLayout,
        "Lay out automatically",
        "自动布局",
    )
    .key(COMMAND, Key::L),
    command(
        Menu::Graph,
        CommandId::ZoomFit,
        "Zoom to fit",
        "缩放以显示全部",
    )
    .key(NONE, Key::F)
    .section(),
    command(
        Menu::Graph,
        CommandId::ZoomSelection,
        "Zoom to the selection",
        "缩放到所选",
    )
    .key(SHIFT, Key::F),
    command(
        Menu::Train,
        CommandId::TrainOrPause,
        "Train or pause",
        "训练 / 暂停",
    )
    .key(NONE, Key::Space),
    command(Menu::Train, CommandId::Step, "One iteration", "单步迭代").key(NONE, Key::Period),
    command(Menu::Train, CommandId::Stop, "Stop", "停止"),
    command(
        Menu::Train,
        CommandId::Restart,
        "Start anew",
        "重新开始训练",
    )
    .any_key(COMMAND, Key::R),
    command(
        Menu::Train,
        CommandId::SaveCheckpoint,
        "Save a checkpoint…",
        "保存检查点…",
    )
    .section(),
    command(
        Menu::Train,
        CommandId::ResumeCheckpoint,
        "Resume from a checkpoint…",
        "从检查点继续…",
    ),
    command(
        Menu::Train,
        CommandId::EvaluateValidation,
        "Evaluate on the validation split",
        "在验证集上评估",
    )
    .section(),
    command(
        Menu::Train,
        CommandId::EvaluateTest,
        "Evaluate on the test split",
        "在测试集上评估",
    ),
    show(ViewKind::Editor),
    show(ViewKind::Palette),
    show(ViewKind::Form),
    show(ViewKind::Problems),
    show(ViewKind::Curves),
    show(ViewKind::Maps),
    show(ViewKind::Weights),
    show(ViewKind::Data),
    show(ViewKind::Confusion),
    show(ViewKind::Text),
    show(ViewKind::Prototxt),
    command(
        Menu::View,
        CommandId::ResetLayout,
        "Default layout of the panels",
        "恢复默认面板布局",
    )
    .section(),
    command(
        Menu::View,
        CommandId::Theme(egui::ThemePreference::Light),
        "Light theme",
        "浅色主题",
    )
    .section(),
    command(
        Menu::View,
        CommandId::Theme(egui::ThemePreference::Dark),
        "Dark theme",
        "深色主题",
    ),
    command(
        Menu::View,
        CommandId::Theme(egui::ThemePreference::System),
        "Theme of the system",
        "跟随系统主题",
    ),
    command(
        Menu::View,
        CommandId::Language(Lang::English),
        "English",
        "English",
    ),
    command(
        Menu::View,
        CommandId::Language(Lang::Chinese),
        "简体中文",
        "简体中文",
    ),
    command(
        Menu::Help,
        CommandId::CommandPalette,
        "All commands…",
        "所有命令…",
    )
    .any_key(COMMAND_SHIFT, Key::P),
    command(Menu::Help, CommandId::FrameTimes, "Frame times", "帧耗时"),
    command(
        Menu::Help,
        CommandId::About,
        "About Layerlab",
        "关于 Layerlab",
    ),
];

/// The command of an id; every id is in the list, which a test holds.
pub fn get(id: CommandId) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.id == id)
}

/// What commands need in order to make sense, as it is in this frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Situation {
    pub selected: usize,
    pub nodes: usize,
    /// The selection is in a group that is not folded.
    pub can_fold: bool,
    /// Something folded is selected, or anything is folded and nothing is selected.
    pub can_unfold: bool,
    pub comment_selected: bool,
    pub can_undo: bool,
    pub can_redo: bool,
    /// A session exists and has not ended.
    pub running: bool,
    /// The graph and the data allow training.
    pub can_train: bool,
}

impl CommandId {
    /// Whether the command would do something now.
    pub fn enabled(self, now: &Situation) -> bool {
        match self {
            Self::Undo => now.can_undo,
            Self::Redo => now.can_redo,
            Self::Delete => now.selected > 0 || now.comment_selected,
            Self::Cut | Self::Copy | Self::Duplicate | Self::Group => now.selected > 0,
            Self::Rename => now.selected == 1,
            Self::Connect | Self::AlignLeft | Self::AlignTop => now.selected > 1,
            Self::DistributeAcross | Self::DistributeDown => now.selected > 2,
            Self::ZoomSelection => now.selected > 0,
            Self::SelectAll | Self::AutoLayout | Self::ZoomFit => now.nodes > 0,
            Self::Fold => now.can_fold,
            Self::Unfold => now.can_unfold,
            Self::TrainOrPause | Self::Step => now.running || now.can_train,
            Self::Restart | Self::ResumeCheckpoint => now.can_train,
            Self::Stop | Self::SaveCheckpoint | Self::EvaluateValidation | Self::EvaluateTest => {
                now.running
            }
            _ => true,
        }
    }
}

/// The command whose shortcut was pressed in this frame, if it can run; the key is consumed.
///
/// A key goes to the most demanding shortcut first: Ctrl+Shift+S is not Ctrl+S.
pub fn pressed(ctx: &egui::Context, now: &Situation) -> Option<CommandId> {
    // While a text is typed or a button has the focus, plain keys are theirs.
    let typing = ctx.text_edit_focused();
    let focused = ctx.memory(|memory| memory.focused().is_some());
    let allowed = |command: &&Command| {
        let plain = command
            .shortcut
            .is_some_and(|keys| keys.modifiers.is_none());
        command.in_text || !(typing || focused && plain)
    };
    let mut candidates: Vec<&Command> = COMMANDS.iter().filter(allowed).collect();
    candidates.sort_by_key(|command| {
        let modifiers = command
            .shortcut
            .map(|keys| keys.modifiers)
            .unwrap_or_default();
        std::cmp::Reverse(modifiers.shift as u8 + modifiers.alt as u8)
    });
    let pressed = candidates.into_iter().find(|command| {
        let hit = |keys: KeyboardShortcut| ctx.input_mut(|input| input.consume_shortcut(&keys));
        command.shortcut.is_some_and(hit) || second_shortcut(command.id).is_some_and(hit)
    })?;
    pressed.id.enabled(now).then_some(pressed.id)
}

/// Keys that other programs have taught for the same command.
fn second_shortcut(id: CommandId) -> Option<KeyboardShortcut> {
    match id {
        CommandId::Redo => Some(KeyboardShortcut::new(COMMAND, Key::Y)),
        CommandId::Delete => Some(KeyboardShortcut::new(NONE, Key::Backspace)),
        CommandId::CommandPalette => Some(KeyboardShortcut::new(COMMAND, Key::P)),
        CommandId::ZoomFit => Some(KeyboardShortcut::new(NONE, Key::Home)),
        _ => None,
    }
}

/// The shortcut as it is written in menus; the system's own keys for cut, copy and paste.
pub fn shortcut_text(ctx: &egui::Context, command: &Command) -> String {
    let usual = match command.id {
        CommandId::Cut => Some(Key::X),
        CommandId::Copy => Some(Key::C),
        CommandId::Paste => Some(Key::V),
        _ => None,
    };
    let keys = usual
        .map(|key| KeyboardShortcut::new(COMMAND, key))
        .or(command.shortcut);
    match keys {
        Some(keys) if keys.logical_key == Key::Space => tr("Space", "空格").to_owned(),
        Some(keys) => {
            let text = ctx.format_shortcut(&keys);
            // The signs on the keys instead of their names.
            let signs = [("OpenBracket", "["), ("CloseBracket", "]"), ("Period", ".")];
            signs
                .into_iter()
                .fold(text, |text, (name, sign)| text.replace(name, sign))
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_shortcuts_are_unique_and_both_languages_are_there() {
        for (index, command) in COMMANDS.iter().enumerate() {
            assert!(!command.name.en.is_empty() && !command.name.zh.is_empty());
            for other in &COMMANDS[index + 1..] {
                assert_ne!(command.id, other.id);
                let same = command.shortcut.is_some() && command.shortcut == other.shortcut;
                assert!(!same, "{} and {}", command.name.en, other.name.en);
            }
        }
    }

    #[test]
    fn every_view_can_be_shown() {
        for kind in ViewKind::ALL {
            assert!(get(CommandId::Show(kind)).is_some(), "{kind:?}");
        }
    }
}
