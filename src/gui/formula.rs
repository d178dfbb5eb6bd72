//! Formulas as texts with raised and lowered parts.
//!
//! Few fonts have the small letters of Unicode, and those that have draw them unevenly, so
//! they are drawn from the usual letters. Understood: `xₙ`, `eˣ`, `Σ_c`, `e^(x + 1)`, `γ^⌊t⌋`.

use egui::text::LayoutJob;
use egui::{Align, Color32, FontId, TextFormat};

/// Where a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Line,
    Lowered,
    Raised,
}

/// Small letters and what they are, lowered and raised.
const LOWERED: &str = "₀0₁1₂2₃3₄4₅5₆6₇7₈8₉9₊+₋−ₐaₑeₕhᵢiⱼjₖkₗlₘmₙnₒoₚpᵣrₛsₜtᵤuᵥvₓx";
const RAISED: &str = "⁰0¹1²2³3⁴4⁵5⁶6⁷7⁸8⁹9⁺+⁻−ⁱiⁿnᵀTᵗtˣxᵏkᵐm";

fn plain(c: char) -> (char, Level) {
    let find = |table: &str| {
        let pairs = table
            .chars()
            .step_by(2)
            .zip(table.chars().skip(1).step_by(2));
        pairs
            .into_iter()
            .find(|(small, _)| *small == c)
            .map(|(_, usual)| usual)
    };
    // ¹, ² and ³ are in every font, but not of the size of the others.
    if let Some(usual) = find(LOWERED) {
        (usual, Level::Lowered)
    } else if let Some(usual) = find(RAISED) {
        (usual, Level::Raised)
    } else {
        (c, Level::Line)
    }
}

/// The parts of a formula with their levels.
fn parts(formula: &str) -> Vec<(String, Level)> {
    let mut parts: Vec<(String, Level)> = Vec::new();
    let mut push = |c: char, level: Level| {
        // No font here has the brackets of the floor function.
        let text = match c {
            '⌊' => "floor(".to_owned(),
            '⌋' => ")".to_owned(),
            c => c.to_string(),
        };
        match parts.last_mut() {
            Some((last, same)) if *same == level => last.push_str(&text),
            _ => parts.push((text, level)),
        }
    };
    let mut chars = formula.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('_', Some(next)) if next.is_alphanumeric() => {
                chars.next();
                push(plain(next).0, Level::Lowered);
            }
            ('^', Some(open @ ('(' | '⌊'))) => {
                chars.next();
                let close = if open == '(' { ')' } else { '⌋' };
                let mut depth = 1;
                if open == '⌊' {
                    push(open, Level::Raised);
                }
                while let Some(inner) = chars.next().filter(|_| depth > 0) {
                    depth += i32::from(inner == open) - i32::from(inner == close);
                    if depth > 0 || close == '⌋' {
                        // A lowered letter of an exponent has no line of its own to stand on.
                        let (letter, _) = plain(inner);
                        let skip = letter == '_';
                        if !skip {
                            push(letter, Level::Raised);
                        }
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
            ('^', Some(_)) => {
                while let Some(inner) = chars.next_if(|c| !c.is_whitespace() && *c != ')') {
                    push(plain(inner).0, Level::Raised);
                }
            }
            _ => {
                let (letter, level) = plain(c);
                push(letter, level);
            }
        }
    }
    parts
}

/// The formula, laid out.
pub fn job(formula: &str, size: f32, color: Color32) -> LayoutJob {
    let mut job = LayoutJob::default();
    for (text, level) in parts(formula) {
        let (size, valign) = match level {
            Level::Line => (size, Align::Center),
            Level::Lowered => (size * 0.72, Align::BOTTOM),
            Level::Raised => (size * 0.72, Align::TOP),
        };
        let format = TextFormat {
            valign,
            ..TextFormat::simple(FontId::proportional(size), color)
        };
        job.append(&text, 0.0, format);
    }
    job
}

/// Every letter that drawing this formula needs.
#[cfg(test)]
fn letters(formula: &str) -> String {
    parts(formula).into_iter().map(|(text, _)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(formula: &str, expected: &str) {
        let shown: String = parts(formula)
            .into_iter()
            .map(|(text, level)| match level {
                Level::Line => text,
                Level::Lowered => format!("[_{text}]"),
                Level::Raised => format!("[^{text}]"),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn small_letters_and_marks_become_levels() {
        check("y = W x + b", "y = W x + b");
        check("wₒ,c x_c", "w[_o],c x[_c]");
        check("e⁻ˣ", "e[^−x]");
        check("e^(x_c) / Σₖ e^(xₖ)", "e[^xc] / Σ[_k] e[^xk]");
        check("η₀ · γ^⌊t / 2⌋", "η[_0] · γ[^floor(t / 2)]");
        check("(1 + γ t)^−power", "(1 + γ t)[^−power]");
        check("a_", "a_");
        check("a^", "a^");
    }

    /// What is on the screen can be drawn: formulas, explanations, commands, in both languages.
    #[test]
    fn every_text_of_layers_and_commands_has_its_letters_in_the_fonts() {
        let ctx = egui::Context::default();
        crate::gui::theme::install(&ctx);
        let _ = ctx.run_ui(Default::default(), |_| {});
        let mut missing = std::collections::BTreeSet::new();
        let mut need = |text: &str| {
            let id = FontId::proportional(13.0);
            let lacks =
                |c: &char| !c.is_whitespace() && !ctx.fonts_mut(|fonts| fonts.has_glyph(&id, *c));
            missing.extend(text.chars().filter(lacks));
        };
        for entry in crate::layers::CATALOGUE {
            let spec = entry.spec();
            need(&letters(spec.formula));
            for text in [spec.title, spec.about, spec.family.text()] {
                need(text.en);
                need(text.zh);
            }
            entry.make().fields(&mut |field: crate::graph::Field<'_>| {
                need(field.about.en);
                need(field.about.zh);
            });
        }
        for policy in crate::train::Policy::all() {
            need(&letters(policy.formula()));
        }
        for command in crate::gui::commands::COMMANDS {
            need(command.name.en);
            need(command.name.zh);
        }
        assert!(missing.is_empty(), "{missing:?}");
    }
}
