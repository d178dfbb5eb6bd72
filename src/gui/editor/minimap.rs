//! The whole graph in a corner, while only a part of it is in view: boxes, groups, and the view
//! as a rectangle that a click or a drag moves.

use egui::{Color32, CornerRadius, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, vec2};

use super::{Editor, centred};
use crate::graph::Family;
use crate::gui::context::Ctx;
use crate::gui::theme;
use crate::i18n::tr;

/// At most so large, and smaller for a graph of another shape.
const SIZE: Vec2 = vec2(210.0, 140.0);

const EDGE: f32 = 6.0;

impl Editor {
    pub(super) fn minimap_ui(&mut self, ui: &mut Ui, view: Rect, ctx: &Ctx<'_>) {
        let all = self.groups.iter().map(|group| group.rect);
        let boxes = self
            .board
            .cards()
            .filter_map(|card| self.board.rect(&card.key));
        let Some(bounds) = boxes
            .chain(all)
            .filter(|r| r.is_finite())
            .reduce(|a, b| a.union(b))
        else {
            return;
        };
        let seen = self.drawing.to_window.inverse() * view;
        let room = view.width() > 2.2 * SIZE.x && view.height() > 1.8 * SIZE.y;
        if seen.contains_rect(bounds) || !room {
            return;
        }
        let scale =
            ((SIZE - Vec2::splat(2.0 * EDGE)) / bounds.size().max(Vec2::splat(1.0))).min_elem();
        let size = bounds.size() * scale + Vec2::splat(2.0 * EDGE);
        let size = size.max(vec2(60.0, 30.0));
        let corner = view.right_bottom() - size - vec2(12.0, 12.0);
        let area = egui::Area::new(ui.id().with("minimap"))
            .fixed_pos(corner)
            .order(egui::Order::Middle);
        let inner = area.show(ui.ctx(), |ui| {
            let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
            let origin = rect.center() - bounds.center().to_vec2() * scale;
            let place = |rect: Rect| {
                Rect::from_min_max(
                    origin + rect.min.to_vec2() * scale,
                    origin + rect.max.to_vec2() * scale,
                )
            };
            self.paint_map(ui, rect, &place, ctx);
            let frame = place(seen).intersect(rect.shrink(1.0));
            let accent = theme::accent(ui.visuals());
            let painter = ui.painter().with_clip_rect(rect);
            let (fill, line) = (accent.gamma_multiply(0.10), Stroke::new(1.5, accent));
            painter.rect(frame, CornerRadius::same(2), fill, line, StrokeKind::Inside);
            let target = response
                .interact_pointer_pos()
                .filter(|_| response.clicked() || response.dragged() || response.drag_started());
            response.widget_info(|| {
                egui::WidgetInfo::labeled(egui::WidgetType::Other, true, tr("minimap", "小地图"))
            });
            let about = tr(
                "The whole graph; click or drag to move the view",
                "整个网络；点击或拖动以移动视图",
            );
            if !response.dragged() {
                response.on_hover_text(about);
            }
            target.map(|target| Pos2::ZERO + (target - origin) / scale)
        });
        if let Some(there) = inner.inner {
            let scaling = self.drawing.to_window.scaling;
            self.drawing.go_to = Some(centred(there, view, scaling));
            ui.ctx().request_repaint();
        }
    }

    fn paint_map(&self, ui: &Ui, rect: Rect, place: &dyn Fn(Rect) -> Rect, ctx: &Ctx<'_>) {
        let visuals = ui.visuals();
        let ground = visuals.window_fill.gamma_multiply(0.94);
        let painter = ui.painter();
        let round = CornerRadius::same(5);
        painter.rect(
            rect,
            round,
            ground,
            visuals.window_stroke,
            StrokeKind::Inside,
        );
        let painter = painter.with_clip_rect(rect.shrink(1.0));
        let structure = theme::family_color(Family::Structure, visuals);
        for group in self.groups.iter().rev() {
            let fill = structure.gamma_multiply(0.14);
            painter.rect_filled(place(group.rect), 1.0, fill);
        }
        let accent = theme::accent(visuals);
        for card in self.board.cards() {
            let Some(area) = self.board.rect(&card.key) else {
                continue;
            };
            let selected = |node| ctx.selection.contains(node);
            let mark = card
                .nodes
                .iter()
                .find_map(|node| self.marks.color(*node, visuals));
            let color: Color32 = match (mark, &card.badge) {
                (Some(color), _) => color,
                _ if !card.nodes.is_empty() && card.nodes.iter().all(selected) => accent,
                (None, Some((severity, _))) => theme::severity_color(*severity, visuals),
                _ if card.comment.is_some() => visuals.warn_fg_color.gamma_multiply(0.4),
                _ => theme::family_color(card.family, visuals).gamma_multiply(0.8),
            };
            let mut area = place(area);
            area.max = area.max.max(area.min + Vec2::splat(1.5));
            painter.rect_filled(area, 0.5, color);
        }
    }
}
