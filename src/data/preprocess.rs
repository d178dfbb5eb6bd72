//! From what a source holds to what the network sees: shape and arithmetic.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::config::{Color, Preprocess, Sequence, Whiten};
use super::dataset::Store;
use super::statistics::Statistics;
use super::whiten::Whitening;
use super::{DataConfig, DataError, Dataset};
use crate::i18n::{tr, tr_format};

/// Whether examples must be decoded, recoloured or resized, which takes far longer than the rest.
pub(super) fn is_worked_on(dataset: &Dataset, config: &DataConfig) -> bool {
    let preprocess = &config.preprocess;
    let changes = preprocess.color != Color::Keep || preprocess.resize.is_some();
    match dataset.store {
        Store::Files(_) | Store::Labelled(_) | Store::Scenes(_) | Store::Pairs(_) => true,
        Store::Bytes(_) => changes,
        Store::Floats(_) | Store::Text(_) => false,
    }
}

/// Channels, height and width after colour and resizing.
pub(super) fn prepared_shape(
    dataset: &Dataset,
    config: &DataConfig,
) -> Result<[usize; 3], DataError> {
    let preprocess = &config.preprocess;
    if let (true, Some((height, width))) = (dataset.is_pairs(), dataset.size) {
        // Both images are coloured and resized before they become one example.
        return Ok([dataset.channels(), height, width]);
    }
    let channels = match preprocess.color {
        Color::Keep => dataset.channels(),
        Color::Gray => 1,
        Color::Rgb | Color::Bgr => 3,
    };
    let is_table = matches!(dataset.store, Store::Floats(_));
    if channels != dataset.channels() && (is_table || !matches!(dataset.channels(), 1 | 3)) {
        let problem = tr(
            "only images of 1 or 3 channels have colours to convert; write Keep",
            "只有 1 或 3 通道的图像才能转换颜色；请填写 Keep",
        );
        return Err(DataError::config("preprocess.color", problem));
    }
    if is_table && preprocess.resize.is_some() {
        let problem = tr(
            "rows of a table cannot be resized; write None",
            "表格数据无法缩放；请填写 None",
        );
        return Err(DataError::config("preprocess.resize", problem));
    }
    let (height, width) = preprocess.resize.or(dataset.size).ok_or_else(|| {
        let problem = tr(
            "the images differ in size; give the height and width that all are resized to",
            "图像尺寸不一；请给出统一缩放到的高和宽",
        );
        DataError::config("preprocess.resize", problem)
    })?;
    Ok([channels, height, width])
}

/// Everything that happens to an example after colour and size.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    /// Channels, height, width of what comes in.
    full: [usize; 3],
    transform: Transform,
    whitening: Option<Whitening>,
    crop: [usize; 2],
    mirror: bool,
    sequence: Sequence,
    /// Of what goes out.
    pub shape: Vec<usize>,
}

impl Pipeline {
    /// `statistics` fit `full`.
    pub fn new(
        statistics: &Statistics,
        preprocess: &Preprocess,
        full: [usize; 3],
    ) -> Result<Self, DataError> {
        let [channels, height, width] = full;
        let (crop_height, crop_width) = preprocess.crop.unwrap_or((height, width));
        let fits = (1..=height).contains(&crop_height) && (1..=width).contains(&crop_width);
        if !fits {
            let problem = tr_format!(
                "is {crop_height} × {crop_width}; it must be at least 1 × 1 and fit into the images of {height} × {width}",
                "为 {crop_height} × {crop_width}；至少为 1 × 1，且不能超过图像的 {height} × {width}"
            );
            return Err(DataError::config("preprocess.crop", problem));
        }
        let kept = statistics.components.kept(preprocess.whiten);
        let shape = match (preprocess.whiten, preprocess.sequence) {
            (Whiten::Pca { .. }, _) => vec![kept, 1, 1],
            (_, Sequence::Off) => vec![channels, crop_height, crop_width],
            (_, Sequence::Rows) => vec![crop_height, crop_width * channels],
            (_, Sequence::Pixels) => vec![crop_height * crop_width, channels],
        };
        Ok(Self {
            full,
            transform: Transform::new(statistics, preprocess.scale, full),
            whitening: Whitening::new(&statistics.components, preprocess.whiten),
            crop: [crop_height, crop_width],
            mirror: preprocess.mirror,
            sequence: preprocess.sequence,
            shape,
        })
    }

    /// The arithmetic alone, for statistics of its results.
    pub fn transformed<T: Copy + Into<f32>>(&self, values: &[T]) -> Vec<f32> {
        let mut plain = vec![0.0; values.len()];
        self.transform.apply(values, &mut plain);
        plain
    }

    /// Writes one example to `out`; `random` says where it is cropped and whether it is turned,
    /// without it the centre is taken as it is.
    pub fn apply<T: Copy + Into<f32>>(
        &self,
        values: &[T],
        random: Option<ChaCha8Rng>,
        out: &mut [f32],
    ) {
        let [_, height, width] = self.full;
        let whole = self.crop == [height, width] && !(self.mirror && random.is_some());
        if whole && self.whitening.is_none() && self.sequence == Sequence::Off {
            return self.transform.apply(values, out);
        }
        let mut plain = self.transformed(values);
        if let Some(whitening) = &self.whitening {
            plain = whitening.apply(&plain);
            if plain.len() != values.len() || (whole && self.sequence == Sequence::Off) {
                return out.copy_from_slice(&plain);
            }
        }
        self.lay_out(&plain, &self.look(random), out);
    }

