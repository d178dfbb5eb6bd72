//! Labels of pixels: as pictures, and how well an answer covers them.

use candle_core::{DType, Tensor};

use super::{Picture, Tiling};
use crate::data::{IGNORE, label_color};

/// Each label in its colour, row by row.
pub fn picture_of_labels(labels: &[u32], width: usize) -> Picture {
    let color = |label: &u32| label_color(u8::try_from(*label).unwrap_or(IGNORE));
    let width = width.max(1);
    Picture {
        width,
        height: labels.len() / width,
        rgb: labels
            .iter()
            .flat_map(color)
            .take(labels.len() / width * width * 3)
            .collect(),
    }
}

/// So much of the second picture over the first, from 0 to 1; they have one size.
pub fn blend(first: &Picture, second: &Picture, share: f32) -> Picture {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let mix =
        |(&a, &b): (&u8, &u8)| (f32::from(a) * (1.0 - share) + f32::from(b) * share).round() as u8;
    Picture {
        rgb: first.rgb.iter().zip(&second.rgb).map(mix).collect(),
        ..first.clone()
    }
}

/// Pictures of one size in a row.
pub fn beside(pictures: &[Picture]) -> (Tiling, Picture) {
    let Some(first) = pictures.first() else {
        return (Tiling::default(), Picture::default());
    };
    let tiling = Tiling {
        count: pictures.len(),
        columns: pictures.len(),
        tile: [first.width, first.height],
    };
    let row = |y: usize| {
        let part = move |picture: &Picture| {
            let start = y * picture.width * 3;
            let row = picture.rgb.get(start..start + picture.width * 3);
            row.unwrap_or_default().to_vec()
        };
        pictures.iter().flat_map(part)
    };
    let picture = Picture {
        width: first.width * pictures.len(),
        height: first.height,
        rgb: (0..first.height).flat_map(row).collect(),
    };
    (tiling, picture)
}

/// The class of the largest score at each place of the first example of (N, C, H, W); nothing
/// for any other shape.
pub fn answers(scores: &Tensor) -> candle_core::Result<Vec<u32>> {
    let &[examples, classes, height, width] = scores.dims() else {
        return Ok(Vec::new());
    };
    if examples * classes * height * width == 0 {
        return Ok(Vec::new());
    }
    let scores: Vec<f32> = scores
        .get(0)?
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1()?;
    let places = height * width;
    let best = |place: usize| {
        let score = |class: usize| scores[class * places + place];
        // The first of equals, as the metrics count.
        (1..classes).fold(0, |best, class| {
            if score(class) > score(best) {
                class
            } else {
                best
            }
        })
    };
    Ok((0..places).map(|place| best(place) as u32).collect())
}

/// Intersection over union of each class; `None` where it is neither a label nor an answer.
pub fn overlaps(labels: &[u32], answers: &[u32], classes: usize) -> Vec<Option<f64>> {
    // Of each class: pixels that are it in both, and in either.
    let mut counts = vec![[0u64; 2]; classes];
    let mut count = |class: u32, both: bool| {
        if let Some([shared, either]) = counts.get_mut(class as usize) {
            *shared += u64::from(both);
            *either += 1;
        }
    };
    let pairs = labels.iter().zip(answers);
    for (&label, &answer) in pairs.filter(|(label, _)| **label != u32::from(IGNORE)) {
        count(label, label == answer);
        if label != answer {
            count(answer, false);
        }
    }
    let overlap =
        |[shared, either]: &[u64; 2]| (*either > 0).then(|| *shared as f64 / *either as f64);
    counts.iter().map(overlap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn labels_become_colours_and_lie_over_images() {
        let labels = picture_of_labels(&[0, 1, 255, 4_000], 2);
        assert_eq!((labels.width, labels.height), (2, 2));
        assert_eq!(labels.rgb[..6], [0, 0, 0, 128, 0, 0]);
        assert_eq!(labels.rgb[6..], [224, 224, 192].repeat(2));
        let white = Picture {
            rgb: vec![255; 12],
            ..labels.clone()
        };
        assert_eq!(blend(&white, &labels, 1.0), labels);
        assert_eq!(blend(&white, &labels, f32::NAN), white);
        assert_eq!(blend(&white, &labels, 0.5).rgb[..3], [128, 128, 128]);
        let (tiling, row) = beside(&[white, labels.clone()]);
        assert_eq!((tiling.size(), row.width), ([4, 2], 4));
        assert_eq!(row.pixel(3, 0), labels.pixel(1, 0));
        assert_eq!(beside(&[]).1, Picture::default());
    }

    #[test]
    fn answers_are_the_first_largest_scores() {
        let scores = [0.0f32, 5.0, 1.0, 5.0, 1.0, f32::NAN];
        let scores = Tensor::from_slice(&scores, (1, 3, 1, 2), &Device::Cpu).unwrap();
        assert_eq!(answers(&scores).unwrap(), [1, 0]);
        let flat = Tensor::zeros((1, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(answers(&flat).unwrap().is_empty());
    }

    #[test]
    fn overlaps_are_worked_out_by_hand() {
        // Class 0: 1 of 2; class 1: 2 of 4; class 2: 0 of 1; class 3 nowhere.
        let (labels, answers) = ([0, 0, 1, 1, 1, 255], [0, 1, 1, 1, 2, 2]);
        let expected = [Some(0.5), Some(0.5), Some(0.0), None];
        assert_eq!(overlaps(&labels, &answers, 4), expected);
    }
}
