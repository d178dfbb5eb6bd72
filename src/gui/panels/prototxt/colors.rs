//! The text's words in their colours.

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, FontId, Ui};

use crate::gui::theme;

/// What the kinds of words look like.
pub(super) struct Colors {
    name: Color32,
    text: Color32,
    value: Color32,
    comment: Color32,
    pub chosen: Color32,
}

impl Colors {
    pub fn of(ui: &Ui) -> Self {
        let visuals = ui.visuals();
        let text = match visuals.dark_mode {
            true => Color32::from_rgb(0x9b, 0xd1, 0x8a),
            false => Color32::from_rgb(0x2c, 0x70, 0x2f),
        };
        Self {
            name: visuals.text_color(),
            text,
            value: theme::accent(visuals),
            comment: visuals.weak_text_color(),
            chosen: theme::accent(visuals).gamma_multiply(0.10),
        }
    }
}

/// The text with its words in their colours.
pub(super) fn colored(text: &str, colors: &Colors) -> LayoutJob {
    let mut job = LayoutJob::default();
    job.wrap.max_width = f32::INFINITY;
    let font = FontId::monospace(12.0);
    let mut put = |part: &str, color: Color32| {
        if !part.is_empty() {
            job.append(part, 0.0, TextFormat::simple(font.clone(), color));
        }
    };
    for line in text.split_inclusive('\n') {
        let (code, comment) = line.split_at(comment_start(line));
        match code.split_once(':') {
            Some((name, value)) => {
                put(name, colors.name);
                put(":", colors.comment);
                let is_text = value.trim_start().starts_with(['"', '\'']);
                put(value, if is_text { colors.text } else { colors.value });
            }
            None => put(code, colors.name),
        }
        put(comment, colors.comment);
    }
    job
}

/// Where a comment begins that is in no quotes.
fn comment_start(line: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => return at,
            _ => {}
        }
    }
    line.len()
}
