//! The training stages of the project: how long, which solver, which learning-rate policy.

use egui::{RichText, Sense, Ui, pos2, vec2};

use super::fields::{Typing, choice_ui, count_ui, list_ui, real_ui, whole_ui};
use super::{change, grid_ui, name_ui, section_ui};
use crate::gui::context::{Action, Ctx};
use crate::gui::panels::palette::formula_ui;
use crate::gui::theme;
use crate::i18n::{Text, tr, tr_format};
use crate::train::{BASE_LR, MOMENTUM, Method, Policy, Solver, Stage, WEIGHT_DECAY};

const EDIT: Text = Text::new("Change the training", "修改训练设置");
const LONGEST: u64 = 1_000_000_000;

pub fn stages_ui(ui: &mut Ui, ctx: &Ctx<'_>, typing: &mut Typing, actions: &mut Vec<Action>) {
    section_ui(ui, Text::new("Training", "训练"));
    let stages = &ctx.project.stages;
    if stages.is_empty() {
        ui.weak(tr(
            "No stage yet: nothing would be trained.",
            "还没有训练阶段：不会进行训练。",
        ));
    }
    for (index, stage) in stages.iter().enumerate() {
        ui.push_id(("stage", index), |ui| {
            stage_ui(ui, index, stage, stages.len(), typing, actions)
        });
    }
    if ui.button(tr("Add a stage", "添加阶段")).clicked() {
        actions.push(Action::edit(EDIT, |project| {
            project.stages.push(Stage::default())
        }));
    }
}

