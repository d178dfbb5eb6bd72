//! What lies over the graph: zoom and layout in a corner, and a hint where it is empty.

use egui::{Rect, RichText, Ui, vec2};

use super::{Editor, centred};
use crate::gui::commands::CommandId;
use crate::gui::context::Action;
use crate::i18n::tr;

impl Editor {
    /// Zoom and layout at the lower left corner.
    pub(super) fn tools_ui(&mut self, ui: &mut Ui, view: Rect, actions: &mut Vec<Action>) {
        let corner = view.left_bottom() + vec2(10.0, -36.0);
        let mut zoom = None;
        egui::Area::new(ui.id().with("tools"))
            .fixed_pos(corner)
            .order(egui::Order::Middle)
            .show(ui.ctx(), |ui| {
                let frame = egui::Frame::popup(ui.style())
                    .inner_margin(3)
                    .shadow(egui::Shadow::NONE);
                frame.show(ui, |ui| {
                    ui.horizontal(|ui| {
                        ui.spacing_mut().item_spacing.x = 2.0;
                        if ui
                            .button("−")
                            .on_hover_text(tr("Zoom out (Ctrl+wheel)", "缩小（Ctrl+滚轮）"))
                            .clicked()
                        {
                            zoom = Some(1.0 / 1.25);
                        }
                        let percent = (self.drawing.to_window.scaling * 100.0).round();
                        let text = RichText::new(format!("{percent:.0} %")).small();
                        if ui
                            .add_sized([44.0, 22.0], egui::Button::new(text))
                            .on_hover_text("100 %")
                            .clicked()
                        {
                            zoom = Some(1.0 / self.drawing.to_window.scaling);
                        }
                        if ui
                            .button("+")
                            .on_hover_text(tr("Zoom in (Ctrl+wheel)", "放大（Ctrl+滚轮）"))
                            .clicked()
                        {
                            zoom = Some(1.25);
                        }
                        if ui
                            .button(tr("Fit", "全图"))
                            .on_hover_text(tr("Show the whole graph (F)", "显示整个网络（F）"))
                            .clicked()
                        {
                            self.fit();
                        }
                        let about = tr(
                            "Place all boxes anew, from left to right (Ctrl+L)",
                            "从左到右重新排列所有节点（Ctrl+L）",
                        );
                        if ui
                            .button(tr("Arrange", "排列"))
                            .on_hover_text(about)
                            .clicked()
                        {
                            actions.push(Action::Run(CommandId::AutoLayout));
                        }
                    })
                });
            });
        if let Some(factor) = zoom {
            let now = self.drawing.to_window;
            let middle = now.inverse() * view.center();
            self.drawing.go_to = Some(centred(
                middle,
                view,
                (now.scaling * factor).clamp(0.1, 2.0),
            ));
            ui.ctx().request_repaint();
        }
    }
}

pub(super) fn empty_ui(ui: &mut Ui, view: Rect) {
    let painter = ui.painter();
    let color = ui.visuals().weak_text_color();
    let title = tr("This network is empty", "网络是空的");
    let hint = tr(
        "Drag a layer here from the list, or press Ctrl+K, type its name and press Enter.\nBegin with Data.",
        "从列表中拖入一层，或按 Ctrl+K 输入名称后回车。\n先添加 Data（数据）层。",
    );
    painter.text(
        view.center() - vec2(0.0, 26.0),
        egui::Align2::CENTER_CENTER,
        title,
        egui::FontId::proportional(18.0),
        color,
    );
    painter.text(
        view.center() + vec2(0.0, 16.0),
        egui::Align2::CENTER_CENTER,
        hint,
        egui::FontId::proportional(13.0),
        color,
    );
}
