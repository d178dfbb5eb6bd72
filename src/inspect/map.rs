//! One example's tensor as maps: channels of height × width.

use candle_core::{DType, Tensor};

/// Numbers in the order channel, row, column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f32>,
}

impl Maps {
    /// Example `index` of a batch: (N, C, H, W) is C maps; (N, T, D) one map of T rows;
    /// (N, D) is D maps of one number; (N) and a scalar are one number.
    ///
    /// A scalar is the same for every example; of a batch that is shorter than `index` nothing
    /// comes back, as of one with an axis of size 0.
    pub fn of(tensor: &Tensor, index: usize) -> candle_core::Result<Self> {
        let dims = tensor.dims();
        let inner: &[usize] = dims.get(1..).unwrap_or(&[]);
        let (channels, height, width) = match inner {
            [] => (1, 1, 1),
            [features] => (*features, 1, 1),
            [rows, columns] => (1, *rows, *columns),
            [channels, height, width] => (*channels, *height, *width),
            [channels, height, rest @ ..] => (*channels, *height, rest.iter().product()),
        };
        let count = channels * height * width;
        if count == 0 || dims.first().is_some_and(|batch| index >= *batch) {
            return Ok(Self::default());
        }
        let example = match dims.len() {
            0 => tensor.clone(),
            _ => tensor.narrow(0, index, 1)?,
        };
        let values = example
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        Ok(Self {
            channels,
            height,
            width,
            values,
        })
    }

    /// Each channel is a single number.
    pub fn is_vector(&self) -> bool {
        self.height == 1 && self.width == 1
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The numbers of one channel, row by row; empty where there is no such channel.
    pub fn channel(&self, channel: usize) -> &[f32] {
        let area = self.height * self.width;
        self.values
            .get(channel * area..(channel + 1) * area)
            .unwrap_or(&[])
    }

    pub fn at(&self, channel: usize, y: usize, x: usize) -> Option<f32> {
        let inside = y < self.height && x < self.width;
        inside.then(|| self.channel(channel).get(y * self.width + x).copied())?
    }

    /// Every `step`-th row and column, so that neither side is longer than `max_side`.
    pub fn thinned(self, max_side: usize) -> Self {
        let step = self.height.max(self.width).div_ceil(max_side.max(1));
        if step <= 1 {
            return self;
        }
        let mut values = Vec::new();
        for channel in 0..self.channels {
            for row in self.channel(channel).chunks(self.width).step_by(step) {
                values.extend(row.iter().step_by(step));
            }
        }
        Self {
            channels: self.channels,
            height: self.height.div_ceil(step),
            width: self.width.div_ceil(step),
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn counting(dims: &[usize]) -> Tensor {
        let count = dims.iter().product::<usize>() as u32;
        Tensor::arange(0u32, count, &Device::Cpu)
            .unwrap()
            .reshape(dims)
            .unwrap()
    }

    #[test]
    fn every_rank_has_its_maps() {
        let cases: [(&[usize], usize, [usize; 3], f32); 7] = [
            (&[2, 3, 4, 5], 1, [3, 4, 5], 60.0),
            (&[2, 4, 5], 1, [1, 4, 5], 20.0),
            (&[2, 7], 1, [7, 1, 1], 7.0),
            (&[3], 2, [1, 1, 1], 2.0),
            (&[1], 0, [1, 1, 1], 0.0),
            (&[], 5, [1, 1, 1], 0.0),
            (&[1, 2, 3, 2, 2], 0, [2, 3, 4], 0.0),
        ];
        for (dims, index, [channels, height, width], first) in cases {
            let tensor = match dims {
                [] => Tensor::new(0u32, &Device::Cpu).unwrap(),
                dims => counting(dims),
            };
            let maps = Maps::of(&tensor, index).unwrap();
            assert_eq!(
                [maps.channels, maps.height, maps.width],
                [channels, height, width],
                "{dims:?}"
            );
            assert_eq!(maps.values.len(), channels * height * width, "{dims:?}");
            assert_eq!(maps.values[0], first, "{dims:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let tensor = counting(&[2, 3]);
        assert!(Maps::of(&tensor, 2).unwrap().is_empty());
        let none = Tensor::zeros((0, 3, 2, 2), DType::F32, &Device::Cpu).unwrap();
        assert!(Maps::of(&none, 0).unwrap().is_empty());
        let flat = Tensor::zeros((1, 3, 0, 2), DType::F32, &Device::Cpu).unwrap();
        assert!(Maps::of(&flat, 0).unwrap().is_empty());
        assert_eq!(Maps::default().channel(3), &[] as &[f32]);
        assert_eq!(Maps::default().at(0, 0, 0), None);
    }

    #[test]
    fn places_read_in_row_order() {
        let maps = Maps::of(&counting(&[1, 2, 3, 4]), 0).unwrap();
        assert_eq!(maps.at(1, 2, 3), Some(23.0));
        assert_eq!(maps.at(0, 1, 2), Some(6.0));
        assert_eq!(maps.at(0, 1, 4), None, "no wrap into the next row");
        assert_eq!(maps.at(2, 0, 0), None);
    }

    #[test]
    fn thinning_keeps_the_corner_and_the_limit() {
        let maps = Maps::of(&counting(&[1, 2, 5, 4]), 0).unwrap();
        let thin = maps.clone().thinned(2);
        assert_eq!((thin.height, thin.width), (2, 2));
        assert_eq!(thin.values, [0.0, 3.0, 12.0, 15.0, 20.0, 23.0, 32.0, 35.0]);
        assert_eq!(maps.clone().thinned(5), maps);
    }
}
