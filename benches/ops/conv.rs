//! Convolutions: by layer of well-known networks.

use candle_core::Result;
use layerlab::nn::{self, Conv2d};

use super::{Row, best, random};

/// A convolution over square images.
#[derive(Clone, Copy)]
pub struct Conv {
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    side: usize,
    batch: usize,
    conv: Conv2d,
}

const PLAIN: Conv2d = Conv2d {
    stride: [1, 1],
    pad: [0, 0],
    dilation: [1, 1],
    groups: 1,
    precise: false,
};

/// `inputs` → `outputs` channels with a square kernel at stride 1, padded to keep the size.
const fn conv(inputs: usize, outputs: usize, kernel: usize, side: usize, batch: usize) -> Conv {
    let conv = Conv2d {
        pad: [kernel / 2, kernel / 2],
        ..PLAIN
    };
    Conv {
        inputs,
        outputs,
        kernel: [kernel, kernel],
        side,
        batch,
        conv,
    }
}

impl Conv {
    const fn stride(mut self, stride: usize) -> Self {
        self.conv.stride = [stride, stride];
        self
    }

    const fn pad(mut self, pad: usize) -> Self {
        self.conv.pad = [pad, pad];
        self
    }

    const fn groups(mut self, groups: usize) -> Self {
        self.conv.groups = groups;
        self
    }

    /// Dilated, and padded to keep the size.
    const fn dilation(mut self, dilation: usize) -> Self {
        self.conv.dilation = [dilation, dilation];
        self.conv.pad = [self.kernel[0] / 2 * dilation, self.kernel[1] / 2 * dilation];
        self
    }

    /// A row of the kernel.
    const fn row(mut self) -> Self {
        self.kernel[0] = 1;
        self.conv.pad[0] = 0;
        self
    }

    /// Without Winograd's way.
    const fn precise(mut self) -> Self {
        self.conv.precise = true;
        self
    }

    pub fn name(&self) -> String {
        let Self {
            inputs,
            outputs,
            kernel: [height, width],
            side,
            batch,
            conv,
        } = self;
        let mut name = format!("conv {inputs}→{outputs} {height}×{width}");
        let mut add = |is_there, text: String| {
            if is_there {
                name += &text;
            }
        };
        add(conv.stride[0] != 1, format!("/{}", conv.stride[0]));
        add(
            conv.dilation[0] != 1,
            format!(" dilation {}", conv.dilation[0]),
        );
        let is_depthwise = conv.groups == *inputs && conv.groups > 1;
        add(is_depthwise, " depthwise".to_owned());
        let is_grouped = conv.groups != 1 && !is_depthwise;
        add(is_grouped, format!(" groups {}", conv.groups));
        add(conv.precise, " precise".to_owned());
        name + &format!(" @{side} batch {batch}")
    }

    pub fn measure(&self) -> Result<Row> {
        let [height, width] = self.kernel;
        let (conv, size) = (&self.conv, [self.side, self.side]);
        let x = random(&[self.batch, self.inputs, self.side, self.side])?;
        let w = random(&[self.outputs, self.inputs / conv.groups, height, width])?;
        let bias = random(&[self.outputs])?;
        let dy = random(nn::conv2d(&x, &w, None, conv)?.dims())?;
        let per_output = self.inputs / conv.groups * height * width;
        Ok(Row {
            macs: Some(dy.elem_count() * per_output),
            forward: Some(best(|| nn::conv2d(&x, &w, Some(&bias), conv))?),
            data: Some(best(|| nn::conv2d_backward_data(&dy, &w, size, conv))?),
            filter: Some(best(|| {
                nn::conv2d_backward_filter(&x, &dy, self.kernel, conv)
            })?),
        })
    }
}

pub const CONVOLUTIONS: [Conv; 31] = [
    // The shapes of the first measurements, from small nets to VGG and ResNet-50.
    conv(64, 64, 3, 32, 32),
    conv(64, 64, 3, 32, 32).precise(),
    conv(512, 512, 3, 4, 32),
    conv(128, 128, 3, 112, 2),
    conv(128, 128, 3, 112, 2).precise(),
    conv(3, 64, 3, 224, 2),
    conv(3, 64, 11, 64, 64).stride(4).pad(2),
    conv(64, 192, 5, 7, 64),
    conv(64, 128, 3, 32, 32).stride(2),
    conv(64, 256, 1, 56, 8),
    conv(512, 2048, 1, 7, 8),
    // LeNet.
    conv(1, 20, 5, 28, 128).pad(0),
    conv(20, 50, 5, 12, 128).pad(0),
    // AlexNet 224².
    conv(3, 64, 11, 224, 32).stride(4).pad(2),
    conv(64, 192, 5, 27, 32),
    conv(192, 384, 3, 13, 32),
    // VGG16.
    conv(64, 64, 3, 224, 2),
    conv(512, 512, 3, 28, 2),
    // GoogLeNet and ResNet 224².
    conv(3, 64, 7, 224, 8).stride(2),
    conv(16, 32, 3, 28, 8),
    conv(480, 96, 1, 14, 8),
    conv(256, 512, 3, 14, 8).stride(2),
    conv(256, 512, 1, 56, 4).stride(2),
    conv(2048, 512, 1, 7, 4),
    // Inception v3's row, VGG-16's part in DeepLab, AlexNet's towers, ResNeXt, MobileNets.
    conv(192, 192, 7, 17, 8).row(),
    conv(512, 512, 3, 28, 2).dilation(2),
    conv(96, 256, 5, 27, 16).groups(2),
    conv(128, 128, 3, 56, 4).groups(32),
    conv(144, 144, 3, 56, 8).groups(144),
    conv(144, 144, 3, 56, 8).stride(2).groups(144),
    conv(576, 576, 3, 14, 8).groups(576),
];
