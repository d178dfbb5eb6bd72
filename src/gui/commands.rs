//! The one list of everything that a person can tell the window to do.
//!
//! Menus, shortcuts and the command palette are made from it, so that nothing is in one and not
//! in the others. What a command does is in `perform`; nothing here changes anything.

mod about;
mod keys;
mod list;

pub use keys::{pressed, shortcut_text};
pub use list::COMMANDS;

use egui::KeyboardShortcut;

use super::ViewKind;
use crate::i18n::{Lang, Text};

/// Names a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandId {
    New,
    Open,
    Save,
    SaveAs,
    ExportCaffe,
    ExportScript,
    ExportDrawing,
    ExportTable,
    OpenPicture,
    ExportOnnx,
    LoadWeights,
    SaveWeights,
    FreshWeights,
    CompareFile,
    CompareSaved,
    EndComparison,
    Quit,
    Undo,
    Redo,
    Cut,
    Copy,
    Paste,
    Duplicate,
    Delete,
    SelectAll,
    Find,
    Rename,
    AddLayer,
    AddComment,
    Connect,
    ReplaceLayer,
    Group,
    Ungroup,
    RenameGroup,
    RepeatGroup,
    Fold,
    Unfold,
    Freeze,
    FoldAll,
    /// Groups are open down to this level.
    FoldTo(u8),
    UnfoldAll,
    AlignLeft,
    AlignTop,
    DistributeAcross,
    DistributeDown,
    StackOf3x3,
    FullToConv,
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
    Minimap,
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

/// The command of an id; every id is in the list, which a test holds.
pub fn get(id: CommandId) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.id == id)
}

/// What commands need in order to make sense, as it is in this frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Situation {
    pub selected: usize,
    pub nodes: usize,
    /// The selection, or with none anything, is in a group that is not folded.
    pub can_fold: bool,
    /// Something folded is selected, or anything is folded and nothing is selected.
    pub can_unfold: bool,
    /// One group is around the selection.
    pub in_group: bool,
    pub has_groups: bool,
    pub has_folded: bool,
    pub comparing: bool,
    /// The project differs from its file.
    pub differs_from_file: bool,
    pub comment_selected: bool,
    /// A question waits for an answer: keys are for it.
    pub asked: bool,
    pub can_undo: bool,
    pub can_redo: bool,
    /// A session exists and has not ended.
    pub running: bool,
    /// Sessions begin with weights from a file.
    pub begins_with_weights: bool,
    /// There are weights to save.
    pub has_weights: bool,
    /// Something selected can be trained.
    pub can_freeze: bool,
    /// The graph and the data allow training.
    pub can_train: bool,
    /// A bench has the whole window, and with it the plain keys.
    pub in_bench: bool,
}

impl CommandId {
    /// Whether the command would do something now.
    pub fn enabled(self, now: &Situation) -> bool {
        match self {
            Self::Undo => now.can_undo,
            Self::Redo => now.can_redo,
            Self::Delete => now.selected > 0 || now.comment_selected,
            Self::Cut | Self::Copy | Self::Duplicate | Self::Group | Self::ReplaceLayer => {
                now.selected > 0
            }
            Self::Ungroup | Self::RenameGroup | Self::RepeatGroup => now.in_group,
            Self::FoldAll | Self::FoldTo(_) => now.has_groups,
            Self::UnfoldAll => now.has_folded,
            Self::CompareSaved => now.differs_from_file,
            Self::EndComparison => now.comparing,
            Self::Rename | Self::StackOf3x3 => now.selected == 1,
            Self::Connect | Self::AlignLeft | Self::AlignTop => now.selected > 1,
            Self::DistributeAcross | Self::DistributeDown => now.selected > 2,
            Self::ZoomSelection => now.selected > 0,
            Self::SelectAll | Self::Find | Self::AutoLayout | Self::ZoomFit => now.nodes > 0,
            Self::FullToConv | Self::LoadWeights => now.nodes > 0,
            Self::SaveWeights => now.has_weights,
            Self::FreshWeights => now.begins_with_weights,
            Self::Freeze => now.can_freeze,
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
