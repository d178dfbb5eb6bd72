//! What every layer in the catalogue must do, whatever it is: come back from its own text, speak
//! both languages, and answer hopeless shapes and parameters with a problem instead of a panic.

use layerlab::graph::{
    Choice, Field, FieldValue, Filler, InferContext, Layer, Phase, Role, Shape, Size,
};
use layerlab::i18n::Text;
use layerlab::layers::{self, CATALOGUE};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A count from the allowed range, its ends as likely as what people use.
fn count(random: &mut ChaCha8Rng, min: usize, max: usize) -> usize {
    match random.random_range(0..4) {
        0 => min,
        1 => max,
        2 => random.random_range(min..=max),
        _ => random.random_range(min..=max.min(min.saturating_add(4))),
    }
}

/// Gives every parameter of a layer a random value within its range.
fn randomise(layer: &mut dyn Layer, random: &mut ChaCha8Rng) {
    layer.fields(&mut |field: Field<'_>| match field.value {
        FieldValue::Count { value, min, max } => *value = count(random, min, max),
        FieldValue::Pair { value, min, max } => *value = [(); 2].map(|()| count(random, min, max)),
        FieldValue::Size { value, max } => {
            let by_classes = Size::BY_CLASSES.choose(random).unwrap().1;
            *value = if random.random() {
                by_classes
            } else {
                Size::Count(count(random, 1, max))
            };
        }
        FieldValue::Integer { value, min, max } => {
            *value = random.random_range(min.max(-4)..=max.min(4));
        }
        FieldValue::OptionalCount { value, min, max } => {
            *value = random.random::<bool>().then(|| count(random, min, max));
        }
        FieldValue::Real { value, min, max } => {
            *value = *[min, max, random.random_range(min..=max)]
                .choose(random)
                .unwrap();
        }
        FieldValue::Flag(value) => *value = random.random(),
        FieldValue::Choice(choice) => {
            let index = random.random_range(0..choice.options().len());
            Choice::set(choice, index);
        }
        FieldValue::Filler(filler) => *filler = Filler::ALL.choose(random).unwrap().1,
        FieldValue::Counts {
            value,
            min,
            max,
            max_len,
        } => {
            *value = (0..random.random_range(0..=max_len.min(5)))
                .map(|_| count(random, min, max))
                .collect();
        }
        FieldValue::Integers {
            value,
            min,
            max,
            max_len,
        } => {
            *value = (0..random.random_range(0..=max_len.min(5)))
                .map(|_| random.random_range(min.max(-4)..=max.min(9)))
                .collect();
        }
        FieldValue::Reals { value, max_len } => {
            *value = (0..random.random_range(0..=max_len.min(5)))
                .map(|_| random.random_range(-9.0..9.0))
                .collect();
        }
    });
}

/// Any shape: no axes to five, with nothing, one, unknown or absurd sizes.
fn random_shape(random: &mut ChaCha8Rng) -> Shape {
    let sizes = [
        Some(0),
        Some(1),
        Some(2),
        Some(7),
        Some(28),
        None,
        Some(1 << 40),
        Some(usize::MAX),
    ];
    Shape(
        (0..random.random_range(0..6))
            .map(|_| *sizes.choose(random).unwrap())
            .collect(),
    )
}

fn infer_somehow(layer: &dyn Layer, random: &mut ChaCha8Rng) -> bool {
    let ports = layer.inputs();
    let extra = if ports.repeat_last {
        random.random_range(0..3)
    } else {
        0
    };
    let first = random_shape(random);
    // The same for all, its first axes for some, or anything.
    let kinds = random.random_range(1..4);
    let shape = |random: &mut ChaCha8Rng| match random.random_range(0..kinds) {
        0 => first.clone(),
        1 => Shape(first.0[..random.random_range(0..=first.rank())].to_vec()),
        _ => random_shape(random),
    };
    let connected = random.random_range(ports.required..=ports.ports.len());
    let shapes: Vec<Shape> = (0..connected + extra).map(|_| shape(random)).collect();
    let context = InferContext {
        phase: *Phase::BOTH.choose(random).unwrap(),
        classes: *[None, Some(0), Some(10), Some(usize::MAX)]
            .choose(random)
            .unwrap(),
        data: None,
        example: *[None, Some(&[][..]), Some(&[1, 28, 28])]
            .choose(random)
            .unwrap(),
    };
    layer
        .infer(&context, &shapes.iter().collect::<Vec<_>>())
        .is_ok()
}

#[test]
fn a_layer_comes_back_from_its_text() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for entry in CATALOGUE {
        for _ in 0..200 {
            let mut layer = entry.make();
            randomise(layer.as_mut(), &mut random);
            let text = layer.to_ron().unwrap();
            let back = layers::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(
                back.same_as(layer.as_ref()),
                "{text} came back as {}",
                back.to_ron().unwrap()
            );
        }
        let name = entry.spec().name;
        assert!(
            layers::parse(name).unwrap().same_as(entry.make().as_ref()),
            "{name} alone has the defaults"
        );
        layers::parse(&format!("{name}(no_such_parameter: 1)")).unwrap_err();
    }
}

#[test]
fn a_layer_speaks_both_languages() {
    for entry in CATALOGUE {
        let spec = entry.spec();
        let mut texts = vec![spec.about, spec.title];
        entry.make().fields(&mut |field: Field<'_>| {
            assert!(!field.name.is_empty());
            texts.push(field.about);
            if let FieldValue::Choice(choice) = field.value {
                texts.extend(choice.options().iter().map(|(_, text)| *text));
            }
        });
        let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        for Text { en, zh } in texts {
            assert!(
                !en.trim().is_empty() && !en.chars().any(is_chinese),
                "{}: {en}",
                spec.name
            );
            assert!(zh.chars().any(is_chinese), "{}: {zh}", spec.name);
        }
        let computes = matches!(spec.role, Role::Layer | Role::Loss | Role::Metric);
        assert!(
            !spec.formula.is_empty() || !computes,
            "{} has a formula",
            spec.name
        );
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.spec().name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for entry in CATALOGUE {
        let mut fields = Vec::new();
        entry
            .make()
            .fields(&mut |field: Field<'_>| fields.push(field.name));
        let count = fields.len();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), count, "{}", entry.spec().name);
    }
}

#[test]
fn no_shape_and_no_parameter_makes_inference_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for entry in CATALOGUE {
        let (mut good, mut bad) = (0, 0);
        for _ in 0..5000 {
            let mut layer = entry.make();
            if random.random() {
                randomise(layer.as_mut(), &mut random);
            }
            match infer_somehow(layer.as_ref(), &mut random) {
                true => good += 1,
                false => bad += 1,
            }
        }
        println!(
            "{:<16} {good} shapes accepted, {bad} refused",
            entry.spec().name
        );
        assert!(good > 0, "{} accepts nothing", entry.spec().name);
    }
}
