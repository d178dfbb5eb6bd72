//! How the boxes are drawn, and what a person does to single boxes, pins and wires.
//!
//! The widget's own copy of the wires is never changed here: every wish becomes an action.

mod contents;
mod pins;
mod widget;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use egui::emath::TSTransform;
use egui::{Color32, CornerRadius, Frame, Margin, Rect, Stroke, Ui, Vec2, vec2};
use egui_snarl::NodeId as BoxId;
use egui_snarl::ui::{BackgroundPattern, SnarlStyle};

use super::card::{Card, Key};
use super::frames::{Group, Pull};
use super::marks::Marks;
use crate::graph::NodeId;
use crate::gui::commands::Situation;
use crate::gui::context::{Action, Ctx};
use crate::gui::theme;
use crate::i18n::Text;
use pins::End;

/// A name or comment that is being typed.
pub struct Typing {
    pub key: Key,
    pub text: String,
    /// The text field does not have the focus yet.
    pub fresh: bool,
}

/// What is kept between the frames about the drawing.
#[derive(Default)]
pub struct Drawing {
    pub typing: Option<Typing>,
    /// The wire that is being drawn, as of the last frame and of this one.
    pub wire: Option<End>,
    wire_now: Option<End>,
    /// From graph to window coordinates.
    pub to_window: TSTransform,
    /// Where the view shall go in the next frame.
    pub go_to: Option<TSTransform>,
    /// The sizes of what is in boxes, so that those out of sight need not be laid out.
    sizes: BTreeMap<(usize, usize), Vec2>,
    pub selected_comment: Option<usize>,
    /// A group that is being dragged by its title.
    pub pull: Option<Pull>,
    /// While a wire is drawn: what it cannot end at, because that would close a circle.
    circle: Option<(End, BTreeSet<NodeId>)>,
}

impl Drawing {
    pub fn begin_frame(&mut self) {
        self.wire = self.wire_now.take();
        if self.wire.is_none() {
            self.circle = None;
        }
    }

    /// Whether a wire was being drawn in the last frame.
    pub fn is_wiring(&self) -> bool {
        self.wire_now.is_some()
    }

    /// Forgets the measured sizes in boxes whose contents have changed.
    pub fn forget_sizes(&mut self, boxes: &BTreeSet<BoxId>) {
        self.sizes.retain(|(id, _), _| !boxes.contains(&BoxId(*id)));
    }
}

/// Draws one frame.
pub struct Viewer<'a> {
    pub ctx: &'a Ctx<'a>,
    pub actions: &'a mut Vec<Action>,
    pub drawing: &'a mut Drawing,
    pub rects: &'a mut BTreeMap<Key, Rect>,
    /// Every box, drawn or not.
    pub cards: &'a [Rc<Card>],
    /// Groups that are not folded, inner ones first.
    pub groups: &'a [Group],
    pub marks: &'a Marks,
    pub style: std::sync::Arc<egui::Style>,
    pub situation: Situation,
}

/// Margins between a box's frame and its contents.
pub const MARGIN: Margin = Margin::symmetric(10, 6);

/// Small text is not drawn where the view shows boxes smaller than this.
const LEGIBLE: f32 = 0.32;

// Parts of a box whose sizes are remembered; pins follow.
const HEADER: usize = 0;
const FOOTER: usize = 1;
const INPUTS: usize = 2;
const OUTPUTS: usize = 1 << 20;

impl Viewer<'_> {
    fn edit(&mut self, name: Text, edit: impl FnOnce(&mut crate::project::Project) + 'static) {
        self.actions.push(Action::Edit {
            name,
            merge: None,
            edit: Box::new(edit),
        });
    }

    fn is_selected(&self, card: &Card) -> bool {
        match card.key {
            Key::Comment(index) => self.drawing.selected_comment == Some(index),
            _ => card
                .nodes
                .iter()
                .all(|node| self.ctx.selection.contains(node)),
        }
    }

    /// Draws a part of a box, or leaves its room empty where nobody can see or read it.
    fn part(
        &mut self,
        ui: &mut Ui,
        id: BoxId,
        part: usize,
        draw: impl FnOnce(&mut Self, &mut Ui) -> Rect,
    ) {
        if let Some(size) = self.drawing.sizes.get(&(id.0, part)) {
            let at = ui.next_widget_position();
            let room = Rect::from_min_size(at, *size).expand2(vec2(size.x + 20.0, 20.0));
            let legible = part == HEADER || self.drawing.to_window.scaling > LEGIBLE;
            if !legible || !ui.clip_rect().intersects(room) {
                ui.allocate_space(*size);
                return;
            }
        }
        let drawn = draw(self, ui).size();
        self.drawing.sizes.insert((id.0, part), drawn);
    }
}

/// What the node graph widget looks like.
pub fn snarl_style(style: &egui::Style) -> SnarlStyle {
    let visuals = &style.visuals;
    SnarlStyle {
        node_frame: Some(Frame::new().inner_margin(MARGIN)),
        header_drag_space: Some(Vec2::ZERO),
        collapsible: Some(false),
        pin_size: Some(9.0),
        pin_placement: Some(egui_snarl::ui::PinPlacement::Edge),
        wire_width: Some(2.0),
        wire_frame_size: Some(60.0),
        bg_frame: Some(Frame::new().fill(visuals.extreme_bg_color)),
        bg_pattern: Some(BackgroundPattern::Grid(egui_snarl::ui::Grid {
            spacing: vec2(48.0, 48.0),
            angle: 0.0,
        })),
        bg_pattern_stroke: Some(Stroke::new(
            1.0,
            visuals
                .widgets
                .noninteractive
                .bg_stroke
                .color
                .gamma_multiply(0.35),
        )),
        min_scale: Some(0.1),
        max_scale: Some(2.0),
        centering: Some(false),
        // The window's own selection is drawn; the widget's is not used.
        select_style: Some(egui_snarl::ui::SelectionStyle {
            margin: Margin::ZERO,
            rounding: CornerRadius::ZERO,
            fill: Color32::TRANSPARENT,
            stroke: Stroke::NONE,
        }),
        select_fill: Some(theme::accent(visuals).gamma_multiply(0.12)),
        select_stoke: Some(Stroke::new(1.0, theme::accent(visuals))),
        ..SnarlStyle::new()
    }
}
