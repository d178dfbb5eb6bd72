//! Every layer type, by family, with a search box: dragged onto the graph, or added right of
//! the selection by a click or Enter.

use egui::{Key, Modifiers, RichText, Sense, Ui, vec2};

use crate::graph::LayerSpec;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::editor::NewLayer;
use crate::gui::{formula, theme};
use crate::i18n::{tr, tr_format};
use crate::layers::CATALOGUE;

/// The list of layer types.
#[derive(Default)]
pub struct Palette {
    query: String,
    /// Of what was found, the line that Enter adds.
    marked: usize,
    wants_focus: bool,
}

impl Palette {
    /// Puts the text cursor into the search box in the next frame.
    pub fn focus(&mut self) {
        self.wants_focus = true;
        self.query.clear();
        self.marked = 0;
    }
}

impl View for Palette {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let typed = self.search_ui(ui);
        let mut found: Vec<&'static LayerSpec> =
            CATALOGUE.iter().map(|entry| entry.spec()).collect();
        found.retain(|spec| matches(spec, &self.query));
        // Families in the order of their first layer in the catalogue.
        found.sort_by_key(|spec| spec.family);
        let last = found.len().saturating_sub(1);
        self.marked = self.marked.saturating_add_signed(typed.step).min(last);
        let mut chosen = found
            .get(self.marked)
            .map(|spec| spec.name)
            .filter(|_| typed.enter);
        ui.add_space(4.0);
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                if found.is_empty() {
                    let query = self.query.trim();
                    ui.weak(tr_format!(
                        "No layer matches “{query}”.",
                        "没有与“{query}”匹配的层。"
                    ));
                }
                let mut family = None;
                for (index, spec) in found.iter().enumerate() {
                    if family != Some(spec.family) {
                        ui.add_space(if family.is_some() { 6.0 } else { 0.0 });
                        ui.label(RichText::new(spec.family.text().get()).small().weak());
                        family = Some(spec.family);
                    }
                    let marked = typed.focused && index == self.marked;
                    let response = line_ui(ui, spec, marked);
                    if marked && typed.step != 0 {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        chosen = Some(spec.name);
                    }
                }
            });
        if let Some(kind) = chosen {
            actions.push(Action::AddLayer {
                kind,
                position: None,
                beside: ctx.selection.clone(),
            });
        }
    }
}

/// What the search box was told.
struct Typed {
    step: isize,
    enter: bool,
    focused: bool,
}

impl Palette {
    fn search_ui(&mut self, ui: &mut Ui) -> Typed {
        let id = ui.make_persistent_id("palette search");
        let focused = ui.memory(|memory| memory.has_focus(id));
        let pressed = |ui: &mut Ui, key| {
            focused && ui.input_mut(|input| input.consume_key(Modifiers::NONE, key))
        };
        let step =
            isize::from(pressed(ui, Key::ArrowDown)) - isize::from(pressed(ui, Key::ArrowUp));
        // Enter adds and leaves the cursor where it is, for the next layer.
        let enter = pressed(ui, Key::Enter);
        let hint = tr("Search layers (Ctrl+K)", "搜索层（Ctrl+K）");
        let field = egui::TextEdit::singleline(&mut self.query)
            .id(id)
            .hint_text(hint);
        let field = ui.add(field.desired_width(f32::INFINITY));
        if std::mem::take(&mut self.wants_focus) {
            field.request_focus();
        }
        if field.changed() {
            self.marked = 0;
        }
        // Escape gives the focus up, and all layers are listed again.
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
            self.query.clear();
        }
        Typed {
            step,
            enter,
            focused,
        }
    }
}

