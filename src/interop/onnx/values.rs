//! What a name in an ONNX graph stands for while the graph is read: numbers that are known
//! already, weights that are still in the file, or what a node of ours gives.

use candle_core::Tensor;

use super::tensor::TensorData;
use crate::graph::Shape;

/// So many numbers are worth knowing one by one.
pub(super) const FEW: usize = 4_096;

/// Why an operator has no counterpart here.
#[derive(Clone, Debug)]
pub(super) struct Gap(pub String);

#[derive(Clone)]
pub(super) enum Value<'a> {
    /// An optional input that is left out.
    Absent,
    Numbers(Numbers),
    Weights(Weights<'a>),
    /// One number everywhere, such as a state to begin with.
    Filled {
        dims: Vec<Option<usize>>,
        value: f64,
    },
    Flow(Flow),
}

/// A few numbers; `None` is one that is known only when the network runs, such as the batch's
/// size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    pub dims: Vec<usize>,
    pub values: Vec<Option<f64>>,
    pub whole: bool,
}

impl Numbers {
    pub fn list(values: Vec<Option<f64>>) -> Self {
        Self {
            dims: vec![values.len()],
            values,
            whole: true,
        }
    }

    /// All of them, where all are known.
    pub fn known(&self) -> Option<Vec<f64>> {
        self.values.iter().copied().collect()
    }

    /// All of them as whole numbers; what is larger than any becomes the largest.
    pub fn integers(&self) -> Option<Vec<i64>> {
        let numbers = self.known()?;
        Some(numbers.into_iter().map(|number| number as i64).collect())
    }

    /// The one number that it is.
    pub fn single(&self) -> Option<f64> {
        match self.values[..] {
            [value] => value,
            _ => None,
        }
    }
}

/// Numbers that a layer may learn.
#[derive(Clone)]
pub(super) struct Weights<'a> {
    /// Under which an operator reads it.
    pub name: &'a str,
    pub dims: Vec<usize>,
    pub source: Source<'a>,
}

#[derive(Clone)]
pub(super) enum Source<'a> {
    File(TensorData<'a>),
    Read(Tensor),
}

/// What a node of ours gives, and how ONNX sees it.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// The draft of the node, and its port.
    pub from: (usize, usize),
    /// Of the port; `None` behind something unknown.
    pub shape: Option<Shape>,
    /// Which axis of ours each of ONNX's axes is, `None` for one of size 1 that we do not have.
    /// An axis of ours that is not named has the size 1. No view at all: the same axes.
    pub view: Option<Vec<Option<usize>>>,
    /// Zeros that ONNX has around the image: top, left, bottom, right.
    pub pad: [usize; 4],
}

impl Flow {
    pub fn new(from: (usize, usize), shape: Option<Shape>) -> Self {
        Self {
            from,
            shape,
            view: None,
            pad: [0; 4],
        }
    }

    /// The sizes of ONNX's axes.
    pub fn dims(&self) -> Option<Vec<Option<usize>>> {
        let shape = self.shape.as_ref()?;
        let mut dims = match &self.view {
            None => shape.0.clone(),
            Some(view) => {
                let size = |axis: &Option<usize>| axis.map_or(Some(1), |axis| shape.dim(axis));
                view.iter().map(size).collect()
            }
        };
        if self.pad != [0; 4] && dims.len() == 4 {
            let [top, left, bottom, right] = self.pad;
            dims[2] = dims[2].map(|size| size.saturating_add(top).saturating_add(bottom));
            dims[3] = dims[3].map(|size| size.saturating_add(left).saturating_add(right));
        }
        Some(dims)
    }

    /// The axes as ONNX counts them.
    pub fn axes(&self) -> Option<Vec<Option<usize>>> {
        match (&self.view, &self.shape) {
            (Some(view), _) => Some(view.clone()),
            (None, Some(shape)) => Some((0..shape.rank()).map(Some).collect()),
            (None, None) => None,
        }
    }

    /// The same with other axes; a view that changes nothing is none.
    pub fn viewed(mut self, view: Vec<Option<usize>>) -> Self {
        let rank = self.shape.as_ref().map(Shape::rank);
        let same = view
            .iter()
            .enumerate()
            .all(|(index, axis)| *axis == Some(index));
        self.view = (!(same && rank == Some(view.len()))).then_some(view);
        self
    }

    /// How the same numbers in the same order are seen with these sizes, where only axes of size
    /// 1 come and go; −1 fits any axis, and so does a batch.
    pub fn seen_as(&self, target: &[i64]) -> Option<Self> {
        let (axes, dims) = (self.axes()?, self.dims()?);
        let mut view = Vec::with_capacity(target.len());
        let mut at = 0;
        for (index, &wanted) in target.iter().enumerate() {
            loop {
                let Some(size) = dims.get(at) else {
                    if wanted != 1 {
                        return None;
                    }
                    view.push(None);
                    break;
                };
                let fits = match size {
                    None => wanted != 0,
                    Some(size) => wanted == *size as i64,
                };
                // A rest must have an axis of its own, and the last one ends the list.
                let rest_fits = wanted == -1 && dims.len() - at == target.len() - index;
                if fits || rest_fits {
                    view.push(axes[at]);
                    at += 1;
                    break;
                }
                if *size == Some(1) {
                    at += 1;
                } else if wanted == 1 {
                    view.push(None);
                    break;
                } else {
                    return None;
                }
            }
        }
        let left_are_ones = dims[at..].iter().all(|size| *size == Some(1));
        left_are_ones.then(|| self.clone().viewed(view))
    }
}

/// The axis that a number means, from the end where it is negative.
pub(super) fn axis_in(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 {
        axis.checked_add(rank as i64)?
    } else {
        axis
    };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}
