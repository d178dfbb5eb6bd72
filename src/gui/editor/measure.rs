//! How large a box will be when it is drawn, so that boxes can be placed before they are.
//!
//! The widths of texts are remembered; the numbers below follow the widget's own arithmetic.

use std::collections::HashMap;

use egui::{Context, FontId, Vec2, vec2};

use super::card::{Card, Pin};
use super::viewer::MARGIN;

/// Font sizes of a title and of everything else in a box.
const TITLE: f32 = 13.0;
const SMALL: f32 = 11.0;

/// Widths and heights of texts by font size.
#[derive(Default)]
pub struct Measure {
    texts: HashMap<(bool, String), Vec2>,
}

impl Measure {
    /// The size of a box with this card.
    pub fn size(&mut self, ctx: &Context, card: &Card) -> Vec2 {
        let [gap, spacing] = ctx.global_style().spacing.item_spacing.into();
        let margins = MARGIN.sum();
        if let Some((text, size)) = &card.comment {
            let lines: f32 = (text.lines())
                .map(|line| (self.text(ctx, TITLE, line).x / size[0]).ceil().max(1.0))
                .sum();
            let line = self.text(ctx, TITLE, "x").y;
            return vec2(size[0], lines.max(1.0) * line) + margins;
        }
        let header = self.header(ctx, card);
        let mut width = header.x;
        let mut height = header.y + 4.0 + spacing;
        let column = |measure: &mut Self, pins: &[Pin]| {
            pins.iter().fold(Vec2::ZERO, |sum, pin| {
                let size = measure.text(ctx, SMALL, &pin.label);
                vec2(sum.x.max(size.x), sum.y + size.y.max(9.0) + spacing)
            })
        };
        let (inputs, outputs) = (column(self, &card.inputs), column(self, &card.outputs));
        width = width.max(inputs.x + outputs.x + gap);
        height += inputs.y.max(outputs.y);
        for line in card
            .lines
            .iter()
            .chain(Some(&card.cost).filter(|cost| !cost.is_empty()))
        {
            let size = self.text(ctx, SMALL, line);
            width = width.max(size.x);
            height += size.y + 1.0;
        }
        vec2(width, height) + margins
    }

    fn header(&mut self, ctx: &Context, card: &Card) -> Vec2 {
        let mut size = self.text(ctx, TITLE, &card.title);
        let mut words = vec![(SMALL, card.kind.as_str())];
        if card.badge.is_some() {
            words.push((TITLE, "⚠"));
        }
        words.extend(card.phases.map(|phases| (SMALL, phases.text().get())));
        for (font, word) in words {
            let word = self.text(ctx, font, word);
            size = vec2(size.x + 6.0 + word.x, size.y.max(word.y));
        }
        size
    }

    fn text(&mut self, ctx: &Context, size: f32, text: &str) -> Vec2 {
        let key = (size == TITLE, text.to_owned());
        *self.texts.entry(key).or_insert_with_key(|(_, text)| {
            let font = FontId::proportional(size);
            let color = egui::Color32::PLACEHOLDER;
            ctx.fonts_mut(|fonts| fonts.layout_no_wrap(text.clone(), font, color).size())
        })
    }
}