fn line_ui(ui: &mut Ui, spec: &'static LayerSpec, marked: bool) -> egui::Response {
    let size = vec2(ui.available_width(), 24.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Button, true, spec.name));
    let visuals = ui.visuals();
    let family = theme::family_color(spec.family, visuals);
    if marked || response.hovered() || response.has_focus() {
        let fill = if marked {
            visuals.selection.bg_fill
        } else {
            visuals.widgets.hovered.weak_bg_fill
        };
        ui.painter().rect_filled(rect, 4.0, fill);
    }
    let dot = rect.left_center() + vec2(9.0, 0.0);
    ui.painter().circle_filled(dot, 4.0, family);
    let painter = ui.painter().with_clip_rect(rect);
    let font = egui::TextStyle::Body.resolve(ui.style());
    let left = rect.left_center() + vec2(20.0, 0.0);
    let shown = |text: &str, font, place: egui::Pos2, color| {
        let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
        job.wrap = egui::text::TextWrapping::truncate_at_width(rect.right() - place.x);
        let galley = painter.layout_job(job);
        let corner = place - vec2(0.0, galley.size().y * 0.5);
        let end = place + vec2(galley.size().x, 0.0);
        painter.galley(corner, galley, color);
        end
    };
    let end = shown(spec.name, font, left, visuals.text_color());
    // The title only where it says more than the name does.
    let title = spec.title.get();
    if title != spec.name && !title.is_ascii() {
        let small = egui::TextStyle::Small.resolve(ui.style());
        let place = end + vec2(8.0, 0.0);
        if place.x + 24.0 < rect.right() {
            shown(title, small, place, visuals.weak_text_color());
        }
    }
    response.dnd_set_drag_payload(NewLayer(spec.name));
    if response.dragged() {
        drag_ui(ui, spec);
    }
    let response = response.on_hover_cursor(egui::CursorIcon::Grab);
    // Beside the list and not over the next layers of it.
    let mut tooltip = egui::Tooltip::for_enabled(&response);
    tooltip.popup = tooltip.popup.align(egui::RectAlign::RIGHT_START).gap(12.0);
    tooltip.show(|ui| about_ui(ui, spec));
    response
}

/// What hangs at the pointer while a layer is dragged.
fn drag_ui(ui: &Ui, spec: &LayerSpec) {
    let Some(pointer) = ui.input(|input| input.pointer.interact_pos()) else {
        return;
    };
    egui::Area::new("dragged layer".into())
        .order(egui::Order::Tooltip)
        .fixed_pos(pointer + vec2(12.0, 4.0))
        .interactable(false)
        .show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style())
                .inner_margin(6)
                .show(ui, |ui| {
                    let color = theme::family_color(spec.family, ui.visuals());
                    ui.label(RichText::new(spec.name).color(color).strong());
                });
        });
}

/// What a layer type is: for hovering here and for the form.
pub fn about_ui(ui: &mut Ui, spec: &LayerSpec) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(spec.name).strong());
        ui.label(RichText::new(spec.title.get()).weak());
    });
    ui.label(spec.about.get());
    formula_ui(ui, spec.formula);
}

/// A formula on a ground of its own.
pub fn formula_ui(ui: &mut Ui, text: &str) {
    let frame = egui::Frame::new()
        .fill(ui.visuals().code_bg_color)
        .corner_radius(4);
    frame
        .inner_margin(egui::Margin::symmetric(8, 4))
        .show(ui, |ui| {
            let job = formula::job(text, 14.0, ui.visuals().text_color());
            ui.add(egui::Label::new(job).wrap());
        });
}

/// Whether every word of the query is in the type's name, its title or its family, in either
/// language.
pub fn matches(spec: &LayerSpec, query: &str) -> bool {
    let family = spec.family.text();
    let texts = [
        spec.name,
        spec.title.en,
        spec.title.zh,
        family.en,
        family.zh,
        spec.caffe.0,
    ];
    let text = texts.join(" ").to_lowercase();
    query
        .to_lowercase()
        .split_whitespace()
        .all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_found_in_either_language() {
        let found = |query: &str| {
            let specs = CATALOGUE.iter().map(|entry| entry.spec());
            specs
                .filter(|spec| matches(spec, query))
                .map(|spec| spec.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("convolution").first(), Some(&"Convolution"));
        assert!(found("卷积").contains(&"Convolution"));
        assert!(found("全连接").contains(&"InnerProduct"));
        assert_eq!(found(" ").len(), CATALOGUE.len());
        assert!(found("xyzzy").is_empty());
    }
}
