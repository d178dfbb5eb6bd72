//! Tables against what was written into them.

use super::*;
use crate::data::{Pixels, SplitName};

fn open_text(text: &str) -> Result<Dataset, DataError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    Dataset::open(&crate::data::DataConfig::of("a.csv"), folder.path())
}

fn rows(dataset: &Dataset) -> Vec<(Vec<f32>, u32)> {
    let example = |index| dataset.example(SplitName::Train, index).unwrap();
    let row = |index| match example(index) {
        crate::data::Example {
            pixels: Pixels::F32(values),
            labels,
            ..
        } => (values, labels[0]),
        other => panic!("{other:?}"),
    };
    (0..dataset.len(SplitName::Train)).map(row).collect()
}

#[test]
fn the_last_column_is_the_class_without_a_header() {
    let dataset = open_text("5.1,3.5,setosa\n-7e1, 3 ,virginica\n4,2,setosa\n").unwrap();
    assert_eq!(
        (dataset.kind(), dataset.shape()),
        (Kind::Csv, Some(vec![2, 1, 1]))
    );
    assert_eq!(dataset.classes(), ["setosa", "virginica"]);
    assert_eq!(
        rows(&dataset),
        [
            (vec![5.1, 3.5], 0),
            (vec![-70.0, 3.0], 1),
            (vec![4.0, 2.0], 0)
        ]
    );
}

#[test]
fn a_column_named_label_is_the_class_and_numbers_sort_as_numbers() {
    let dataset = open_text("\u{feff}Label;x;y\r\n10;1;2\r\n2;3;4\r\n\r\n").unwrap();
    assert_eq!(dataset.classes(), ["2", "10"]);
    assert_eq!(rows(&dataset), [(vec![1.0, 2.0], 1), (vec![3.0, 4.0], 0)]);
}

#[test]
fn a_header_without_label_is_recognised_by_its_words() {
    let dataset = open_text("x,y,species\n1,2,a\n").unwrap();
    assert_eq!(rows(&dataset), [(vec![1.0, 2.0], 0)]);
    assert_eq!(dataset.classes(), ["a"]);
}

#[test]
fn chosen_columns_are_targets_scaled_by_the_training_split() {
    let folder = tempfile::tempdir().unwrap();
    let text = "x,price,y,rooms\n1,100,2,3\n3,300,4,5\n5,200,6,3\n";
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    let mut config = crate::data::DataConfig::of("a.csv");
    config.targets.columns = vec!["Price".into(), "4".into()];
    let feed = crate::data::Feed::open(&config, folder.path()).unwrap();
    let summary = feed.summary();
    assert_eq!(
        (summary.classes, summary.labels.clone(), summary.targets),
        (None, None, 2)
    );
    assert_eq!(feed.dataset().target_names(), ["price", "rooms"]);
    let batch = feed.batch(SplitName::Train, &[0, 1, 2]).unwrap();
    assert!(batch.labels.is_none());
    assert_eq!(
        batch
            .data
            .flatten_from(1)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap()[1],
        [3.0, 4.0]
    );
    let targets = batch.targets.unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(targets, [[100.0, 3.0], [300.0, 5.0], [200.0, 3.0]]);
    config.targets.to_unit = true;
    let feed = crate::data::Feed::open(&config, folder.path()).unwrap();
    let batch = feed.batch(SplitName::Train, &[0, 1, 2]).unwrap();
    let targets = batch.targets.unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(targets, [[0.0, 0.0], [1.0, 1.0], [0.5, 0.0]]);
    assert_eq!(feed.in_units(&targets[2]), [200.0, 3.0]);
    config.targets.columns = vec!["prize".into()];
    let error = crate::data::Feed::open(&config, folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("prize") && error.contains("rooms"),
        "{error}"
    );
}

#[test]
fn bad_rows_are_named_by_line() {
    for (text, expected) in [
        (
            "x,y,label\n1,2,a\n1,oops,b\n",
            "line 3: column 2 holds `oops`",
        ),
        ("1,2,a\n1,inf,b\n", "line 2: column 2 holds `inf`"),
        ("1,2,a\n1,2\n", "line 2: has 2 columns"),
        ("1,2,a\n1,2,\n", "line 2: the class is missing"),
        ("a\nb\n", "0 feature columns"),
        ("x,label\n", "no examples"),
        ("", "is empty"),
    ] {
        let error = open_text(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