    /// Which part is taken, and whether it is turned round.
    fn look(&self, random: Option<ChaCha8Rng>) -> Look {
        let [_, height, width] = self.full;
        let [crop_height, crop_width] = self.crop;
        let (room_y, room_x) = (height - crop_height, width - crop_width);
        match random {
            Some(mut random) => Look {
                top: random.random_range(0..=room_y),
                left: random.random_range(0..=room_x),
                turned: self.mirror && random.random_bool(0.5),
            },
            None => Look {
                top: room_y / 2,
                left: room_x / 2,
                turned: false,
            },
        }
    }

    /// The labels of the part that [`apply`](Self::apply) takes with the same `random`.
    pub fn crop_labels(&self, labels: &[u8], random: Option<ChaCha8Rng>) -> Vec<u32> {
        let [_, _, width] = self.full;
        let [crop_height, crop_width] = self.crop;
        let Look { top, left, turned } = self.look(random);
        let mut cropped = Vec::with_capacity(crop_height * crop_width);
        for row in labels.chunks_exact(width).skip(top).take(crop_height) {
            let row = row[left..left + crop_width]
                .iter()
                .map(|&label| u32::from(label));
            match turned {
                true => cropped.extend(row.rev()),
                false => cropped.extend(row),
            }
        }
        cropped
    }

    /// Copies the part at a place, channel by channel or, in a sequence, channel innermost.
    fn lay_out(&self, plain: &[f32], look: &Look, out: &mut [f32]) {
        let Look { top, left, turned } = *look;
        let [channels, height, width] = self.full;
        let [crop_height, crop_width] = self.crop;
        for channel in 0..channels {
            for y in 0..crop_height {
                let row = (channel * height + top + y) * width + left;
                let row = &plain[row..row + crop_width];
                for x in 0..crop_width {
                    let from = if turned { crop_width - 1 - x } else { x };
                    let to = match self.sequence {
                        Sequence::Off => (channel * crop_height + y) * crop_width + x,
                        _ => (y * crop_width + x) * channels + channel,
                    };
                    out[to] = row[from];
                }
            }
        }
    }
}

/// The part of an image that the network sees.
struct Look {
    top: usize,
    left: usize,
    turned: bool,
}

/// The arithmetic of one example.
#[derive(Clone, Debug)]
pub(super) struct Transform {
    pixels_per_channel: usize,
    /// One per channel, or one per channel and pixel.
    mean: Vec<f32>,
    /// `scale / std`, one per channel.
    factor: Vec<f32>,
}

impl Transform {
    /// `statistics` fit `shape`.
    pub fn new(statistics: &Statistics, scale: f64, [channels, height, width]: [usize; 3]) -> Self {
        let factor = |channel| {
            let std = statistics.std.get(channel).copied().unwrap_or(1.0);
            (scale / f64::from(std)) as f32
        };
        let mean = match &statistics.mean[..] {
            [] => vec![0.0; channels],
            mean => mean.to_vec(),
        };
        Self {
            pixels_per_channel: height * width,
            mean,
            factor: (0..channels).map(factor).collect(),
        }
    }

    /// Writes one example to `out`, of the same length.
    pub fn apply<T: Copy + Into<f32>>(&self, values: &[T], out: &mut [f32]) {
        let pixels = self.pixels_per_channel;
        let per_pixel = self.mean.len() != self.factor.len();
        let planes = values
            .chunks_exact(pixels)
            .zip(out.chunks_exact_mut(pixels));
        for (channel, (values, out)) in planes.enumerate() {
            let factor = self.factor[channel];
            if per_pixel {
                let mean = &self.mean[channel * pixels..][..pixels];
                for ((out, &value), mean) in out.iter_mut().zip(values).zip(mean) {
                    *out = (value.into() - mean) * factor;
                }
            } else {
                let mean = self.mean[channel];
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = (value.into() - mean) * factor;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_subtracts_then_divides_then_scales() {
        let shape = [2, 1, 2];
        let apply = |mean: &[f32], std: &[f32], scale| {
            let statistics = Statistics {
                mean: mean.to_vec(),
                std: std.to_vec(),
                ..Statistics::default()
            };
            let mut out = [0.0; 4];
            Transform::new(&statistics, scale, shape).apply(&[10u8, 20, 30, 40], &mut out);
            out
        };
        assert_eq!(
            apply(&[], &[], 0.00390625),
            [0.0390625, 0.078125, 0.1171875, 0.15625]
        );
        assert_eq!(
            apply(&[10.0, 20.0], &[2.0, 4.0], 0.5),
            [0.0, 2.5, 1.25, 2.5]
        );
        assert_eq!(
            apply(&[1.0, 2.0, 3.0, 4.0], &[], 2.0),
            [18.0, 36.0, 54.0, 72.0]
        );
    }
}
