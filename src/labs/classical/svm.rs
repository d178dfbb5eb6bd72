//! A linear support vector machine for several classes, one against all, by dual coordinate
//! descent (Hsieh, Chang, Lin, Keerthi and Sundararajan, “A dual coordinate descent method for
//! large-scale linear SVM”, 2008) with the squared hinge loss.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub struct Svm {
    classes: usize,
    size: usize,
    /// Class by class, the bias last.
    weights: Vec<f32>,
    /// Example by example, for every class.
    duals: Vec<f32>,
    /// Squared lengths of the examples.
    lengths: Vec<f32>,
    order: Vec<usize>,
    next: usize,
    random: ChaCha8Rng,
    cost: f32,
}

impl Svm {
    pub fn new(examples: &[Vec<f32>], classes: usize, cost: f32) -> Self {
        let size = examples.first().map_or(0, Vec::len);
        let square = |row: &Vec<f32>| 1.0 + row.iter().map(|value| value * value).sum::<f32>();
        Self {
            classes,
            size,
            weights: vec![0.0; classes * (size + 1)],
            duals: vec![0.0; classes * examples.len()],
            lengths: examples.iter().map(square).collect(),
            order: (0..examples.len()).collect(),
            next: 0,
            random: ChaCha8Rng::seed_from_u64(1),
            cost,
        }
    }

    /// Looks at the next example, for every class.
    pub fn step(&mut self, examples: &[Vec<f32>], labels: &[u32]) {
        if self.next == 0 {
            self.order.shuffle(&mut self.random);
        }
        let Some(&place) = self.order.get(self.next) else {
            return;
        };
        self.next = (self.next + 1) % self.order.len();
        let (row, label) = (&examples[place], labels[place] as usize);
        let diagonal = 1.0 / (2.0 * self.cost);
        for class in 0..self.classes {
            let side = if class == label { 1.0 } else { -1.0 };
            let dual = self.duals[place * self.classes + class];
            let gradient = side * self.score(class, row) - 1.0 + diagonal * dual;
            if dual == 0.0 && gradient >= 0.0 {
                continue;
            }
            let new = (dual - gradient / (self.lengths[place] + diagonal)).max(0.0);
            self.duals[place * self.classes + class] = new;
            let change = (new - dual) * side;
            let weights = &mut self.weights[class * (self.size + 1)..(class + 1) * (self.size + 1)];
            for (weight, value) in weights.iter_mut().zip(row) {
                *weight += change * value;
            }
            weights[self.size] += change;
        }
    }

    fn score(&self, class: usize, row: &[f32]) -> f32 {
        let weights = &self.weights[class * (self.size + 1)..(class + 1) * (self.size + 1)];
        // Eight sums side by side, which the compiler turns into vector instructions.
        let mut sums = [0f32; 8];
        let (a, b) = (weights[..self.size].chunks_exact(8), row.chunks_exact(8));
        let rest: f32 = a
            .remainder()
            .iter()
            .zip(b.remainder())
            .map(|(w, x)| w * x)
            .sum();
        for (a, b) in a.zip(b) {
            for lane in 0..8 {
                sums[lane] += a[lane] * b[lane];
            }
        }
        sums.iter().sum::<f32>() + rest + weights[self.size]
    }

    pub fn classify(&self, row: &[f32]) -> u32 {
        let scores = (0..self.classes).map(|class| self.score(class, row));
        let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(class, _)| class as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_widest_margin() {
        // Two points of each of two classes; the best line is x = 0, w = (½, 0) up to the loss.
        let rows: Vec<Vec<f32>> = vec![
            vec![2.0, 1.0],
            vec![2.0, -1.0],
            vec![-2.0, 1.0],
            vec![-2.0, -1.0],
        ];
        let labels = [1, 1, 0, 0];
        let mut svm = Svm::new(&rows, 2, 1e4);
        for _ in 0..4000 {
            svm.step(&rows, &labels);
        }
        let weights = &svm.weights[3..6];
        assert!((weights[0] - 0.5).abs() < 1e-3, "{weights:?}");
        assert!(
            weights[1].abs() < 1e-3 && weights[2].abs() < 1e-3,
            "{weights:?}"
        );
        for (row, label) in rows.iter().zip(labels) {
            assert_eq!(svm.classify(row), label);
        }
    }
}
