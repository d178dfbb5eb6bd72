//! The same numbers under other axes: Flatten, Reshape.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::layers::axis_of;

/// Makes one axis of those from `axis` to `end_axis`: by default (N, C, H, W) → (N, C·H·W).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flatten {
    pub axis: i64,
    /// The last one that is taken in.
    pub end_axis: i64,
}

impl Default for Flatten {
    fn default() -> Self {
        Self {
            axis: 1,
            end_axis: -1,
        }
    }
}

static FLATTEN: LayerSpec = LayerSpec {
    name: "Flatten",
    title: Text::new("Flatten", "展平"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Writes all feature maps of an example behind one another into one vector.",
        "把一个样本的所有特征图首尾相接排成一个向量。",
    ),
    formula: "(N, C, H, W) → (N, C·H·W)",
    caffe: ("Flatten", "flatten_param"),
};

impl Flatten {
    /// The axes that become one. None of them is allowed behind the last, so that (N) becomes
    /// (N, 1).
    fn axes(&self, rank: usize) -> Option<std::ops::Range<usize>> {
        let end = axis_of(self.end_axis, rank)? + 1;
        let first = match usize::try_from(self.axis) {
            Ok(axis) => axis,
            Err(_) => axis_of(self.axis, rank)?,
        };
        (first < end || (first, end) == (rank, rank)).then_some(first..end)
    }

    fn shape(&self, x: &Shape) -> Result<Shape, Problem> {
        if x.rank() == 0 {
            return Err(Problem::Shape(tr_format!(
                "a single number cannot be flattened",
                "单个数无法展平"
            )));
        }
        let Some(axes) = self.axes(x.rank()) else {
            let (first, last) = (self.axis, self.end_axis);
            return Err(Problem::Shape(tr_format!(
                "the input {x} has no axes from {first} to {last}",
                "输入 {x} 没有从第 {first} 维到第 {last} 维"
            )));
        };
        let mut y = x.0.clone();
        let joined = Shape(x.0[axes.clone()].to_vec()).count_from(0);
        y.splice(axes, [joined]);
        Ok(Shape(y))
    }
}

impl Layer for Flatten {
    fn spec(&self) -> &'static LayerSpec {
        &FLATTEN
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The first axis that is taken in: 1 leaves the examples apart.",
            "从第几维起展平：1 使各样本保持分开。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
        let about = Text::new(
            "The last axis that is taken in; −1 is the last of all.",
            "展平到第几维为止；−1 为最后一维。",
        );
        visitor.field(Field::integer(
            "end_axis",
            &mut self.end_axis,
            -8..=8,
            about,
        ));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        Ok(Inferred::pointwise(self.shape(inputs[0])?))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        reshaped(x, self.shape(&Shape::known(x.dims())))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        Ok(Gradients::of_input(dy.reshape(saved[0].shape())?))
    }
}

/// What a rule about shapes makes of a tensor; its problem is an error by now.
fn reshaped(x: &Tensor, shape: Result<Shape, Problem>) -> candle_core::Result<Passed> {
    let known = shape.map(|shape| shape.0.into_iter().collect::<Option<Vec<usize>>>());
    match known {
        Ok(Some(dims)) => Ok(Passed::new(x.reshape(dims)?, vec![x.clone()])),
        Ok(None) => candle_core::bail!("the shape of {:?} stays unknown", x.dims()),
        Err(problem) => candle_core::bail!("{}", problem.message()),
    }
}

/// Other axes for the same numbers. In place of `num_axes` axes from `axis` on (−1: all) stands
/// `shape`, where 0 copies the axis that was there and −1 is whatever remains. Caffe's Reshape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reshape {
    pub shape: Vec<i64>,
    pub axis: i64,
    pub num_axes: i64,
}

impl Default for Reshape {
    fn default() -> Self {
        Self {
            shape: vec![0, -1],
            axis: 0,
            num_axes: -1,
        }
    }
}

