//! The data sets inside the program; `assets/LICENSES.md` names their sources and licences.

use std::path::Path;

use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataConfig, DataError, idx, localise, segmentation, text, textures};
use crate::i18n::Text;

/// The names that need no file, and what they are.
pub const BUILT_IN: &[(&str, Text)] = &[
    (
        "digits",
        Text {
            en: "10,000 handwritten digits of MNIST, 28 × 28, 10 classes",
            zh: "MNIST 手写数字 10,000 张，28 × 28，10 个类别",
        },
    ),
    (
        "fashion",
        Text {
            en: "5,000 images of Fashion-MNIST, 28 × 28, 10 classes of clothing",
            zh: "Fashion-MNIST 服饰图像 5,000 张，28 × 28，10 个类别",
        },
    ),
    (
        "localise",
        Text {
            en: "8,000 canvases of 48 × 48 with one Fashion-MNIST picture each; the targets are the box around it",
            zh: "8,000 幅 48 × 48 的画布，各含一张 Fashion-MNIST 图像；目标值为其外框",
        },
    ),
    (
        "textures",
        Text {
            en: "5,000 drawn patterns of 28 × 28, 10 classes of texture",
            zh: "5,000 幅绘制的 28 × 28 纹理图案，10 个类别",
        },
    ),
    (
        "shapes",
        Text {
            en: "2,200 generated images of 160 × 160 with shapes on photographs; each pixel has one of 7 classes",
            zh: "2,200 幅生成的 160 × 160 图像，照片背景上有各种形状；每个像素属于 7 个类别之一",
        },
    ),
    (
        "moby-dick",
        Text {
            en: "the novel Moby-Dick by Herman Melville (1851), 1.2 million characters of English",
            zh: "赫尔曼·梅尔维尔的小说《白鲸》（1851 年），英文，120 万字符",
        },
    ),
];

/// Xiao, Rasul and Vollgraf, “Fashion-MNIST”, 2017, table 2.
const FASHION_CLASSES: [Text; 10] = [
    Text {
        en: "T-shirt/top",
        zh: "T 恤/上衣",
    },
    Text {
        en: "Trouser",
        zh: "裤子",
    },
    Text {
        en: "Pullover",
        zh: "套头衫",
    },
    Text {
        en: "Dress",
        zh: "连衣裙",
    },
    Text {
        en: "Coat",
        zh: "外套",
    },
    Text {
        en: "Sandal",
        zh: "凉鞋",
    },
    Text {
        en: "Shirt",
        zh: "衬衫",
    },
    Text {
        en: "Sneaker",
        zh: "运动鞋",
    },
    Text {
        en: "Bag",
        zh: "包",
    },
    Text {
        en: "Ankle boot",
        zh: "短靴",
    },
];

