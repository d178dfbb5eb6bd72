//! Pairs of a data set's examples, of one class or of two: for networks that verify, as faces are
//! verified.
//!
//! An example is two images, the channels of one after those of the other, and its label says
//! whether they are of one class. Invariants: no image is both in a pair to train on and in one
//! to test on, and where classes are held back or a list names the test pairs, no class is; the
//! test pairs stand in ten parts, each with its pairs of one class first, as in “Labeled Faces in
//! the Wild” (Huang et al. 2007). Everything is a function of the source and the seed.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::config::{Color, PairSettings};
use super::dataset::{Counts, Dataset, Store, Targets};
use super::picture::Picture;
use super::segmentation::lines;
use super::{ClassNames, DataConfig, DataError};
use crate::i18n::{Text, tr, tr_format};

const CLASSES: [Text; 2] = [Text::new("different", "不同"), Text::new("same", "相同")];
/// Parts of the test pairs.
const FOLDS: usize = 10;
/// Where no class is held back, one image in so many of each class is for the test.
const SHARE: usize = 5;
/// Streams of random numbers: one for each use.
const TRAIN_STREAM: u64 = 0;
const TEST_STREAM: u64 = 1;

/// Two examples each, by their places in another data set.
#[derive(Clone)]
pub(super) struct Pairs {
    base: Box<Dataset>,
    pairs: Vec<[usize; 2]>,
    color: Color,
    resize: Option<(usize, usize)>,
}

impl Pairs {
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Both images, coloured and resized, as one of twice as many channels.
    pub fn load(&self, place: usize) -> Result<Picture, DataError> {
        let [first, second] = self.pairs[place];
        let mut both = self.side(first)?;
        let other = self.side(second)?;
        if both.shape != other.shape {
            return Err(sizes_differ());
        }
        both.shape[0] += other.shape[0];
        both.pixels.extend(other.pixels);
        Ok(both)
    }

    fn side(&self, place: usize) -> Result<Picture, DataError> {
        let picture = self
            .base
            .load(place)?
            .picture
            .with_channels(self.base.channels());
        let picture = picture
            .with_channels(channels(&self.base, self.color))
            .ordered(self.color);
        Ok(match self.resize {
            Some((height, width)) => picture.resized(height, width),
            None => picture,
        })
    }
}

fn sizes_differ() -> DataError {
    let problem = tr(
        "the images differ in size; give the height and width that all are resized to",
        "图像尺寸不一；请给出统一缩放到的高和宽",
    );
    DataError::config("preprocess.resize", problem)
}

fn channels(dataset: &Dataset, color: Color) -> usize {
    match color {
        Color::Keep => dataset.channels(),
        Color::Gray => 1,
        Color::Rgb | Color::Bgr => 3,
    }
}

