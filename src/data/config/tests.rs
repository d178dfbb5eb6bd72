//! What a data configuration takes, and refuses.

use super::*;

#[test]
fn a_short_text_is_enough_and_round_trips() {
    let text = r#"(source: "digits", preprocess: (scale: 0.00390625, mean: Channel))"#;
    let config: DataConfig = ron::from_str(text).unwrap();
    assert_eq!(config.split, Split::default());
    assert_eq!(
        config.batch,
        Batches {
            train: 64,
            test: 100
        }
    );
    assert!(config.shuffle);
    assert_eq!(config.preprocess.mean, Mean::Channel);
    for config in [config, DataConfig::default()] {
        let text = ron::ser::to_string_pretty(&config, Default::default()).unwrap();
        assert_eq!(
            ron::from_str::<DataConfig>(&text).unwrap(),
            config,
            "{text}"
        );
    }
}

#[test]
fn unknown_fields_are_refused() {
    assert!(ron::from_str::<DataConfig>(r#"(source: "digits", colour: Gray)"#).is_err());
    assert!(ron::from_str::<DataConfig>(r#"(source: "digits", batch: (size: 3))"#).is_err());
}

#[test]
fn senseless_values_are_refused_by_name() {
    type Spoil = fn(&mut DataConfig);
    let cases: [(&str, Spoil); 7] = [
        ("source", |c| c.source = " ".into()),
        ("batch.train", |c| c.batch.train = 0),
        ("batch.test", |c| c.batch.test = usize::MAX),
        ("preprocess.resize", |c| c.preprocess.resize = Some((28, 0))),
        ("preprocess.scale", |c| c.preprocess.scale = f64::NAN),
        ("preprocess.mean", |c| {
            c.preprocess.mean = Mean::Value(vec![f64::INFINITY])
        }),
        ("preprocess.std", |c| {
            c.preprocess.std = Std::Value(vec![0.0])
        }),
    ];
    assert!(DataConfig::default().check().is_ok());
    for (setting, spoil) in cases {
        let mut config = DataConfig::default();
        spoil(&mut config);
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    }
}