/// The built-in data set of that name, if there is one.
pub(super) fn open(config: &DataConfig) -> Option<Result<Dataset, DataError>> {
    let name = config.source.as_str();
    let read = |images: &[u8], labels: &[u8]| {
        let path = Path::new(name);
        let part = idx::Part::read(images, path, labels, path)?;
        let classes = (0..10).map(|class| class.to_string()).collect();
        Dataset {
            kind: Kind::BuiltIn,
            source: name.into(),
            channels: part.shape[0],
            size: Some((part.shape[1], part.shape[2])),
            classes,
            names: ClassNames::OfData,
            class_texts: &[],
            counts: Counts {
                train: part.labels.len(),
                validation: 0,
                test: 0,
            },
            labels: part.labels,
            targets: Targets::default(),
            store: Store::Bytes(part.pixels),
            mean: None,
            parts: Default::default(),
        }
        .checked(path)
    };
    match name {
        "digits" => Some(read(
            include_bytes!("../../assets/data/digits-images-idx3-ubyte.gz"),
            include_bytes!("../../assets/data/digits-labels-idx1-ubyte.gz"),
        )),
        "fashion" => Some(
            read(
                include_bytes!("../../assets/data/fashion-images-idx3-ubyte.gz"),
                include_bytes!("../../assets/data/fashion-labels-idx1-ubyte.gz"),
            )
            .map(|dataset| dataset.with_class_texts(&FASHION_CLASSES)),
        ),
        "localise" => {
            let fashion = open(&DataConfig::of("fashion"))?;
            Some(fashion.and_then(|fashion| localise::make(&fashion)))
        }
        "textures" => Some(textures::make().checked(Path::new(name))),
        "shapes" => Some(segmentation::open_shapes(&config.shapes)),
        "moby-dick" => {
            let bytes: &[u8] = include_bytes!("../../assets/data/moby-dick.txt.gz");
            let dataset = text::read(bytes, Path::new(name), &config.text);
            Some(dataset.map(|dataset| Dataset {
                kind: Kind::BuiltIn,
                source: name.into(),
                ..dataset
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SplitName;

    #[test]
    fn every_listed_name_opens_and_is_balanced_as_its_licence_note_says() {
        for (name, text) in BUILT_IN {
            assert!(!text.en.is_empty() && !text.zh.is_empty());
            let dataset = open(&DataConfig::of(*name)).unwrap().unwrap();
            if *name == "localise" {
                assert_eq!(dataset.shape(), Some(vec![1, 48, 48]));
                boxes_are_around_the_pictures(&dataset);
                continue;
            }
            if *name == "shapes" {
                assert_eq!(dataset.shape(), Some(vec![3, 160, 160]));
                assert_eq!(dataset.classes().len(), 7);
                let lengths = SplitName::ALL.map(|split| dataset.len(split));
                assert_eq!(lengths, [2_000, 0, 200]);
                continue;
            }
            if *name == "moby-dick" {
                assert_eq!(dataset.len(SplitName::Train), (1_191_170 - 1) / 64 - 1);
                assert_eq!(
                    dataset.classes().len(),
                    82,
                    "81 characters and one for all others"
                );
                continue;
            }
            assert_eq!(dataset.shape(), Some(vec![1, 28, 28]), "{name}");
            assert_eq!(dataset.classes().len(), 10);
            let mut per_class = [0; 10];
            for index in 0..dataset.len(SplitName::Train) {
                per_class[dataset.label(SplitName::Train, index).unwrap() as usize] += 1;
            }
            let expected = match *name {
                "digits" => [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978],
                _ => [500; 10],
            };
            assert_eq!(per_class, expected, "{name}");
        }
        assert_eq!(
            open(&DataConfig::of("fashion")).unwrap().unwrap().classes()[9],
            "Ankle boot"
        );
    }

    fn boxes_are_around_the_pictures(dataset: &Dataset) {
        assert_eq!(dataset.target_names(), ["x1", "y1", "x2", "y2"]);
        for index in 0..dataset.len(SplitName::Train) {
            let example = dataset.example(SplitName::Train, index).unwrap();
            let [x1, y1, x2, y2] = example.targets[..] else {
                panic!("{index}: four corners");
            };
            assert!(0.0 <= x1 && x1 < x2 && x2 <= 1.0, "{index}");
            assert!(0.0 <= y1 && y1 < y2 && y2 <= 1.0, "{index}");
            let crate::data::Pixels::U8(pixels) = example.pixels else {
                panic!("bytes");
            };
            // Only the picture is brighter than the scraps.
            for (at, _) in pixels.iter().enumerate().filter(|(_, value)| **value > 110) {
                let [x, y] = [at % 48, at / 48].map(|place| (place as f32 + 0.5) / 48.0);
                assert!((x1..x2).contains(&x) && (y1..y2).contains(&y), "{index}");
            }
        }
    }

    #[test]
    fn any_hundred_examples_in_a_row_show_every_class() {
        for name in ["digits", "fashion"] {
            let dataset = open(&DataConfig::of(name)).unwrap().unwrap();
            let count = dataset.len(SplitName::Train);
            for start in (0..count).step_by(100) {
                let mut seen = [false; 10];
                for index in start..start + 100 {
                    seen[dataset.label(SplitName::Train, index).unwrap() as usize] = true;
                }
                assert!(
                    seen.iter().filter(|&&seen| seen).count() >= 8,
                    "{name} {start}"
                );
            }
        }
    }
}
