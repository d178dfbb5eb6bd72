//! The search field over the graph: what is found is listed and marked, and Enter goes there.

use std::collections::BTreeSet;

use egui::{Key, Modifiers, Rect, RichText, Ui, vec2};

use super::Editor;
use crate::graph::{Found, Graph, NodeId, search};
use crate::gui::context::{Action, Ctx};
use crate::gui::theme;
use crate::i18n::{tr, tr_format};

const WIDTH: f32 = 300.0;

/// Lines of the list that are seen at once.
const LINES: f32 = 8.0;

/// The field and what it found.
#[derive(Default)]
pub struct Search {
    open: bool,
    wants_focus: bool,
    query: String,
    found: Vec<Found>,
    /// Of what was found, the one that Enter goes to.
    marked: usize,
    /// The one that Enter went to already: the next Enter goes on.
    visited: Option<usize>,
    /// For which the list was made.
    searched: Option<(String, u64)>,
}

impl Search {
    /// Shows the field and puts the text cursor into it.
    pub fn open(&mut self) {
        (self.open, self.wants_focus) = (true, true);
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Everything that is found.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let found = self.found.iter().filter(|_| self.open);
        found.map(|found| found.node).collect()
    }

    /// The one that is marked in the list.
    pub fn current(&self) -> Option<NodeId> {
        self.found
            .get(self.marked)
            .filter(|_| self.open)
            .map(|found| found.node)
    }

    fn update(&mut self, graph: &Graph, revision: u64) {
        let wanted = Some((self.query.clone(), revision));
        if self.searched == wanted {
            return;
        }
        let typed = (self.searched.as_ref()).is_none_or(|(query, _)| *query != self.query);
        self.searched = wanted;
        self.found = search(graph, &self.query);
        if typed {
            (self.marked, self.visited) = (0, None);
        }
        self.marked = self.marked.min(self.found.len().saturating_sub(1));
    }

    /// Steps through the list, from its end to its beginning.
    fn step(&mut self, by: isize) {
        let count = self.found.len() as isize;
        if count > 0 {
            self.marked = (self.marked as isize + by).rem_euclid(count) as usize;
        }
    }

    /// Enter: to the marked one, or if that was it, to the next.
    fn enter(&mut self, by: isize) -> Option<NodeId> {
        if self.visited == Some(self.marked) || by < 0 {
            self.step(by);
        }
        self.visited = Some(self.marked);
        self.current()
    }
}

impl Editor {
    /// Draws the field at the upper right corner.
    pub(super) fn search_ui(
        &mut self,
        ui: &mut Ui,
        view: Rect,
        ctx: &Ctx<'_>,
        revision: u64,
        actions: &mut Vec<Action>,
    ) {
        if !self.search.open {
            return;
        }
        self.search.update(&ctx.project.graph, revision);
        let corner = view.right_top() + vec2(-WIDTH - 34.0, 10.0);
        let frame = egui::Frame::popup(ui.style()).inner_margin(8);
        let area = egui::Area::new(ui.id().with("search"))
            .fixed_pos(corner)
            .order(egui::Order::Middle);
        area.show(ui.ctx(), |ui| {
            frame.show(ui, |ui| {
                ui.set_width(WIDTH);
                let graph = &ctx.project.graph;
                if let Some(node) = self.search.ui(ui, graph) {
                    actions.push(Action::Jump(node));
                }
            })
        });
    }
}

