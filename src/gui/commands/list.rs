//! Every command, in the order of the menus.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::keys::{COMMAND, COMMAND_SHIFT, NONE, SHIFT};
use super::{Command, CommandId, Menu};
use crate::gui::ViewKind;
use crate::i18n::{Lang, Text};

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
    show(ViewKind::Segmentation),
    show(ViewKind::Depth),
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
