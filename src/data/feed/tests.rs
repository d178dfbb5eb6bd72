//! Batches against numbers worked out by hand.

use super::*;
use crate::data::{Batches, Color, Draw, Mean, Pixels, Preprocess, Sequence, Split, Std};

fn table(rows: &str) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), rows).unwrap();
    Dataset::open(&crate::data::DataConfig::of("a.csv"), folder.path()).unwrap()
}

fn config(preprocess: Preprocess) -> DataConfig {
    let split = Split::default();
    DataConfig {
        source: "a.csv".into(),
        split,
        preprocess,
        ..DataConfig::default()
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn statistics_come_from_the_training_split_alone() {
    // Whatever the seed holds back, the mean is that of the rows that train.
    let rows: String = (0..10)
        .map(|row| format!("{},{},c\n", 1 << row, 5))
        .collect();
    for seed in 0..5 {
        let preprocess = Preprocess {
            mean: Mean::Channel,
            std: Std::Channel,
            ..Preprocess::default()
        };
        let mut config = config(preprocess);
        config.split = Split {
            validation: 3,
            test: 2,
            seed,
        };
        let feed = Feed::new(table(&rows), &config, None).unwrap();
        let train: Vec<f64> = (0..feed.dataset().len(SplitName::Train))
            .map(|index| {
                match feed
                    .dataset()
                    .example(SplitName::Train, index)
                    .unwrap()
                    .pixels
                {
                    Pixels::F32(values) => f64::from(values[0]),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!(train.len(), 5);
        let mean = train.iter().sum::<f64>() / 5.0;
        let variance = train
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / 5.0;
        let statistics = feed.statistics();
        assert_eq!(statistics.mean, [mean as f32, 5.0]);
        assert!((f64::from(statistics.std[0]) / variance.sqrt() - 1.0).abs() < 1e-6);
        assert_eq!(statistics.std[1], 1.0, "a constant feature");
        // The same rows, normalised, have mean 0 and deviation 1; the constant is 0.
        let batch = feed.batch(SplitName::Train, &[0, 1, 2, 3, 4]).unwrap();
        let normal = values(&batch.data);
        assert!(normal.iter().step_by(2).sum::<f32>().abs() < 1e-5);
        assert!(normal.iter().skip(1).step_by(2).all(|&value| value == 0.0));
    }
}

#[test]
fn a_batch_has_the_asked_examples_in_the_asked_order() {
    let dataset = table("1,2,a\n3,4,b\n5,6,a\n");
    let preprocess = Preprocess {
        mean: Mean::Value(vec![1.0, 2.0]),
        scale: 0.5,
        ..Preprocess::default()
    };
    let feed = Feed::new(dataset, &config(preprocess), None).unwrap();
    let batch = feed.batch(SplitName::Train, &[2, 0, 1]).unwrap();
    assert_eq!(batch.data.dims(), [3, 2, 1, 1]);
    assert_eq!(values(&batch.data), [2.0, 2.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(batch.labels.unwrap().to_vec1::<u32>().unwrap(), [0, 0, 1]);
    assert_eq!(batch.indices, [2, 0, 1]);
    let error = feed.batch(SplitName::Train, &[3]).unwrap_err().to_string();
    assert!(error.contains('3'), "{error}");
}

#[test]
fn evaluation_covers_a_split_once_with_a_smaller_last_batch() {
    let config = DataConfig {
        split: Split {
            validation: 30,
            test: 250,
            seed: 1,
        },
        batch: Batches {
            train: 64,
            test: 100,
        },
        ..DataConfig::default()
    };
    let feed = Feed::open(&config, Path::new("")).unwrap();
    let ranges: Vec<_> = feed.evaluation(SplitName::Test).collect();
    assert_eq!(ranges, [0..100, 100..200, 200..250]);
    let validation: Vec<usize> = feed.evaluation(SplitName::Validation).flatten().collect();
    assert_eq!(validation, (0..30).collect::<Vec<_>>());
    let summary = feed.summary();
    assert_eq!(summary, DataSummary::open(&config, Path::new("")).unwrap());
    assert_eq!(
        (summary.shape, summary.classes, summary.train),
        (vec![1, 28, 28], Some(10), 9_720)
    );
}

#[test]
fn splits_are_disjoint_cover_everything_and_keep_the_test_set() {
    let split = |validation, seed| {
        let split = Split {
            validation,
            test: 1_000,
            seed,
        };
        Dataset::open(&crate::data::DataConfig::of("digits"), Path::new(""))
            .unwrap()
            .split(&split)
            .unwrap()
    };
    let dataset = split(500, 1);
    let mut all = dataset.parts.concat();
    all.sort_unstable();
    assert_eq!(all, (0..10_000).collect::<Vec<_>>());
    assert_eq!(dataset.parts[2], split(2_000, 1).parts[2]);
    assert_ne!(dataset.parts[2], split(500, 2).parts[2]);
    let again = dataset
        .clone()
        .split(&Split {
            validation: 500,
            test: 1_000,
            seed: 1,
        })
        .unwrap();
    assert_eq!(again.parts, dataset.parts);
    let greedy = Split {
        validation: usize::MAX,
        test: usize::MAX,
        seed: 0,
    };
    assert!(dataset.split(&greedy).is_err());
}

#[test]
fn images_are_recoloured_resized_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (class, side, color) in [("a", 2, [255, 0, 0]), ("b", 4, [10, 20, 30])] {
        std::fs::create_dir(root.join(class)).unwrap();
        let image = image::RgbImage::from_pixel(side, side, image::Rgb(color));
        image.save(root.join(class).join("1.png")).unwrap();
    }
    let mut config = config(Preprocess::default());
    config.source = ".".into();
    let error = Feed::open(&config, root).err().unwrap().to_string();
    assert!(error.contains("resize"), "{error}");
    config.preprocess.resize = Some((1, 2));
    let feed = Feed::open(&config, root).unwrap();
    let expected = [255., 255., 0., 0., 0., 0., 10., 10., 20., 20., 30., 30.];
    assert_eq!(
        values(&feed.batch(SplitName::Train, &[0, 1]).unwrap().data),
        expected
    );
    config.preprocess.color = Color::Gray;
    let feed = Feed::open(&config, root).unwrap();
    let gray = feed.preprocessed(SplitName::Train, 1).unwrap();
    assert_eq!(
        (gray.dims(), values(&gray)),
        (&[1, 1, 1, 2][..], vec![18.0, 18.0])
    );
    let image = feed.image_tensor(&root.join("b/1.png")).unwrap();
    assert_eq!(
        values(&image),
        values(&gray),
        "a file of its own goes the same way"
    );
    // Kept after the first use: the file is not read again.
    std::fs::remove_file(root.join("b/1.png")).unwrap();
    assert_eq!(
        values(&feed.preprocessed(SplitName::Train, 1).unwrap()),
        [18.0, 18.0]
    );
    assert!(feed.preprocessed(SplitName::Train, 0).is_ok());
}

#[test]
fn saved_statistics_are_used_and_checked() {
    let mut config = config(Preprocess {
        mean: Mean::Channel,
        ..Preprocess::default()
    });
    let saved = Statistics {
        mean: vec![1.0, 1.0],
        ..Statistics::default()
    };
    let feed = Feed::new(table("1,2,a\n3,4,b\n"), &config, Some(saved.clone())).unwrap();
    assert_eq!(
        values(&feed.preprocessed(SplitName::Train, 0).unwrap()),
        [0.0, 1.0]
    );
    config.preprocess.std = Std::Channel;
    assert!(Feed::new(table("1,2,a\n3,4,b\n"), &config, Some(saved)).is_err());
}

#[test]
fn what_a_table_cannot_do_is_refused() {
    let spoilt: [fn(&mut DataConfig); 3] = [
        |config| config.preprocess.resize = Some((2, 2)),
        |config| config.preprocess.color = Color::Gray,
        |config| config.split.test = 2,
    ];
    for spoil in spoilt {
        let mut config = config(Preprocess::default());
        spoil(&mut config);
        assert!(Feed::new(table("1,2,a\n3,4,b\n"), &config, None).is_err());
    }
    let feed = Feed::new(
        table("1,2,a\n3,4,b\n"),
        &config(Preprocess::default()),
        None,
    )
    .unwrap();
    assert!(feed.image_tensor(Path::new("a.png")).is_err());
}

fn picture_feed(preprocess: Preprocess) -> Feed {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let image = image::GrayImage::from_fn(4, 3, |x, y| image::Luma([(y * 4 + x) as u8]));
    image.save(folder.path().join("a/1.png")).unwrap();
    let mut config = config(preprocess);
    config.source = ".".into();
    let feed = Feed::open(&config, folder.path()).unwrap();
    feed.preprocessed(SplitName::Train, 0).unwrap();
    feed
}

/// Rows of 0 1 2 3, 4 5 6 7 and 8 9 10 11.
#[test]
fn images_are_cropped_turned_and_made_sequences() {
    let crop = Some((1, 2));
    let centre = picture_feed(Preprocess {
        crop,
        ..Preprocess::default()
    });
    assert_eq!(
        values(&centre.preprocessed(SplitName::Train, 0).unwrap()),
        [5.0, 6.0]
    );
    let rows = Sequence::Rows;
    let rows = picture_feed(Preprocess {
        sequence: rows,
        ..Preprocess::default()
    });
    assert_eq!(rows.shape(), [3, 4]);
    assert_eq!(
        rows.batch(SplitName::Train, &[0]).unwrap().data.dims(),
        [1, 3, 4]
    );
    let pixels = Sequence::Pixels;
    let pixels = picture_feed(Preprocess {
        sequence: pixels,
        ..Preprocess::default()
    });
    assert_eq!(pixels.shape(), [12, 1]);
    assert_eq!(
        values(&pixels.preprocessed(SplitName::Train, 0).unwrap())[11],
        11.0
    );
    let feed = picture_feed(Preprocess {
        crop,
        mirror: true,
        ..Preprocess::default()
    });
    let seen = |epoch, seed| {
        let draw = Draw { index: 0, epoch };
        values(&feed.training_batch(&[draw], seed).unwrap().data)
    };
    let mut all: Vec<Vec<f32>> = (0..200).map(|epoch| seen(epoch, 1)).collect();
    assert_eq!(
        all,
        (0..200).map(|epoch| seen(epoch, 1)).collect::<Vec<_>>()
    );
    assert_ne!(
        all,
        (0..200).map(|epoch| seen(epoch, 2)).collect::<Vec<_>>()
    );
    all.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    all.dedup();
    assert_eq!(
        all.len(),
        18,
        "three rows, three places and both directions"
    );
    let error = Feed::open(
        &DataConfig {
            preprocess: Preprocess {
                crop: Some((29, 1)),
                ..Preprocess::default()
            },
            ..DataConfig::default()
        },
        Path::new(""),
    );
    assert!(error.err().unwrap().to_string().contains("preprocess.crop"));
}
