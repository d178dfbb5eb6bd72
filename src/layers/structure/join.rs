//! Along one axis: Concat joins, Slice cuts.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, gradient_or_zeros, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::layers::{axis_needed, axis_of};

/// Joins its inputs along one axis; by default along the channels (GoogLeNet's modules).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Concat {
    pub axis: i64,
}

impl Default for Concat {
    fn default() -> Self {
        Self { axis: 1 }
    }
}

static CONCAT: LayerSpec = LayerSpec {
    name: "Concat",
    title: Text::new("Concatenate", "拼接"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Puts its inputs side by side along one axis, by default as more channels.",
        "沿某一维把各输入拼在一起，默认沿通道维。",
    ),
    formula: "y = [x₁, x₂, …]",
    caffe: ("Concat", "concat_param"),
};

impl Layer for Concat {
    fn spec(&self) -> &'static LayerSpec {
        &CONCAT
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::repeated(const { &[Port::tensor("x")] })
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The axis along which to join: 0 examples, 1 channels, 2 height, 3 width.",
            "拼接所沿的维：0 为样本，1 为通道，2 为高，3 为宽。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let first = inputs[0];
        let axis = axis_needed(self.axis, first)?;
        let mut sum = Some(0usize);
        for (index, x) in inputs.iter().enumerate() {
            let port = index + 1;
            if !first.agrees(&(*x).clone().with(axis, first.dim(axis))) {
                return Err(Problem::Shape(tr_format!(
                    "input {port} is {x}, but the first is {first}; they must agree in every axis but {axis}",
                    "第 {port} 个输入为 {x}，而第一个为 {first}；除第 {axis} 维外必须一致"
                )));
            }
            sum = sum
                .zip(x.dim(axis))
                .map(|(sum, size)| sum.saturating_add(size));
        }
        Ok(Inferred::pointwise(first.clone().with(axis, sum)))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let tensors: Vec<&Tensor> = inputs.iter().map(Value::tensor).collect();
        let axis = axis_of(self.axis, tensors[0].rank()).unwrap_or(usize::MAX);
        let y = Tensor::cat(&tensors, axis)?.contiguous()?;
        Ok(Passed::new(y, tensors.into_iter().cloned().collect()))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let axis = axis_of(self.axis, dy.rank()).unwrap_or(usize::MAX);
        let mut begin = 0;
        let mut inputs = Vec::with_capacity(saved.len());
        for x in saved {
            let size = x.dim(axis)?;
            inputs.push(Some(dy.narrow(axis, begin, size)?.contiguous()?));
            begin += size;
        }
        Ok(Gradients::of_inputs(inputs))
    }
}

/// Cuts its input along one axis: at the points, or without any into `parts` of equal size.
/// Caffe's Slice, where the number of tops says into how many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slice {
    pub axis: i64,
    /// Where each part but the first begins, increasing.
    pub slice_point: Vec<usize>,
    /// Without points: how many equal parts.
    pub parts: usize,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            axis: 1,
            slice_point: Vec::new(),
            parts: 2,
        }
    }
}

static SLICE: LayerSpec = LayerSpec {
    name: "Slice",
    title: Text::new("Slice", "切分"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Cuts its input along one axis into several outputs: the two images of a pair, the halves of the channels.",
        "沿某一维把输入切成多个输出：成对的两幅图像、通道的两半。",
    ),
    formula: "[y₁, y₂, …] = x",
    caffe: ("Slice", "slice_param"),
};

const MOST_PARTS: usize = 32;

macro_rules! tensor_ports {
    ($($name:literal)*) => { &[$(Port::tensor($name)),*] };
}

#[rustfmt::skip]
const PARTS: &[Port; MOST_PARTS] = tensor_ports![
    "y1" "y2" "y3" "y4" "y5" "y6" "y7" "y8" "y9" "y10" "y11" "y12" "y13" "y14" "y15" "y16"
    "y17" "y18" "y19" "y20" "y21" "y22" "y23" "y24" "y25" "y26" "y27" "y28" "y29" "y30" "y31" "y32"
];

impl Slice {
    fn count(&self) -> usize {
        let count = match self.slice_point.len() {
            0 => self.parts,
            points => points + 1,
        };
        count.min(MOST_PARTS)
    }

