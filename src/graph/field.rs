//! How a layer states its parameters, once, for everybody who reads or edits them.
//!
//! The form in the window, prototxt, the command line's help and the range check are visitors;
//! a layer knows none of them.

use std::ops::RangeInclusive;

use super::{Filler, Problem, Size};
use crate::i18n::{Text, tr_format};

/// One parameter of a layer, open for editing.
pub struct Field<'a> {
    /// The name in the project file.
    pub name: &'static str,
    /// What it means, for hover texts and help.
    pub about: Text,
    /// The field's name in Caffe's parameter message; empty where Caffe has none.
    pub caffe: &'static str,
    pub value: FieldValue<'a>,
}

/// A parameter's value with its range.
pub enum FieldValue<'a> {
    Count {
        value: &'a mut usize,
        min: usize,
        max: usize,
    },
    /// Height, width.
    Pair {
        value: &'a mut [usize; 2],
        min: usize,
        max: usize,
    },
    Size {
        value: &'a mut Size,
        max: usize,
    },
    /// A whole number that may be negative, such as an axis counted from the end.
    Integer {
        value: &'a mut i64,
        min: i64,
        max: i64,
    },
    /// A count that may be left out.
    OptionalCount {
        value: &'a mut Option<usize>,
        min: usize,
        max: usize,
    },
    Real {
        value: &'a mut f64,
        min: f64,
        max: f64,
    },
    Flag(&'a mut bool),
    Choice(&'a mut dyn Choice),
    Filler(&'a mut Filler),
    /// A list of counts, such as a shape.
    Counts {
        value: &'a mut Vec<usize>,
        min: usize,
        max: usize,
        max_len: usize,
    },
    /// A list of whole numbers that may be negative, such as a shape with −1 for “the rest”.
    Integers {
        value: &'a mut Vec<i64>,
        min: i64,
        max: i64,
        max_len: usize,
    },
    /// A list of numbers, such as one coefficient per input.
    Reals {
        value: &'a mut Vec<f64>,
        max_len: usize,
    },
}

/// One constructor for each kind; `name` is also Caffe's unless [`Field::caffe`] says otherwise.
impl<'a> Field<'a> {
    fn new(name: &'static str, about: Text, value: FieldValue<'a>) -> Self {
        Self {
            name,
            about,
            caffe: name,
            value,
        }
    }

    /// The field's name in Caffe; empty where Caffe has no such field.
    pub fn caffe(self, caffe: &'static str) -> Self {
        Self { caffe, ..self }
    }

    pub fn count(
        name: &'static str,
        value: &'a mut usize,
        range: RangeInclusive<usize>,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name, about, FieldValue::Count { value, min, max })
    }

    pub fn pair(
        name: &'static str,
        value: &'a mut [usize; 2],
        range: RangeInclusive<usize>,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name, about, FieldValue::Pair { value, min, max })
    }

    pub fn size(name: &'static str, value: &'a mut Size, max: usize, about: Text) -> Self {
        Self::new(name, about, FieldValue::Size { value, max })
    }

    pub fn integer(
        name: &'static str,
        value: &'a mut i64,
        range: RangeInclusive<i64>,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name, about, FieldValue::Integer { value, min, max })
    }

    pub fn optional_count(
        name: &'static str,
        value: &'a mut Option<usize>,
        range: RangeInclusive<usize>,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name, about, FieldValue::OptionalCount { value, min, max })
    }

    pub fn real(
        name: &'static str,
        value: &'a mut f64,
        range: RangeInclusive<f64>,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name, about, FieldValue::Real { value, min, max })
    }

    pub fn flag(name: &'static str, value: &'a mut bool, about: Text) -> Self {
        Self::new(name, about, FieldValue::Flag(value))
    }

    pub fn choice(name: &'static str, value: &'a mut dyn Choice, about: Text) -> Self {
        Self::new(name, about, FieldValue::Choice(value))
    }

    pub fn counts(
        name: &'static str,
        value: &'a mut Vec<usize>,
        range: RangeInclusive<usize>,
        max_len: usize,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        let value = FieldValue::Counts {
            value,
            min,
            max,
            max_len,
        };
        Self::new(name, about, value)
    }

    pub fn integers(
        name: &'static str,
        value: &'a mut Vec<i64>,
        range: RangeInclusive<i64>,
        max_len: usize,
        about: Text,
    ) -> Self {
        let (min, max) = range.into_inner();
        let value = FieldValue::Integers {
            value,
            min,
            max,
            max_len,
        };
        Self::new(name, about, value)
    }

    pub fn reals(name: &'static str, value: &'a mut Vec<f64>, max_len: usize, about: Text) -> Self {
        Self::new(name, about, FieldValue::Reals { value, max_len })
    }

    pub fn filler(name: &'static str, value: &'a mut Filler, about: Text) -> Self {
        Self::new(name, about, FieldValue::Filler(value))
    }
}

