//! The graph editor: the project's graph as boxes and wires.
//!
//! It draws a copy of the graph and turns what a person does into actions; the copy is made
//! again whenever the graph, what is known of it, or the language changes.

mod board;
mod card;
pub mod edits;
mod interact;
pub mod layout;
mod viewer;

pub use card::{Card, Key, Pin};

use std::collections::{BTreeMap, BTreeSet};

use egui::emath::TSTransform;
use egui::{Id, Pos2, Rect, RichText, Ui, vec2};
use egui_snarl::ui::SnarlWidget;

use super::commands::{CommandId, Situation};
use super::context::{Action, Ctx};
use crate::graph::NodeId;
use crate::i18n::{Text, tr};
use board::Board;
use viewer::{Drawing, Typing, Viewer};

/// What is dragged from the palette: a layer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLayer(pub &'static str);

/// Where the view shall go.
#[derive(Clone, Debug, PartialEq)]
enum Look {
    All,
    At(BTreeSet<NodeId>),
    /// Moves only if the nodes are out of sight.
    Reveal(BTreeSet<NodeId>),
}

/// The editor's own state; nothing of it is in the project.
#[derive(Default)]
pub struct Editor {
    board: Board,
    /// The revisions of graph and inference that the board shows.
    shown: Option<[u64; 2]>,
    groups: Vec<(String, Vec<Key>)>,
    drawing: Drawing,
    look: Option<Look>,
    /// Frames until sizes of new boxes are known, and the view can be moved by them.
    settle: u8,
    view: Option<Rect>,
    /// Where the pointer was in the graph, when it was last over it.
    pointer: Option<Pos2>,
    /// A box is being dragged.
    moving: bool,
    selecting_from: Option<Pos2>,
    /// The last click was in the editor, so that arrow keys mean it.
    active: bool,
    /// Counts the documents shown: what the widget remembers belongs to one of them.
    generation: u64,
    /// What the commands in menus may do in this frame.
    pub situation: Situation,
}

