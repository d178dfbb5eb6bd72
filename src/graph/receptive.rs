//! The theoretical receptive field: the part of the input image that one element can see.
//!
//! Composed window by window as in Araujo, Norris and Sim, "Computing Receptive Fields of
//! Convolutional Neural Networks" (Distill 2019). Of several paths it is the smallest field
//! that covers each.

use super::Window;

/// Along height and width, in pixels of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReceptiveField {
    pub size: [f64; 2],
    /// Pixels of the input between neighbouring elements.
    pub stride: [f64; 2],
    /// The first pixel (possibly in the padding, negative) that element (0, 0) sees.
    pub offset: [f64; 2],
}

impl ReceptiveField {
    /// Of the input itself.
    pub const PIXEL: Self = Self {
        size: [1.0; 2],
        stride: [1.0; 2],
        offset: [0.0; 2],
    };

    /// Everything of an input of this height and width.
    pub fn whole(input: [f64; 2]) -> Self {
        Self {
            size: input,
            stride: input,
            offset: [0.0; 2],
        }
    }

    /// After a layer with this window on a map of height and width `extent`; `None` where
    /// the layer's output has no place in the image or the extent is needed and not known.
    pub fn through(&self, window: Window, extent: Option<[usize; 2]>) -> Option<Self> {
        match window {
            Window::Point => Some(*self),
            Window::Nowhere => None,
            Window::Whole => {
                let [height, width] = extent?;
                let kernel = [height.max(1), width.max(1)];
                self.through(
                    Window::Slide {
                        kernel,
                        stride: kernel,
                        pad: [0; 2],
                    },
                    None,
                )
            }
            Window::Slide {
                kernel,
                stride,
                pad,
            } => {
                let mut next = *self;
                for axis in 0..2 {
                    next.size[axis] += (kernel[axis] as f64 - 1.0) * self.stride[axis];
                    next.offset[axis] -= pad[axis] as f64 * self.stride[axis];
                    next.stride[axis] *= stride[axis] as f64;
                }
                Some(next)
            }
        }
    }

    /// The smallest field that covers both; the coarser stride is kept.
    pub fn union(&self, other: &Self) -> Self {
        let mut both = *self;
        for axis in 0..2 {
            let begin = self.offset[axis].min(other.offset[axis]);
            let end =
                (self.offset[axis] + self.size[axis]).max(other.offset[axis] + other.size[axis]);
            both.offset[axis] = begin;
            both.size[axis] = end - begin;
            both.stride[axis] = self.stride[axis].max(other.stride[axis]);
        }
        both
    }
}
