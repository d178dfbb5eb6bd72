//! The buttons of the training bar, with signs that are drawn.

use egui::{Button, Rect, Response, Shape, Stroke, Ui, WidgetInfo, WidgetType, pos2, vec2};

use super::obstacle;
use crate::gui::commands::{self, CommandId};
use crate::gui::context::{Action, Ctx};
use crate::gui::run::Status;
use crate::i18n::tr;

/// A drawn sign, the same in every font.
#[derive(Clone, Copy)]
enum Icon {
    Play,
    Pause,
    Step,
    Stop,
}

pub(super) fn buttons_ui(ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
    let live = ctx.run.is_live();
    let ready = live || obstacle(ctx).is_none();
    let (icon, name) = match ctx.run.status() {
        Status::Running | Status::Starting => (Icon::Pause, tr("Pause", "暂停")),
        Status::Paused => (Icon::Play, tr("Go on", "继续")),
        Status::Idle => (Icon::Play, tr("Train", "训练")),
        Status::Ended(_) => (Icon::Play, tr("Train anew", "重新训练")),
    };
    let step = tr("One iteration, then pause", "执行一次迭代后暂停");
    let stop = tr("Stop", "停止");
    for (icon, name, command, enabled) in [
        (icon, name, CommandId::TrainOrPause, ready),
        (Icon::Step, step, CommandId::Step, ready),
        (Icon::Stop, stop, CommandId::Stop, live),
    ] {
        let keys = commands::get(command).map(|command| commands::shortcut_text(ui.ctx(), command));
        let hover = match keys.filter(|keys| !keys.is_empty()) {
            Some(keys) => format!("{name} ({keys})"),
            None => name.to_owned(),
        };
        let button = ui
            .add_enabled_ui(enabled, |ui| icon_button(ui, icon, name))
            .inner;
        if button
            .on_hover_text(&hover)
            .on_disabled_hover_text(hover)
            .clicked()
        {
            actions.push(Action::Run(command));
        }
    }
}

fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    let response = ui.add(Button::new("").min_size(vec2(30.0, 24.0)));
    let info = || WidgetInfo::labeled(WidgetType::Button, ui.is_enabled(), name);
    response.widget_info(info);
    let color = match (icon, ui.is_enabled()) {
        (Icon::Play, true) => ui.visuals().hyperlink_color,
        _ => ui.style().interact(&response).fg_stroke.color,
    };
    let square = Rect::from_center_size(response.rect.center(), vec2(11.0, 11.0));
    let bar = |left: f32, right: f32| {
        let x = |part: f32| square.left() + square.width() * part;
        Rect::from_x_y_ranges(x(left)..=x(right), square.y_range())
    };
    let triangle = |right: f32| {
        let tip = pos2(square.left() + square.width() * right, square.center().y);
        Shape::convex_polygon(
            vec![square.left_top(), tip, square.left_bottom()],
            color,
            Stroke::NONE,
        )
    };
    let painter = ui.painter();
    match icon {
        Icon::Play => drop(painter.add(triangle(1.0))),
        Icon::Pause => {
            painter.rect_filled(bar(0.05, 0.35), 1.0, color);
            painter.rect_filled(bar(0.65, 0.95), 1.0, color);
        }
        Icon::Step => {
            painter.add(triangle(0.7));
            painter.rect_filled(bar(0.78, 1.0), 1.0, color);
        }
        Icon::Stop => drop(painter.rect_filled(square.shrink(0.5), 1.0, color)),
    }
    response
}
