//! The graph editor: the project's graph as boxes and wires.
//!
//! It draws a copy of the graph and turns what a person does into actions; the copy is made
//! again whenever the graph, what is known of it, or the language changes.

mod arrange;
mod board;
mod card;
pub mod edits;
mod interact;
pub mod layout;
mod tools;
mod viewer;

pub use card::{Card, Key, Pin};

use std::collections::{BTreeMap, BTreeSet};

use egui::emath::TSTransform;
use egui::{Id, Pos2, Rect, Ui, vec2};
use egui_snarl::ui::SnarlWidget;

use super::commands::Situation;
use super::context::{Action, Ctx};
use crate::graph::NodeId;
use crate::i18n::Text;
use board::Board;
use tools::empty_ui;
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
}

/// The transform that shows a place of the graph in the middle of the view.
fn centred(place: Pos2, view: Rect, scaling: f32) -> TSTransform {
    TSTransform::new(view.center().to_vec2() - place.to_vec2() * scaling, scaling)
}
