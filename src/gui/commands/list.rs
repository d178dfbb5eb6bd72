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
    command(
        Menu::File,
        CommandId::ExportScript,
        "Export PyTorch script (.py)…",
        "导出 PyTorch 脚本（.py）…",
    ),
    command(
        Menu::File,
        CommandId::ExportDrawing,
        "Export drawing (.svg, .png, .dot)…",
        "导出网络图（.svg、.png、.dot）…",
    ),
    command(
        Menu::File,
        CommandId::ExportTable,
        "Export table of layers (.csv, .md)…",
        "导出层表（.csv、.md）…",
    ),
    command(
        Menu::File,
        CommandId::OpenPicture,
        "Ask about an image…",
        "识别图像…",
    )
    .section(),
    command(
        Menu::File,
        CommandId::CompareFile,
        "Compare with a file…",
        "与文件比较…",
    )
    .section(),
    command(
        Menu::File,
        CommandId::ExportOnnx,
        "Export as ONNX (.onnx)…",
        "导出为 ONNX（.onnx）…",
    ),
    command(
        Menu::File,
        CommandId::LoadWeights,
        "Load weights…",
        "载入权重…",
    ),
    command(
        Menu::File,
        CommandId::SaveWeights,
        "Save weights (.safetensors)…",
        "保存权重（.safetensors）…",
    ),
    command(
        Menu::File,
        CommandId::FreshWeights,
        "Begin with fresh weights again",
        "恢复为随机初始权重",
    ),
    command(
        Menu::File,
        CommandId::CompareSaved,
        "Compare with the saved version",
        "与已保存的版本比较",
    ),
    command(
        Menu::File,
        CommandId::EndComparison,
        "End the comparison",
        "结束比较",
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
    command(
        Menu::Edit,
        CommandId::Find,
        "Find in the graph…",
        "在网络中查找…",
    )
    .any_key(COMMAND, Key::F),
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
        CommandId::ReplaceLayer,
        "Replace by another layer…",
        "替换为其他层…",
    )
    .key(COMMAND_SHIFT, Key::R),
    command(Menu::Graph, CommandId::Group, "Group…", "编组…")
        .key(COMMAND, Key::G)
        .section(),
    command(Menu::Graph, CommandId::Ungroup, "Ungroup", "解散组").key(COMMAND_SHIFT, Key::G),
    command(
        Menu::Graph,
        CommandId::RenameGroup,
        "Rename the group…",
        "重命名组…",
    ),
    command(
        Menu::Graph,
        CommandId::RepeatGroup,
        "Repeat the group…",
        "重复组…",
    )
    .key(COMMAND_SHIFT, Key::D),
    command(Menu::Graph, CommandId::Fold, "Fold one level", "折叠一层")
        .key(COMMAND, Key::OpenBracket)
        .section(),
    command(
        Menu::Graph,
        CommandId::Unfold,
        "Unfold one level",
        "展开一层",
    )
    .key(COMMAND, Key::CloseBracket),
    command(Menu::Graph, CommandId::FoldAll, "Fold all", "全部折叠")
        .key(COMMAND_SHIFT, Key::OpenBracket),
    command(
        Menu::Graph,
        CommandId::FoldTo(1),
        "Show one level",
        "显示一层",
    ),
    command(
        Menu::Graph,
        CommandId::FoldTo(2),
        "Show two levels",
        "显示两层",
    ),
    command(Menu::Graph, CommandId::UnfoldAll, "Unfold all", "全部展开")
        .key(COMMAND_SHIFT, Key::CloseBracket),
    command(
        Menu::Graph,
        CommandId::StackOf3x3,
        "Stack of 3 × 3 for a convolution…",
        "以 3 × 3 堆叠替换卷积…",
    )
    .section(),
    command(
        Menu::Graph,
        CommandId::FullToConv,
        "Full connections to convolutions…",
        "全连接转换为卷积…",
    ),
    command(
        Menu::Graph,
        CommandId::Freeze,
        "Freeze or unfreeze the selection",
        "冻结 / 解冻所选",
    )
    .key(COMMAND_SHIFT, Key::L),
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
    show(ViewKind::Predict),
    show(ViewKind::Prototxt),
    show(ViewKind::Labs).any_key(COMMAND, Key::B),
    show(ViewKind::Comparison),
    command(Menu::View, CommandId::Minimap, "Minimap", "小地图").section(),
    command(
        Menu::View,
        CommandId::ResetLayout,
        "Default layout of the panels",
        "恢复默认面板布局",
    ),
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
