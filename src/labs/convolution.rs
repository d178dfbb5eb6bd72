//! Convolution: true convolution, cross-correlation and its transpose number by number, what
//! fixed kernels do, how many weights sharing saves, and a blurred image restored.

pub mod kernels;
pub mod plane;
pub mod restore;

use std::path::Path;

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::data::{DataConfig, Dataset, Pixels, SplitName};
use crate::i18n::Text;
use kernels::{KERNELS, kernel};
use plane::{OPERATIONS, Plane, Slide};

pub const SHOWN: &[(&str, Text)] = &[
    ("steps", Text::new("Step by step", "逐步计算")),
    ("kernels", Text::new("Fixed kernels", "固定卷积核")),
    ("weights", Text::new("Counting weights", "数权重")),
    ("restore", Text::new("Restoring", "图像复原")),
];

pub const POOLING: &[(&str, Text)] = &[
    ("none", Text::new("None", "无")),
    ("max", Text::new("Maximum of 2 × 2", "2 × 2 最大值")),
    ("average", Text::new("Mean of 2 × 2", "2 × 2 平均值")),
];

const PICTURES: &[(&str, Text)] = &[
    ("digit", Text::new("Handwritten digit", "手写数字")),
    ("fashion", Text::new("Piece of clothing", "服饰图像")),
];

