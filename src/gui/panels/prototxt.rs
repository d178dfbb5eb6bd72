//! The network as Caffe's text, which follows the graph and can be typed in.
//!
//! A text that can be read becomes the graph at once, and all typing without a pause elsewhere is
//! one step of undo. A text that cannot be read leaves the graph as it is and says where it breaks
//! off.

mod colors;
mod marks;

use egui::{Align, Color32, FontId, Margin, Rect, RichText, ScrollArea, TextEdit, Ui, pos2, vec2};

use crate::graph::{Facts, NodeId};
use crate::gui::commands::CommandId;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::theme;
use crate::i18n::{Lang, Text, lang, tr, tr_format};
use crate::interop::caffe::{Extent, export_net, import_net, parse};
use crate::project::Project;
use crate::train;
use colors::{Colors, colored};
use marks::{Mark, Marks};

/// Left of the text, for the numbers of its lines.
const GUTTER: i8 = 44;

#[derive(Default)]
pub struct Prototxt {
    text: String,
    /// What the text says, and in which language its marks are.
    shown: Option<(Project, Facts, Lang)>,
    /// The project before the typing that is going on.
    origin: Option<Project>,
    marks: Marks,
    /// The text cannot be read and the graph is not what it says.
    broken: bool,
    selected: Option<NodeId>,
}

impl View for Prototxt {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let facts = match ctx.data {
            Some(Ok(feed)) => train::facts(feed),
            _ => Facts::default(),
        };
        // Numbers that come from the data wait until the typing is over.
        let typing = self.origin.is_some();
        let current = (self.shown.as_ref()).is_some_and(|(project, known, language)| {
            project == ctx.project && (typing || (*known == facts && *language == lang()))
        });
        let outdated = self.broken && !current;
        if !current && !self.broken {
            self.follow(ctx, &facts);
        }
        self.marks.update(ctx.inference, &ctx.project.graph);
        self.head_ui(ui, ctx, &facts, outdated, actions);
        let height = ui.available_height();
        let listed = self.marks.shown().count().min(3) as f32 * 26.0;
        let text_height = (height - listed - 8.0).max(60.0);
        let clicked = ui
            .allocate_ui(vec2(ui.available_width(), text_height), |ui| {
                self.text_ui(ui, ctx, &facts, actions)
            })
            .inner;
        let line = self.list_ui(ui).or(clicked);
        if let Some(id) = line.and_then(|line| self.marks.node_at(line)) {
            actions.push(Action::Reveal(id));
        }
    }
}

impl Prototxt {
    /// Writes the graph's text.
    fn follow(&mut self, ctx: &Ctx<'_>, facts: &Facts) {
        self.text = export_net(ctx.project, facts, Extent::Network).text;
        self.shown = Some((ctx.project.clone(), facts.clone(), lang()));
        self.origin = None;
        self.broken = false;
        if let Ok(message) = parse(&self.text) {
            let folder = ctx.path.and_then(std::path::Path::parent);
            let (_, notes) = import_net(&message, ctx.project.clone(), folder);
            self.marks.read(&message, &notes);
        }
    }

    /// The text was typed in: the project follows, if it can.
    fn typed(&mut self, ctx: &Ctx<'_>, facts: &Facts, actions: &mut Vec<Action>) {
        let message = match parse(&self.text) {
            Ok(message) => message,
            Err(syntax) => {
                self.marks.break_at(&syntax);
                self.broken = true;
                return;
            }
        };
        let origin = self
            .origin
            .get_or_insert_with(|| ctx.project.clone())
            .clone();
        let folder = ctx.path.and_then(std::path::Path::parent);
        let (project, notes) = import_net(&message, origin, folder);
        self.marks.read(&message, &notes);
        self.broken = false;
        self.shown = Some((project.clone(), facts.clone(), lang()));
        let name = Text::new("Edit the prototxt", "编辑 Prototxt");
        actions.push(Action::merging(name, "prototxt", move |edited| {
            *edited = project;
        }));
    }

