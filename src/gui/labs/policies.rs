//! The view of the learning-rate policies: the curve with handles, its prototxt, where it rests.

use egui::{Id, RichText, ScrollArea, Stroke, TextEdit, Ui, vec2};

use super::canvas::Axes;
use super::{BenchView, Lab};
use crate::gui::ViewKind;
use crate::gui::commands::CommandId;
use crate::gui::context::Action;
use crate::gui::plots::{color, number, short};
use crate::i18n::{Text, tr, tr_format};
use crate::interop::caffe;
use crate::labs::Settings;
use crate::labs::policies::{POLICIES, policy, rates, rest, stages};
use crate::train::Stage;

#[derive(Default)]
pub struct PoliciesView {
    made_of: Option<Settings>,
    stages: Vec<Stage>,
    rates: Vec<f64>,
    /// Where every policy alone rests, and what is drawn now.
    rests: Vec<f64>,
    rest: f64,
    prototxt: String,
}

impl BenchView for PoliciesView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        if self.made_of.as_ref() != Some(lab.settings) {
            self.make(lab.settings);
        }
        ui.horizontal_wrapped(|ui| {
            let apply = ui.button(tr("Give it to the project", "应用到项目"));
            let hint = tr(
                "The project's training stages get this rate and policy; one step of undo takes it back.",
                "项目的训练阶段改用此学习率与策略；可一步撤销。",
            );
            let apply = apply.on_hover_text(hint).clicked();
            let train = ui.button(tr("… and train", "……并开始训练")).clicked();
            if apply || train {
                self.apply(lab);
            }
            if train {
                lab.actions.push(Action::Run(CommandId::Restart));
            }
            if lab.ctx.run.is_live() {
                let at = lab.ctx.run.iteration();
                ui.label(tr_format!("live run: iteration {at}", "实际训练：第 {at} 次迭代"));
            }
        });
        let height = (ui.available_height() * 0.56).max(160.0);
        self.plot_ui(ui, lab, vec2(ui.available_width(), height));
        ui.add_space(4.0);
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(ui.available_width() * 0.5);
                self.rests_ui(ui, lab);
            });
            ui.vertical(|ui| self.prototxt_ui(ui));
        });
    }
}

impl PoliciesView {
    fn make(&mut self, settings: &Settings) {
        self.stages = stages(settings);
        self.rates = rates(&self.stages);
        self.rest = rest(&thinned(&self.rates));
        let iterations = settings.count("iterations") as u64;
        self.rests = (0..POLICIES.len())
            .map(|place| {
                let mut stage = Stage {
                    iterations,
                    ..Stage::default()
                };
                stage.solver.base_lr = settings.number("base_lr");
                stage.solver.policy = policy(place, settings, iterations);
                rest(&thinned(&rates(&[stage])))
            })
            .collect();
        let texts = self
            .stages
            .iter()
            .map(|stage| caffe::export_solver(stage, "net.prototxt", 0, None).text);
        self.prototxt = texts.collect::<Vec<_>>().join("\n");
        self.made_of = Some(settings.clone());
    }

    fn apply(&self, lab: &mut Lab<'_>) {
        let stages = self.stages.clone();
        let name = Text::new("Learning-rate policy", "学习率策略");
        lab.actions.push(Action::edit(name, move |project| {
            // The solver's other numbers and the stage's settings stay the project's own.
            let first = project.stages.first().cloned().unwrap_or_default();
            let give = |stage: Stage| {
                let mut own = first.clone();
                own.iterations = stage.iterations;
                own.solver.base_lr = stage.solver.base_lr;
                own.solver.policy = stage.solver.policy;
                own.solver.warmup = stage.solver.warmup;
                // The first stays what it is called.
                if stage.name == "second" {
                    own.name = stage.name;
                }
                own
            };
            project.stages = stages.into_iter().map(give).collect();
        }));
    }

