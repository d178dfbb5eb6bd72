//! The matrix itself: its cells, the names of the classes, and their scores.

use egui::{
    Align2, Color32, CursorIcon, FontId, Rect, RichText, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::{ConfusionView, SCORE, class_name};
use crate::gui::context::Ctx;
use crate::gui::format::exact;
use crate::gui::plots::{color, percent};
use crate::gui::views::coloring::ink_on;
use crate::gui::views::tiles::Grid;
use crate::i18n::{tr, tr_format};
use crate::inspect::{Confusion, Picture, Tiling};

impl ConfusionView {
    pub(super) fn matrix_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        matrix: &Confusion,
        height: f32,
    ) {
        let classes = matrix.classes();
        let names: Vec<String> = (0..classes).map(|class| class_name(ctx, class)).collect();
        let font = FontId::proportional(11.0);
        let widths = names.iter().map(|name| text_width(ui, name, &font));
        let longest = widths.fold(0.0, f32::max).min(110.0);
        // Room for the names, for the words “truth” and “prediction”, and for the two scores.
        let gutter = vec2(longest + 22.0, 16.0);
        let room = vec2(
            ui.clip_rect().width() - 16.0 - gutter.x - 2.0 * SCORE,
            height - gutter.y - 12.0,
        );
        let upright = |cell: f32| longest + 6.0 > cell;
        let mut cell = (room.x.min(room.y - 14.0) / classes.max(1) as f32).clamp(4.0, 56.0);
        let named = cell >= 9.0;
        let top = match (named, upright(cell)) {
            (false, _) => 0.0,
            (true, false) => 18.0,
            (true, true) => longest + 6.0,
        };
        cell = (room.x.min(room.y - top) / classes.max(1) as f32).clamp(4.0, 56.0);
        let side = cell * classes as f32;
        let origin = ui.cursor().min;
        let corner = origin + vec2(gutter.x, gutter.y + top);
        let whole = Rect::from_min_size(
            origin,
            vec2(gutter.x + side + 2.0 * SCORE, gutter.y + top + side + 4.0),
        );
        let mut child = ui.new_child(
            egui::UiBuilder::new().max_rect(Rect::from_min_size(corner, vec2(side, side))),
        );
        self.cells_ui(&mut child, ctx, matrix, cell);
        ui.allocate_rect(whole, Sense::hover());
        let cells = Rect::from_min_size(corner, vec2(side, side));
        axis_words(ui, cells, origin, named);
        if named {
            names_ui(ui, &names, corner, cell, upright(cell), &font);
            scores_ui(ui, matrix, corner + vec2(side, 0.0), cell, &font);
        }
    }

    fn cells_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, matrix: &Confusion, cell: f32) {
        let classes = matrix.classes();
        let dark = ui.visuals().dark_mode;
        let colors = CellColors::of(ui);
        self.tiles.refresh(ui, (self.serial, dark), |side| {
            let fits = classes.min(side);
            let tiling = Tiling {
                count: 1,
                columns: 1,
                tile: [fits, fits],
            };
            (tiling, colors.picture(matrix, fits))
        });
        let side = cell * classes as f32;
        let grid = Grid {
            columns: 1,
            side: vec2(side, side),
        };
        let name = tr_format!(
            "confusion matrix of {classes} classes",
            "{classes} 类的混淆矩阵"
        );
        let (response, hit) = self.tiles.ui(ui, &grid, &name);
        let place = |truth: usize, predicted: usize| {
            let min = response.rect.min + vec2(predicted as f32, truth as f32) * cell;
            Rect::from_min_size(min, vec2(cell, cell))
        };
        if cell >= 15.0 {
            for truth in 0..classes {
                for predicted in
                    (0..classes).filter(|predicted| matrix.count(truth, *predicted) > 0)
                {
                    let text = self.cell_text(matrix, truth, predicted);
                    let ink = ink_on(colors.of_cell(matrix, truth, predicted));
                    let size = (cell * 0.36).clamp(8.5, 13.0);
                    let at = place(truth, predicted).center();
                    ui.painter().text(
                        at,
                        Align2::CENTER_CENTER,
                        text,
                        FontId::proportional(size),
                        ink,
                    );
                }
            }
        }
        if let Some((truth, predicted)) = self.cell {
            let rect = place(truth as usize, predicted as usize);
            ui.painter().rect_stroke(
                rect,
                0.0,
                Stroke::new(2.0, ui.visuals().strong_text_color()),
                StrokeKind::Middle,
            );
        }
        let Some(hit) = hit else { return };
        let (truth, predicted) = (hit.y, hit.x);
        ui.painter().rect_stroke(
            place(truth, predicted),
            0.0,
            Stroke::new(1.0, ui.visuals().strong_text_color()),
            StrokeKind::Inside,
        );
        if response.clicked() {
            let chosen = (truth as u32, predicted as u32);
            self.cell = (self.cell != Some(chosen)).then_some(chosen);
        }
        response
            .on_hover_cursor(CursorIcon::PointingHand)
            .on_hover_ui_at_pointer(|ui| {
                cell_hover_ui(ui, ctx, matrix, truth, predicted);
            });
    }

    fn cell_text(&self, matrix: &Confusion, truth: usize, predicted: usize) -> String {
        match (self.relative, matrix.row_fraction(truth, predicted)) {
            (true, Some(fraction)) => format!("{:.0}", fraction * 100.0),
            _ => matrix.count(truth, predicted).to_string(),
        }
    }
}