/// The data set of the pairs that the settings ask for.
pub(super) fn open(
    base: Dataset,
    settings: &PairSettings,
    config: &DataConfig,
    folder: &Path,
) -> Result<Dataset, DataError> {
    let is_images = matches!(base.store, Store::Bytes(_) | Store::Files(_));
    if !is_images || base.labels.is_empty() {
        let problem = tr(
            "needs images that have one class each, such as a folder for each person",
            "需要每张图像有一个类别，例如每人一个文件夹",
        );
        return Err(DataError::config("pairs", problem));
    }
    let preprocess = &config.preprocess;
    let size = preprocess.resize.or(base.size).ok_or_else(sizes_differ)?;
    let (train_from, listed) = match settings.list.is_empty() {
        true => (None, None),
        false => {
            let (listed, named) = read_list(&base, &folder.join(&settings.list))?;
            (Some(named), Some(listed))
        }
    };
    let [train_images, test_images] = divide(&base, settings.held_back, train_from.as_ref())?;
    let random = |stream| {
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        random.set_stream(stream);
        random
    };
    let alternate = |nth: usize| nth.is_multiple_of(2);
    let mut all = draw(
        &train_images,
        settings.train,
        alternate,
        random(TRAIN_STREAM),
    )?;
    let test = match listed {
        Some(listed) => listed,
        None => {
            let part = settings.test / FOLDS;
            let halves = |nth: usize| nth % part < part / 2;
            draw(&test_images, settings.test, halves, random(TEST_STREAM))?
        }
    };
    let counts = Counts {
        train: settings.train,
        validation: 0,
        test: test.len(),
    };
    all.extend(test);
    let labels = all.iter().map(|(_, same)| u32::from(*same)).collect();
    let dataset = Dataset {
        kind: base.kind,
        source: base.source.clone(),
        channels: 2 * channels(&base, preprocess.color),
        size: Some(size),
        classes: Vec::new(),
        class_texts: &[],
        names: ClassNames::OfData,
        counts,
        labels,
        targets: Targets::default(),
        mean: None,
        parts: Default::default(),
        store: Store::Pairs(Pairs {
            color: preprocess.color,
            resize: preprocess.resize,
            pairs: all.into_iter().map(|(pair, _)| pair).collect(),
            base: Box::new(base),
        }),
    };
    dataset
        .with_class_texts(&CLASSES)
        .checked(Path::new(&config.source))
}

/// Two places, and whether they are of one class.
type Pair = ([usize; 2], bool);

/// The images to train on and to test on, class by class.
fn divide(
    base: &Dataset,
    held_back: usize,
    named: Option<&BTreeSet<u32>>,
) -> Result<[Vec<Vec<usize>>; 2], DataError> {
    let mut images = vec![Vec::new(); base.classes().len()];
    for (place, &label) in base.labels.iter().enumerate() {
        images[label as usize].push(place);
    }
    if let Some(named) = named {
        let is_free = |(class, _): &(usize, Vec<usize>)| !named.contains(&(*class as u32));
        let free = images.into_iter().enumerate().filter(is_free);
        return Ok([free.map(|(_, images)| images).collect(), Vec::new()]);
    }
    let classes = images.len();
    if held_back > 0 {
        let Some(kept) = classes
            .checked_sub(held_back)
            .filter(|&kept| kept > 1 && held_back > 1)
        else {
            let problem = tr_format!(
                "is {held_back} of {classes} classes; at least 2 must stay on either side, or write 0",
                "为 {held_back}，共有 {classes} 个类别；两边各须至少留 2 个类别，或填写 0"
            );
            return Err(DataError::config("pairs.held_back", problem));
        };
        let test = images.split_off(kept);
        return Ok([images, test]);
    }
    let mut train = images.clone();
    let is_test = |nth: usize| nth % SHARE == SHARE - 1;
    for (train, all) in train.iter_mut().zip(&mut images) {
        let each = |all: &[usize], test: bool| -> Vec<usize> {
            let places = all
                .iter()
                .enumerate()
                .filter(|(nth, _)| is_test(*nth) == test);
            places.map(|(_, &place)| place).collect()
        };
        (*train, *all) = (each(all, false), each(all, true));
    }
    Ok([train, images])
}

/// So many pairs; `is_same` says of which of them the two are of one class.
fn draw(
    classes: &[Vec<usize>],
    count: usize,
    is_same: impl Fn(usize) -> bool,
    mut random: ChaCha8Rng,
) -> Result<Vec<Pair>, DataError> {
    let filled: Vec<&Vec<usize>> = classes.iter().filter(|class| !class.is_empty()).collect();
    let several: Vec<&Vec<usize>> = classes.iter().filter(|class| class.len() > 1).collect();
    if filled.len() < 2 || several.is_empty() {
        let problem = tr(
            "needs two classes, and one of them with two images, among those to train on and among those to test on; the classes that a list names are not trained on",
            "训练与测试两部分各需至少两个类别，且其中一个至少有两张图像；列表中出现的类别不参与训练",
        );
        return Err(DataError::config("pairs", problem));
    }
    // `u32` draws the same on every machine.
    let mut below = |count: usize| random.random_range(0..count as u32) as usize;
    let mut pair = |nth: usize| {
        if is_same(nth) {
            let class = several[below(several.len())];
            let first = below(class.len());
            let second = (first + 1 + below(class.len() - 1)) % class.len();
            return ([class[first], class[second]], true);
        }
        let first = below(filled.len());
        let second = (first + 1 + below(filled.len() - 1)) % filled.len();
        let places = [first, second].map(|class| filled[class][below(filled[class].len())]);
        (places, false)
    };
    Ok((0..count).map(&mut pair).collect())
}