    fn plot_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>, size: egui::Vec2) {
        let top = self.rates.iter().copied().fold(1e-9, f64::max) * 1.12;
        let end = self.rates.len() as f64;
        let (axes, _) = Axes::show(ui, size, [0.0, end], [0.0, top]);
        let step = (self.rates.len() / 1500).max(1);
        let line: Vec<[f64; 2]> = self
            .rates
            .iter()
            .enumerate()
            .step_by(step)
            .map(|(t, rate)| [t as f64, *rate])
            .collect();
        // The area under the curve is how far the steps can lead altogether.
        axes.line(ui, &line, Stroke::new(2.4, color(0, ui.visuals())));
        let faint = Stroke::new(1.0, ui.visuals().weak_text_color());
        if let Some(seam) = self.stages.first().filter(|_| self.stages.len() > 1) {
            let at = seam.iterations as f64;
            axes.line(ui, &[[at, 0.0], [at, top]], faint);
        }
        let run = lab.ctx.run;
        if run.is_live() {
            let at = run.iteration() as f64;
            axes.line(
                ui,
                &[[at, 0.0], [at, top]],
                Stroke::new(1.5, color(2, ui.visuals())),
            );
        }
        if let Some(stage) = self.stages.first() {
            // The fonts lack the signs of rounding down.
            let formula = stage
                .solver
                .policy
                .formula()
                .replace('⌊', "int(")
                .replace('⌋', ")");
            let at = [end * 0.99, top * 0.96];
            axes.text(
                ui,
                at,
                egui::Align2::RIGHT_TOP,
                &formula,
                ui.visuals().text_color(),
            );
        }
        let settings = &mut *lab.settings;
        let [rate, share] = ["base_lr", "share"].map(|key| settings.number(key));
        if let Some([_, y]) = axes.handle(
            ui,
            Id::new("base rate"),
            [0.0, rate],
            color(1, ui.visuals()),
        ) {
            settings.set("base_lr", y.max(1e-4));
        }
        if let Some([x, _]) = axes.handle(
            ui,
            Id::new("seam"),
            [share * end, 0.0],
            color(3, ui.visuals()),
        ) {
            settings.set("share", x / end);
        }
        let place = settings.count("first");
        self.shape_handle(ui, &axes, settings, place, share * end);
    }

    /// What bends the first policy, as a handle on its curve.
    fn shape_handle(&self, ui: &Ui, axes: &Axes, settings: &mut Settings, place: usize, end: f64) {
        let ink = color(1, ui.visuals());
        let id = Id::new("shape");
        let base = settings.number("base_lr");
        let at = |t: f64| self.rates.get(t as usize).copied().unwrap_or_default();
        match place {
            1 | 6 => {
                let x = settings.number("step") * end;
                let y = at(x.min(self.rates.len() as f64 - 1.0));
                if let Some([x, y]) = axes.handle(ui, id, [x, y], ink) {
                    settings.set("step", x / end);
                    if place == 1 {
                        settings.set("gamma", y / base);
                    }
                }
            }
            2 => {
                if let Some([_, y]) = axes.handle(ui, id, [0.5 * end, at(0.5 * end)], ink) {
                    settings.set("gamma", y / base);
                }
            }
            3 | 4 => {
                let x = end - 1.0;
                if let Some([_, y]) = axes.handle(ui, id, [x, at(x)], ink) {
                    settings.set("fall", y / base);
                }
            }
            5 => {
                let x = 0.5 * end;
                if let Some([_, y]) = axes.handle(ui, id, [x, at(x)], ink) {
                    settings.set("power", (y / base).clamp(1e-3, 0.999).ln() / 0.5f64.ln());
                }
            }
            _ => {}
        }
    }

    fn rests_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let rest = number(self.rest);
        ui.label(RichText::new(tr("On the noisy slope ½ x²", "在带噪斜坡 ½ x² 上")).strong());
        ui.label(tr_format!(
            "this curve rests at a mean x² of {rest}; each policy alone:",
            "此曲线停在 x² 均值 {rest}；各策略单独使用："
        ));
        let most = self.rests.iter().copied().fold(1e-9, f64::max);
        for (place, found) in self.rests.iter().enumerate() {
            ui.horizontal(|ui| {
                let chosen = lab.settings.count("first") == place;
                let button = egui::Button::selectable(chosen, POLICIES[place].0);
                if ui.add_sized([86.0, 17.0], button).clicked() {
                    lab.settings.set("first", place as f64);
                }
                let width = (ui.available_width() - 80.0).max(20.0);
                let (rect, _) = ui.allocate_exact_size(vec2(width, 13.0), egui::Sense::hover());
                let bar = rect.with_max_x(rect.left() + width * (found / most).min(1.0) as f32);
                ui.painter().rect_filled(bar, 2.0, color(0, ui.visuals()));
                ui.label(short((found * 1e4).round() / 1e4));
            });
        }
    }

    fn prototxt_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.label(RichText::new(ViewKind::Prototxt.title().get()).strong());
            if ui.button(tr("Copy", "复制")).clicked() {
                ui.ctx().copy_text(self.prototxt.clone());
            }
        });
        ScrollArea::vertical().id_salt("prototxt").show(ui, |ui| {
            let mut text = self.prototxt.as_str();
            let text = TextEdit::multiline(&mut text).code_editor();
            ui.add(text.desired_width(f32::INFINITY));
        });
    }
}

/// No more than two thousand rates, so that a drag stays smooth; fewer steps rest alike.
fn thinned(rates: &[f64]) -> Vec<f64> {
    let step = (rates.len() / 2000).max(1);
    rates.iter().copied().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::BENCHES;

    #[test]
    fn the_bench_writes_each_policy_for_caffe() {
        let bench = BENCHES.iter().find(|bench| bench.id == "policies").unwrap();
        for (key, _) in POLICIES {
            let mut settings = Settings::of(bench);
            settings.set_text(&format!("first={key}")).unwrap();
            let mut view = PoliciesView::default();
            view.make(&settings);
            let named = format!("lr_policy: \"{key}\"");
            assert!(
                view.prototxt.contains(&named) || *key == "cosine",
                "{}",
                view.prototxt
            );
        }
    }
}
