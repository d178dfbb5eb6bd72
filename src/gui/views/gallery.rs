//! Examples in rows: a click shows one in all views, a double click opens its feature maps.

use egui::{
    Align2, CursorIcon, Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, TextStyle, Ui, Vec2,
    WidgetInfo, WidgetType, vec2,
};

use super::thumbnails::{LabelsShown, Shot, Thumbnails};
use crate::data::{Feed, SplitName};
use crate::gui::ViewKind;
use crate::gui::context::{Action, Ctx};
use crate::i18n::tr;

/// Between two examples, in points.
const GAP: f32 = 4.0;
/// The height of a caption.
const CAPTION: f32 = 15.0;

/// Which examples, and how they look.
pub struct Gallery<'a> {
    pub split: SplitName,
    pub preprocessed: bool,
    pub labels: LabelsShown,
    /// Of an image, in points.
    pub side: f32,
    pub total: usize,
    /// What is said of the example at a place from 0 to `total`.
    pub entry: &'a dyn Fn(usize) -> Entry,
}

#[derive(Default)]
pub struct Entry {
    /// Its place in the split.
    pub index: usize,
    pub caption: String,
    /// Something is wrong with it.
    pub wrong: bool,
    /// For the pointer, above the image's own problems and what clicks do.
    pub about: String,
}

impl Gallery<'_> {
    /// As many in a row as there is room for; only those in sight are decoded.
    pub fn ui(
        &self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        feed: &Feed,
        thumbnails: &mut Thumbnails,
        actions: &mut Vec<Action>,
    ) {
        thumbnails.begin(feed);
        let cell = vec2(self.side, self.side + CAPTION);
        let room = ui.available_width() - 12.0 + GAP;
        let columns = (room / (cell.x + GAP)).floor().max(1.0) as usize;
        let rows = self.total.div_ceil(columns);
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        let area = ScrollArea::vertical()
            .auto_shrink(false)
            .id_salt(self.split.key());
        area.show_rows(ui, cell.y, rows, |ui, seen| {
            for row in seen {
                ui.horizontal(|ui| {
                    for place in row * columns..((row + 1) * columns).min(self.total) {
                        self.cell_ui(ui, ctx, feed, thumbnails, place, cell, actions);
                    }
                });
            }
        });
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one frame's context, passed through once"
    )]
    fn cell_ui(
        &self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        feed: &Feed,
        thumbnails: &mut Thumbnails,
        place: usize,
        size: Vec2,
        actions: &mut Vec<Action>,
    ) {
        let Entry {
            index,
            caption,
            wrong,
            about,
        } = (self.entry)(place);
        let (split, preprocessed) = (self.split, self.preprocessed);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        let name = format!("{index} {caption}");
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &name));
        let image = Rect::from_min_size(rect.min, Vec2::splat(size.x));
        let shot = Shot {
            split,
            index,
            preprocessed,
            labels: self.labels,
        };
        thumbnails.draw(ui, feed, shot, image);
        let visuals = ui.visuals();
        let ink = if wrong {
            visuals.error_fg_color
        } else {
            visuals.text_color()
        };
        let font = TextStyle::Small.resolve(ui.style());
        let clipped = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        clipped.text(
            rect.center_bottom(),
            Align2::CENTER_BOTTOM,
            &caption,
            font,
            ink,
        );
        let width = match (ctx.example == (split, index), response.hovered()) {
            (true, _) => 2.0,
            (false, true) => 1.0,
            (false, false) => 0.0,
        };
        let stroke = Stroke::new(width, visuals.hyperlink_color);
        ui.painter()
            .rect_stroke(image, 2.0, stroke, StrokeKind::Outside);
        if response.clicked() {
            actions.push(Action::ShowExample(split, index));
        }
        if response.double_clicked() {
            actions.push(Action::Open(ViewKind::Maps));
        }
        response
            .on_hover_cursor(CursorIcon::PointingHand)
            .on_hover_ui(|ui| {
                ui.label(about);
                if let Some(problem) = thumbnails.problem(shot) {
                    ui.colored_label(ui.visuals().error_fg_color, problem);
                }
                let clicks = tr(
                    "click: show in the views · double click: feature maps",
                    "单击：在各视图中显示 · 双击：查看特征图",
                );
                ui.label(RichText::new(clicks).weak());
            });
    }
}