fn stage_ui(
    ui: &mut Ui,
    index: usize,
    stage: &Stage,
    count: usize,
    typing: &mut Typing,
    actions: &mut Vec<Action>,
) {
    if count > 1 {
        ui.horizontal(|ui| {
            let number = index + 1;
            ui.label(RichText::new(tr_format!("Stage {number}", "阶段 {number}")).strong());
            if ui.small_button(tr("Remove", "删除")).clicked() {
                actions.push(Action::edit(EDIT, move |project| {
                    if index < project.stages.len() {
                        project.stages.remove(index);
                    }
                }));
            }
        });
    }
    let mut edited = stage.clone();
    let mut changed = "";
    grid_ui(ui, "stage", |ui| {
        let mut mark = |field: &'static str, done: bool| {
            if done {
                changed = field;
            }
        };
        if count > 1 {
            name_ui(ui, tr("name", "名称"), "");
            mark("name", ui.text_edit_singleline(&mut edited.name).changed());
            ui.end_row();
        }
        name_ui(ui, tr("iterations", "迭代次数"), "");
        mark("iterations", whole_ui(ui, &mut edited.iterations, LONGEST));
        ui.end_row();
        let about = tr(
            "Iterations between two evaluations on the validation split; 0 evaluates at the end only",
            "每隔多少次迭代在验证集上评估一次；0 表示仅在结束时评估",
        );
        name_ui(ui, tr("evaluate every", "评估间隔"), about);
        mark(
            "evaluate every",
            whole_ui(ui, &mut edited.evaluate_every, LONGEST),
        );
        ui.end_row();
        let solver = &mut edited.solver;
        let about = tr(
            "How gradients become steps; see the formula below",
            "梯度如何变成更新步；见下方公式",
        );
        name_ui(ui, tr("method", "优化方法"), about);
        let id = ui.id().with("method");
        mark("method", choice_ui(ui, &mut solver.method, id));
        ui.end_row();
        name_ui(ui, tr("learning rate η₀", "学习率 η₀"), BASE_LR.get());
        mark("rate", real_ui(ui, &mut solver.base_lr, 0.0, 1e6));
        ui.end_row();
        mark("solver numbers", method_ui(ui, solver));
        name_ui(ui, tr("weight decay λ", "权重衰减 λ"), WEIGHT_DECAY.get());
        mark("decay", real_ui(ui, &mut solver.weight_decay, 0.0, 1e6));
        ui.end_row();
        let about = tr(
            "L2 pulls by λ w, L1 by λ sign(w), which makes weights 0",
            "L2 的拉力为 λ w；L1 为 λ sign(w)，会使权重变为 0",
        );
        name_ui(ui, tr("decay by", "衰减方式"), about);
        let id = ui.id().with("regularization");
        mark("decay by", choice_ui(ui, &mut solver.regularization, id));
        ui.end_row();
        let about = tr(
            "The most that all gradients together may measure; longer ones are scaled down. 0 does not clip.",
            "所有梯度合起来的最大长度，超过则按比例缩小；0 表示不裁剪。",
        );
        name_ui(ui, tr("clip gradients", "梯度裁剪"), about);
        mark("clip", real_ui(ui, &mut solver.clip_gradients, 0.0, 1e6));
        ui.end_row();
        let about = tr(
            "Batches whose gradients are averaged for one step. 1: mini-batch descent, or stochastic with batches of one example; 0: batch descent, the whole training split in each step.",
            "每一步对多少个批次的梯度取平均。1：小批量下降（批大小为 1 时即随机梯度下降）；0：批量梯度下降，每步使用整个训练集。",
        );
        name_ui(ui, tr("batches per step", "每步批次数"), about);
        mark("batches", count_ui(ui, &mut solver.iter_size, 0, 1 << 16));
        ui.end_row();
        let about = tr(
            "Iterations over which the rate climbs from 0",
            "学习率从 0 升起所用的迭代次数",
        );
        name_ui(ui, tr("warm-up", "预热"), about);
        mark("warm-up", whole_ui(ui, &mut solver.warmup, LONGEST));
        ui.end_row();
        name_ui(
            ui,
            tr("policy", "学习率策略"),
            tr(
                "How the learning rate follows the iteration t",
                "学习率如何随迭代 t 变化",
            ),
        );
        mark("policy", policy_ui(ui, &mut solver.policy));
        ui.end_row();
        mark("policy numbers", numbers_ui(ui, &mut solver.policy, typing));
        let about = tr(
            "Nodes or groups whose weights are trained, such as conv1, ip2; empty is all",
            "参与训练的节点或分组，如 conv1, ip2；留空为全部",
        );
        name_ui(ui, tr("trained", "训练哪些"), about);
        let name = |text: &str| Some(text.to_owned());
        let id = ui.id().with("trained");
        mark(
            "trained",
            list_ui(ui, &mut edited.trained, 64, name, id, typing),
        );
        ui.end_row();
        let about = tr(
            "The losses that count; empty is all",
            "计入的损失；留空为全部",
        );
        name_ui(ui, tr("losses", "损失"), about);
        let id = ui.id().with("losses");
        mark(
            "losses",
            list_ui(ui, &mut edited.losses, 64, name, id, typing),
        );
        ui.end_row();
    });
    formula_ui(ui, edited.solver.method.formula());
    formula_ui(ui, edited.solver.policy.formula());
    rate_ui(ui, &edited);
    if let Some(problem) = edited.problem() {
        ui.label(RichText::new(format!("⚠ {problem}")).color(ui.visuals().error_fg_color));
    }
    if !changed.is_empty() {
        actions.push(change(
            EDIT,
            &format!("stage {index} {changed}"),
            move |project| {
                if let Some(stage) = project.stages.get_mut(index) {
                    *stage = edited;
                }
            },
        ));
    }
}

/// The numbers that the method uses.
fn method_ui(ui: &mut Ui, solver: &mut Solver) -> bool {
    let mut changed = false;
    let method = solver.method;
    let mut row = |name: &str, about: &str, value: &mut f64, max: f64| {
        name_ui(ui, name, about);
        changed |= real_ui(ui, value, 0.0, max);
        ui.end_row();
    };
    let past = tr(
        "The share of the past in a running mean",
        "滑动平均中历史所占的比例",
    );
    if method.uses_momentum() {
        let (name, about) = match method {
            Method::Adam => (tr("β₁", "β₁"), past),
            Method::AdaDelta => (tr("ρ", "ρ"), past),
            _ => (tr("momentum μ", "动量 μ"), MOMENTUM.get()),
        };
        row(name, about, &mut solver.momentum, 1.0);
    }
    if method == Method::Adam {
        row(tr("β₂", "β₂"), past, &mut solver.momentum2, 1.0);
    }
    if method == Method::RmsProp {
        row(tr("ρ", "ρ"), past, &mut solver.rms_decay, 1.0);
    }
    if method.uses_delta() {
        let about = tr("Keeps from dividing by 0", "避免除以 0");
        row(tr("δ", "δ"), about, &mut solver.delta, 1.0);
    }
    changed
}

