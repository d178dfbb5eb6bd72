//! Published results year by year, and the timeline, each with its source.

use crate::i18n::Text;

/// A published number.
pub struct Point {
    pub year: u32,
    pub value: f64,
    pub name: &'static str,
    pub source: &'static str,
}

/// A row of them on one benchmark.
pub struct Chart {
    pub key: &'static str,
    pub name: Text,
    /// What people reach, where somebody has measured it.
    pub human: Option<(f64, &'static str)>,
    pub points: &'static [Point],
}

const fn point(year: u32, value: f64, name: &'static str, source: &'static str) -> Point {
    Point {
        year,
        value,
        name,
        source,
    }
}

const ILSVRC: &str = "Russakovsky et al., ILSVRC, IJCV 2015";
const RESULTS: &str = "image-net.org, challenge results";

pub static CHARTS: [Chart; 4] = [
    Chart {
        key: "imagenet_top5",
        name: Text::new(
            "ImageNet classification, top-5 error in %",
            "ImageNet 分类 top-5 错误率（%）",
        ),
        human: Some((5.1, ILSVRC)),
        points: &[
            point(2010, 28.2, "NEC-UIUC (SIFT, LBP)", ILSVRC),
            point(2011, 25.8, "XRCE (Fisher vectors)", ILSVRC),
            point(2012, 16.4, "AlexNet", ILSVRC),
            point(2013, 11.7, "Clarifai", ILSVRC),
            point(2014, 6.7, "GoogLeNet", ILSVRC),
            point(2015, 3.57, "ResNet", "He et al., CVPR 2016"),
            point(2016, 2.99, "Trimps-Soushen", RESULTS),
            point(2017, 2.25, "SENet", "Hu et al., CVPR 2018"),
        ],
    },
    Chart {
        key: "lfw",
        name: Text::new(
            "LFW face verification, accuracy in %",
            "LFW 人脸验证准确率（%）",
        ),
        human: Some((97.53, "Kumar et al., ICCV 2009 (cropped faces)")),
        points: &[
            point(2007, 60.02, "Eigenfaces", "LFW results page"),
            point(2011, 90.57, "Associate-Predict", "Yin et al., CVPR 2011"),
            point(2012, 92.42, "Joint Bayesian", "Chen et al., ECCV 2012"),
            point(
                2013,
                95.17,
                "High-dimensional LBP",
                "Chen et al., CVPR 2013",
            ),
            point(2014, 97.35, "DeepFace", "Taigman et al., CVPR 2014"),
            point(2014, 99.15, "DeepID2", "Sun et al., NIPS 2014"),
            point(2015, 99.63, "FaceNet", "Schroff et al., CVPR 2015"),
        ],
    },
    Chart {
        key: "voc2007_detection",
        name: Text::new(
            "PASCAL VOC 2007 detection, mAP in %",
            "PASCAL VOC 2007 检测 mAP（%）",
        ),
        human: None,
        points: &[
            point(
                2010,
                33.7,
                "DPM v5",
                "Girshick et al., R-CNN, CVPR 2014, table 2",
            ),
            point(2013, 41.7, "Regionlets", "Wang et al., ICCV 2013"),
            point(2014, 58.5, "R-CNN (AlexNet)", "Girshick et al., CVPR 2014"),
            point(
                2014,
                66.0,
                "R-CNN (VGG16)",
                "Girshick et al., arXiv 1311.2524v5",
            ),
            point(2015, 70.0, "Fast R-CNN", "Girshick, ICCV 2015"),
            point(2015, 73.2, "Faster R-CNN", "Ren et al., NIPS 2015"),
        ],
    },
    Chart {
        key: "imagenet_detection",
        name: Text::new("ImageNet detection, mAP in %", "ImageNet 检测 mAP（%）"),
        human: None,
        points: &[
            point(2013, 22.6, "UvA-Euvision", ILSVRC),
            point(2014, 43.9, "GoogLeNet", ILSVRC),
            point(2015, 62.1, "MSRA (Faster R-CNN)", RESULTS),
            point(2016, 66.3, "CUImage", RESULTS),
            point(2017, 73.1, "BDAT", RESULTS),
        ],
    },
];

/// Year and event.
pub const TIMELINE: [(u32, Text); 20] = [
    (
        1943,
        Text::new(
            "McCulloch and Pitts: a neuron as logic",
            "McCulloch 与 Pitts：用逻辑描述神经元",
        ),
    ),
    (
        1958,
        Text::new("Rosenblatt: the perceptron", "Rosenblatt：感知机"),
    ),
    (
        1969,
        Text::new(
            "Minsky and Papert: what one layer cannot do",
            "Minsky 与 Papert：单层做不到的事",
        ),
    ),
    (
        1974,
        Text::new(
            "Werbos: back-propagation, in his thesis",
            "Werbos：博士论文中的反向传播",
        ),
    ),
    (
        1980,
        Text::new("Fukushima: the Neocognitron", "Fukushima：新认知机"),
    ),
    (
        1986,
        Text::new(
            "Rumelhart, Hinton, Williams: back-propagation learns features",
            "Rumelhart、Hinton、Williams：反向传播学到特征",
        ),
    ),
    (
        1989,
        Text::new(
            "LeCun: convolution on zip codes; Cybenko: universal approximation",
            "LeCun：卷积识别邮编；Cybenko：万能逼近",
        ),
    ),
    (
        1995,
        Text::new(
            "Cortes and Vapnik: support vector machines",
            "Cortes 与 Vapnik：支持向量机",
        ),
    ),
    (
        1997,
        Text::new(
            "Hochreiter and Schmidhuber: LSTM",
            "Hochreiter 与 Schmidhuber：LSTM",
        ),
    ),
    (
        1998,
        Text::new("LeCun et al.: LeNet-5", "LeCun 等：LeNet-5"),
    ),
    (1999, Text::new("Lowe: SIFT", "Lowe：SIFT")),
    (
        2005,
        Text::new("Dalal and Triggs: HOG", "Dalal 与 Triggs：HOG"),
    ),
    (
        2006,
        Text::new(
            "Hinton: deep belief networks, layer by layer",
            "Hinton：逐层训练的深度信念网络",
        ),
    ),
    (2009, Text::new("ImageNet", "ImageNet 数据集")),
    (
        2012,
        Text::new(
            "Krizhevsky, Sutskever, Hinton: AlexNet",
            "Krizhevsky、Sutskever、Hinton：AlexNet",
        ),
    ),
    (
        2014,
        Text::new("VGG, GoogLeNet, R-CNN, GAN", "VGG、GoogLeNet、R-CNN、GAN"),
    ),
    (
        2015,
        Text::new(
            "ResNet, batch normalisation, Faster R-CNN",
            "ResNet、批归一化、Faster R-CNN",
        ),
    ),
    (
        2017,
        Text::new(
            "Vaswani et al.: the Transformer; Mask R-CNN",
            "Vaswani 等：Transformer；Mask R-CNN",
        ),
    ),
    (
        2020,
        Text::new("Vision Transformer, GPT-3", "视觉 Transformer、GPT-3"),
    ),
    (
        2022,
        Text::new(
            "Diffusion models and chat assistants for everybody",
            "扩散模型与对话助手走向大众",
        ),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_rise_and_every_number_has_its_source() {
        for chart in &CHARTS {
            assert!(
                chart
                    .points
                    .windows(2)
                    .all(|pair| pair[0].year <= pair[1].year)
            );
            assert!(chart.points.iter().all(|point| !point.source.is_empty()));
        }
        assert!(TIMELINE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