fn cell_hover_ui(ui: &mut Ui, ctx: &Ctx<'_>, matrix: &Confusion, truth: usize, predicted: usize) {
    let (is, said) = (class_name(ctx, truth), class_name(ctx, predicted));
    ui.label(tr_format!("truth: {is}", "真实类别：{is}"));
    ui.label(tr_format!("prediction: {said}", "预测类别：{said}"));
    let (here, of) = (
        exact(matrix.count(truth, predicted)),
        exact(matrix.row_total(truth)),
    );
    let share = matrix
        .row_fraction(truth, predicted)
        .map_or_else(|| "–".to_owned(), percent);
    ui.label(
        RichText::new(tr_format!(
            "{here} of {of} ({share})",
            "{of} 个中的 {here} 个（{share}）"
        ))
        .strong(),
    );
    ui.label(RichText::new(tr("click: see the examples", "单击：查看样本")).weak());
}

/// One hue on the diagonal, another beside it, the more of its row a cell holds.
struct CellColors {
    ground: Color32,
    right: Color32,
    wrong: Color32,
}

impl CellColors {
    fn of(ui: &Ui) -> Self {
        let visuals = ui.visuals();
        Self {
            ground: visuals.faint_bg_color,
            right: color(0, visuals),
            wrong: color(1, visuals),
        }
    }

    fn of_cell(&self, matrix: &Confusion, truth: usize, predicted: usize) -> [u8; 3] {
        // The power lifts the few mistakes of a good network into sight.
        let part = matrix
            .row_fraction(truth, predicted)
            .unwrap_or(0.0)
            .powf(0.35) as f32;
        let full = if truth == predicted {
            self.right
        } else {
            self.wrong
        };
        let [red, green, blue, _] = self.ground.lerp_to_gamma(full, part).to_array();
        [red, green, blue]
    }

    fn picture(&self, matrix: &Confusion, side: usize) -> Picture {
        let cells = (0..side).flat_map(|truth| (0..side).map(move |predicted| (truth, predicted)));
        let rgb = cells
            .flat_map(|(truth, predicted)| self.of_cell(matrix, truth, predicted))
            .collect();
        Picture {
            width: side,
            height: side,
            rgb,
        }
    }
}

fn text_width(ui: &Ui, text: &str, font: &FontId) -> f32 {
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER);
    galley.size().x
}

/// The meaning of the two axes, once.
fn axis_words(ui: &Ui, cells: Rect, origin: egui::Pos2, scores: bool) {
    let (font, ink) = (FontId::proportional(11.0), ui.visuals().weak_text_color());
    let painter = ui.painter();
    painter.text(
        pos2(cells.center().x, origin.y),
        Align2::CENTER_TOP,
        tr("prediction", "预测"),
        font.clone(),
        ink,
    );
    let galley = painter.layout_no_wrap(tr("truth", "真实").to_owned(), font.clone(), ink);
    let half = vec2(galley.size().y, -galley.size().x) * 0.5;
    let at = pos2(origin.x + 8.0, cells.center().y) - half;
    painter.add(
        egui::epaint::TextShape::new(at, galley, ink).with_angle(-std::f32::consts::FRAC_PI_2),
    );
    let words = [tr("recall", "召回率"), tr("precision", "精确率")];
    for (index, word) in words.into_iter().enumerate().filter(|_| scores) {
        let right = cells.right() + (index + 1) as f32 * SCORE;
        painter.text(
            pos2(right, cells.top() - 4.0),
            Align2::RIGHT_BOTTOM,
            word,
            font.clone(),
            ink,
        );
    }
}

fn names_ui(
    ui: &Ui,
    names: &[String],
    corner: egui::Pos2,
    cell: f32,
    upright: bool,
    font: &FontId,
) {
    let ink = ui.visuals().text_color();
    let painter = ui.painter();
    let font = FontId::proportional(font.size.min(cell));
    for (class, name) in names.iter().enumerate() {
        let middle = (class as f32 + 0.5) * cell;
        let left = Rect::from_min_max(
            pos2(corner.x - 114.0, corner.y),
            pos2(corner.x, corner.y + cell * names.len() as f32),
        );
        let clipped = painter.with_clip_rect(left.intersect(ui.clip_rect()));
        clipped.text(
            corner + vec2(-5.0, middle),
            Align2::RIGHT_CENTER,
            name,
            font.clone(),
            ink,
        );
        if upright {
            let galley = painter.layout_no_wrap(name.clone(), font.clone(), ink);
            let at = corner + vec2(middle - galley.size().y * 0.5, -4.0);
            painter.add(
                egui::epaint::TextShape::new(at, galley, ink)
                    .with_angle(-std::f32::consts::FRAC_PI_2),
            );
        } else {
            painter.text(
                corner + vec2(middle, -3.0),
                Align2::CENTER_BOTTOM,
                name,
                font.clone(),
                ink,
            );
        }
    }
}

/// Recall and precision of each class, beside its row.
fn scores_ui(ui: &Ui, matrix: &Confusion, corner: egui::Pos2, cell: f32, font: &FontId) {
    let visuals = ui.visuals();
    let font = FontId::proportional(font.size.min(cell));
    for class in 0..matrix.classes() {
        let middle = (class as f32 + 0.5) * cell;
        for (column, score) in [matrix.recall(class), matrix.precision(class)]
            .into_iter()
            .enumerate()
        {
            let text =
                score.map_or_else(|| "–".to_owned(), |score| format!("{:.1} %", score * 100.0));
            let at = corner + vec2((column + 1) as f32 * SCORE, middle);
            ui.painter().text(
                at,
                Align2::RIGHT_CENTER,
                text,
                font.clone(),
                visuals.text_color(),
            );
        }
    }
}