/// The pairs of a file in LFW's form, and the classes that it names: a line with the number of
/// parts and of pairs, then `NAME 1 2` for two images of one person, `NAME 1 OTHER 2` for two.
fn read_list(base: &Dataset, path: &Path) -> Result<(Vec<Pair>, BTreeSet<u32>), DataError> {
    let mut places = HashMap::new();
    for place in 0..base.labels.len() {
        let stem = base.path(place).and_then(|path| path.file_stem()?.to_str());
        places.insert(stem.unwrap_or_default().to_owned(), place);
    }
    let (mut pairs, mut named) = (Vec::new(), BTreeSet::new());
    for (nth, line) in lines(path)?.iter().enumerate().skip(1) {
        let wrong = |problem: String| DataError::Line {
            path: path.display().to_string(),
            line: nth as u64 + 1,
            problem,
        };
        let find = |name: &str, number: &str| {
            let stem = format!("{name}_{number:0>4}");
            places.get(&stem).copied().ok_or_else(|| {
                wrong(tr_format!(
                    "there is no image `{stem}` in the data",
                    "数据中没有图像 `{stem}`"
                ))
            })
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let (pair, same) = match words[..] {
            [name, first, second] => ([find(name, first)?, find(name, second)?], true),
            [name, first, other, second] => ([find(name, first)?, find(other, second)?], false),
            _ => {
                return Err(wrong(
                    tr(
                        "write `NAME 1 2` for two images of one class or `NAME 1 OTHER 2` for two",
                        "应为 `名称 1 2`（同类的两张图像）或 `名称 1 另一名称 2`（不同类）",
                    )
                    .to_owned(),
                ));
            }
        };
        named.extend(pair.map(|place| base.labels[place]));
        pairs.push((pair, same));
    }
    if pairs.is_empty() {
        return Err(DataError::format(
            path,
            tr("lists no pairs", "没有列出任何样本对"),
        ));
    }
    Ok((pairs, named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Feed, Pixels, Preprocess, SplitName};

    fn config(settings: PairSettings) -> DataConfig {
        DataConfig {
            pairs: Some(settings),
            ..DataConfig::of("digits")
        }
    }

    #[test]
    fn pairs_are_balanced_and_keep_held_back_classes_for_the_test() {
        let settings = PairSettings {
            train: 500,
            test: 200,
            held_back: 3,
            ..PairSettings::default()
        };
        let config = config(settings);
        let dataset = Dataset::open(&config, Path::new("")).unwrap();
        assert_eq!(dataset.shape(), Some(vec![2, 28, 28]));
        assert_eq!(
            SplitName::ALL.map(|split| dataset.len(split)),
            [500, 0, 200]
        );
        assert_eq!(dataset.classes(), ["different", "same"]);
        let Store::Pairs(pairs) = &dataset.store else {
            panic!("pairs");
        };
        for (nth, [a, b]) in pairs.pairs.iter().enumerate() {
            let [first, second] = [*a, *b].map(|place| pairs.base.labels[place]);
            assert_ne!(a, b);
            assert_eq!(dataset.labels[nth], u32::from(first == second), "{nth}");
            for label in [first, second] {
                assert_eq!(label >= 7, nth >= 500, "{nth}");
            }
        }
        assert_eq!(dataset.labels[..500].iter().sum::<u32>(), 250);
        for part in dataset.labels[500..].chunks(20) {
            assert_eq!(
                part,
                [[1; 10], [0; 10]].concat(),
                "a part begins with its equal pairs"
            );
        }
        let Pixels::U8(pixels) = dataset.example(SplitName::Test, 7).unwrap().pixels else {
            panic!("bytes");
        };
        let [_, second] = pairs.pairs[507];
        let alone = pairs.base.load(second).unwrap().picture.pixels;
        assert_eq!(pixels[784..], alone);
        let feed = Feed::new(dataset.clone(), &config, None).unwrap();
        let batch = feed.batch(SplitName::Test, &[0, 199]).unwrap();
        assert_eq!(batch.data.dims(), [2, 2, 28, 28]);
        assert_eq!(batch.labels.unwrap().to_vec1::<u32>().unwrap(), [1, 0]);
    }

    #[test]
    fn without_held_back_classes_no_image_is_on_both_sides() {
        let config = config(PairSettings {
            train: 3_000,
            test: 1_000,
            ..PairSettings::default()
        });
        let dataset = Dataset::open(&config, Path::new("")).unwrap();
        let Store::Pairs(pairs) = &dataset.store else {
            panic!("pairs");
        };
        let used = |part: &[[usize; 2]]| part.iter().flatten().copied().collect::<BTreeSet<_>>();
        let (train, test) = (used(&pairs.pairs[..3_000]), used(&pairs.pairs[3_000..]));
        assert!(train.is_disjoint(&test) && test.len() > 500);
        for wrong in [1, 9] {
            let config = super::tests::config(PairSettings {
                held_back: wrong,
                ..PairSettings::default()
            });
            let error = Dataset::open(&config, Path::new(""))
                .unwrap_err()
                .to_string();
            assert!(error.contains("held_back"), "{error}");
        }
    }

    #[test]
    fn faces_and_their_list_load_as_lfw_lays_them_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (name, count) in [
            ("Ann_Lee", 3),
            ("Bo", 2),
            ("Cy_Young", 2),
            ("Di", 1),
            ("Ed", 2),
        ] {
            for nth in 1..=count {
                let path = root.join(format!("lfw/{name}/{name}_{nth:04}.jpg"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                image::RgbImage::from_pixel(6, 5, image::Rgb([nth as u8 * 50, 9, 9]))
                    .save(path)
                    .unwrap();
            }
        }
        let list = |text: &str| std::fs::write(root.join("pairs.txt"), text).unwrap();
        list("1\t2\nAnn_Lee\t1\t3\nBo\t2\t1\nAnn_Lee\t2\tBo\t1\nBo\t1\tAnn_Lee\t1\n");
        let config = DataConfig {
            pairs: Some(PairSettings {
                train: 40,
                list: "pairs.txt".into(),
                ..PairSettings::default()
            }),
            preprocess: Preprocess {
                color: Color::Gray,
                resize: Some((4, 4)),
                ..Preprocess::default()
            },
            ..DataConfig::of("lfw")
        };
        let dataset = Dataset::open(&config, root).unwrap();
        assert_eq!(dataset.shape(), Some(vec![2, 4, 4]));
        assert_eq!(dataset.labels[40..], [1, 1, 0, 0]);
        let Store::Pairs(pairs) = &dataset.store else {
            panic!("pairs");
        };
        for pair in &pairs.pairs[..40] {
            assert!(pair.iter().all(|&place| pairs.base.labels[place] >= 2));
        }
        let feed = Feed::new(dataset, &config, None).unwrap();
        assert_eq!(feed.shape(), [2, 4, 4]);
        for (text, expected) in [
            ("1 1\nAnn_Lee 1 9\n", "Ann_Lee_0009"),
            ("1 1\nAnn_Lee 1\n", "line 2"),
            ("1 1\n", "lists no pairs"),
        ] {
            list(text);
            let error = Dataset::open(&config, root).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