impl Search {
    /// Draws the field and the list; the node to go to, if one was chosen.
    fn ui(&mut self, ui: &mut Ui, graph: &Graph) -> Option<NodeId> {
        let id = ui.make_persistent_id("graph search");
        let focused = ui.memory(|memory| memory.has_focus(id));
        let pressed = |ui: &mut Ui, modifiers, key| {
            focused && ui.input_mut(|input| input.consume_key(modifiers, key))
        };
        let down = pressed(ui, Modifiers::NONE, Key::ArrowDown);
        let up = pressed(ui, Modifiers::NONE, Key::ArrowUp);
        let back = pressed(ui, Modifiers::SHIFT, Key::Enter);
        let enter = pressed(ui, Modifiers::NONE, Key::Enter);
        let mut chosen = None;
        let mut closes = false;
        ui.horizontal(|ui| {
            let hint = tr("Name, type or parameter", "名称、类型或参数");
            let field = egui::TextEdit::singleline(&mut self.query)
                .id(id)
                .hint_text(hint);
            let field = ui.add(field.desired_width(WIDTH - 138.0));
            if std::mem::take(&mut self.wants_focus) {
                field.request_focus();
            }
            closes = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape));
            let (place, count) = (self.marked + 1, self.found.len());
            let text = match (count, self.query.trim().is_empty()) {
                (_, true) => String::new(),
                (0, _) => tr("none", "无").to_owned(),
                _ => tr_format!("{place} of {count}", "{place} / {count}"),
            };
            let label = egui::Label::new(RichText::new(text).small().weak());
            ui.add_sized([54.0, 20.0], label);
            ui.spacing_mut().item_spacing.x = 2.0;
            let small = |ui: &mut Ui, sign: &str, about: &str| {
                let button = egui::Button::new(sign).frame_when_inactive(false);
                ui.add(button).on_hover_text(about).clicked()
            };
            if small(ui, "⏶", tr("Before (Shift+Enter)", "上一个（Shift+Enter）")) {
                chosen = self.enter(-1);
            }
            if small(ui, "⏷", tr("Next (Enter)", "下一个（Enter）")) {
                chosen = self.enter(1);
            }
            closes |= small(ui, "✖", tr("Close (Esc)", "关闭（Esc）"));
        });
        if down || up {
            self.step(if down { 1 } else { -1 });
            self.visited = None;
        }
        if enter || back {
            chosen = self.enter(if back { -1 } else { 1 });
        }
        if let Some(index) = self.list_ui(ui, graph, down || up || enter || back) {
            (self.marked, self.visited) = (index, Some(index));
            chosen = self.current();
        }
        if closes {
            self.open = false;
            ui.memory_mut(|memory| memory.surrender_focus(id));
        }
        chosen
    }

    /// The line that was clicked.
    fn list_ui(&self, ui: &mut Ui, graph: &Graph, moved: bool) -> Option<usize> {
        if self.query.trim().is_empty() {
            let hint = tr(
                "Such as conv2, ReLU or kernel 3; Enter goes to what is found.",
                "例如 conv2、ReLU 或 kernel 3；按 Enter 前往找到的节点。",
            );
            ui.label(RichText::new(hint).small().weak());
            return None;
        }
        let mut clicked = None;
        let height = 20.0;
        let list = egui::ScrollArea::vertical()
            .max_height(LINES * height)
            .min_scrolled_height(LINES.min(self.found.len() as f32) * height)
            .auto_shrink([false, true]);
        ui.spacing_mut().item_spacing.y = 0.0;
        let rows = self.found.len();
        let scroll = moved.then_some(self.marked);
        list.show(ui, |ui| {
            if let Some(row) = scroll {
                let top = ui.min_rect().top() + row as f32 * height;
                let line =
                    Rect::from_min_size(egui::pos2(ui.min_rect().left(), top), vec2(10.0, height));
                ui.scroll_to_rect(line, None);
            }
            for (index, found) in self.found.iter().enumerate().take(rows) {
                let Some(node) = graph.node(found.node) else {
                    continue;
                };
                let size = vec2(ui.available_width(), height);
                let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
                if !ui.is_rect_visible(rect) {
                    continue;
                }
                let why = if found.because.is_empty() {
                    node.layer.title()
                } else {
                    &found.because
                };
                let marked = index == self.marked;
                line_ui(ui, rect, marked || response.hovered(), &node.name, why);
                response.widget_info(|| {
                    egui::WidgetInfo::labeled(egui::WidgetType::Button, true, &node.name)
                });
                if response.clicked() {
                    clicked = Some(index);
                }
            }
        });
        clicked
    }
}

fn line_ui(ui: &Ui, rect: Rect, marked: bool, name: &str, why: &str) {
    let visuals = ui.visuals();
    if marked {
        ui.painter()
            .rect_filled(rect, 4.0, visuals.selection.bg_fill);
    }
    let inner = rect.shrink2(vec2(6.0, 0.0));
    let shown = |text: &str, size: f32, left: f32, color| {
        let font = egui::FontId::proportional(size);
        let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
        job.wrap = egui::text::TextWrapping::truncate_at_width((inner.right() - left).max(1.0));
        let galley = ui.painter().layout_job(job);
        let at = egui::pos2(left, inner.center().y - galley.size().y / 2.0);
        let end = left + galley.size().x;
        ui.painter().galley(at, galley, color);
        end
    };
    let end = shown(name, 12.0, inner.left(), visuals.text_color());
    if end + 24.0 < inner.right() {
        shown(why, 11.0, end + 10.0, visuals.weak_text_color());
    }
}

/// The colour of what is found.
pub fn found_color(visuals: &egui::Visuals) -> egui::Color32 {
    theme::blend(visuals.warn_fg_color, egui::Color32::YELLOW, 0.4)
}
