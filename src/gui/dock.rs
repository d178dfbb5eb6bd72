//! The docked panels: which are open, where, and how big.

use egui::{Color32, Stroke, Visuals, WidgetText};
use egui_tiles::{
    Container, Linear, LinearDir, SimplificationOptions, Tile, TileId, Tiles, Tree, UiResponse,
};

use super::ViewKind;
use super::theme;
use crate::i18n::tr;

/// The layout of a first start: palette and problems at the left, the graph over the curves in
/// the middle, the form over the maps at the right.
pub fn default_layout() -> Tree<ViewKind> {
    let mut tiles = Tiles::default();
    let tabs = |tiles: &mut Tiles<ViewKind>, kinds: &[ViewKind]| {
        let panes = kinds.iter().map(|kind| tiles.insert_pane(*kind)).collect();
        tiles.insert_tab_tile(panes)
    };
    let palette = tabs(&mut tiles, &[ViewKind::Palette]);
    let editor = tabs(&mut tiles, &[ViewKind::Editor]);
    let below = tabs(
        &mut tiles,
        &[
            ViewKind::Curves,
            ViewKind::Problems,
            ViewKind::Confusion,
            ViewKind::Segmentation,
            ViewKind::Depth,
            ViewKind::Text,
            ViewKind::Prototxt,
        ],
    );
    let form = tabs(&mut tiles, &[ViewKind::Form]);
    let maps = tabs(
        &mut tiles,
        &[
            ViewKind::Maps,
            ViewKind::Weights,
            ViewKind::Data,
            ViewKind::Predict,
        ],
    );
    let split = |tiles: &mut Tiles<ViewKind>, direction, parts: &[(TileId, f32)]| {
        let mut linear = Linear::new(direction, parts.iter().map(|part| part.0).collect());
        for (id, share) in parts {
            linear.shares.set_share(*id, *share);
        }
        tiles.insert_container(linear)
    };
    let middle = split(
        &mut tiles,
        LinearDir::Vertical,
        &[(editor, 0.64), (below, 0.36)],
    );
    let right = split(
        &mut tiles,
        LinearDir::Vertical,
        &[(form, 0.52), (maps, 0.48)],
    );
    let parts = [(palette, 0.15), (middle, 0.58), (right, 0.27)];
    let root = split(&mut tiles, LinearDir::Horizontal, &parts);
    Tree::new("dock", root, tiles)
}

/// Opens a view's tab, or brings it to the front.
pub fn open(tree: &mut Tree<ViewKind>, kind: ViewKind) {
    if tree.tiles.find_pane(&kind).is_none() {
        let pane = tree.tiles.insert_pane(kind);
        let home = (tree.tiles.find_pane(&neighbour(kind)))
            .and_then(|id| tree.tiles.parent_of(id))
            .or(tree.root);
        match home.and_then(|id| tree.tiles.get_mut(id)) {
            Some(Tile::Container(container)) => container.add_child(pane),
            _ => *tree = default_layout(),
        }
    }
    tree.make_active(|_, tile| matches!(tile, Tile::Pane(pane) if *pane == kind));
}

/// The view beside which a closed one opens again.
fn neighbour(kind: ViewKind) -> ViewKind {
    match kind {
        ViewKind::Weights | ViewKind::Data | ViewKind::Predict => ViewKind::Maps,
        ViewKind::Maps => ViewKind::Weights,
        ViewKind::Problems
        | ViewKind::Confusion
        | ViewKind::Segmentation
        | ViewKind::Depth
        | ViewKind::Text
        | ViewKind::Prototxt
        | ViewKind::Comparison => ViewKind::Curves,
        ViewKind::Curves => ViewKind::Problems,
        ViewKind::Form => ViewKind::Maps,
        ViewKind::Palette | ViewKind::Editor => ViewKind::Form,
        ViewKind::Labs => ViewKind::Editor,
    }
}

/// Whether a view is open and in front.
pub fn is_in_front(tree: &Tree<ViewKind>, kind: ViewKind) -> bool {
    let active = tree.active_tiles();
    let pane = tree.tiles.find_pane(&kind);
    pane.is_some_and(|id| active.contains(&id))
}

