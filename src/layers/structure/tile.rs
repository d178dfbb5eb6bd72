//! The same numbers several times: Tile.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::Text;
use crate::layers::{around, axis_needed, axis_of};

/// Repeats its input along one axis. Caffe's Tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tile {
    pub axis: i64,
    pub tiles: usize,
}

impl Default for Tile {
    fn default() -> Self {
        Self { axis: 1, tiles: 2 }
    }
}

static TILE: LayerSpec = LayerSpec {
    name: "Tile",
    title: Text::new("Tile", "平铺"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Puts copies of its input side by side along one axis.",
        "沿某一维把输入的若干副本拼在一起。",
    ),
    formula: "y = [x, x, …]",
    caffe: ("Tile", "tile_param"),
};

impl Layer for Tile {
    fn spec(&self) -> &'static LayerSpec {
        &TILE
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The axis along which to repeat: 0 examples, 1 channels.",
            "沿哪一维重复：0 为样本，1 为通道。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
        let about = Text::new("How many copies.", "副本数。");
        visitor.field(Field::count("tiles", &mut self.tiles, 1..=1 << 16, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        let axis = axis_needed(self.axis, x)?;
        let size = x.dim(axis).map(|size| size.saturating_mul(self.tiles));
        Ok(Inferred::pointwise(x.clone().with(axis, size)))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let (outer, size, inner) = around(x, self.axis)?.dims3()?;
        let rows = x.contiguous()?.reshape((outer, 1, size * inner))?;
        let copies = rows.broadcast_as((outer, self.tiles, size * inner))?;
        let mut dims = x.dims().to_vec();
        dims[axis_of(self.axis, x.rank()).unwrap_or(0)] *= self.tiles;
        let y = copies.contiguous()?.reshape(dims)?;
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (x, dy) = (&saved[0], only_gradient(gradients)?);
        let (outer, size, inner) = around(x, self.axis)?.dims3()?;
        let copies = dy.contiguous()?;
        let dx = copies.reshape((outer, self.tiles, size * inner))?.sum(1)?;
        Ok(Gradients::of_input(dx.reshape(x.shape())?))
    }
}
