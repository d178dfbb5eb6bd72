//! Sizes of sliding windows along one axis: the one rule for inference, kernels and references.
//!
//! All functions are total: what cannot be computed, a kernel larger than its padded input or a
//! number too large for the machine, is `None`.

use std::ops::Range;

/// Output size of a convolution along one axis: `⌊(size + 2·pad − dilation·(kernel−1) − 1) / stride⌋ + 1`.
///
/// `None` if the dilated kernel is larger than the padded input, or if the kernel, the stride or
/// the dilation is 0.
pub fn conv_output(
    size: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    dilation: usize,
) -> Option<usize> {
    if kernel == 0 || dilation == 0 {
        return None;
    }
    let extent = dilation.checked_mul(kernel - 1)?.checked_add(1)?;
    let room = padded(size, pad)?.checked_sub(extent)?;
    Some(room.checked_div(stride)? + 1)
}

/// Output size of a pooling along one axis, as Caffe computes it.
///
/// With `ceil` the last window may hang over the end, but must begin inside the image or the
/// padding before it; without, windows that do not fit are dropped. `None` if the kernel is
/// larger than the padded input, the padding is not smaller than the kernel (a window could then
/// hold no pixel), or the kernel or the stride is 0.
pub fn pool_output(
    size: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    ceil: bool,
) -> Option<usize> {
    if size == 0 || pad >= kernel {
        return None;
    }
    let room = padded(size, pad)?.checked_sub(kernel)?;
    let output = room.checked_div(stride)? + 1;
    if !ceil {
        return Some(output);
    }
    let hanging = !room.is_multiple_of(stride) && output * stride < size + pad;
    Some(output + usize::from(hanging))
}

fn padded(size: usize, pad: usize) -> Option<usize> {
    size.checked_add(pad.checked_mul(2)?)
}

/// One axis of a sliding window whose sizes were found to be consistent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub size: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
    pub dilation: usize,
    pub output: usize,
}

/// Where one element of the kernel falls.
#[derive(Clone, Debug)]
pub(super) struct Tap {
    /// The windows whose tap lies on the input and not on the padding.
    pub windows: Range<usize>,
    /// The input position under the tap of the first of these windows; 0 if there is none.
    pub start: usize,
}

impl Axis {
    /// All taps of the kernel, in order.
    pub fn taps(&self) -> Vec<Tap> {
        let tap = |tap: usize| {
            let windows = self.windows(tap);
            let start = if windows.is_empty() {
                0
            } else {
                self.input(windows.start, tap)
            };
            Tap { windows, start }
        };
        (0..self.kernel).map(tap).collect()
    }

    /// The input position under tap `tap` of window `window`, which must be in [`Axis::windows`] of the tap.
    pub fn input(&self, window: usize, tap: usize) -> usize {
        window * self.stride + tap * self.dilation - self.pad
    }

    /// The windows whose tap `tap` lies on the input and not on the padding.
    pub fn windows(&self, tap: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let first = self.pad.saturating_sub(offset).div_ceil(self.stride);
        let end = (self.size + self.pad)
            .saturating_sub(offset)
            .div_ceil(self.stride)
            .min(self.output);
        first.min(end)..end
    }

    /// The windows that lie wholly on the input, for a kernel without dilation.
    pub fn whole_windows(&self) -> Range<usize> {
        let first = self.pad.div_ceil(self.stride);
        let room = (self.size + self.pad).checked_sub(self.kernel);
        let end = room
            .map_or(0, |room| room / self.stride + 1)
            .min(self.output);
        first.min(end)..end
    }

    /// The input positions that window `window` covers, for a kernel without dilation.
    pub fn span(&self, window: usize) -> Range<usize> {
        let start = window * self.stride;
        start.saturating_sub(self.pad)
            ..(start + self.kernel)
                .saturating_sub(self.pad)
                .min(self.size)
    }

    /// How many positions of the padded input window `window` covers: Caffe's divisor of an average.
    pub fn padded_length(&self, window: usize) -> usize {
        let start = window * self.stride;
        (start + self.kernel).min(self.size + 2 * self.pad) - start
    }
}