pub static BENCH: Bench = Bench {
    id: "convolution",
    chapter: Chapter::Convolution,
    title: Text::new("Convolution", "卷积"),
    about: Text::new(
        "A small kernel slides over an image; each place gives the weighted sum of what lies under it. Deep learning computes the cross-correlation; true convolution turns the kernel round first; deconvolution is the transpose.",
        "小卷积核在图像上滑动，每个位置给出其下方像素的加权和。深度学习计算的是互相关；真正的卷积要先翻转核；“反卷积”则是其转置。",
    ),
    what_to_try: Text::new(
        "Step by step: play, or point at a number of the output; draw in the image; drag a weight of the kernel up and down; change stride, padding and dilation. Restoring: blur, then play the iterations, then add noise.",
        "逐步计算：播放，或指向输出中的一个数；在图像上作画；上下拖动核的权重；改变步幅、填充和膨胀。图像复原：先模糊，再播放迭代，然后加噪声。",
    ),
    what_to_notice: Text::new(
        "With a symmetric kernel, convolution and cross-correlation agree. A transposed convolution restores the size, not the image: it only carries each number back to where it came from, which blurs once more. As a gradient, though, it leads back to the image.",
        "核对称时，卷积与互相关相同。转置卷积恢复的是尺寸，不是图像：它只是把每个数送回来处，等于又模糊一次。但把它当作梯度，就能一步步找回图像。",
    ),
    formula: "correlation y[i] = Σ w[k] x[s·i + d·k − p]\nconvolution y[i] = Σ w[−k] x[s·i + d·k − p]\ntranspose x̃ = W^T y\nrestore x ← x + η W^T (y − W x)",
    takeaway: Text::new(
        "Convolution is a local connection with shared weights; its transpose goes back to the input's size, but is not its inverse.",
        "卷积是权重共享的局部连接；它的转置能回到输入的尺寸，却不是它的逆。",
    ),
    project: (
        "lenet-digits",
        Text::new(
            "Train it and look at conv1's filters in the weights panel, and at its feature maps.",
            "训练后在“权重”面板查看 conv1 的滤波器，并观察其特征图。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

static CONTROLS: &[Control] = &[
    Control::choice(
        "show",
        Text::new("Show", "显示"),
        SHOWN,
        0,
        Text::new("What the bench is about just now.", "实验台当前的内容。"),
    ),
    Control::choice(
        "picture",
        Text::new("Image", "图像"),
        PICTURES,
        0,
        Text::new("Where the image comes from.", "图像来源。"),
    ),
    Control::count(
        "index",
        Text::new("Example", "样本"),
        (0, 3, 999),
        Text::new("Which example of the data set.", "数据集中的第几个样本。"),
    ),
    Control::choice(
        "operation",
        Text::new("Operation", "运算"),
        OPERATIONS,
        0,
        Text::new("What is computed with the kernel.", "用卷积核计算什么。"),
    )
    .only(&[0]),
    Control::choice(
        "kernel",
        Text::new("Kernel", "卷积核"),
        KERNELS,
        0,
        Text::new("The weights to begin with.", "初始的核权重。"),
    )
    .only(&[0]),
    Control::count(
        "stride",
        Text::new("Stride", "步幅"),
        (1, 1, 4),
        Text::new(
            "How far the kernel moves at a time.",
            "卷积核每次移动的距离。",
        ),
    )
    .only(&[0]),
    Control::count(
        "pad",
        Text::new("Padding", "填充"),
        (0, 1, 4),
        Text::new("Zeros around the image.", "图像四周补零的圈数。"),
    )
    .only(&[0]),
    Control::count(
        "dilation",
        Text::new("Dilation", "膨胀"),
        (1, 1, 3),
        Text::new(
            "How far apart the kernel's weights look.",
            "核权重采样点之间的间隔。",
        ),
    )
    .only(&[0]),
    Control::choice(
        "pooling",
        Text::new("Pooling", "池化"),
        POOLING,
        1,
        Text::new("What follows the convolution.", "卷积之后的池化。"),
    )
    .only(&[0]),
    Control::number(
        "angle",
        Text::new("Angle of the Gabor kernel", "Gabor 核的角度"),
        (0.0, 45.0, 180.0),
        Text::new(
            "The direction of the stripes that it answers to.",
            "它所响应的条纹方向。",
        ),
    )
    .unit("°")
    .only(&[0, 1]),
    Control::count(
        "side",
        Text::new("Side of the image", "图像边长"),
        (4, 28, 256),
        Text::new("Height and width of the input.", "输入的高和宽。"),
    )
    .only(&[2]),
    Control::count(
        "channels",
        Text::new("Input channels", "输入通道"),
        (1, 1, 64),
        Text::new("Maps of the input.", "输入的通道数。"),
    )
    .only(&[2]),
    Control::count(
        "maps",
        Text::new("Output maps", "输出通道"),
        (1, 20, 256),
        Text::new("Maps of the output.", "输出的通道数。"),
    )
    .only(&[2]),
    Control::count(
        "size",
        Text::new("Side of the kernel", "核边长"),
        (1, 5, 11),
        Text::new("Height and width of the kernel.", "卷积核的高和宽。"),
    )
    .only(&[2]),
    Control::number(
        "blur",
        Text::new("Blur", "模糊"),
        (0.3, 1.2, 2.5),
        Text::new(
            "Deviation of the Gaussian, in pixels.",
            "高斯模糊的标准差（像素）。",
        ),
    )
    .only(&[3]),
    Control::number(
        "noise",
        Text::new("Noise", "噪声"),
        (0.0, 0.0, 0.2),
        Text::new(
            "Deviation of what is added to the blurred image.",
            "加到模糊图像上的噪声标准差。",
        ),
    )
    .only(&[3]),
    Control::count(
        "iterations",
        Text::new("Iterations", "迭代次数"),
        (1, 500, 5000),
        Text::new("Of the restoring.", "复原的迭代次数。"),
    )
    .only(&[3]),
];

/// An example's first channel, from 0 to 1.
pub fn picture(settings: &Settings) -> Result<Plane, LabError> {
    let source = if settings.count("picture") == 0 {
        "digits"
    } else {
        "fashion"
    };
    let data = Dataset::open(&DataConfig::of(source), Path::new(""))?;
    let example = data.example(SplitName::Train, settings.count("index"))?;
    let Pixels::U8(bytes) = example.pixels else {
        return Err(LabError::Other(source.to_owned()));
    };
    let (height, width) = (example.shape[1], example.shape[2]);
    let values = bytes
        .iter()
        .take(height * width)
        .map(|byte| f64::from(*byte) / 255.0);
    Ok(Plane {
        height,
        width,
        values: values.collect(),
    })
}

/// The slide that the settings say.
pub fn slide(settings: &Settings) -> Slide {
    Slide {
        stride: settings.count("stride"),
        pad: settings.count("pad"),
        dilation: settings.count("dilation"),
    }
}

/// Weights of a full connection, a local one, and one with shared weights, biases included.
pub fn weights(side: usize, channels: usize, maps: usize, size: usize) -> [u64; 3] {
    let [side, channels, maps, size] = [side, channels, maps, size].map(|n| n as u64);
    let inputs = side * side * channels;
    let places = (side + 1).saturating_sub(size).pow(2);
    let outputs = places * maps;
    let window = size * size * channels;
    [
        outputs * inputs + outputs,
        outputs * window + outputs,
        maps * window + maps,
    ]
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let image = picture(settings)?.halved();
    let kernel = kernel(settings.count("kernel"), settings.number("angle"));
    let slide = slide(settings);
    let operation = settings.count("operation");
    let output = plane::apply(operation, &image, &kernel, slide);
    let turned = plane::apply(1 - operation.min(1), &image, &kernel, slide);
    let difference = plane::distance(&output, &turned);
    let counts = ["side", "channels", "maps", "size"].map(|key| settings.count(key));
    let counted = weights(counts[0], counts[1], counts[2], counts[3]);
    let found = restore::demonstrate(settings)?;
    Ok(vec![
        Figure::series(
            "output_size",
            Text::new("Height and width of the output", "输出的高与宽"),
            vec![output.height as f64, output.width as f64],
        ),
        Figure::number(
            "turned_difference",
            Text::new(
                "Distance between convolution and cross-correlation",
                "卷积与互相关结果之间的距离",
            ),
            difference,
        ),
        Figure::series(
            "weights",
            Text::new(
                "Weights: full, local, shared",
                "权重数：全连接、局部连接、权重共享",
            ),
            counted.map(|count| count as f64).to_vec(),
        ),
        Figure::number(
            "blurred_error",
            Text::new("Error of the blurred image", "模糊图像的误差"),
            found[0],
        ),
        Figure::number(
            "transposed_error",
            Text::new("Error after a transposed convolution", "转置卷积后的误差"),
            found[1],
        ),
        Figure::number(
            "restored_error",
            Text::new("Error after restoring", "复原后的误差"),
            found[2],
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::figure;

    #[test]
    fn the_transpose_is_no_inverse_and_descent_restores() {
        let mut settings = Settings::of(&BENCH);
        settings.set_text("kernel=sobel_x").unwrap();
        let figures = demonstrate(&settings).unwrap();
        let number = |key| figure(&figures, key).unwrap().as_number();
        assert!(number("transposed_error") > number("blurred_error"));
        assert!(number("restored_error") < 0.5 * number("blurred_error"));
        assert!(number("turned_difference") > 0.1);
        let mut symmetric = Settings::of(&BENCH);
        symmetric.set_text("kernel=blur").unwrap();
        let figures = demonstrate(&symmetric).unwrap();
        let same = figure(&figures, "turned_difference").unwrap().as_number();
        assert!(same < 1e-12);
    }

    #[test]
    fn weights_are_those_of_lenets_first_layer() {
        // 20 · (5 · 5) + 20, and LeNet's 24 × 24 × 20 outputs without sharing.
        let outputs = 24 * 24 * 20;
        assert_eq!(
            weights(28, 1, 20, 5),
            [outputs * 784 + outputs, outputs * 25 + outputs, 520]
        );
    }
}
