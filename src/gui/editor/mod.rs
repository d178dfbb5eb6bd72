//! The graph editor: the project's graph as boxes and wires.
//!
//! It draws a copy of the graph and turns what a person does into actions; the copy is made
//! again whenever the graph, what is known of it, or the language changes.

pub mod align;
mod arrange;
mod board;
mod card;
pub mod edits;
mod frames;
mod interact;
mod marks;
mod measure;
mod minimap;
mod refold;
mod search;
mod tools;
mod viewer;

pub use card::{Card, Key, Pin};
pub use marks::{Differs, Ghost, Marks};
pub use search::Search;

use std::collections::BTreeSet;
use std::rc::Rc;

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
    /// Into the middle, in a size that can be read.
    Centre(BTreeSet<NodeId>),
}

/// The editor's own state; nothing of it is in the project.
#[derive(Default)]
pub struct Editor {
    board: Board,
    /// The revisions of graph and inference that the board shows.
    shown: Option<[u64; 2]>,
    groups: Vec<frames::Group>,
    measure: measure::Measure,
    pub search: Search,
    pub marks: Marks,
    /// Whether the whole graph is shown in a corner.
    pub minimap: bool,
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
            (self.moving, self.shown, self.drawing.pull) = (false, None, None);
        }
        self.update(ui.ctx(), ctx, revision);
        self.marks.found = self.search.nodes();
        self.marks.current = self.search.current();
        let view = ui.available_rect_before_wrap();
        self.view = Some(view);
        self.settle = self.settle.saturating_sub(1);
        if self.settle == 0 {
            self.look_around(view);
        } else {
            ui.ctx().request_repaint();
        }
        // Where the view will be: it may be on its way.
        let there = self.drawing.go_to.unwrap_or(self.drawing.to_window);
        let holds = self.moving
            || self.drawing.is_wiring()
            || self.drawing.typing.is_some()
            || egui::Popup::is_any_open(ui.ctx());
        self.board.cull(there.inverse() * view, holds);
        self.drawing.begin_frame();
        let widget_id = Id::new(("graph", self.generation));
        let style = viewer::snarl_style(ui.style());
        frames::place(&mut self.groups, &self.board.rects);
        let cards: Vec<Rc<Card>> = self.board.cards().cloned().collect();
        let Board { snarl, rects, .. } = &mut self.board;
        let before: BTreeSet<_> = snarl.wires().collect();
        let mut viewer = Viewer {
            ctx,
            actions,
            drawing: &mut self.drawing,
            rects,
            cards: &cards,
            groups: &self.groups,
            marks: &self.marks,
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
            self.board.invalidate();
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
        self.search_ui(ui, view, ctx, revision[0], actions);
        if self.minimap {
            self.minimap_ui(ui, view, ctx);
        }
    }

    fn update(&mut self, egui: &egui::Context, ctx: &Ctx<'_>, revision: [u64; 2]) {
        // The widget remembers the pins of a wire that is being drawn, and trusts that they stay.
        if self.shown == Some(revision) || self.moving || self.drawing.is_wiring() {
            return;
        }
        let Self { board, measure, .. } = self;
        let mut size = |card: &Card| measure.size(egui, card);
        let graph = &ctx.project.graph;
        let changed = board.update(graph, ctx.inference, &mut size);
        self.drawing.forget_sizes(&changed);
        self.groups = frames::open_groups(graph, &self.board);
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
            minimap: self.minimap,
            ..Self::default()
        };
    }

    pub fn zoom_to(&mut self, nodes: &BTreeSet<NodeId>) {
        self.look = Some(Look::At(nodes.clone()));
    }

    /// Brings nodes into the middle of the view, in a size that can be read.
    pub fn centre_on(&mut self, nodes: BTreeSet<NodeId>) {
        self.look = Some(Look::Centre(nodes));
    }

    /// Brings a node into view if it is out of sight.
    pub fn reveal(&mut self, nodes: BTreeSet<NodeId>) {
        self.look = Some(Look::Reveal(nodes));
    }

    fn look_around(&mut self, view: Rect) {
        let Some(look) = self.look.take() else { return };
        let bounds = match &look {
            Look::All => self.board.bounds(None),
            Look::At(nodes) | Look::Reveal(nodes) | Look::Centre(nodes) => {
                self.board.bounds(Some(nodes))
            }
        };
        let Some(bounds) = bounds else { return };
        let now = self.drawing.to_window;
        let fits = view.shrink2(vec2(28.0, 40.0)).size() / bounds.size().max(vec2(1.0, 1.0));
        match look {
            Look::Reveal(_) if (now.inverse() * view).contains_rect(bounds) => return,
            Look::Reveal(_) | Look::Centre(_) => {
                // What is larger than the view is shown as a whole.
                let scaling = now.scaling.clamp(0.5, 1.2).min(fits.min_elem().max(0.1));
                self.drawing.go_to = Some(centred(bounds.center(), view, scaling));
                return;
            }
            _ => {}
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
