//! Weights as images: the filters of a convolution, the rows of a full connection.

use candle_core::Tensor;

use super::Maps;

/// Weights in the form of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters {
    /// With `rgb`, three channels after another are one picture.
    pub maps: Maps,
    pub rgb: bool,
    /// How many pictures belong to one output of the layer.
    pub per_output: usize,
}

impl Filters {
    /// The number of pictures.
    pub fn count(&self) -> usize {
        self.maps.channels / if self.rgb { 3 } else { 1 }
    }
}

/// Pictures of a weight tensor.
///
/// (O, I, kh, kw) gives a picture for each output and input, or one in colour for each output
/// when I is 3; with 1 × 1 kernels, and for (O, I) in general, the O × I matrix is one picture.
/// The rows of (O, D) are pictures like filters when D is the size of `example` (channels,
/// height, width), which a layer has that reads the data directly. Other ranks give none.
pub fn filters(
    weight: &Tensor,
    example: Option<[usize; 3]>,
) -> candle_core::Result<Option<Filters>> {
    let (outputs, kernel) = match (weight.dims(), example) {
        (&[outputs, inputs, height, width], _) => (outputs, [inputs, height, width]),
        (&[outputs, inputs], Some(shape)) if shape.iter().product::<usize>() == inputs => {
            (outputs, shape)
        }
        (&[outputs, inputs], _) => (outputs, [inputs, 1, 1]),
        _ => return Ok(None),
    };
    let [inputs, height, width] = kernel;
    let values = Maps::of(&weight.flatten_all()?.unsqueeze(0)?, 0)?.values;
    if values.is_empty() {
        return Ok(None);
    }
    let matrix = height * width == 1;
    let rgb = inputs == 3 && !matrix;
    let maps = if matrix {
        Maps {
            channels: 1,
            height: outputs,
            width: inputs,
            values,
        }
    } else {
        Maps {
            channels: outputs * inputs,
            height,
            width,
            values,
        }
    };
    let per_output = if rgb || matrix { 1 } else { inputs };
    Ok(Some(Filters {
        maps,
        rgb,
        per_output,
    }))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn of(dims: &[usize], example: Option<[usize; 3]>) -> Option<Filters> {
        let count = dims.iter().product::<usize>() as u32;
        let tensor = Tensor::arange(0u32, count.max(1), &Device::Cpu).unwrap();
        let tensor = match count {
            0 => Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap(),
            _ => tensor.reshape(dims).unwrap(),
        };
        filters(&tensor, example).unwrap()
    }

    #[test]
    fn each_shape_has_its_pictures() {
        // Weight shape, example shape; then pictures, in colour, per output, height, width.
        type Case<'a> = (
            &'a [usize],
            Option<[usize; 3]>,
            (usize, bool, usize, usize, usize),
        );
        let cases: [Case; 7] = [
            (&[20, 1, 5, 5], None, (20, false, 1, 5, 5)),
            (&[8, 4, 3, 3], None, (32, false, 4, 3, 3)),
            (&[96, 3, 11, 11], None, (96, true, 1, 11, 11)),
            (&[64, 16, 1, 1], None, (1, false, 1, 64, 16)),
            (&[10, 784], Some([1, 28, 28]), (10, false, 1, 28, 28)),
            (&[10, 3072], Some([3, 32, 32]), (10, true, 1, 32, 32)),
            (&[10, 500], Some([1, 28, 28]), (1, false, 1, 10, 500)),
        ];
        for (dims, example, (count, rgb, per_output, height, width)) in cases {
            let filters = of(dims, example).unwrap();
            assert_eq!(
                (filters.count(), filters.rgb, filters.per_output),
                (count, rgb, per_output),
                "{dims:?}"
            );
            assert_eq!(
                (filters.maps.height, filters.maps.width),
                (height, width),
                "{dims:?}"
            );
            let area = filters.maps.channels * height * width;
            assert_eq!(filters.maps.values.len(), area, "{dims:?}");
        }
    }

    #[test]
    fn pictures_keep_the_weights_order() {
        let filters = of(&[2, 2, 2, 2], None).unwrap();
        assert_eq!(
            filters.maps.channel(3),
            [12.0, 13.0, 14.0, 15.0],
            "output 1, input 1"
        );
    }

    #[test]
    fn the_rest_has_none() {
        assert_eq!(of(&[5], None), None);
        assert_eq!(of(&[2, 3, 4], None), None);
        assert_eq!(of(&[0, 3, 2, 2], None), None);
    }
}
