//! What flows along a wire: its type and its shape.
//!
//! A dimension may be unknown until run time (batch, image size); every rule here is total.

use std::fmt;

use crate::i18n::Text;

/// The kind of value that a port carries; a wire joins equal kinds only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortType {
    /// Real numbers: (N, C, H, W), (N, T, D), (N, D) or a scalar.
    Tensor,
    /// Class indices: (N), (N, T) or (N, H, W).
    Labels,
    /// Of a layer that the program does not know; joins anything.
    Any,
}

impl PortType {
    pub fn accepts(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }

    pub fn text(self) -> Text {
        match self {
            Self::Tensor => Text::new("tensor", "张量"),
            Self::Labels => Text::new("labels", "标签"),
            Self::Any => Text::new("anything", "任意"),
        }
    }
}

/// The dimensions of a value, outermost first; `None` is unknown until run time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<Option<usize>>);

impl Shape {
    pub fn known(dims: &[usize]) -> Self {
        Self(dims.iter().copied().map(Some).collect())
    }

    /// A batch of unknown size of examples with these dimensions.
    pub fn batch_of(batch: Option<usize>, example: &[usize]) -> Self {
        let dims = example.iter().copied().map(Some);
        Self(std::iter::once(batch).chain(dims).collect())
    }

    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The dimension at `axis`, `None` where it is unknown or absent.
    pub fn dim(&self, axis: usize) -> Option<usize> {
        self.0.get(axis).copied().flatten()
    }

    /// The same shape with another dimension at `axis`.
    pub fn with(mut self, axis: usize, dim: Option<usize>) -> Self {
        if let Some(slot) = self.0.get_mut(axis) {
            *slot = dim;
        }
        self
    }

    /// The product of the dimensions from `axis` on, `None` where one is unknown.
    /// It saturates, so that absurd sizes stay absurd instead of wrapping.
    pub fn count_from(&self, axis: usize) -> Option<usize> {
        let mut count = 1usize;
        for dim in self.0.iter().skip(axis) {
            count = count.saturating_mul((*dim)?);
        }
        Some(count)
    }

    /// Numbers per example: everything after the batch axis.
    pub fn per_example(&self) -> Option<usize> {
        self.count_from(1)
    }

    /// Whether the two may describe one value: equal wherever both are known.
    pub fn agrees(&self, other: &Self) -> bool {
        self.rank() == other.rank()
            && (self.0.iter().zip(&other.0)).all(|(a, b)| a.is_none() || b.is_none() || a == b)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("1");
        }
        for (i, dim) in self.0.iter().enumerate() {
            let times = if i == 0 { "" } else { "×" };
            match dim {
                Some(d) => write!(f, "{times}{d}")?,
                None if i == 0 => write!(f, "N")?,
                None => write!(f, "{times}?")?,
            }
        }
        Ok(())
    }
}
