//! Short messages over the corner of the window, for what has just happened.

use std::time::{Duration, Instant};

use egui::{Align2, RichText};

use super::theme;

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Info,
    Warning,
    Error,
}

struct Toast {
    tone: Tone,
    text: String,
    until: Instant,
}

/// The messages that are shown.
#[derive(Default)]
pub struct Toasts {
    toasts: Vec<Toast>,
}

impl Toasts {
    pub fn show(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        // Long messages and errors stay long enough to be read.
        let base = if tone == Tone::Info { 3.0 } else { 8.0 };
        let seconds = base + text.chars().count() as f32 * 0.03;
        self.toasts.retain(|toast| toast.text != text);
        self.toasts.push(Toast {
            tone,
            text,
            until: Instant::now() + Duration::from_secs_f32(seconds.min(20.0)),
        });
        let surplus = self.toasts.len().saturating_sub(4);
        self.toasts.drain(..surplus);
    }

    /// The messages in view, oldest first.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.toasts.iter().map(|toast| toast.text.as_str())
    }

    pub fn ui(&mut self, ctx: &egui::Context) {
        let now = Instant::now();
        self.toasts.retain(|toast| toast.until > now);
        let Some(next) = self.toasts.iter().map(|toast| toast.until).min() else {
            return;
        };
        ctx.request_repaint_after(next - now);
        let mut closed = None;
        egui::Area::new("toasts".into())
            .anchor(Align2::RIGHT_BOTTOM, [-14.0, -34.0])
            .order(egui::Order::Foreground)
            .show(ctx, |ui| {
                for (index, toast) in self.toasts.iter().enumerate() {
                    if toast_ui(ui, toast) {
                        closed = Some(index);
                    }
                }
            });
        if let Some(index) = closed {
            self.toasts.remove(index);
        }
    }
}

/// Whether the message was clicked away.
fn toast_ui(ui: &mut egui::Ui, toast: &Toast) -> bool {
    let color = match toast.tone {
        Tone::Info => theme::accent(ui.visuals()),
        Tone::Warning => ui.visuals().warn_fg_color,
        Tone::Error => ui.visuals().error_fg_color,
    };
    let frame = egui::Frame::popup(ui.style()).inner_margin(egui::Margin::symmetric(12, 8));
    let response = frame.show(ui, |ui| {
        ui.set_max_width(420.0);
        ui.horizontal_top(|ui| {
            let sign = if toast.tone == Tone::Info {
                "●"
            } else {
                "⚠"
            };
            ui.label(RichText::new(sign).color(color));
            ui.add(egui::Label::new(&toast.text).wrap());
        });
    });
    response.response.interact(egui::Sense::click()).clicked()
}
