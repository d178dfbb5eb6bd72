//! Layers that pick some of their input, or nothing: ArgMax, BatchReindex, Silence.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, PortType, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::layers::around;
use crate::nn;

/// Where the `top_k` largest values stand along `axis`, or in each whole example without one; as
/// numbers, the largest first. With `out_max_val`, their values: along an axis in place of the
/// indices, else behind them as a second channel. Caffe's ArgMax; of equal values the later one
/// goes first, as there. The indices have no slope; unlike in Caffe, the values have theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArgMax {
    pub out_max_val: bool,
    pub top_k: usize,
    pub axis: Option<usize>,
}

impl Default for ArgMax {
    fn default() -> Self {
        Self {
            out_max_val: false,
            top_k: 1,
            axis: None,
        }
    }
}

static ARG_MAX: LayerSpec = LayerSpec {
    name: "ArgMax",
    title: Text::new("Arg max", "最大值位置"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Gives the place of the largest number: the class that a network answers with.",
        "给出最大数所在的位置：即网络回答的类别。",
    ),
    formula: "y = argmaxᵢ xᵢ",
    caffe: ("ArgMax", "argmax_param"),
};

impl ArgMax {
    /// `x` as (before, compared, after).
    fn rows(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self.axis {
            Some(axis) => around(x, axis as i64),
            None => x.contiguous()?.flatten_from(1)?.unsqueeze(2),
        }
    }
}