/// Draws the panels through a function that draws one.
pub struct Dock<'a> {
    pane: &'a mut dyn FnMut(&mut egui::Ui, ViewKind),
    /// What stands behind a tab's title, such as the number of problems.
    note: &'a dyn Fn(ViewKind) -> Option<(String, Color32)>,
    /// The panel that a person closed in this frame.
    closed: Option<TileId>,
}

impl<'a> Dock<'a> {
    pub fn new(
        pane: &'a mut dyn FnMut(&mut egui::Ui, ViewKind),
        note: &'a dyn Fn(ViewKind) -> Option<(String, Color32)>,
    ) -> Self {
        Self {
            pane,
            note,
            closed: None,
        }
    }

    /// Draws all of them; the graph's panel cannot be closed.
    pub fn ui(mut self, tree: &mut Tree<ViewKind>, ui: &mut egui::Ui) {
        tree.ui(&mut self, ui);
        if let Some(tile) = self.closed
            && tree
                .tiles
                .get_pane(&tile)
                .is_some_and(|kind| *kind != ViewKind::Editor)
        {
            tree.remove_recursively(tile);
        }
    }
}

impl egui_tiles::Behavior<ViewKind> for Dock<'_> {
    fn pane_ui(&mut self, ui: &mut egui::Ui, _: TileId, kind: &mut ViewKind) -> UiResponse {
        let background = ui.visuals().panel_fill;
        ui.painter().rect_filled(ui.max_rect(), 0.0, background);
        (self.pane)(ui, *kind);
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, kind: &ViewKind) -> WidgetText {
        match (self.note)(*kind) {
            Some((note, color)) => {
                let mut job = egui::text::LayoutJob::default();
                let text = egui::TextFormat::default();
                job.append(
                    kind.title().get(),
                    0.0,
                    egui::TextFormat {
                        color: Color32::PLACEHOLDER,
                        ..text.clone()
                    },
                );
                job.append(&note, 6.0, egui::TextFormat { color, ..text });
                job.into()
            }
            None => kind.title().get().into(),
        }
    }

    /// A panel is closed from its tab's menu or by the middle button, as it is opened from the
    /// menu of views; a cross on every tab would be in the way.
    fn on_tab_button(
        &mut self,
        _: &mut Tiles<ViewKind>,
        tile: TileId,
        tab: egui::Response,
    ) -> egui::Response {
        if tab.middle_clicked() {
            self.closed = Some(tile);
        }
        tab.context_menu(|ui| {
            if ui.button(tr("Close this panel", "关闭此面板")).clicked() {
                self.closed = Some(tile);
                ui.close();
            }
        });
        tab
    }

    fn tab_bar_height(&self, _: &egui::Style) -> f32 {
        27.0
    }

    fn tab_title_spacing(&self, _: &Visuals) -> f32 {
        10.0
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        3.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        theme::blend(
            visuals.panel_fill,
            visuals.widgets.noninteractive.bg_stroke.color,
            0.45,
        )
    }

    fn tab_outline_stroke(
        &self,
        _: &Visuals,
        _: &Tiles<ViewKind>,
        _: TileId,
        _: &egui_tiles::TabState,
    ) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(
        &self,
        visuals: &Visuals,
        _: &Tiles<ViewKind>,
        _: TileId,
        state: &egui_tiles::TabState,
    ) -> Color32 {
        if state.active {
            visuals.strong_text_color()
        } else {
            visuals.weak_text_color()
        }
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions {
            all_panes_must_have_tabs: true,
            ..Default::default()
        }
    }

    fn min_size(&self) -> f32 {
        120.0
    }
}

/// Whether a layout that was read can be used: every pane once, and a graph editor.
pub fn is_sound(tree: &Tree<ViewKind>) -> bool {
    let mut panes: Vec<ViewKind> = (tree.tiles.tiles())
        .filter_map(|tile| match tile {
            Tile::Pane(kind) => Some(*kind),
            Tile::Container(Container::Tabs(_) | Container::Linear(_) | Container::Grid(_)) => None,
        })
        .collect();
    let count = panes.len();
    panes.sort();
    panes.dedup();
    tree.root.is_some() && panes.len() == count && panes.contains(&ViewKind::Editor)
}