/// Is shown every parameter of a layer in turn.
pub trait FieldVisitor {
    fn field(&mut self, field: Field<'_>);
}

impl<F: FnMut(Field<'_>)> FieldVisitor for F {
    fn field(&mut self, field: Field<'_>) {
        self(field);
    }
}

/// A parameter that takes one of a few named values; see [`choice!`](crate::choice).
pub trait Choice {
    /// Name in files, and text for people, of every value in order.
    fn options(&self) -> &'static [(&'static str, Text)];
    fn index(&self) -> usize;
    /// Takes the value at `index`; an index past the end changes nothing.
    fn set(&mut self, index: usize);
}

/// Defines an enum with serde names and [`Choice`]; the first variant is the default.
#[macro_export]
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $first:ident = $first_file:literal $first_en:literal $first_zh:literal
        $(, $variant:ident = $file:literal $en:literal $zh:literal)* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            #[default]
            #[serde(rename = $first_file)]
            $first,
            $(#[serde(rename = $file)] $variant,)*
        }
        impl $name {
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];
        }
        impl $crate::graph::Choice for $name {
            fn options(&self) -> &'static [(&'static str, $crate::i18n::Text)] {
                const {
                    &[($first_file, $crate::i18n::Text::new($first_en, $first_zh))
                    $(, ($file, $crate::i18n::Text::new($en, $zh)))*]
                }
            }
            fn index(&self) -> usize {
                *self as usize
            }
            fn set(&mut self, index: usize) {
                if let Some(value) = Self::ALL.get(index) {
                    *self = *value;
                }
            }
        }
    };
}

/// The range check: every parameter outside what the layer states.
pub fn out_of_range(layer: &dyn super::Layer) -> Vec<Problem> {
    let mut problems = Vec::new();
    layer.clone_layer().fields(&mut |field: Field<'_>| {
        if let Some(range) = violated_range(&field.value) {
            let name = field.name;
            problems.push(Problem::OutOfRange(tr_format!(
                "{name} must be {range}",
                "{name} 必须{range}"
            )));
        }
    });
    problems
}

fn violated_range(value: &FieldValue<'_>) -> Option<String> {
    let counts =
        |min: usize, max: usize| Some(tr_format!("from {min} to {max}", "在 {min} 到 {max} 之间"));
    let integers =
        |min: i64, max: i64| Some(tr_format!("from {min} to {max}", "在 {min} 到 {max} 之间"));
    match value {
        FieldValue::Count { value, min, max } if **value < *min || **value > *max => {
            counts(*min, *max)
        }
        FieldValue::Pair { value, min, max } if value.iter().any(|v| v < min || v > max) => {
            counts(*min, *max)
        }
        FieldValue::OptionalCount {
            value: Some(value),
            min,
            max,
        } if value < min || value > max => counts(*min, *max),
        FieldValue::Integer { value, min, max } if **value < *min || **value > *max => {
            integers(*min, *max)
        }
        FieldValue::Integers {
            value, min, max, ..
        } if value.iter().any(|v| v < min || v > max) => integers(*min, *max),
        FieldValue::Integers { value, max_len, .. } if value.len() > *max_len => Some(tr_format!(
            "a list of at most {max_len} numbers",
            "是至多 {max_len} 个数的列表"
        )),
        FieldValue::Size {
            value: Size::Count(n),
            max,
        } if *n < 1 || n > max => counts(1, *max),
        FieldValue::Counts {
            value, min, max, ..
        } if value.iter().any(|v| v < min || v > max) => counts(*min, *max),
        FieldValue::Counts { value, max_len, .. } if value.len() > *max_len => Some(tr_format!(
            "a list of at most {max_len} numbers",
            "是至多 {max_len} 个数的列表"
        )),
        FieldValue::Reals { value, max_len }
            if value.len() > *max_len || value.iter().any(|v| !v.is_finite()) =>
        {
            Some(tr_format!(
                "a list of at most {max_len} finite numbers",
                "是至多 {max_len} 个有限数的列表"
            ))
        }
        FieldValue::Real { value, min, max } if !(**value >= *min && **value <= *max) => {
            Some(tr_format!("from {min} to {max}", "在 {min} 到 {max} 之间"))
        }
        FieldValue::Filler(filler) if !filler.is_valid() => Some(tr_format!(
            "a filler with finite numbers, min ≤ max and std ≥ 0",
            "是数值有限的初始化方法，且 min ≤ max、std ≥ 0"
        )),
        _ => None,
    }
}