static RESHAPE: LayerSpec = LayerSpec {
    name: "Reshape",
    title: Text::new("Reshape", "变形"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Reads the same numbers in the same order under other axes.",
        "数值与顺序不变，换一种维度来读。",
    ),
    formula: "(N, C, H, W) → (N, …)",
    caffe: ("Reshape", "reshape_param"),
};

impl Reshape {
    /// The axes that are replaced.
    fn axes(&self, rank: usize) -> Option<std::ops::Range<usize>> {
        // As in Caffe, −1 is the place behind the last axis.
        let first = match self.axis < 0 {
            true => self.axis + rank as i64 + 1,
            false => self.axis,
        };
        let first = usize::try_from(first).ok().filter(|first| *first <= rank)?;
        let end = match usize::try_from(self.num_axes) {
            Ok(count) => first.checked_add(count)?,
            Err(_) => rank,
        };
        (end <= rank).then_some(first..end)
    }

    fn shape(&self, x: &Shape) -> Result<Shape, Problem> {
        let shape = &self.shape;
        let no_fit = || {
            Problem::Shape(tr_format!(
                "{x} cannot be read as {shape:?}: 0 copies an axis, one −1 is the rest, and the numbers must come out even",
                "{x} 无法按 {shape:?} 变形：0 为照抄该维，至多一个 −1 表示其余，且总数必须相等"
            ))
        };
        let axes = self.axes(x.rank()).ok_or_else(no_fit)?;
        let old = &x.0[axes.clone()];
        let mut new = Vec::with_capacity(shape.len());
        let mut rest = None;
        let mut copied = vec![false; old.len()];
        for (index, size) in shape.iter().enumerate() {
            new.push(match *size {
                0 => {
                    *copied.get_mut(index).ok_or_else(no_fit)? = true;
                    old[index]
                }
                -1 if rest.is_none() => {
                    rest = Some(index);
                    None
                }
                size => Some(usize::try_from(size).map_err(|_| no_fit())?),
            });
        }
        // An axis that is copied has its counterpart, known or not.
        let left = old.iter().zip(&copied).filter(|(_, copied)| !**copied);
        let before = Shape(left.map(|(size, _)| *size).collect()).count_from(0);
        let given = shape.iter().filter_map(|size| usize::try_from(*size).ok());
        let after = given
            .filter(|size| *size > 0)
            .fold(1, usize::saturating_mul);
        match (before, rest) {
            (Some(before), Some(rest)) if before.is_multiple_of(after) => {
                new[rest] = Some(before / after);
            }
            (Some(before), None) if before == after => {}
            (Some(_), _) => return Err(no_fit()),
            (None, _) => {}
        }
        let mut y = x.0.clone();
        y.splice(axes, new);
        Ok(Shape(y))
    }
}

impl Layer for Reshape {
    fn spec(&self) -> &'static LayerSpec {
        &RESHAPE
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The new sizes, such as 0, 16, -1: 0 copies the axis that was there, -1 is whatever remains.",
            "新的各维大小，如 0, 16, -1：0 为照抄原维，-1 为其余。",
        );
        visitor.field(Field::integers(
            "shape",
            &mut self.shape,
            -1..=1 << 30,
            8,
            about,
        ));
        let about = Text::new(
            "The first axis that is replaced; −1 adds behind the last.",
            "从第几维起替换；−1 为在最后一维之后添加。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
        let about = Text::new(
            "How many axes are replaced; −1 is all from there on, 0 only adds.",
            "替换几维；−1 为其后全部，0 为只添加。",
        );
        visitor.field(Field::integer(
            "num_axes",
            &mut self.num_axes,
            -1..=8,
            about,
        ));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        Ok(Inferred::pointwise(self.shape(inputs[0])?))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        reshaped(x, self.shape(&Shape::known(x.dims())))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        Ok(Gradients::of_input(dy.reshape(saved[0].shape())?))
    }
}
