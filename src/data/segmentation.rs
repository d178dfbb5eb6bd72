//! Sources in which each pixel has a label: generated shapes, folders of images with label
//! pictures, and PASCAL VOC's.
//!
//! Opening reads the headers of all files; images and labels are decoded when they are asked
//! for, except where only the label pictures say how many classes there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::config::ShapesSettings;
use super::dataset::{Counts, Dataset, Kind, Loaded, Store, Targets};
use super::folder::{ENDINGS, entries};
use super::label_map::LabelMap;
use super::picture::Picture;
use super::shapes::{CLASSES, Shapes, TEST_SEED};
use super::{ClassNames, DataError, IGNORE, picture};
use crate::i18n::{Text, tr, tr_format};

/// PASCAL VOC's classes in the order of their labels (Everingham et al. 2010).
const VOC_CLASSES: [Text; 21] = [
    Text::new("background", "背景"),
    Text::new("aeroplane", "飞机"),
    Text::new("bicycle", "自行车"),
    Text::new("bird", "鸟"),
    Text::new("boat", "船"),
    Text::new("bottle", "瓶子"),
    Text::new("bus", "公共汽车"),
    Text::new("car", "轿车"),
    Text::new("cat", "猫"),
    Text::new("chair", "椅子"),
    Text::new("cow", "牛"),
    Text::new("dining table", "餐桌"),
    Text::new("dog", "狗"),
    Text::new("horse", "马"),
    Text::new("motorbike", "摩托车"),
    Text::new("person", "人"),
    Text::new("potted plant", "盆栽"),
    Text::new("sheep", "羊"),
    Text::new("sofa", "沙发"),
    Text::new("train", "火车"),
    Text::new("TV/monitor", "电视/显示器"),
];

/// Generated images: first those to train on, then those to test on.
#[derive(Clone)]
pub(super) struct Scenes {
    train: Shapes,
    test: Shapes,
    counts: [usize; 2],
}

impl Scenes {
    pub fn len(&self) -> usize {
        self.counts[0] + self.counts[1]
    }

    pub fn load(&self, place: usize) -> Loaded {
        let scene = match place.checked_sub(self.counts[0]) {
            None => self.train.draw(place as u64),
            Some(place) => self.test.draw(place as u64),
        };
        let (height, width, labels) = (scene.height, scene.width, scene.labels());
        Loaded {
            picture: Picture {
                shape: [3, height, width],
                pixels: scene.pixels,
            },
            labels: Some(LabelMap {
                height,
                width,
                labels,
            }),
        }
    }
}

pub(super) fn open_shapes(settings: &ShapesSettings) -> Result<Dataset, DataError> {
    let size = [settings.size.0, settings.size.1];
    let scenes = Scenes {
        train: Shapes::new(size, settings.seed)?,
        test: Shapes::new(size, TEST_SEED)?,
        counts: [settings.train, settings.test],
    };
    let counts = Counts {
        train: settings.train,
        validation: 0,
        test: settings.test,
    };
    let dataset = dataset(Kind::BuiltIn, Store::Scenes(scenes), counts);
    Dataset {
        source: "shapes".into(),
        channels: 3,
        size: Some(settings.size),
        ..dataset.with_class_texts(&CLASSES)
    }
    .checked(Path::new("shapes"))
}

/// An image and its label picture, of one size.
pub(super) fn load([image, labels]: &[PathBuf; 2], classes: usize) -> Result<Loaded, DataError> {
    let picture = picture::decode(image)?;
    let map = LabelMap::read(labels)?;
    map.check(classes, labels)?;
    check_size(picture.shape, (map.height, map.width), image, labels)?;
    Ok(Loaded {
        picture,
        labels: Some(map),
    })
}

fn check_size(
    [_, height, width]: [usize; 3],
    of_labels: (usize, usize),
    image: &Path,
    labels: &Path,
) -> Result<(), DataError> {
    if (height, width) == of_labels {
        return Ok(());
    }
    let (image, (label_height, label_width)) = (image.display(), of_labels);
    let problem = tr_format!(
        "is {label_height} × {label_width}, but its image {image} is {height} × {width}",
        "为 {label_height} × {label_width}，而对应图像 {image} 为 {height} × {width}"
    );
    Err(DataError::format(labels, problem))
}

