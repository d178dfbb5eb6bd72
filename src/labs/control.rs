//! What can be set of a bench, and the values it is set to.
//!
//! Invariant: a setting is always within the range that its control states.
//! It must not know what the numbers mean.

use super::{Bench, LabError};
use crate::i18n::Text;

/// The control that says what a bench is about just now, where it has several parts.
pub const SHOW: &str = "show";

/// Something of a bench that can be set.
pub struct Control {
    pub key: &'static str,
    pub name: Text,
    pub range: Range,
    pub about: Text,
    /// Of effect only where the control `show` has one of these places; empty is always.
    pub only: &'static [usize],
}

/// What a control may be.
#[derive(Clone, Copy)]
pub enum Range {
    Number {
        default: f64,
        min: f64,
        max: f64,
        /// Whether equal ratios are equally far apart.
        log: bool,
        unit: &'static str,
    },
    Count {
        default: usize,
        min: usize,
        max: usize,
    },
    /// One of these by its place, each with its key.
    Choice {
        default: usize,
        options: &'static [(&'static str, Text)],
    },
    Switch(bool),
}

impl Control {
    pub const fn number(
        key: &'static str,
        name: Text,
        (min, default, max): (f64, f64, f64),
        about: Text,
    ) -> Self {
        let range = Range::Number {
            default,
            min,
            max,
            log: false,
            unit: "",
        };
        Self {
            key,
            name,
            range,
            about,
            only: &[],
        }
    }

    /// As [`Control::number`], over orders of magnitude.
    pub const fn log_number(
        key: &'static str,
        name: Text,
        (min, default, max): (f64, f64, f64),
        about: Text,
    ) -> Self {
        let range = Range::Number {
            default,
            min,
            max,
            log: true,
            unit: "",
        };
        Self {
            key,
            name,
            range,
            about,
            only: &[],
        }
    }

    pub const fn only(mut self, shown: &'static [usize]) -> Self {
        self.only = shown;
        self
    }

    pub const fn unit(mut self, sign: &'static str) -> Self {
        if let Range::Number { unit, .. } = &mut self.range {
            *unit = sign;
        }
        self
    }

    pub const fn count(
        key: &'static str,
        name: Text,
        (min, default, max): (usize, usize, usize),
        about: Text,
    ) -> Self {
        let range = Range::Count { default, min, max };
        Self {
            key,
            name,
            range,
            about,
            only: &[],
        }
    }

    pub const fn choice(
        key: &'static str,
        name: Text,
        options: &'static [(&'static str, Text)],
        default: usize,
        about: Text,
    ) -> Self {
        let range = Range::Choice { default, options };
        Self {
            key,
            name,
            range,
            about,
            only: &[],
        }
    }

    pub const fn switch(key: &'static str, name: Text, default: bool, about: Text) -> Self {
        Self {
            key,
            name,
            range: Range::Switch(default),
            about,
            only: &[],
        }
    }

    fn default(&self) -> f64 {
        match self.range {
            Range::Number { default, .. } => default,
            Range::Count { default, .. } | Range::Choice { default, .. } => default as f64,
            Range::Switch(on) => f64::from(u8::from(on)),
        }
    }

    /// The nearest value that is allowed.
    fn within(&self, value: f64) -> f64 {
        match self.range {
            _ if value.is_nan() => self.default(),
            Range::Number { min, max, .. } => value.clamp(min, max),
            Range::Count { min, max, .. } => value.round().clamp(min as f64, max as f64),
            Range::Choice { options, .. } => value.round().clamp(0.0, (options.len() - 1) as f64),
            Range::Switch(_) => f64::from(u8::from(value != 0.0)),
        }
    }

    fn parse(&self, text: &str) -> Option<f64> {
        let value = match self.range {
            Range::Choice { options, .. } => {
                return options
                    .iter()
                    .position(|(key, _)| *key == text)
                    .map(|place| place as f64);
            }
            Range::Switch(_) => match text {
                "true" | "on" | "1" => 1.0,
                "false" | "off" | "0" => 0.0,
                _ => return None,
            },
            _ => text.parse().ok()?,
        };
        (self.within(value) == value).then_some(value)
    }

    /// What may be written for it.
    pub fn range_text(&self) -> String {
        match self.range {
            Range::Number { min, max, .. } => format!("{min} … {max}"),
            Range::Count { min, max, .. } => format!("{min} … {max}"),
            Range::Choice { options, .. } => {
                let keys: Vec<&str> = options.iter().map(|(key, _)| *key).collect();
                keys.join(" | ")
            }
            Range::Switch(_) => "true | false".to_owned(),
        }
    }

    /// A value as it is written.
    pub fn value_text(&self, value: f64) -> String {
        match self.range {
            Range::Choice { options, .. } => options
                .get(value as usize)
                .map_or_else(String::new, |(key, _)| (*key).to_owned()),
            Range::Switch(_) => (value != 0.0).to_string(),
            _ => value.to_string(),
        }
    }
}

/// The values of a bench's controls.
#[derive(Clone)]
pub struct Settings {
    bench: &'static str,
    controls: &'static [Control],
    values: Vec<f64>,
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        self.bench == other.bench && self.values == other.values
    }
}

impl Settings {
    pub fn of(bench: &'static Bench) -> Self {
        Self {
            bench: bench.id,
            controls: bench.controls,
            values: bench.controls.iter().map(Control::default).collect(),
        }
    }

    pub fn reset(&mut self) {
        self.values = self.controls.iter().map(Control::default).collect();
    }

    pub fn controls(&self) -> &'static [Control] {
        self.controls
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.controls.iter().position(|control| control.key == key)
    }

    /// A control's value; a choice's is its place, a switch's 1 or 0.
    pub fn number(&self, key: &str) -> f64 {
        let value = self.place(key).and_then(|place| self.values.get(place));
        debug_assert!(value.is_some(), "{} has no control {key}", self.bench);
        value.copied().unwrap_or_default()
    }

    /// Whether a control is of effect as the others are.
    pub fn matters(&self, control: &Control) -> bool {
        control.only.is_empty() || control.only.contains(&self.count(SHOW))
    }

    pub fn bench(&self) -> &'static str {
        self.bench
    }

    pub fn count(&self, key: &str) -> usize {
        self.number(key) as usize
    }

    pub fn is_on(&self, key: &str) -> bool {
        self.number(key) != 0.0
    }

    /// Sets a control to the nearest value that is allowed.
    pub fn set(&mut self, key: &str, value: f64) {
        if let Some(place) = self.place(key) {
            self.values[place] = self.controls[place].within(value);
        }
    }

    /// Sets what a person has written, `key=value`.
    pub fn set_text(&mut self, text: &str) -> Result<(), LabError> {
        let (key, value) = text.split_once('=').ok_or_else(|| LabError::NoAssignment {
            text: text.to_owned(),
        })?;
        let Some(place) = self.place(key) else {
            let known: Vec<&str> = self.controls.iter().map(|control| control.key).collect();
            return Err(LabError::NoControl {
                bench: self.bench,
                key: key.to_owned(),
                known: known.join(", "),
            });
        };
        let control = &self.controls[place];
        self.values[place] = control
            .parse(value.trim())
            .ok_or_else(|| LabError::BadValue {
                key: control.key,
                value: value.to_owned(),
                range: control.range_text(),
            })?;
        Ok(())
    }

    /// Every control with its value as it is written.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let pairs = self.controls.iter().zip(&self.values);
        pairs.map(|(control, value)| (control.key, control.value_text(*value)))
    }
}
