//! The concept benches: a list of them by chapter, and the one that is open with its controls,
//! its text and its picture.
//!
//! One list joins each bench to its view. A bench that takes the whole window has the plain keys.

mod approximation;
mod arena;
mod canvas;
mod chart;
mod classical;
mod contest;
mod controls;
mod convolution;
mod depth;
mod descent;
mod losses;
mod neuron;
mod player;
mod policies;
mod preprocessing;
mod regularity;
mod text;
mod unroll;

use egui::{Align, Layout, RichText, ScrollArea, Ui};
use serde::{Deserialize, Serialize};

use super::context::{Action, Ctx, View};
use super::theme;
use crate::i18n::tr;
use crate::labs::{BENCHES, Bench, Chapter, Range, SHOW, Settings};

/// The view of a bench.
pub trait BenchView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>);
}

/// What the view of a bench may read and change.
pub struct Lab<'a> {
    pub settings: &'a mut Settings,
    pub ctx: &'a Ctx<'a>,
    pub actions: &'a mut Vec<Action>,
    /// Whether plain keys are the bench's.
    pub keys: bool,
}

type Make = fn() -> Box<dyn BenchView>;

/// The view of every bench, by the bench's id.
static VIEWS: &[(&str, Make)] = &[
    ("neuron", || Box::new(neuron::NeuronView::default())),
    ("approximation", || {
        Box::new(approximation::ApproximationView::default())
    }),
    ("depth", || Box::new(depth::DepthView::default())),
    ("convolution", || {
        Box::new(convolution::ConvolutionView::default())
    }),
    ("descent", || Box::new(descent::DescentView::default())),
    ("policies", || Box::new(policies::PoliciesView::default())),
    ("losses", || Box::new(losses::LossesView::default())),
    ("arena", || Box::new(arena::ArenaView::default())),
    ("regularity", || {
        Box::new(regularity::RegularityView::default())
    }),
    ("preprocessing", || {
        Box::new(preprocessing::PreprocessingView::default())
    }),
    ("unroll", || Box::new(unroll::UnrollView::default())),
    (
        "classical",
        || Box::new(classical::ClassicalView::default()),
    ),
];

/// The panel of the benches.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Labs {
    /// The id of the open bench.
    chosen: String,
    shows_text: bool,
    /// Takes the whole window, below the menus.
    #[serde(skip)]
    pub fills: bool,
    /// What was opened since the program started.
    #[serde(skip)]
    opened: Vec<Opened>,
}

struct Opened {
    bench: &'static Bench,
    settings: Settings,
    view: Box<dyn BenchView>,
}

impl Default for Labs {
    fn default() -> Self {
        Self {
            chosen: BENCHES.first().map_or("", |bench| bench.id).to_owned(),
            shows_text: true,
            fills: false,
            opened: Vec::new(),
        }
    }
}

impl Labs {
    pub fn choose(&mut self, bench: &'static Bench) {
        self.chosen = bench.id.to_owned();
    }

    /// Opens the bench of these settings.
    pub fn set(&mut self, settings: Settings) {
        self.chosen = settings.bench().to_owned();
        if let Some(opened) = self.opened() {
            opened.settings = settings;
        }
    }

    fn opened(&mut self) -> Option<&mut Opened> {
        let place = self
            .opened
            .iter()
            .position(|open| open.bench.id == self.chosen);
        if let Some(place) = place {
            return self.opened.get_mut(place);
        }
        let bench = (BENCHES.iter().find(|bench| bench.id == self.chosen)).or(BENCHES.first())?;
        self.chosen = bench.id.to_owned();
        let (_, make) = VIEWS.iter().find(|(id, _)| *id == bench.id)?;
        self.opened.push(Opened {
            bench,
            settings: Settings::of(bench),
            view: make(),
        });
        self.opened.last_mut()
    }
}

impl View for Labs {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let wide = ui.available_width() > 860.0;
        if wide {
            let frame = egui::Frame::new().inner_margin(egui::Margin {
                right: 8,
                ..Default::default()
            });
            let panel = egui::Panel::left("benches").resizable(false);
            panel.exact_size(178.0).frame(frame).show(ui, |ui| {
                ScrollArea::vertical().show(ui, |ui| {
                    let layout = Layout::top_down_justified(Align::Min);
                    ui.with_layout(layout, |ui| self.list_ui(ui));
                });
            });
        }
        let (fills, shows_text) = (self.fills, self.shows_text);
        let mut toggled = (false, false);
        let head = |ui: &mut Ui, title: &str| {
            toggled = head_ui(ui, title, fills, shows_text);
        };
        let Some(opened) = self.opened() else { return };
        let bench = opened.bench;
        let chosen = bench_ui(ui, opened, (ctx, actions), (fills, shows_text, wide), head);
        if let Some(bench) = chosen {
            self.choose(bench);
        }
        let left = fills && !ui.ctx().text_edit_focused();
        let left = left && ui.input(|input| input.key_pressed(egui::Key::Escape));
        self.fills ^= toggled.0 || left;
        self.shows_text ^= toggled.1;
        if actions
            .iter()
            .any(|action| matches!(action, Action::OpenExample(_)))
        {
            self.fills = false;
        }
        debug_assert!(BENCHES.iter().any(|other| other.id == bench.id));
    }
}