impl Layer for ArgMax {
    fn spec(&self) -> &'static LayerSpec {
        &ARG_MAX
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "Give the values too, or along an axis instead.",
            "同时给出数值；指定了 axis 时只给数值。",
        );
        visitor.field(Field::flag("out_max_val", &mut self.out_max_val, about));
        let about = Text::new("How many of the largest.", "取最大的前几个。");
        visitor.field(Field::count("top_k", &mut self.top_k, 1..=1 << 16, about));
        let about = Text::new(
            "The axis along which to compare, such as 1 for the classes of each pixel; empty compares the whole example.",
            "沿哪一维比较，例如 1 为每个像素的各类别；留空则比较整个样本。",
        );
        visitor.field(Field::optional_count("axis", &mut self.axis, 0..=8, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (x, wanted) = (inputs[0], self.top_k);
        let compared = match self.axis {
            Some(axis) => Some(axis)
                .filter(|axis| *axis < x.rank())
                .map(|axis| x.dim(axis)),
            None => Some(x.per_example()).filter(|_| x.rank() >= 2),
        };
        if compared.is_none_or(|size| size.is_some_and(|size| size < wanted)) {
            return Err(Problem::Shape(tr_format!(
                "{x} does not have {wanted} values to compare there",
                "{x} 在该处不足 {wanted} 个可比较的值"
            )));
        }
        let y = match self.axis {
            Some(axis) => x.clone().with(axis, Some(wanted)),
            None => {
                let mut dims = vec![1; x.rank().max(3) - 1];
                dims[0] += usize::from(self.out_max_val);
                dims[1] = wanted;
                Shape::batch_of(x.dim(0), &dims)
            }
        };
        Ok(Inferred {
            window: match self.axis {
                Some(_) => Window::Point,
                None => Window::Whole,
            },
            ..Inferred::pointwise(y)
        })
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let rows = self.rows(x)?;
        let indices = nn::top_indices(&rows, self.top_k)?;
        let places = indices.to_dtype(x.dtype())?;
        let values = match self.out_max_val {
            true => Some(rows.contiguous()?.gather(&indices, 1)?),
            false => None,
        };
        let y = match (self.axis, values) {
            (Some(axis), values) => {
                let mut dims = x.dims().to_vec();
                dims[axis] = self.top_k;
                values.unwrap_or(places).reshape(dims)?
            }
            (None, values) => {
                let channels: Vec<Tensor> = std::iter::once(places).chain(values).collect();
                let mut dims = vec![1; x.rank().max(3)];
                (dims[0], dims[1], dims[2]) = (x.dim(0)?, channels.len(), self.top_k);
                Tensor::cat(&channels, 2)?
                    .transpose(1, 2)?
                    .contiguous()?
                    .reshape(dims)?
            }
        };
        Ok(Passed::new(y, vec![x.clone(), indices]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        if !self.out_max_val {
            return Ok(Gradients::default());
        }
        let (x, indices, dy) = (&saved[0], &saved[1], only_gradient(gradients)?);
        let dy = match self.axis {
            Some(_) => dy.contiguous()?.reshape(indices.shape())?,
            None => dy.narrow(1, 1, 1)?.contiguous()?.reshape(indices.shape())?,
        };
        let rows = self.rows(x)?;
        let zeros = Tensor::zeros(rows.shape(), x.dtype(), x.device())?;
        let dx = zeros.scatter_add(indices, &dy, 1)?.reshape(x.shape())?;
        Ok(Gradients::of_input(dx))
    }
}

/// The examples (N, …) in another order, with repetitions or left out: the second input (M) names
/// those to take. Caffe's BatchReindex.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchReindex {}

static BATCH_REINDEX: LayerSpec = LayerSpec {
    name: "BatchReindex",
    title: Text::new("Batch reindex", "批次重排"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Takes the examples that the second input names, in its order.",
        "按第二个输入给出的序号和顺序取出样本。",
    ),
    formula: "y(m) = x(i(m))",
    caffe: ("BatchReindex", ""),
};

impl Layer for BatchReindex {
    fn spec(&self) -> &'static LayerSpec {
        &BATCH_REINDEX
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("x"), Port::labels("index")] })
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (x, index) = (inputs[0], inputs[1]);
        if x.rank() == 0 || index.rank() != 1 {
            return Err(Problem::Shape(tr_format!(
                "examples (N, …) and a list of numbers (M) are needed, but they are {x} and {index}",
                "需要样本 (N, …) 和序号列表 (M)，而得到的是 {x} 和 {index}"
            )));
        }
        Ok(Inferred::pointwise(x.clone().with(0, index.dim(0))))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (x, index) = (inputs[0].tensor(), inputs[1].tensor());
        let count = x.dim(0)?;
        let outside = |row: &u32| *row as usize >= count;
        if let Some(row) = index.to_vec1::<u32>()?.into_iter().find(outside) {
            candle_core::bail!("example {row} is asked for, but there are {count}");
        }
        let y = x.contiguous()?.index_select(index, 0)?;
        Ok(Passed::new(y, vec![x.clone(), index.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (x, dy) = (&saved[0], only_gradient(gradients)?);
        let zeros = Tensor::zeros(x.shape(), x.dtype(), x.device())?;
        let dx = zeros.index_add(&saved[1], &dy.contiguous()?, 0)?;
        Ok(Gradients::of_inputs([Some(dx), None]))
    }
}

/// Reads its inputs and gives nothing, so that nobody asks why they are not read. Caffe's Silence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Silence {}

static SILENCE: LayerSpec = LayerSpec {
    name: "Silence",
    title: Text::new("Silence", "静默"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Takes outputs that nobody else reads, and does nothing with them.",
        "接收无人读取的输出，不做任何处理。",
    ),
    formula: "x →",
    caffe: ("Silence", ""),
};

impl Layer for Silence {
    fn spec(&self) -> &'static LayerSpec {
        &SILENCE
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::repeated(
            const {
                &[Port {
                    name: "x",
                    kind: PortType::Any,
                }]
            },
        )
    }

    fn outputs(&self) -> &'static [Port] {
        &[]
    }

    fn infer(&self, _: &InferContext<'_>, _: &[&Shape]) -> Result<Inferred, Problem> {
        Ok(Inferred {
            outputs: Vec::new(),
            params: Vec::new(),
            macs: Some(0),
            window: Window::Nowhere,
        })
    }

    fn forward(&self, _: &Context<'_>, _: &[Value]) -> candle_core::Result<Passed> {
        Ok(Passed::default())
    }
}
