//! Tokens, windows and vocabularies against what is worked out by hand.

use super::*;
use crate::data::{DataConfig, Feed, SplitName};

fn feed(text: &str, unit: TextUnit, length: usize, held: (usize, usize)) -> Feed {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), text).unwrap();
    let config = DataConfig {
        text: TextSettings { unit, length },
        split: Split {
            validation: held.0,
            test: held.1,
            seed: 0,
        },
        ..DataConfig::of("a.txt")
    };
    Feed::open(&config, folder.path()).unwrap()
}

#[test]
fn labels_are_the_tokens_that_follow_and_the_end_is_held_back() {
    let feed = feed("abcabcabcxyzxy", TextUnit::Characters, 3, (1, 1));
    let dataset = feed.dataset();
    assert_eq!(
        dataset.classes(),
        [UNKNOWN, "a", "b", "c"],
        "of the training stretch"
    );
    assert_eq!(SplitName::ALL.map(|split| dataset.len(split)), [1, 1, 1]);
    let batch = feed.batch(SplitName::Train, &[0]).unwrap();
    assert_eq!(batch.data.to_vec2::<f32>().unwrap(), [[1.0, 2.0, 3.0]]);
    assert_eq!(batch.labels.unwrap().to_vec2::<u32>().unwrap(), [[2, 3, 1]]);
    let held = feed.batch(SplitName::Test, &[0]).unwrap();
    assert_eq!(
        held.data.to_vec2::<f32>().unwrap(),
        [[0.0, 0.0, 0.0]],
        "xyz"
    );
}

#[test]
fn epochs_begin_at_other_tokens_and_repeat_by_seed() {
    let text: String = (0..400)
        .map(|n| char::from(b'a' + (n % 26) as u8))
        .collect();
    let feed = feed(&text, TextUnit::Characters, 20, (2, 2));
    let first = |iteration| {
        let mut order = feed.order(7);
        let batch = feed.training_batch(&order.draws(iteration), 7).unwrap();
        batch.data.to_vec2::<f32>().unwrap()
    };
    assert_eq!(first(3), first(3));
    assert_ne!(first(0), first(1));
    let train = feed.dataset().len(SplitName::Train);
    for epoch in 0..50 {
        let draw = crate::data::Draw {
            index: train - 1,
            epoch,
        };
        let labels = feed.training_batch(&[draw], 7).unwrap().labels.unwrap();
        assert_eq!(labels.dims(), [1, 20], "inside the training stretch");
    }
}

#[test]
fn words_are_counted_and_the_rare_are_one_class() {
    let text = "The whale, the sea!\nThe ship's boat\n\nthe whale. 白鲸 the sea the sea";
    let feed = feed(text, TextUnit::Words(4), 3, (0, 0));
    let dataset = feed.dataset();
    assert_eq!(dataset.classes(), [UNKNOWN, "the", "sea", "whale"]);
    assert_eq!(dataset.tokens_of("A WHALE on the sea"), [0, 3, 0, 1, 2]);
    let mut tokens = Vec::new();
    each_token(text, TextUnit::Words(9), |token| {
        tokens.push(token.to_owned())
    });
    let expected = "the|whale|,|the|sea|!|the|ship's|boat|\n|the|whale|.|白|鲸|the|sea|the|sea";
    assert_eq!(tokens.join("|"), expected);
    let running = written(tokens.iter().map(String::as_str), TextUnit::Words(9));
    assert_eq!(
        running,
        "the whale, the sea! the ship's boat\nthe whale.白鲸the sea the sea"
    );
}

#[test]
fn unusable_texts_are_refused_with_what_to_do() {
    let settings = TextSettings::default();
    let refused = |bytes: &[u8]| {
        let error = read(bytes, Path::new("a.txt"), &settings).err().unwrap();
        error.to_string()
    };
    assert!(refused(b"short").contains("text.length"));
    assert!(refused(b"one\ntwo \xff").contains("line 2"));
}