fn policy_ui(ui: &mut Ui, policy: &mut Policy) -> bool {
    let mut changed = false;
    let name = policy.name();
    egui::ComboBox::from_id_salt("policy")
        .selected_text(name)
        .show_ui(ui, |ui| {
            for usual in Policy::all() {
                let label = ui
                    .selectable_label(usual.name() == name, usual.name())
                    .on_hover_text(usual.formula());
                if label.clicked() && usual.name() != name {
                    *policy = usual;
                    changed = true;
                }
            }
        });
    changed
}

fn numbers_ui(ui: &mut Ui, policy: &mut Policy, typing: &mut Typing) -> bool {
    let mut changed = false;
    let mut real = |ui: &mut Ui, name: &str, value: &mut f64| {
        name_ui(ui, name, "");
        changed |= real_ui(ui, value, -1e6, 1e6);
        ui.end_row();
    };
    match policy {
        Policy::Fixed | Policy::Cosine => {}
        Policy::Exp { gamma } => real(ui, "γ", gamma),
        Policy::Poly { power } => real(ui, "power", power),
        Policy::Inv { gamma, power } => {
            real(ui, "γ", gamma);
            real(ui, "power", power);
        }
        Policy::Step { gamma, stepsize } | Policy::Sigmoid { gamma, stepsize } => {
            real(ui, "γ", gamma);
            name_ui(ui, "stepsize", "");
            changed |= whole_ui(ui, stepsize, LONGEST);
            ui.end_row();
        }
        Policy::Multistep { gamma, stepvalues } => {
            real(ui, "γ", gamma);
            name_ui(ui, "stepvalues", "");
            let id = ui.id().with("stepvalues");
            let parse = |text: &str| text.parse::<u64>().ok();
            changed |= list_ui(ui, stepvalues, 64, parse, id, typing);
            ui.end_row();
        }
    }
    changed
}

/// The learning rate over the stage, from 0 up.
fn rate_ui(ui: &mut Ui, stage: &Stage) {
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width().min(320.0), 44.0), Sense::hover());
    let rate = |part: f32| {
        let last = stage.iterations.saturating_sub(1);
        let t = (f64::from(part) * last as f64).round() as u64;
        stage.solver.rate(stage.solver.base_lr, t, stage.iterations)
    };
    const STEPS: usize = 120;
    let rates: Vec<f64> = (0..=STEPS).map(|n| rate(n as f32 / STEPS as f32)).collect();
    let top = rates
        .iter()
        .copied()
        .filter(|rate| rate.is_finite())
        .fold(f64::MIN_POSITIVE, f64::max);
    ui.painter()
        .rect_filled(rect, 4.0, ui.visuals().extreme_bg_color);
    let inner = rect.shrink2(vec2(6.0, 6.0));
    let points = rates
        .iter()
        .enumerate()
        .filter(|(_, rate)| rate.is_finite())
        .map(|(n, rate)| {
            let x = inner.left() + inner.width() * n as f32 / STEPS as f32;
            pos2(x, inner.bottom() - inner.height() * (rate / top) as f32)
        });
    let stroke = egui::Stroke::new(1.5, theme::accent(ui.visuals()));
    ui.painter()
        .add(egui::Shape::line(points.collect(), stroke));
    if let Some(pointer) = response.hover_pos() {
        let part = ((pointer.x - inner.left()) / inner.width()).clamp(0.0, 1.0);
        let (t, rate) = (
            (f64::from(part) * stage.iterations as f64) as u64,
            rate(part),
        );
        response.on_hover_text_at_pointer(format!("t = {t}: η = {rate:.6}"));
    }
}
