//! Towers: a function of two variables by a second hidden layer.
//!
//! The first layer makes bumps of height 1 in x and in y; a neuron of the second adds one of each
//! and fires where both are there, which is a square of the plane.

use super::bumps::sigmoid;

/// Numbers on a side of the pictures.
pub const SIDE: usize = 48;

/// The function that towers are to follow: a hill and a hollow, over 0 … 1.
pub fn target(x: f64, y: f64) -> f64 {
    let hill = |mx: f64, my: f64, width: f64| {
        (-((x - mx).powi(2) + (y - my).powi(2)) / width.powi(2)).exp()
    };
    0.9 * hill(0.3, 0.35, 0.22) - 0.7 * hill(0.7, 0.7, 0.18)
}

/// The network with `side` × `side` towers.
pub struct Towers {
    side: usize,
    steepness: f64,
    heights: Vec<f64>,
}

impl Towers {
    /// Each tower as high as the function is in its middle.
    pub fn placed(side: usize, steepness: f64) -> Self {
        let middle = |n: usize| (n as f64 + 0.5) / side as f64;
        let places = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
        Self {
            side,
            steepness,
            heights: places
                .map(|(row, column)| target(middle(column), middle(row)))
                .collect(),
        }
    }

    /// What the network answers.
    pub fn value(&self, x: f64, y: f64) -> f64 {
        let (across, up) = (self.bumps(x), self.bumps(y));
        let tower = |n: usize| {
            let both = across[n % self.side] + up[n / self.side];
            // Steep as it is, it is 0 with one bump and 1 with both.
            sigmoid(20.0 * (both - 1.5))
        };
        self.heights
            .iter()
            .enumerate()
            .map(|(n, height)| height * tower(n))
            .sum()
    }

    /// The first layer's bumps at a place of one axis.
    fn bumps(&self, x: f64) -> Vec<f64> {
        let step = |place: usize| sigmoid(self.steepness * (x - place as f64 / self.side as f64));
        (0..self.side).map(|n| step(n) - step(n + 1)).collect()
    }
}

/// Values row by row from the top, where y is 1.
pub fn picture(value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let place = |n: usize| (n as f64 + 0.5) / SIDE as f64;
    let places = (0..SIDE * SIDE).map(|n| (place(n % SIDE), 1.0 - place(n / SIDE)));
    places.map(|(x, y)| value(x, y)).collect()
}

/// The mean distance between the towers and the function.
pub fn deviation(side: usize, steepness: f64) -> f64 {
    let towers = Towers::placed(side, steepness);
    super::bumps::deviation(&picture(|x, y| towers.value(x, y)), &picture(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tower_is_its_height_inside_and_nothing_outside() {
        let mut towers = Towers::placed(4, 2000.0);
        towers.heights = vec![0.0; 16];
        towers.heights[6] = 2.0;
        assert!((towers.value(0.625, 0.375) - 2.0).abs() < 1e-3);
        for (x, y) in [(0.1, 0.375), (0.625, 0.9), (0.4, 0.4)] {
            assert!(towers.value(x, y).abs() < 1e-3, "{x} {y}");
        }
    }
}