/// Whether there are `images` and `labels`, here or in `train`.
pub(super) fn is_folder(path: &Path) -> bool {
    let both = |path: &Path| {
        ["images", "labels"]
            .iter()
            .all(|name| path.join(name).is_dir())
    };
    both(path) || both(&path.join("train"))
}

/// `images/NAME.*` with `labels/NAME.png`, optionally under `train/`, `val/` and `test/`. The
/// classes are named in `classes.txt`, one a line, or numbered as far as the labels go.
pub(super) fn open_folder(path: &Path) -> Result<Dataset, DataError> {
    let mut pairs = Vec::new();
    let mut part = |names: &[&str]| {
        let folders = names.iter().map(|name| path.join(name));
        let found = folders
            .into_iter()
            .find(|folder| folder.join("images").is_dir());
        let found = found.map_or(Ok(Vec::new()), |folder| matched(&folder))?;
        let count = found.len();
        pairs.extend(found);
        Ok::<_, DataError>(count)
    };
    let counts = Counts {
        train: part(&["train", ""])?,
        validation: part(&["val", "valid", "validation"])?,
        test: part(&["test", "testing"])?,
    };
    let named = path.join("classes.txt");
    let classes = match named.is_file() {
        true => lines(&named)?,
        false => numbered(&pairs)?,
    };
    let found = dataset(Kind::Segmentation, Store::Labelled(pairs), counts);
    with_headers(Dataset { classes, ..found }, path)
}

/// Images and label pictures of one name, in the order of names.
fn matched(folder: &Path) -> Result<Vec<[PathBuf; 2]>, DataError> {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_owned());
    let labels = entries(&folder.join("labels"))?.into_iter();
    let is_png = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("png"))
    };
    let labels: BTreeMap<_, _> = labels
        .filter(is_png)
        .filter_map(|path| Some((stem(&path)?, path)))
        .collect();
    let is_image = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
    };
    let images = entries(&folder.join("images"))?
        .into_iter()
        .filter(is_image);
    let pair = |image: PathBuf| {
        let found = stem(&image).and_then(|stem| labels.get(&stem).cloned());
        let labels = found.ok_or_else(|| {
            let problem = tr(
                "has no label picture of its name in `labels` (.png)",
                "在 `labels` 中没有同名的标签图（.png）",
            );
            DataError::format(&image, problem)
        })?;
        Ok([image, labels])
    };
    images.map(pair).collect()
}

/// `0`, `1` … up to the greatest label in any picture.
fn numbered(pairs: &[[PathBuf; 2]]) -> Result<Vec<String>, DataError> {
    let greatest = pairs.par_iter().map(|[_, labels]| {
        let labels = LabelMap::read(labels)?.labels.into_iter();
        Ok::<_, DataError>(labels.filter(|&label| label != IGNORE).max().unwrap_or(0))
    });
    let greatest = greatest.try_reduce(|| 0, |a, b| Ok(a.max(b)))?;
    Ok((0..=greatest).map(|label| label.to_string()).collect())
}

/// Whether it is laid out as PASCAL VOC's archives unpack: `VOC2012` or what holds it.
pub(super) fn is_voc(path: &Path) -> bool {
    voc_root(path).is_some()
}

fn voc_root(path: &Path) -> Option<PathBuf> {
    let list = |root: &Path| root.join("ImageSets/Segmentation/train.txt").is_file();
    if list(path) {
        return Some(path.to_owned());
    }
    let inside = std::fs::read_dir(path)
        .ok()?
        .take(64)
        .filter_map(Result::ok);
    let mut inside: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
    inside.sort_unstable();
    inside.into_iter().find(|path| list(path))
}

