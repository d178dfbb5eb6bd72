//! What all plots and number displays share: one palette, the writing of numbers, axes.
//!
//! It must not know what the numbers mean.

use egui::{Color32, RichText, Ui, Visuals};
use egui_plot::{GridInput, GridMark};

use crate::i18n::{lang, tr, tr_format};

/// Colours of series, told apart on a dark and on a light ground and by most colour-blind
/// people: blue, orange, green, pink, violet, teal, brown, gray.
const DARK: [u32; 8] = [
    0x6ba8ff, 0xffa94d, 0x63d489, 0xff8fab, 0xb79cff, 0x4fd1d9, 0xd0a070, 0xa8adb8,
];
const LIGHT: [u32; 8] = [
    0x1f66d6, 0xc65d00, 0x17803d, 0xc2255c, 0x7048c4, 0x0b7285, 0x7a4b1e, 0x5f6570,
];

/// The colour of series `index`; it begins anew after eight.
pub fn color(index: usize, visuals: &Visuals) -> Color32 {
    let palette = if visuals.dark_mode { DARK } else { LIGHT };
    let [_, red, green, blue] = palette[index % palette.len()].to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

/// Four significant digits; very large and small numbers in scientific notation.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        let name = if value.is_nan() { "NaN" } else { "∞" };
        let sign = if value == f64::NEG_INFINITY {
            "−"
        } else {
            ""
        };
        return format!("{sign}{name}");
    }
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e6).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.2e}")
    };
    // The minus sign, which is as wide as a digit, instead of the hyphen.
    text.replace('-', "−")
}

/// As [`number`], without zeros at the end: for numbers that a person wrote.
pub fn short(value: f64) -> String {
    let text = number(value);
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{}e{exponent}", trimmed(digits)),
        None => trimmed(&text).to_owned(),
    }
}

fn trimmed(digits: &str) -> &str {
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    }
}

/// A fraction as percent.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() {
        format!("{:.2} %", fraction * 100.0)
    } else {
        number(fraction)
    }
}

/// Seconds as a person says them.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds >= 1e8 {
        return "∞".to_owned();
    }
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        tr_format!("{hours} h {minutes:02} min", "{hours} 小时 {minutes:02} 分")
    } else if minutes > 0 {
        tr_format!("{minutes} min {rest:02} s", "{minutes} 分 {rest:02} 秒")
    } else {
        tr_format!("{rest} s", "{rest} 秒")
    }
}

/// A colon and what goes around it, as the language writes it.
pub fn labelled(label: &str, value: &str) -> String {
    match lang() {
        crate::i18n::Lang::English => format!("{label}: {value}"),
        crate::i18n::Lang::Chinese => format!("{label}：{value}"),
    }
}

/// Labelled grid lines at round numbers, as many as there is room for.
pub fn round_grid(input: GridInput) -> Vec<GridMark> {
    let (lo, hi) = input.bounds;
    // egui_plot's finest lines are a few points apart; a line of text needs four times that.
    let step = round_step(input.base_step_size * 4.0);
    let first = (lo / step).ceil();
    if !(step > 0.0 && first.is_finite() && (hi - lo) / step < 1000.0) {
        return Vec::new();
    }
    (0..=((hi - lo) / step) as u32)
        .map(|index| (first + f64::from(index)) * step)
        .filter(|value| *value <= hi)
        .map(|value| GridMark {
            value,
            step_size: step,
        })
        .collect()
}

/// 1, 2 or 5 times a power of ten, at least `rough`; NaN where there is none.
fn round_step(rough: f64) -> f64 {
    let unit = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * unit);
    steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(f64::NAN)
}

/// Grid lines of an axis that shows log₁₀: at 1, 2 and 5 of each decade, or at round numbers
/// where less than a decade is seen.
pub fn log_grid(input: GridInput) -> Vec<GridMark> {
    let (lo, hi) = input.bounds;
    if !(lo.is_finite() && hi.is_finite() && lo < hi) || hi - lo > 600.0 {
        return Vec::new();
    }
    if hi - lo < 1.0 {
        return round_marks(lo, hi);
    }
    let step = ((hi - lo) / 12.0).ceil().max(1.0);
    let mut marks = Vec::new();
    let mut decade = (lo / step).floor() * step;
    while decade <= hi {
        marks.push(GridMark {
            value: decade,
            step_size: step,
        });
        if step == 1.0 {
            for digit in [2.0f64, 5.0] {
                marks.push(GridMark {
                    value: decade + digit.log10(),
                    step_size: 0.3,
                });
            }
        }
        decade += step;
    }
    marks.retain(|mark| (lo..=hi).contains(&mark.value));
    marks
}

