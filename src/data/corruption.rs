//! A thousand spoilt files: each gives an error or a usable data set, never a panic.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{DataConfig, Dataset, Feed, Preprocess, Split, SplitName, cifar, idx};

/// Flips bytes, writes extreme values, cuts off, lengthens: one to four of these.
fn spoil(bytes: &mut Vec<u8>, header: usize, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            return;
        }
        let near = if random.random_bool(0.5) {
            header
        } else {
            bytes.len()
        };
        let at = random.random_range(0..near.min(bytes.len()));
        match random.random_range(0..5) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            2 => bytes
                .iter_mut()
                .skip(at)
                .take(4)
                .for_each(|byte| *byte = 0xff),
            3 => bytes.truncate(at),
            _ => bytes.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>())),
        }
    }
}

/// Whether it opened; if so, every example of it and a batch must work or say why not.
fn try_out(source: &str, base: &Path) -> bool {
    let Ok(dataset) = Dataset::open(&crate::data::DataConfig::of(source), base) else {
        return false;
    };
    assert!(!dataset.is_empty(SplitName::Train));
    for split in SplitName::ALL {
        for index in 0..dataset.len(split) {
            if let Ok(example) = dataset.example(split, index) {
                let known = |label: &u32| (*label as usize) < dataset.classes().len();
                assert!(example.labels.iter().all(known));
            }
        }
    }
    let resize = (dataset.channels() == 3).then_some((5, 7));
    let config = DataConfig {
        source: source.into(),
        split: Split::default(),
        preprocess: Preprocess {
            resize,
            ..Preprocess::default()
        },
        ..DataConfig::default()
    };
    let Ok(feed) = Feed::new(dataset, &config, None) else {
        return false;
    };
    feed.batch(SplitName::Train, &[0]).is_ok()
}

/// Spoils one of `files` (names and contents) 250 times over; says how often the rest was usable.
fn spoil_all(files: &[(&str, Vec<u8>)], header: usize, source: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    assert!(
        try_out(source, folder.path()),
        "{source} is sound before it is spoilt"
    );
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut usable = 0;
    for round in 0..250 {
        let (name, sound) = &files[round % files.len()];
        let mut bytes = sound.clone();
        spoil(&mut bytes, header, &mut random);
        std::fs::write(folder.path().join(name), bytes).unwrap();
        usable += usize::from(try_out(source, folder.path()));
        std::fs::write(folder.path().join(name), sound).unwrap();
    }
    assert!(usable < 250, "some damage must be noticed");
    usable
}

#[test]
fn idx_files() {
    let images: Vec<u8> = (0..6 * 12).collect();
    let files = [
        (
            "train-images-idx3-ubyte",
            idx::tests::encode(&[6, 3, 4], &images),
        ),
        (
            "train-labels-idx1-ubyte",
            idx::tests::encode(&[6], &[0, 1, 2, 0, 1, 2]),
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            idx::tests::gzip(&idx::tests::encode(&[6, 3, 4], &images)),
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            idx::tests::gzip(&idx::tests::encode(&[6], &[2; 6])),
        ),
    ];
    spoil_all(&files, 16, ".");
}

#[test]
fn cifar_files() {
    let files = [
        ("data_batch_1.bin", cifar::tests::record(&[3], 10)),
        ("test_batch.bin", cifar::tests::record(&[9], 10)),
        (
            "batches.meta.txt",
            b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".to_vec(),
        ),
    ];
    spoil_all(&files, 4, ".");
}

#[test]
fn tables() {
    let text = "x,y,label\n1.5,2,\"a\"\n-3e2,4,b\n5,6,\"c\"\"d\"\n";
    spoil_all(&[("a.csv", text.as_bytes().to_vec())], 16, "a.csv");
}

#[test]
fn hdf5_files() {
    // A thousand, because the reader is not ours.
    for (name, sound) in [
        (
            "classes.h5",
            &include_bytes!("../../tests/cases/hdf5/classes.h5")[..],
        ),
        (
            "targets.h5",
            include_bytes!("../../tests/cases/hdf5/targets.h5"),
        ),
    ] {
        for header in [96, 800] {
            spoil_all(&[(name, sound.to_vec())], header, name);
        }
    }
}

#[test]
fn texts() {
    let text = "Call me Ishmael.\nSome years ago—never mind how long. ".repeat(20);
    let files = [("a.txt", text.into_bytes())];
    spoil_all(&files, 16, "a.txt");
}

#[test]
fn label_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let shapes = super::shapes::Shapes::new([32, 40], 1).unwrap();
    super::shapes::export(&shapes, 2, &out, |_| true).unwrap();
    let names = [
        "images/000000.png",
        "labels/000000.png",
        "labels/000001.png",
        "classes.txt",
    ];
    let mut files: Vec<(&str, Vec<u8>)> = names
        .map(|name| (name, std::fs::read(out.join(name)).unwrap()))
        .to_vec();
    files.push((
        "images/000001.png",
        std::fs::read(out.join("images/000001.png")).unwrap(),
    ));
    spoil_all(&files, 60, ".");
    // Without names the labels say how many classes there are.
    files.retain(|(name, _)| *name != "classes.txt");
    spoil_all(&files, 60, ".");
}

#[test]
fn images() {
    let picture = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 99]));
    let encode = |format: ImageFormat| {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(picture.clone())
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    };
    let files = [
        ("class/a.png", encode(ImageFormat::Png)),
        ("class/b.jpg", encode(ImageFormat::Jpeg)),
        ("class/c.bmp", encode(ImageFormat::Bmp)),
        ("class/d.webp", encode(ImageFormat::WebP)),
    ];
    spoil_all(&files, 60, ".");
}