/// The images that `ImageSets/Segmentation/train.txt` and `val.txt` name.
pub(super) fn open_voc(path: &Path) -> Result<Dataset, DataError> {
    let root = voc_root(path).unwrap_or(path.to_owned());
    let mut pairs = Vec::new();
    let mut part = |list: &str| {
        let list = root.join("ImageSets/Segmentation").join(list);
        if !list.is_file() {
            return Ok(0);
        }
        let names = lines(&list)?;
        for (nth, name) in names.iter().enumerate() {
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(DataError::Line {
                    path: list.display().to_string(),
                    line: nth as u64 + 1,
                    problem: tr_format!("`{name}` is no image's name", "`{name}` 不是图像名称"),
                });
            }
            pairs.push([
                root.join("JPEGImages").join(format!("{name}.jpg")),
                root.join("SegmentationClass").join(format!("{name}.png")),
            ]);
        }
        Ok(names.len())
    };
    let counts = Counts {
        train: part("train.txt")?,
        validation: part("val.txt")?,
        test: 0,
    };
    let found = dataset(Kind::Voc, Store::Labelled(pairs), counts);
    with_headers(found.with_class_texts(&VOC_CLASSES), path)
}

/// The lines of a list that are not empty, without the space around them.
pub(super) fn lines(path: &Path) -> Result<Vec<String>, DataError> {
    let text = super::read_limited(
        std::io::BufReader::new(
            std::fs::File::open(path).map_err(|error| DataError::read(path, error))?,
        ),
        path,
        16 << 20,
        tr("is too large for a list of names", "作为名称列表过大"),
    )?;
    let text = String::from_utf8(text)
        .map_err(|_| DataError::format(path, tr("is not UTF-8 text", "不是 UTF-8 文本")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn dataset(kind: Kind, store: Store, counts: Counts) -> Dataset {
    Dataset {
        kind,
        source: String::new(),
        channels: 0,
        size: None,
        classes: Vec::new(),
        names: ClassNames::OfData,
        class_texts: &[],
        counts,
        labels: Vec::new(),
        targets: Targets::default(),
        store,
        mean: None,
        parts: Default::default(),
    }
}

/// With what the headers of all files say, which must agree pair by pair.
fn with_headers(dataset: Dataset, path: &Path) -> Result<Dataset, DataError> {
    let Store::Labelled(pairs) = &dataset.store else {
        return dataset.checked(path);
    };
    let too_many = dataset.classes.len() > usize::from(IGNORE);
    if pairs.is_empty() || too_many {
        let problem = match too_many {
            true => tr("names more than 255 classes", "类别超过 255 个"),
            false => tr("holds no images with labels", "没有带标签的图像"),
        };
        return Err(DataError::format(path, problem));
    }
    let header = |[image, labels]: &[PathBuf; 2]| {
        let shape = picture::shape(image)?;
        check_size(shape, LabelMap::size(labels)?, image, labels)?;
        Ok::<_, DataError>(shape)
    };
    let shapes: Vec<[usize; 3]> = pairs.par_iter().map(header).collect::<Result<_, _>>()?;
    let [_, height, width] = shapes[0];
    let same = shapes.iter().all(|shape| shape[1..] == [height, width]);
    Dataset {
        channels: shapes.iter().map(|shape| shape[0]).max().unwrap_or(1),
        size: same.then_some((height, width)),
        ..dataset
    }
    .checked(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataConfig, Feed, Preprocess, SplitName};

    fn save(root: &Path, image: &str, labels: &str, width: usize, values: &[u8]) {
        let height = values.len() / width;
        let paths = [image, labels].map(|name| root.join(name));
        for path in &paths {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        let pixel = |x: u32, y: u32| image::Rgb([x as u8 * 9, y as u8 * 9, 50]);
        let image = image::RgbImage::from_fn(width as u32, height as u32, pixel);
        image.save(&paths[0]).unwrap();
        let map = LabelMap {
            height,
            width,
            labels: values.to_vec(),
        };
        map.write(&paths[1]).unwrap();
    }

    fn opened(root: &Path) -> Result<Dataset, DataError> {
        Dataset::open(&DataConfig::of("."), root)
    }

    #[test]
    fn images_with_label_pictures_are_read_as_indices() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        save(root, "images/b.png", "labels/b.png", 2, &[0, 1, 255, 3]);
        save(root, "images/a.bmp", "labels/a.png", 2, &[2, 2, 0, 0]);
        let dataset = opened(root).unwrap();
        assert_eq!(dataset.kind(), Kind::Segmentation);
        assert_eq!(dataset.classes(), ["0", "1", "2", "3"]);
        assert_eq!(dataset.shape(), Some(vec![3, 2, 2]));
        let labels = |nth| dataset.example(SplitName::Train, nth).unwrap().labels;
        assert_eq!(
            (labels(0), labels(1)),
            (vec![2, 2, 0, 0], vec![0, 1, 255, 3])
        );
        let feed = Feed::new(dataset, &DataConfig::of("."), None).unwrap();
        assert_eq!(feed.summary().labels, Some(vec![2, 2]));
        let batch = feed.batch(SplitName::Train, &[1, 0]).unwrap();
        let labels = batch.labels.unwrap();
        assert_eq!(labels.dims(), [2, 2, 2]);
        let labels: Vec<u32> = labels.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(labels, [0, 1, 255, 3, 2, 2, 0, 0]);

        std::fs::write(root.join("classes.txt"), "ground\n\nthing\n").unwrap();
        let dataset = opened(root).unwrap();
        assert_eq!(dataset.classes(), ["ground", "thing"]);
        let error = dataset
            .example(SplitName::Train, 0)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("label 2") && error.contains("a.png"),
            "{error}"
        );
        save(root, "images/c.png", "labels/c.png", 4, &[0; 8]);
        save(root, "other/c.png", "labels/c.png", 2, &[0; 8]);
        let error = opened(root).unwrap_err().to_string();
        assert!(
            error.contains("c.png is 4 × 2") || error.contains("c.png"),
            "{error}"
        );
        std::fs::remove_file(root.join("labels/c.png")).unwrap();
        let error = opened(root).unwrap_err().to_string();
        assert!(error.contains("no label picture"), "{error}");
    }

    #[test]
    fn pascal_voc_says_its_own_splits() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("VOC2012");
        for (name, label) in [("2007_1", 20), ("2007_2", 255), ("2007_3", 15)] {
            let image = format!("JPEGImages/{name}.jpg");
            let labels = format!("SegmentationClass/{name}.png");
            save(&root, &image, &labels, 3, &[0, label, 0]);
        }
        std::fs::create_dir_all(root.join("ImageSets/Segmentation")).unwrap();
        let list = |name: &str, text: &str| {
            std::fs::write(root.join("ImageSets/Segmentation").join(name), text).unwrap();
        };
        list("train.txt", "2007_1\n2007_3\n");
        list("val.txt", "2007_2\r\n");
        for path in [folder.path(), &root] {
            let dataset = opened(path).unwrap();
            assert_eq!(dataset.kind(), Kind::Voc);
            assert_eq!(SplitName::ALL.map(|split| dataset.len(split)), [2, 1, 0]);
            assert_eq!(dataset.classes()[15], "person");
            let example = dataset.example(SplitName::Validation, 0).unwrap();
            assert_eq!(example.labels, [0, 255, 0]);
        }
        list("val.txt", "../../secret\n");
        let error = opened(&root).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }

    /// The image's red says where a pixel came from, so labels and pixels must still agree.
    #[test]
    fn labels_go_the_way_of_the_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let values: Vec<u8> = (0..8 * 8).map(|at| (at % 8) as u8).collect();
        save(root, "images/a.png", "labels/a.png", 8, &values);
        let config = DataConfig {
            preprocess: Preprocess {
                crop: Some((4, 5)),
                mirror: true,
                ..Preprocess::default()
            },
            ..DataConfig::of(".")
        };
        let feed = Feed::open(&config, root).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for epoch in 0..40 {
            let draw = crate::data::Draw { index: 0, epoch };
            let batch = feed.training_batch(&[draw], 3).unwrap();
            let labels: Vec<u32> = batch
                .labels
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1()
                .unwrap();
            let pixels: Vec<f32> = batch.data.flatten_all().unwrap().to_vec1().unwrap();
            for (label, red) in labels.iter().zip(&pixels) {
                assert_eq!(*label as f32 * 9.0, *red, "epoch {epoch}");
            }
            seen.insert(labels[0]);
        }
        assert!(seen.len() > 5, "places and turns vary: {seen:?}");
        let config = DataConfig {
            preprocess: Preprocess {
                sequence: crate::data::Sequence::Rows,
                ..Preprocess::default()
            },
            ..DataConfig::of(".")
        };
        let error = Feed::open(&config, root).unwrap_err().to_string();
        assert!(error.contains("sequence"), "{error}");
    }
}