    /// The size of each part of an axis of `size`; `None` where it cannot be cut so. Of an axis of
    /// unknown size the points still say all parts but the last.
    fn sizes(&self, size: Option<usize>) -> Option<Vec<Option<usize>>> {
        if self.slice_point.is_empty() {
            let parts = self.count();
            let part = match size {
                Some(size) if size == 0 || size % parts != 0 => return None,
                Some(size) => Some(size / parts),
                None => None,
            };
            return Some(vec![part; parts]);
        }
        let mut sizes = Vec::with_capacity(self.count());
        let mut begin = 0;
        for &end in &self.slice_point {
            sizes.push(Some(end.checked_sub(begin).filter(|size| *size > 0)?));
            begin = end;
        }
        sizes.push(match size {
            Some(size) => Some(size.checked_sub(begin).filter(|rest| *rest > 0)?),
            None => None,
        });
        Some(sizes)
    }

    /// The axis, and the size of each part of `x` along it.
    fn cuts(&self, x: &Tensor) -> candle_core::Result<(usize, Vec<usize>)> {
        let axis = axis_of(self.axis, x.rank());
        let sizes = axis.and_then(|axis| self.sizes(Some(x.dims()[axis])));
        let sizes = sizes.and_then(|sizes| sizes.into_iter().collect());
        match axis.zip(sizes) {
            Some(cuts) => Ok(cuts),
            None => candle_core::bail!("{:?} cannot be cut along axis {}", x.dims(), self.axis),
        }
    }
}

impl Layer for Slice {
    fn spec(&self) -> &'static LayerSpec {
        &SLICE
    }

    fn outputs(&self) -> &'static [Port] {
        &PARTS[..self.count()]
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The axis that is cut: 0 examples, 1 channels.",
            "沿哪一维切分：0 为样本，1 为通道。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
        let about = Text::new(
            "Where each part but the first begins, such as 1, 3; empty cuts into equal parts.",
            "除第一份外每份的起点，如 1, 3；留空则等分。",
        );
        visitor.field(Field::counts(
            "slice_point",
            &mut self.slice_point,
            1..=1 << 30,
            MOST_PARTS - 1,
            about,
        ));
        // Points say it themselves.
        if !self.slice_point.is_empty() {
            return;
        }
        let about = Text::new(
            "Without points: into how many equal parts.",
            "未给出切点时等分为几份。",
        );
        let parts = Field::count("parts", &mut self.parts, 1..=MOST_PARTS, about);
        visitor.field(parts.caffe("top"));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        let axis = axis_needed(self.axis, x)?;
        let Some(sizes) = self.sizes(x.dim(axis)) else {
            let parts = self.count();
            return Err(Problem::Shape(tr_format!(
                "axis {axis} of {x} cannot be cut into {parts} parts so: points must increase and lie inside, equal parts must come out even",
                "{x} 的第 {axis} 维无法这样切成 {parts} 份：切点须递增且在范围内，等分须能整除"
            )));
        };
        let part = |size| x.clone().with(axis, size);
        Ok(Inferred {
            outputs: sizes.into_iter().map(part).collect(),
            ..Inferred::pointwise(Shape::default())
        })
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let (axis, sizes) = self.cuts(x)?;
        let mut begin = 0;
        let mut outputs = Vec::with_capacity(sizes.len());
        for size in sizes {
            let part = x.narrow(axis, begin, size)?.contiguous()?;
            outputs.push(Value::Tensor(part));
            begin += size;
        }
        Ok(Passed {
            outputs,
            saved: vec![x.clone()],
            ..Passed::default()
        })
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let x = &saved[0];
        let (axis, sizes) = self.cuts(x)?;
        let mut parts = Vec::with_capacity(sizes.len());
        for (port, size) in sizes.into_iter().enumerate() {
            let mut dims = x.dims().to_vec();
            dims[axis] = size;
            let (dtype, device) = (x.dtype(), x.device());
            parts.push(gradient_or_zeros(gradients, port, &dims, dtype, device)?);
        }
        Ok(Gradients::of_input(
            Tensor::cat(&parts, axis)?.contiguous()?,
        ))
    }
}
