//! A number of outputs, given outright or by the data.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of outputs, given outright or by the number of classes in the data.
///
/// In files: `10`, `"classes"`, `"classes+1"` (with background), `"4*(classes+1)"` (box corners).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Count(usize),
    Classes,
    ClassesAndBackground,
    BoxCorners,
}

impl Size {
    pub const BY_CLASSES: [(&'static str, Self); 3] = [
        ("classes", Self::Classes),
        ("classes+1", Self::ClassesAndBackground),
        ("4*(classes+1)", Self::BoxCorners),
    ];

    /// The number, `None` where it depends on classes that nobody has said.
    pub fn resolve(self, classes: Option<usize>) -> Option<usize> {
        match self {
            Self::Count(n) => Some(n),
            Self::Classes => classes,
            Self::ClassesAndBackground => classes?.checked_add(1),
            Self::BoxCorners => classes?.checked_add(1)?.checked_mul(4),
        }
    }
}

/// As files write it.
impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Self::Count(n) = self {
            return write!(f, "{n}");
        }
        let name = Self::BY_CLASSES.iter().find(|(_, size)| size == self);
        f.write_str(name.map_or("classes", |(name, _)| name))
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Count(n) = self {
            return serializer.serialize_u64(*n as u64);
        }
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, \"classes\", \"classes+1\" or \"4*(classes+1)\"")
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Size, E> {
                let n = usize::try_from(n).map_err(|_| E::custom("too large"))?;
                Ok(Size::Count(n))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                let known = Size::BY_CLASSES.iter().find(|(name, _)| *name == text);
                known
                    .map(|(_, size)| *size)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