fn round_marks(lo: f64, hi: f64) -> Vec<GridMark> {
    let (least, greatest) = (10f64.powf(lo), 10f64.powf(hi));
    let step = round_step((greatest - least) / 5.0);
    if step.is_nan() || step <= 0.0 {
        return Vec::new();
    }
    let first = (least / step).ceil();
    (0..12)
        .map(|index| ((first + f64::from(index)) * step).log10())
        .filter(|value| (lo..=hi).contains(value))
        .map(|value| GridMark {
            value,
            step_size: (hi - lo) / 3.0,
        })
        .collect()
}

/// Says in the middle of an empty view what is missing and what to do.
pub fn empty_ui(ui: &mut Ui, title: &str, hint: &str) {
    let height = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.add_space((height * 0.5 - 32.0).clamp(8.0, 400.0));
        ui.label(RichText::new(title).strong());
        ui.label(RichText::new(hint).weak());
    });
}

/// What to do to see anything that only training shows.
pub fn train_hint() -> &'static str {
    tr("Press Space to train.", "按空格键开始训练。")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1.000"),
            (-0.12345, "−0.1235"),
            (1234.5, "1234"),
            (98_765.4, "98765"),
            (0.001, "0.001000"),
            (1e-5, "1.00e−5"),
            (2.5e9, "2.50e9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "−∞"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(number(value), text);
        }
        for (value, text) in [
            (0.01, "0.01"),
            (1.0, "1"),
            (1e-5, "1e−5"),
            (100.0, "100"),
            (0.0, "0"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!(percent(0.98765), "98.77 %");
    }

    #[test]
    fn durations_in_words() {
        for (seconds, text) in [
            (0.2, "0 s"),
            (59.6, "1 min 00 s"),
            (3725.0, "1 h 02 min"),
            (f64::NAN, "∞"),
            (-3.0, "0 s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_linear_axis_has_labels_at_round_numbers() {
        let values = |lo, hi, base_step_size| {
            let marks = round_grid(GridInput {
                bounds: (lo, hi),
                base_step_size,
            });
            marks
                .iter()
                .map(|mark| (mark.value * 1e6).round() / 1e6)
                .collect::<Vec<f64>>()
        };
        assert_eq!(values(0.924, 0.98, 0.005), [0.94, 0.96, 0.98]);
        assert_eq!(
            values(-1.0, 3.0, 0.1),
            [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
        );
        for (lo, hi, step) in [
            (f64::NAN, 1.0, 0.1),
            (0.0, f64::INFINITY, 0.1),
            (0.0, 1.0, 0.0),
            (0.0, 1e300, 1e-300),
        ] {
            assert!(values(lo, hi, step).is_empty());
        }
    }

    #[test]
    fn a_log_axis_has_marks_at_any_zoom() {
        for (lo, hi) in [
            (-3.0, 1.0),
            (-0.3, 0.2),
            (0.301, 0.302),
            (-300.0, 300.0),
            (-5.0, -4.1),
        ] {
            let marks = log_grid(GridInput {
                bounds: (lo, hi),
                base_step_size: 0.1,
            });
            assert!(
                (2..40).contains(&marks.len()),
                "{lo} … {hi}: {}",
                marks.len()
            );
            assert!(marks.iter().all(|mark| (lo..=hi).contains(&mark.value)));
        }
        for bounds in [
            (f64::NAN, 1.0),
            (1.0, 1.0),
            (0.0, f64::INFINITY),
            (-1e9, 1e9),
        ] {
            assert!(
                log_grid(GridInput {
                    bounds,
                    base_step_size: 0.1
                })
                .is_empty()
            );
        }
        let decades = log_grid(GridInput {
            bounds: (-1.0, 1.0),
            base_step_size: 0.1,
        });
        let values: Vec<f64> = decades.iter().map(|mark| 10f64.powf(mark.value)).collect();
        for expected in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0] {
            assert!(
                values.iter().any(|value| (value - expected).abs() < 1e-9),
                "{values:?}"
            );
        }
    }
}