impl Labs {
    fn list_ui(&mut self, ui: &mut Ui) {
        ui.set_width(ui.available_width());
        for chapter in Chapter::ALL {
            ui.add_space(6.0);
            ui.label(RichText::new(chapter.text().get()).weak().small());
            for bench in BENCHES.iter().filter(|bench| bench.chapter == chapter) {
                let button = egui::Button::selectable(self.chosen == bench.id, bench.title.get())
                    .wrap_mode(egui::TextWrapMode::Truncate);
                if ui.add(button).on_hover_text(bench.about.get()).clicked() {
                    self.choose(bench);
                }
            }
        }
    }
}

/// Title, and what the window shows beside the bench: whether each of the two was switched.
fn head_ui(ui: &mut Ui, title: &str, fills: bool, shows_text: bool) -> (bool, bool) {
    let mut toggled = (false, false);
    ui.horizontal(|ui| {
        ui.heading(title);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (name, hint) = match fills {
                true => (
                    tr("Back to the project", "返回项目"),
                    tr("Shows the panels again (Esc).", "重新显示各面板（Esc）。"),
                ),
                false => (
                    tr("Fill the window", "占满窗口"),
                    tr(
                        "The bench gets the whole window and the plain keys.",
                        "实验台占用整个窗口，并接收普通按键。",
                    ),
                ),
            };
            toggled.0 = ui.button(name).on_hover_text(hint).clicked();
            let text = egui::Button::selectable(shows_text, tr("Controls and text", "控件与说明"));
            toggled.1 = ui.add(text).clicked();
        });
    });
    toggled
}

/// The open bench; another one where a person chose it from the short list.
fn bench_ui(
    ui: &mut Ui,
    opened: &mut Opened,
    (ctx, actions): (&Ctx<'_>, &mut Vec<Action>),
    (keys, shows_text, wide): (bool, bool, bool),
    head: impl FnOnce(&mut Ui, &str),
) -> Option<&'static Bench> {
    let bench = opened.bench;
    let mut chosen = None;
    let frame = egui::Frame::new().inner_margin(egui::Margin {
        left: if wide { 10 } else { 0 },
        ..Default::default()
    });
    frame.show(ui, |ui| {
        if !wide {
            chosen = short_list_ui(ui, bench);
        }
        head(ui, bench.title.get());
        let accent = theme::accent(ui.visuals());
        ui.label(RichText::new(bench.takeaway.get()).color(accent));
        ui.separator();
        if shows_text {
            let frame = egui::Frame::new().inner_margin(egui::Margin {
                left: 10,
                ..Default::default()
            });
            let width = if wide { 268.0 } else { 210.0 };
            let panel = egui::Panel::right("bench text").resizable(false);
            panel.exact_size(width).frame(frame).show(ui, |ui| {
                ScrollArea::vertical().show(ui, |ui| {
                    controls::controls_ui(ui, &mut opened.settings);
                    text::text_ui(ui, bench, actions);
                });
            });
        }
        let mut lab = Lab {
            settings: &mut opened.settings,
            ctx,
            actions,
            keys: keys && !ui.ctx().text_edit_focused(),
        };
        parts_ui(ui, lab.settings);
        opened.view.ui(ui, &mut lab);
    });
    chosen
}

/// The parts of a bench that has several.
fn parts_ui(ui: &mut Ui, settings: &mut Settings) {
    let show = settings
        .controls()
        .iter()
        .find(|control| control.key == SHOW);
    let Some(Range::Choice { options, .. }) = show.map(|control| control.range) else {
        return;
    };
    ui.horizontal_wrapped(|ui| {
        for (place, (_, name)) in options.iter().enumerate() {
            let chosen = settings.count(SHOW) == place;
            if ui.selectable_label(chosen, name.get()).clicked() {
                settings.set(SHOW, place as f64);
            }
        }
    });
}

fn short_list_ui(ui: &mut Ui, bench: &'static Bench) -> Option<&'static Bench> {
    let mut chosen = None;
    let shown = bench.title.get();
    egui::ComboBox::from_id_salt("bench")
        .selected_text(shown)
        .width(240.0)
        .show_ui(ui, |ui| {
            for other in BENCHES {
                let label = format!("{} · {}", other.chapter.text(), other.title);
                if ui.selectable_label(other.id == bench.id, label).clicked() {
                    chosen = Some(*other);
                }
            }
        });
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bench_has_a_view() {
        let benches: Vec<&str> = BENCHES.iter().map(|bench| bench.id).collect();
        let views: Vec<&str> = VIEWS.iter().map(|(id, _)| *id).collect();
        assert_eq!(benches, views);
    }
}
