//! Spatial pyramid pooling (He et al. 2014): a vector of fixed length from maps of any size.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::PoolMethod;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// (N, C, H, W) → (N, C · Σ 4ˡ): pools over 1 × 1, 2 × 2, 4 × 4 … bins and joins them. Caffe's SPP,
/// with its windows: size ⌈H / bins⌉, side by side, centred by padding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpatialPyramidPool {
    pub pyramid_height: usize,
    pub pool: PoolMethod,
}

impl Default for SpatialPyramidPool {
    fn default() -> Self {
        Self {
            pyramid_height: 3,
            pool: PoolMethod::Max,
        }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "SpatialPyramidPool",
    title: Text::new("Spatial pyramid pooling", "空间金字塔池化"),
    family: Family::Pooling,
    role: Role::Layer,
    about: Text::new(
        "Pools over ever finer grids and joins the results: a vector of fixed length from an image of any size.",
        "在逐级加细的网格上池化并拼接：任意大小的图像得到定长向量。",
    ),
    formula: "y = [pool 1×1, pool 2×2, pool 4×4, …]",
    caffe: ("SPP", "spp_param"),
};

/// The windows along one axis for `bins` bins: kernel and pad, as Caffe computes them; `None`
/// where the axis is too short for so many.
fn windows(size: usize, bins: usize) -> Option<(usize, usize)> {
    let kernel = size.div_ceil(bins);
    let pad = kernel.checked_mul(bins)?.checked_sub(size)?.div_ceil(2);
    let output = nn::pool_output(size, kernel, kernel, pad, true)?;
    (output == bins).then_some((kernel, pad))
}

impl SpatialPyramidPool {
    fn levels(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.pyramid_height).map(|level| 1 << level)
    }

    /// The pooling of each level over maps of this size.
    pub(crate) fn settings(&self, size: [usize; 2]) -> candle_core::Result<Vec<nn::Pool2d>> {
        let level = |bins| match size.map(|size| windows(size, bins)) {
            [Some((kernel_h, pad_h)), Some((kernel_w, pad_w))] => Ok(nn::Pool2d {
                kernel: [kernel_h, kernel_w],
                stride: [kernel_h, kernel_w],
                pad: [pad_h, pad_w],
                ceil: true,
            }),
            _ => candle_core::bail!("a map of {size:?} cannot be cut into {bins} × {bins} bins"),
        };
        self.levels().map(level).collect()
    }
}

impl Layer for SpatialPyramidPool {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "How many grids: 1×1, 2×2, 4×4 and so on.",
            "网格级数：1×1、2×2、4×4，依此类推。",
        );
        let height = &mut self.pyramid_height;
        visitor.field(Field::count("pyramid_height", height, 1..=8, about));
        let about = Text::new("What a bin is summed up by.", "每格的汇总方式。");
        visitor.field(Field::choice("pool", &mut self.pool, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        let (4, Some(channels)) = (x.rank(), x.dim(1)) else {
            return Err(Problem::Shape(tr_format!(
                "pyramid pooling needs images (N, C, H, W), but gets {x}",
                "金字塔池化需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        };
        for size in x.0[2..].iter().flatten() {
            if let Some(bins) = self.levels().find(|bins| windows(*size, *bins).is_none()) {
                return Err(Problem::Shape(tr_format!(
                    "{size} pixels cannot be cut into {bins} bins; use a lower pyramid",
                    "{size} 个像素无法分成 {bins} 格；请减小金字塔级数"
                )));
            }
        }
        let bins: usize = self.levels().map(|bins| bins * bins).sum();
        let y = Shape(vec![x.dim(0), channels.checked_mul(bins)]);
        Ok(Inferred {
            window: Window::Whole,
            ..Inferred::pointwise(y)
        })
    }

    /// Saves the input and, for the maximum, each level's indices.
    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let (mut saved, mut levels) = (vec![x.clone()], Vec::new());
        for settings in self.settings([x.dim(2)?, x.dim(3)?])? {
            let y = match self.pool {
                PoolMethod::Max => {
                    let (y, indices) = nn::max_pool2d(x, &settings)?;
                    saved.push(indices);
                    y
                }
                PoolMethod::Average => nn::avg_pool2d(x, &settings)?,
            };
            levels.push(y.flatten_from(1)?);
        }
        Ok(Passed::new(Tensor::cat(&levels, 1)?, saved))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (x, dy) = (&saved[0], only_gradient(gradients)?);
        let (n, channels, height, width) = x.dims4()?;
        let size = [height, width];
        let mut dx: Option<Tensor> = None;
        let mut begin = 0;
        for (level, (bins, settings)) in self.levels().zip(self.settings(size)?).enumerate() {
            let length = channels * bins * bins;
            let dy = dy.narrow(1, begin, length)?.contiguous()?;
            let dy = dy.reshape((n, channels, bins, bins))?;
            begin += length;
            let part = match self.pool {
                PoolMethod::Max => nn::max_pool2d_backward(&dy, &saved[1 + level], size)?,
                PoolMethod::Average => nn::avg_pool2d_backward(&dy, size, &settings)?,
            };
            dx = Some(match dx {
                Some(sum) => (sum + part)?,
                None => part,
            });
        }
        Ok(Gradients::of_inputs([dx]))
    }
}
