//! The likeliest classes as bars.

use egui::{Align2, Rect, Sense, TextStyle, Ui, WidgetInfo, WidgetType, pos2, vec2};

use crate::data::Feed;
use crate::gui::plots::{color, percent};
use crate::inspect::Answer;
use crate::train::best;

/// How many are shown.
const SHOWN: usize = 5;

/// The first five classes, each with its name and its probability over a bar.
pub(super) fn bars_ui(ui: &mut Ui, feed: &Feed, answer: &Answer) {
    let count = answer.probabilities.len();
    let seen = ui.clip_rect().right() - ui.cursor().left() - 12.0;
    let width = ui.available_width().min(seen).clamp(60.0, 460.0);
    for (rank, (class, probability)) in best(&answer.probabilities, SHOWN).into_iter().enumerate() {
        let name = feed.output_name(class, count);
        let text = percent(f64::from(probability));
        let (rect, response) = ui.allocate_exact_size(vec2(width, 36.0), Sense::hover());
        let spoken = format!("{name} {text}");
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, &spoken));
        let visuals = ui.visuals();
        let ink = match rank {
            0 => visuals.strong_text_color(),
            _ => visuals.text_color(),
        };
        let font = TextStyle::Body.resolve(ui.style());
        let painter = ui.painter();
        let line = Rect::from_min_size(rect.min, vec2(width, 22.0));
        let number = painter.text(
            line.right_center(),
            Align2::RIGHT_CENTER,
            &text,
            font.clone(),
            ink,
        );
        let room = Rect::from_min_max(line.min, pos2(number.left() - 8.0, line.bottom()));
        painter.with_clip_rect(room.intersect(ui.clip_rect())).text(
            line.left_center(),
            Align2::LEFT_CENTER,
            &name,
            font,
            ink,
        );
        let track = Rect::from_min_size(pos2(rect.left(), line.bottom()), vec2(width, 8.0));
        painter.rect_filled(track, 3.0, visuals.faint_bg_color);
        let share = if probability.is_nan() {
            0.0
        } else {
            probability.clamp(0.0, 1.0)
        };
        let bar = Rect::from_min_size(track.min, vec2(width * share, track.height()));
        let fill = color(0, visuals);
        painter.rect_filled(
            bar,
            3.0,
            if rank == 0 {
                fill
            } else {
                fill.gamma_multiply(0.6)
            },
        );
        response.on_hover_text(spoken);
    }
}