impl Editor {
    /// Draws the graph; `revision` counts the changes of the graph and of the inference.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        revision: [u64; 2],
        actions: &mut Vec<Action>,
    ) {
        let held = ui.input(|input| input.pointer.any_down() || input.pointer.any_released());
        if self.moving && !held {
            // The box went away under the pointer, and its drag had no end.
            (self.moving, self.shown) = (false, None);
        }
        self.update(ctx, revision);
        let view = ui.available_rect_before_wrap();
        self.view = Some(view);
        self.settle = self.settle.saturating_sub(1);
        if self.settle == 0 {
            self.look_around(view);
        } else {
            ui.ctx().request_repaint();
        }
        self.drawing.begin_frame();
        let widget_id = Id::new(("graph", self.generation));
        let style = viewer::snarl_style(ui.style());
        let Board { snarl, rects, .. } = &mut self.board;
        let before: BTreeSet<_> = snarl.wires().collect();
        let mut viewer = Viewer {
            ctx,
            actions,
            drawing: &mut self.drawing,
            rects,
            groups: &self.groups,
            style: ui.style().clone(),
            situation: self.situation,
        };
        let response = SnarlWidget::new()
            .id(widget_id)
            .style(style)
            .show(snarl, &mut viewer, ui);
        if self.board.snarl.wires().count() != before.len() {
            let wires = self.board.pulled_out(&before);
            self.shown = None;
            actions.push(Action::edit(
                Text::new("Remove a wire", "删除连线"),
                move |project| {
                    for to in wires {
                        project.graph.disconnect(to);
                    }
                },
            ));
        }
        self.interact(ui, widget_id, &response, ctx, actions);
        if ctx.project.graph.nodes().is_empty() {
            empty_ui(ui, view);
        }
        self.tools_ui(ui, view, actions);
    }

    fn update(&mut self, ctx: &Ctx<'_>, revision: [u64; 2]) {
        // The widget remembers the pins of a wire that is being drawn, and trusts that they stay.
        if self.shown == Some(revision) || self.moving || self.drawing.is_wiring() {
            return;
        }
        let boxes = self.board.boxes().count();
        self.board.update(&ctx.project.graph, ctx.inference);
        self.drawing.forget_sizes();
        if self.board.boxes().count() != boxes {
            self.settle = self.settle.max(2);
        }
        let mut groups: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        for group in ctx.project.graph.groups() {
            let prefix = format!("{group}/");
            let inside = |card: &&Card| card.comment.is_none() && card.name.starts_with(&prefix);
            let keys: Vec<Key> = self
                .board
                .snarl
                .nodes()
                .filter(inside)
                .map(|card| card.key.clone())
                .collect();
            if !keys.is_empty() {
                groups.insert(group, keys);
            }
        }
        self.groups = groups.into_iter().collect();
        self.shown = Some(revision);
    }

    /// From places in the graph to places in the window.
    pub fn to_window(&self) -> egui::emath::TSTransform {
        self.drawing.to_window
    }

    /// Shows the whole graph when its boxes are measured.
    pub fn fit(&mut self) {
        self.look = Some(Look::All);
    }

    /// As for a newly opened project: shows the whole graph, and no text is being typed.
    pub fn reset(&mut self) {
        *self = Self {
            look: Some(Look::All),
            settle: 3,
            generation: self.generation + 1,
            ..Self::default()
        };
    }

    pub fn zoom_to(&mut self, nodes: &BTreeSet<NodeId>) {
        self.look = Some(Look::At(nodes.clone()));
    }

    /// Brings a node into view if it is out of sight.
    pub fn reveal(&mut self, nodes: BTreeSet<NodeId>) {
        self.look = Some(Look::Reveal(nodes));
    }

    fn look_around(&mut self, view: Rect) {
        let Some(look) = self.look.take() else { return };
        let bounds = match &look {
            Look::All => self.board.bounds(None),
            Look::At(nodes) | Look::Reveal(nodes) => self.board.bounds(Some(nodes)),
        };
        let Some(bounds) = bounds else { return };
        let now = self.drawing.to_window;
        if matches!(look, Look::Reveal(_)) {
            if (now.inverse() * view).contains_rect(bounds) {
                return;
            }
            let scaling = now.scaling.clamp(0.5, 1.2);
            self.drawing.go_to = Some(centred(bounds.center(), view, scaling));
            return;
        }
        let room = view.shrink2(vec2(28.0, 40.0)).size() / bounds.size().max(vec2(1.0, 1.0));
        self.drawing.go_to = Some(centred(
            bounds.center(),
            view,
            room.min_elem().clamp(0.1, 1.1),
        ));
    }

    /// Begins to rename the one selected box in its place.
    pub fn rename(&mut self, selection: &BTreeSet<NodeId>) {
        let card = selection.first().and_then(|node| self.board.box_of(*node));
        if let Some(card) = card {
            self.drawing.typing = Some(Typing {
                key: card.key.clone(),
                text: card.name.clone(),
                fresh: true,
            });
        }
    }

    /// Where the editor was drawn last.
    pub fn view(&self) -> Option<Rect> {
        self.view
    }

    pub fn selected_comment(&self) -> Option<usize> {
        self.drawing.selected_comment
    }

    pub fn forget_comment(&mut self) {
        self.drawing.selected_comment = None;
    }

    /// Where a new box goes: right of the selection and under what is already there, or into
    /// the middle of the view.
    pub fn free_place(&self, selection: &BTreeSet<NodeId>) -> Pos2 {
        let size = vec2(170.0, 84.0);
        let beside = self
            .board
            .bounds(Some(selection).filter(|nodes| !nodes.is_empty()));
        let mut place = match (beside, self.view) {
            (Some(bounds), _) if !selection.is_empty() => bounds.right_top() + vec2(56.0, 0.0),
            (_, Some(view)) => self.drawing.to_window.inverse() * view.center() - size / 2.0,
            _ => Pos2::ZERO,
        };
        // Margins are outside of a box's own place.
        if beside.is_some() && !selection.is_empty() {
            place += viewer::MARGIN.left_top();
        }
        let taken: Vec<Rect> = self
            .board
            .boxes()
            .filter_map(|(key, _)| self.board.rect(key))
            .collect();
        let overlaps = |place: Pos2| {
            let rect = Rect::from_min_size(place, size);
            taken.iter().find(|other| other.intersects(rect)).copied()
        };
        for _ in 0..taken.len() {
            match overlaps(place) {
                Some(other) => place.y = other.bottom() + 28.0,
                None => break,
            }
        }
        place
    }

    /// Where a comment goes, or what is pasted: under the pointer, or into the middle.
    pub fn pointed_place(&self) -> Pos2 {
        let middle = self
            .view
            .map(|view| self.drawing.to_window.inverse() * view.center());
        self.pointer.or(middle).unwrap_or_default()
    }

    /// Places every box anew.
    pub fn auto_layout(&mut self) -> Action {
        let cards: Vec<&Card> = self
            .board
            .snarl
            .nodes()
            .filter(|card| card.comment.is_none())
            .collect();
        let owner: BTreeMap<NodeId, usize> = (cards.iter().enumerate())
            .flat_map(|(index, card)| card.nodes.iter().map(move |node| (*node, index)))
            .collect();
        let mut reads: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); cards.len()];
        for (from, to) in self.board.snarl.wires() {
            let end = |id| {
                self.board
                    .card(id)
                    .and_then(|card| owner.get(card.nodes.first()?))
            };
            if let (Some(from), Some(to)) = (end(from.node), end(to.node)) {
                reads[*to].insert(*from);
            }
        }
        let size = |card: &&Card| {
            self.board
                .rect(&card.key)
                .map_or(vec2(170.0, 84.0), |rect| rect.size())
        };
        let blocks: Vec<layout::Block> = (cards.iter().zip(reads))
            .map(|(card, reads)| layout::Block {
                size: size(card),
                reads: reads.into_iter().collect(),
            })
            .collect();
        let view = self.view.map_or(vec2(1000.0, 600.0), |view| view.size());
        let places = layout::layered(&blocks, view);
        let moves = (cards.iter().zip(places)).filter_map(|(card, place)| {
            Some((card.key.clone(), place - self.board.rect(&card.key)?.min))
        });
        let moves: Vec<(Key, egui::Vec2)> = moves.collect();
        self.fit();
        self.settle = 2;
        self.move_boxes(Text::new("Lay out", "自动布局"), &moves)
    }

    /// Lines the selected boxes up.
    pub fn align(&self, selection: &BTreeSet<NodeId>, how: layout::Align) -> Action {
        let chosen = |card: &&Card| {
            !card.nodes.is_empty() && card.nodes.iter().all(|node| selection.contains(node))
        };
        let boxes: BTreeMap<Key, Rect> = (self.board.snarl.nodes().filter(chosen))
            .filter_map(|card| Some((card.key.clone(), self.board.rect(&card.key)?)))
            .collect();
        let moves: Vec<(Key, egui::Vec2)> = layout::align(&boxes, how)
            .into_iter()
            .map(|(key, place)| {
                let old = boxes.get(&key).map_or(place, |rect| rect.min);
                (key, place - old)
            })
            .collect();
        self.move_boxes(Text::new("Align", "对齐"), &moves)
    }

    /// One edit that moves boxes, and with a folded group all nodes in it.
    fn move_boxes(&self, name: Text, moves: &[(Key, egui::Vec2)]) -> Action {
        let mut nodes: BTreeMap<NodeId, egui::Vec2> = BTreeMap::new();
        let mut comments: BTreeMap<usize, egui::Vec2> = BTreeMap::new();
        for (key, delta) in moves {
            match (key, self.board.id(key).and_then(|id| self.board.card(id))) {
                (Key::Comment(index), _) => _ = comments.insert(*index, *delta),
                (_, Some(card)) => nodes.extend(card.nodes.iter().map(|node| (*node, *delta))),
                _ => {}
            }
        }
        Action::edit(name, move |project| {
            let moved = |position: &mut [f32; 2], delta: &egui::Vec2| {
                *position = board::place(board::corner(*position) + *delta);
            };
            for (id, delta) in &nodes {
                if let Some(node) = project.graph.node_mut(*id) {
                    moved(&mut node.position, delta);
                }
            }
            for (index, delta) in &comments {
                if let Some(comment) = project.graph.comments.get_mut(*index) {
                    moved(&mut comment.position, delta);
                }
            }
        })
    }

    /// Zoom and layout at the lower left corner.
    fn tools_ui(&mut self, ui: &mut Ui, view: Rect, actions: &mut Vec<Action>) {
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

/// The transform that shows a place of the graph in the middle of the view.
fn centred(place: Pos2, view: Rect, scaling: f32) -> TSTransform {
    TSTransform::new(view.center().to_vec2() - place.to_vec2() * scaling, scaling)
}

fn empty_ui(ui: &mut Ui, view: Rect) {
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
