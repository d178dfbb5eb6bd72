//! The sizes of one convolution.

use candle_core::{Result, Tensor, bail};

use super::Conv2d;
use crate::nn::patches::Patches;
use crate::nn::size::{Axis, conv_output};

/// The sizes of one convolution, found to be consistent.
#[derive(Clone, Copy, Debug)]
pub(in crate::nn) struct ConvShape {
    pub(in crate::nn) n: usize,
    /// Input channels of one group.
    pub(in crate::nn) c: usize,
    /// Filters of one group.
    pub(in crate::nn) o: usize,
    pub(in crate::nn) groups: usize,
    pub(in crate::nn) y: Axis,
    pub(in crate::nn) x: Axis,
}

impl ConvShape {
    pub(in crate::nn) fn new(
        n: usize,
        c: usize,
        size: [usize; 2],
        o: usize,
        kernel: [usize; 2],
        conv: &Conv2d,
    ) -> Result<Self> {
        let groups = conv.groups;
        if groups == 0 || !c.is_multiple_of(groups) || !o.is_multiple_of(groups) {
            bail!("{c} channels and {o} filters cannot be divided into {groups} groups");
        }
        let axis = |i: usize| {
            let (size, kernel, stride, pad, dilation) = (
                size[i],
                kernel[i],
                conv.stride[i],
                conv.pad[i],
                conv.dilation[i],
            );
            match conv_output(size, kernel, stride, pad, dilation) {
                Some(output) => Ok(Axis {
                    size,
                    kernel,
                    stride,
                    pad,
                    dilation,
                    output,
                }),
                None => bail!(
                    "a kernel of {kernel} with stride {stride}, pad {pad} and dilation {dilation} does not fit a size of {size}"
                ),
            }
        };
        Ok(Self {
            n,
            c: c / groups,
            o: o / groups,
            groups,
            y: axis(0)?,
            x: axis(1)?,
        })
    }

    pub(super) fn check_output(&self, dy: &Tensor) -> Result<()> {
        let expected = [self.n, self.o * self.groups, self.y.output, self.x.output];
        if dy.dims() != expected {
            bail!(
                "a gradient {:?} does not fit the output {expected:?} of the convolution",
                dy.dims()
            );
        }
        Ok(())
    }

    pub(in crate::nn) fn input_dims(&self) -> [usize; 4] {
        [self.n, self.c * self.groups, self.y.size, self.x.size]
    }

    pub(in crate::nn) fn output_dims(&self) -> [usize; 4] {
        [self.n, self.o * self.groups, self.y.output, self.x.output]
    }

    pub(in crate::nn) fn filter_dims(&self) -> [usize; 4] {
        [self.o * self.groups, self.c, self.y.kernel, self.x.kernel]
    }

    /// The convolution that the gradient by the input is, where steps and dilation are one.
    pub(in super::super) fn adjoint(&self) -> Self {
        let turned = |axis: Axis| Axis {
            size: axis.output,
            output: axis.size,
            pad: (axis.kernel - 1).wrapping_sub(axis.pad),
            ..axis
        };
        Self {
            c: self.o,
            o: self.c,
            y: turned(self.y),
            x: turned(self.x),
            ..*self
        }
    }

    /// Windows of one plane.
    pub(super) fn windows(&self) -> usize {
        self.y.output * self.x.output
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        self.y.kernel * self.x.kernel
    }

    pub(super) fn patches(&self) -> Patches {
        Patches::new(self.y, self.x)
    }

    /// Elements of the filters of one group.
    pub(super) fn group_filters(&self) -> usize {
        self.o * self.c * self.y.kernel * self.x.kernel
    }
}
