//! What an example must be, whatever its number.

use super::*;
use crate::data::label_map::LabelMap;

fn scenes(size: [usize; 2], seed: u64, count: u64) -> impl Iterator<Item = Scene> {
    let shapes = Shapes::new(size, seed).unwrap();
    (0..count).map(move |index| shapes.draw(index))
}

/// FNV-1a of everything that a label or a pixel could show.
fn digest(scene: &Scene) -> u64 {
    let bytes = scene
        .pixels
        .iter()
        .chain(&scene.owners)
        .copied()
        .chain(scene.labels());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The standard form may not change: results on it would no longer be comparable.
#[test]
fn the_standard_form_stays_the_same_bytes() {
    let found: Vec<u64> = scenes([160, 160], TEST_SEED, 3)
        .map(|scene| digest(&scene))
        .collect();
    let expected = [
        0x966a_9c08_d011_0026,
        0xaef3_eedb_60d7_bbc9,
        0x7567_0330_f811_c910,
    ];
    assert_eq!(found, expected, "{found:#x?}");
}

#[test]
fn two_to_eight_things_are_seen_by_half_at_least() {
    let mut per_class = [0usize; CLASSES.len()];
    let (mut hidden, mut total) = (0, 0);
    for (size, count) in [([160, 160], 200), ([32, 32], 60), ([48, 200], 60)] {
        for (index, scene) in scenes(size, 7, count).enumerate() {
            assert!((2..=8).contains(&scene.things.len()), "{size:?} {index}");
            let labels = scene.labels();
            for (nth, thing) in scene.things.iter().enumerate() {
                let mask: Vec<bool> = scene.mask(nth).collect();
                let area = mask.iter().filter(|seen| **seen).count();
                assert_eq!(area, thing.area as usize, "{size:?} {index}");
                assert!(2 * thing.area >= thing.whole, "{size:?} {index}");
                let [left, top, right, bottom] = thing.bounds.map(|edge| edge as usize);
                let (mut touched, width) = ([false; 4], scene.width);
                for (at, _) in mask.iter().enumerate().filter(|(_, seen)| **seen) {
                    let (x, y) = (at % width, at / width);
                    assert!((left..right).contains(&x) && (top..bottom).contains(&y));
                    assert_eq!(labels[at], thing.class);
                    for (touched, now) in touched.iter_mut().zip([
                        x == left,
                        y == top,
                        x + 1 == right,
                        y + 1 == bottom,
                    ]) {
                        *touched |= now;
                    }
                }
                assert_eq!(touched, [true; 4], "the box is tight");
                per_class[usize::from(thing.class)] += 1;
                hidden += usize::from(thing.area < thing.whole);
                total += 1;
            }
        }
    }
    assert!(
        per_class[1..].iter().all(|&count| count > total / 12),
        "{per_class:?}"
    );
    assert!(hidden > total / 5, "{hidden} of {total} are hidden in part");
}

#[test]
fn an_example_is_a_function_of_seed_and_index() {
    let shapes = Shapes::new([64, 80], 3).unwrap();
    let again = Shapes::new([64, 80], 3).unwrap();
    assert_eq!(again.draw(9), shapes.draw(9));
    assert_ne!(shapes.draw(8).pixels, shapes.draw(9).pixels);
    assert_ne!(Shapes::new([64, 80], 4).unwrap().draw(9), shapes.draw(9));
}

#[test]
fn the_exported_folder_says_what_was_drawn() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("out");
    let shapes = Shapes::new([40, 48], 1).unwrap();
    assert!(export(&shapes, 3, &folder, |_| true).unwrap());
    let text = std::fs::read_to_string(folder.join(COCO_FILE)).unwrap();
    let coco: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = |name: &str| coco[name].as_array().unwrap().clone();
    assert_eq!((list("images").len(), list("categories").len()), (3, 6));
    let mut annotations = list("annotations").into_iter();
    for index in 0..3u64 {
        let scene = shapes.draw(index);
        let name = format!("{index:06}.png");
        let map = LabelMap::read(&folder.join("labels").join(&name)).unwrap();
        assert_eq!(map.labels, scene.labels());
        let image = image::open(folder.join("images").join(&name))
            .unwrap()
            .into_rgb8();
        assert_eq!(image.get_pixel(0, 0).0[0], scene.pixels[0]);
        for thing in &scene.things {
            let annotation = annotations.next().unwrap();
            assert_eq!(annotation["category_id"], thing.class);
            let runs = annotation["segmentation"]["counts"].as_array().unwrap();
            let runs: Vec<u64> = runs.iter().map(|run| run.as_u64().unwrap()).collect();
            assert_eq!(runs.iter().sum::<u64>(), 40 * 48);
            let area: u64 = runs.iter().skip(1).step_by(2).sum();
            assert_eq!(area, u64::from(thing.area));
        }
    }
    assert!(annotations.next().is_none());
    let error = export(&shapes, 1, &folder, |_| true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("out"), "{error}");
    let stopped = parent.path().join("stopped");
    assert!(!export(&shapes, 3, &stopped, |done| done < 2).unwrap());
    let left: Vec<_> = std::fs::read_dir(parent.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "what was begun is gone");
}
