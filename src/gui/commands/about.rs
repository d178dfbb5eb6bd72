//! What commands do, for hover texts, and why one cannot run now.

use super::{CommandId, Situation};
use crate::i18n::Text;

impl CommandId {
    /// What the command does, where its name does not say all of it.
    pub fn about(self) -> Option<Text> {
        Some(match self {
            Self::Find => Text::new(
                "Search nodes by name, layer type or parameter, and go to what is found",
                "按名称、层类型或参数搜索节点并跳转",
            ),
            Self::Group => Text::new(
                "Put the selected nodes into a group of their own; their parameters keep their keys, so weights still load",
                "将所选节点放入一个新组；参数键保持不变，权重仍可载入",
            ),
            Self::Ungroup => Text::new(
                "Take the group around the selection apart; its parameters keep their keys",
                "解散所选内容所在的组；参数键保持不变",
            ),
            Self::RenameGroup => Text::new(
                "Give the group around the selection another name; its parameters keep their keys",
                "为所选内容所在的组改名；参数键保持不变",
            ),
            Self::RepeatGroup => Text::new(
                "Copy the group around the selection several times, each copy reading the one before it",
                "将所选内容所在的组复制多份，每份读取前一份的输出",
            ),
            Self::ReplaceLayer => Text::new(
                "Give the selected nodes another layer; names, wires, keys and common parameters stay",
                "为所选节点换一种层；名称、连线、键与共有参数保持不变",
            ),
            Self::Fold => Text::new(
                "Fold the innermost open groups, of the selection or of all, into boxes",
                "将所选内容（或全部）最内层已展开的组折叠为方框",
            ),
            Self::Unfold => Text::new(
                "Unfold the folded boxes, of the selection or all, by one level",
                "将所选（或全部）已折叠的方框展开一层",
            ),
            Self::FoldAll => Text::new("Show every group as one box", "每个组显示为一个方框"),
            Self::FoldTo(_) => Text::new(
                "Show groups down to this level open, and what is deeper folded",
                "展开到该层级，更深的组折叠",
            ),
            Self::UnfoldAll => Text::new("Show every node", "显示所有节点"),
            Self::AutoLayout => Text::new(
                "Place all boxes anew from left to right; groups stay together",
                "从左到右重新排列所有方框；同组的保持在一起",
            ),
            Self::Connect => Text::new(
                "Wire the selected nodes in a row, from left to right",
                "从左到右依次连接所选节点",
            ),
            Self::CompareFile => Text::new(
                "Mark in the graph what is different from another project",
                "在网络图中标出与另一项目的差异",
            ),
            Self::CompareSaved => Text::new(
                "Mark in the graph what has changed since the project was saved",
                "在网络图中标出自保存以来的更改",
            ),
            Self::Minimap => Text::new(
                "Show the whole graph in a corner while only a part of it is in view",
                "仅看到部分网络时，在角落显示整个网络",
            ),
            _ => return None,
        })
    }

    /// Why the command would do nothing now.
    pub fn reason(self, now: &Situation) -> Option<Text> {
        const NOTHING: Text = Text::new("nothing is selected", "没有选中任何内容");
        const EMPTY: Text = Text::new("the network is empty", "网络是空的");
        if self.enabled(now) {
            return None;
        }
        Some(match self {
            Self::Undo => Text::new("nothing was changed yet", "还没有任何更改"),
            Self::Redo => Text::new("nothing was taken back", "没有可重做的更改"),
            Self::Cut
            | Self::Copy
            | Self::Duplicate
            | Self::Delete
            | Self::Group
            | Self::ReplaceLayer
            | Self::ZoomSelection => NOTHING,
            Self::Ungroup | Self::RepeatGroup | Self::RenameGroup if now.selected == 0 => NOTHING,
            Self::Ungroup | Self::RepeatGroup | Self::RenameGroup => Text::new(
                "the selection is not in one group",
                "所选内容不在同一个组内",
            ),
            Self::Rename => Text::new("select one node", "请选择一个节点"),
            Self::Connect | Self::AlignLeft | Self::AlignTop => {
                Text::new("select at least two nodes", "请至少选择两个节点")
            }
            Self::DistributeAcross | Self::DistributeDown => {
                Text::new("select at least three nodes", "请至少选择三个节点")
            }
            Self::SelectAll | Self::AutoLayout | Self::ZoomFit | Self::Find => EMPTY,
            Self::FoldAll | Self::FoldTo(_) => {
                Text::new("the network has no groups", "网络中没有组")
            }
            Self::Fold => Text::new(
                "no open group is selected; a group is made by Group",
                "未选中已展开的组；可用“编组”创建组",
            ),
            Self::Unfold | Self::UnfoldAll => Text::new("nothing is folded", "没有已折叠的组"),
            Self::CompareSaved => Text::new(
                "nothing has changed since the project was saved, or it was never saved",
                "自保存以来没有更改，或尚未保存过",
            ),
            Self::EndComparison => Text::new("nothing is compared", "当前没有进行比较"),
            Self::TrainOrPause | Self::Step | Self::Restart | Self::ResumeCheckpoint => Text::new(
                "this network cannot be trained yet; see the problems",
                "该网络还不能训练；请查看“问题”面板",
            ),
            Self::Stop | Self::SaveCheckpoint | Self::EvaluateValidation | Self::EvaluateTest => {
                Text::new("nothing is being trained", "当前没有训练")
            }
            _ => return None,
        })
    }
}
