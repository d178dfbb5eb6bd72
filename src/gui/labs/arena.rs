//! The view of the arena.

use egui::{Ui, vec2};

use super::contest::ContestView;
use super::{BenchView, Lab};
use crate::gui::plots::empty_ui;
use crate::i18n::tr;
use crate::labs::arena::entries;
use crate::labs::contest::Contest;

#[derive(Default)]
pub struct ArenaView {
    contest: ContestView,
}

impl BenchView for ArenaView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.contest.poll();
        let folder = lab
            .ctx
            .path
            .and_then(|path| path.parent())
            .map(ToOwned::to_owned);
        ui.horizontal(|ui| {
            if self.contest.buttons_ui(ui, lab.keys) {
                let entries = entries(lab.settings, Some(lab.ctx.project));
                let base = folder.clone().unwrap_or_default();
                let wake = ContestView::wake(ui);
                let contest = Contest::start(entries, base, ContestView::priority(), wake);
                self.contest.contest = Some(contest);
            }
            self.contest.export_ui(ui, folder.clone(), lab.actions);
        });
        if self.contest.contest.is_none() {
            let hint = tr(
                "Choose at the right what differs, then start: all runs begin with the same weights.",
                "在右侧选择差异项，然后开始：所有训练从相同的权重出发。",
            );
            return empty_ui(ui, tr("No runs yet", "尚无训练"), hint);
        }
        let room = ui.available_size();
        self.contest.curves_ui(ui, vec2(room.x, room.y * 0.56));
        ui.add_space(6.0);
        self.contest.table_ui(ui, None);
    }
}