    fn head_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        facts: &Facts,
        outdated: bool,
        actions: &mut Vec<Action>,
    ) {
        ui.horizontal_wrapped(|ui| {
            if self.broken {
                let color = ui.visuals().error_fg_color;
                let text = match outdated {
                    true => tr(
                        "This text cannot be read, and the graph has changed since.",
                        "此文本无法解析，且网络在此之后已有改动。",
                    ),
                    false => tr(
                        "This text cannot be read; the graph is as before.",
                        "此文本无法解析；网络保持不变。",
                    ),
                };
                ui.label(RichText::new(text).color(color));
                if ui
                    .button(tr("Show the graph's text", "显示网络的文本"))
                    .clicked()
                {
                    self.follow(ctx, facts);
                }
            } else {
                ui.weak(tr(
                    "Caffe's definition of this network; type in it to change the graph.",
                    "该网络的 Caffe 定义；在此输入即可修改网络。",
                ))
                .on_hover_text(tr(
                    "Lines that begin with “# layerlab:” hold what Caffe has no field for.",
                    "以“# layerlab:”开头的行保存 Caffe 没有的设置。",
                ));
            }
            if ui.button(tr("Copy", "复制")).clicked() {
                ui.ctx().copy_text(self.text.clone());
            }
            if ui.button(tr("Export…", "导出…")).clicked() {
                actions.push(Action::Run(CommandId::ExportCaffe));
            }
        });
    }

    /// The text with its lines' numbers; returns the line that was clicked at the margin.
    fn text_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        facts: &Facts,
        actions: &mut Vec<Action>,
    ) -> Option<usize> {
        let colors = Colors::of(ui);
        let area = ScrollArea::both().auto_shrink(false).id_salt("prototxt");
        area.show(ui, |ui| {
            let mut layouter = |ui: &Ui, text: &dyn egui::TextBuffer, _: f32| {
                let job = colored(text.as_str(), &colors);
                ui.fonts_mut(|fonts| fonts.layout_job(job))
            };
            // Grounds of lines go behind the text.
            let behind = ui.painter().add(egui::Shape::Noop);
            let hint = tr(
                "Drag layers into the graph, or paste a Caffe network here.",
                "把层拖入网络图，或在此粘贴 Caffe 网络。",
            );
            let editor = TextEdit::multiline(&mut self.text)
                .code_editor()
                .hint_text(hint)
                .frame(egui::Frame::NONE.inner_margin(Margin {
                    left: GUTTER,
                    ..Margin::symmetric(4, 4)
                }))
                .desired_width(f32::INFINITY)
                .min_size(ui.available_size())
                .layouter(&mut layouter);
            let output = editor.show(ui);
            let (galley, at) = (&output.galley, output.galley_pos);
            let width = ui.clip_rect().x_range();
            let row = |line: usize| {
                let row = galley.rows.get(line.checked_sub(1)?)?;
                let top = at.y + row.pos.y;
                Some(Rect::from_x_y_ranges(width, top..=top + row.row.size.y))
            };
            let chosen = match ctx.selection.len() {
                1 => ctx.selection.first().copied(),
                _ => None,
            };
            let mut shapes = Vec::new();
            let mut ground = |line: usize, color: Color32| {
                shapes.extend(row(line).map(|rect| egui::Shape::rect_filled(rect, 0.0, color)));
            };
            if let Some(lines) = chosen.and_then(|id| self.marks.lines_of(id)) {
                lines.for_each(|line| ground(line, colors.chosen));
            }
            for mark in self.marks.shown() {
                ground(mark.line, mark.color(ui).gamma_multiply(0.16));
            }
            ui.painter().set(behind, egui::Shape::Vec(shapes));
            let clicked = self.gutter_ui(ui, at.x, &row, galley.rows.len());
            let has_focus = output.response.response.has_focus();
            if output.response.response.changed() {
                self.typed(ctx, facts, actions);
            } else if output.response.response.lost_focus() && !self.broken {
                self.shown = None;
            }
            let cursor = output.cursor_range.filter(|_| has_focus);
            let line = cursor.map(|range| {
                let before = self.text.chars().take(range.primary.index.into());
                before.filter(|c| *c == '\n').count() + 1
            });
            self.keep_together(ui, line, chosen, &row, actions);
            clicked
        })
        .inner
    }

    /// The node at the text cursor is selected, and a node that is selected elsewhere comes into
    /// view.
    fn keep_together(
        &mut self,
        ui: &Ui,
        line: Option<usize>,
        chosen: Option<NodeId>,
        row: &dyn Fn(usize) -> Option<Rect>,
        actions: &mut Vec<Action>,
    ) {
        let pointed = line.and_then(|line| self.marks.node_at(line));
        if line.is_some() {
            if pointed.is_some() && pointed != chosen {
                actions.push(Action::Select(pointed.into_iter().collect()));
            }
            self.selected = pointed.or(chosen);
        } else if chosen != self.selected {
            self.selected = chosen;
            let lines = chosen.and_then(|id| self.marks.lines_of(id));
            if let Some(rect) = lines.and_then(|mut lines| row(lines.next()?)) {
                ui.scroll_to_rect(rect, Some(Align::Center));
            }
        }
    }

    /// Numbers and marks of the lines in view.
    fn gutter_ui(
        &self,
        ui: &mut Ui,
        left: f32,
        row: &dyn Fn(usize) -> Option<Rect>,
        lines: usize,
    ) -> Option<usize> {
        let font = FontId::monospace(10.5);
        let weak = ui.visuals().weak_text_color();
        let clip = ui.clip_rect();
        let first = (1..=lines).collect::<Vec<_>>();
        let begin =
            first.partition_point(|line| row(*line).is_some_and(|rect| rect.bottom() < clip.top()));
        let mut clicked = None;
        for line in begin + 1..=lines {
            let Some(rect) = row(line) else { break };
            if rect.top() > clip.bottom() {
                break;
            }
            let mark = self.marks.at(line);
            let color = mark.map_or(weak, |mark| mark.color(ui));
            let place = pos2(left - 12.0, rect.center().y);
            ui.painter()
                .text(place, egui::Align2::RIGHT_CENTER, line, font.clone(), color);
            let Some(mark) = mark else { continue };
            let place = pos2(left - 6.0, rect.center().y);
            ui.painter().circle_filled(place, 3.0, color);
            let margin = Rect::from_x_y_ranges(left - f32::from(GUTTER)..=left, rect.y_range());
            let response = ui.interact(margin, ui.id().with(("mark", line)), egui::Sense::click());
            if response.on_hover_text(&mark.message).clicked() {
                clicked = Some(line);
            }
        }
        clicked
    }

    /// What is wrong, by line; returns the line that was clicked.
    fn list_ui(&self, ui: &mut Ui) -> Option<usize> {
        let mut clicked = None;
        let area = ScrollArea::vertical()
            .id_salt("marks")
            .auto_shrink([false, true]);
        area.show(ui, |ui| {
            for Mark {
                line,
                message,
                severity,
            } in self.marks.shown()
            {
                let color = theme::severity_color(*severity, ui.visuals());
                let text = tr_format!("line {line}: {message}", "第 {line} 行：{message}");
                let label = egui::Label::new(RichText::new(text).color(color)).truncate();
                let label = label.sense(egui::Sense::click());
                if ui.add(label).on_hover_text(message).clicked() {
                    clicked = Some(*line);
                }
            }
        });
        clicked
    }
}

impl Mark {
    fn color(&self, ui: &Ui) -> Color32 {
        theme::severity_color(self.severity, ui.visuals())
    }
}
