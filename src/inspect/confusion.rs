//! What a classifier confuses with what.

use crate::train::Prediction;

/// The most classes that a matrix is made for; it holds the square of this many counts.
pub const MAX_CLASSES: usize = 1024;

/// How often each class was taken for each; rows are the truth, columns the prediction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// An example that was put into a certain cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mistake {
    /// Its place in the split.
    pub index: usize,
    pub confidence: f32,
}

impl Confusion {
    /// For `classes` classes, or more where a prediction names a higher one.
    /// `None` when that would be over [`MAX_CLASSES`].
    pub fn of(predictions: &[Prediction], classes: usize) -> Option<Self> {
        let named = predictions
            .iter()
            .map(|p| p.truth.max(p.predicted) as usize + 1);
        let classes = named.fold(classes, usize::max);
        if classes > MAX_CLASSES {
            return None;
        }
        let mut counts = vec![0; classes * classes];
        for prediction in predictions {
            counts[prediction.truth as usize * classes + prediction.predicted as usize] += 1;
        }
        Some(Self { classes, counts })
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let inside = truth < self.classes && predicted < self.classes;
        if inside {
            self.counts[truth * self.classes + predicted]
        } else {
            0
        }
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn row_total(&self, truth: usize) -> u64 {
        (0..self.classes)
            .map(|predicted| self.count(truth, predicted))
            .sum()
    }

    pub fn column_total(&self, predicted: usize) -> u64 {
        (0..self.classes)
            .map(|truth| self.count(truth, predicted))
            .sum()
    }

    /// Of the examples of `truth`, the fraction that was predicted so; `None` without examples.
    pub fn row_fraction(&self, truth: usize, predicted: usize) -> Option<f64> {
        fraction(self.count(truth, predicted), self.row_total(truth))
    }

    /// Of the examples of a class, the fraction that was found.
    pub fn recall(&self, class: usize) -> Option<f64> {
        self.row_fraction(class, class)
    }

    /// Of the predictions of a class, the fraction that was right.
    pub fn precision(&self, class: usize) -> Option<f64> {
        fraction(self.count(class, class), self.column_total(class))
    }

    /// Of all examples, the fraction on the diagonal.
    pub fn accuracy(&self) -> Option<f64> {
        let right = (0..self.classes)
            .map(|class| self.count(class, class))
            .sum();
        fraction(right, self.total())
    }

    /// The examples of one cell, the most confident first; NaN goes last.
    pub fn cell(predictions: &[Prediction], truth: u32, predicted: u32) -> Vec<Mistake> {
        let mut found: Vec<Mistake> = (predictions.iter().enumerate())
            .filter(|(_, p)| p.truth == truth && p.predicted == predicted)
            .map(|(index, p)| Mistake {
                index,
                confidence: p.confidence,
            })
            .collect();
        let key = |mistake: &Mistake| {
            if mistake.confidence.is_nan() {
                -1.0
            } else {
                mistake.confidence
            }
        };
        found.sort_by(|a, b| key(b).total_cmp(&key(a)));
        found
    }
}

fn fraction(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(triples: &[(u32, u32, f32)]) -> Vec<Prediction> {
        (triples.iter())
            .map(|&(truth, predicted, confidence)| Prediction {
                truth,
                predicted,
                confidence,
            })
            .collect()
    }

    #[test]
    fn counts_and_fractions_by_hand() {
        let seen = predictions(&[
            (0, 0, 0.9),
            (0, 0, 0.8),
            (0, 1, 0.6),
            (1, 1, 0.7),
            (2, 1, f32::NAN),
            (0, 1, 0.95),
        ]);
        let matrix = Confusion::of(&seen, 4).unwrap();
        assert_eq!((matrix.classes(), matrix.total()), (4, 6));
        assert_eq!(
            (matrix.count(0, 0), matrix.count(0, 1), matrix.count(2, 1)),
            (2, 2, 1)
        );
        assert_eq!((matrix.row_total(0), matrix.column_total(1)), (4, 4));
        assert_eq!(
            (matrix.recall(0), matrix.precision(0)),
            (Some(0.5), Some(1.0))
        );
        assert_eq!(
            (matrix.recall(1), matrix.precision(1)),
            (Some(1.0), Some(0.25))
        );
        assert_eq!(
            (matrix.recall(3), matrix.precision(3)),
            (None, None),
            "a class without examples"
        );
        assert_eq!(matrix.accuracy(), Some(0.5));
        let mistakes = Confusion::cell(&seen, 0, 1);
        assert_eq!(
            mistakes
                .iter()
                .map(|mistake| mistake.index)
                .collect::<Vec<_>>(),
            [5, 2]
        );
    }

    #[test]
    fn odd_numbers_of_classes() {
        let none = Confusion::of(&[], 0).unwrap();
        assert_eq!(
            (none.classes(), none.total(), none.accuracy()),
            (0, 0, None)
        );
        let more = Confusion::of(&predictions(&[(5, 0, 1.0)]), 2).unwrap();
        assert_eq!((more.classes(), more.count(5, 0)), (6, 1));
        assert_eq!(Confusion::of(&predictions(&[(u32::MAX, 0, 1.0)]), 2), None);
        assert_eq!(more.count(9, 9), 0);
    }

    #[test]
    fn confidence_that_is_no_number_goes_last() {
        let seen = predictions(&[(1, 0, f32::NAN), (1, 0, 0.0), (1, 0, 0.5)]);
        let order: Vec<usize> = Confusion::cell(&seen, 1, 0)
            .iter()
            .map(|m| m.index)
            .collect();
        assert_eq!(order, [2, 1, 0]);
    }
}
