//! How cuDNN computes the convolutions of each shape: its suggestions, asked for once.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::DevicePtrMut;
use candle_core::{CudaDevice, Result};

use crate::nn::conv::ConvShape;
use crate::nn::cuda::library::{FilterShape, Library, Motion, TensorShape, check, is_unsupported};
use crate::nn::tf32;

/// Bytes of workspace above which an algorithm is not taken.
const WORKSPACE: usize = 1 << 30;
/// Shapes that a thread remembers; a net whose images all differ begins anew after so many.
const REMEMBERED: usize = 1024;

/// All that decides on an algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Case {
    x: [usize; 4],
    w: [usize; 4],
    /// Padding, stride and dilation.
    motion: [[usize; 2]; 3],
    groups: usize,
    tf32: bool,
}

impl Case {
    fn of(shape: &ConvShape) -> Self {
        let (y, x) = (&shape.y, &shape.x);
        Self {
            x: shape.input_dims(),
            w: shape.filter_dims(),
            motion: [
                [y.pad, x.pad],
                [y.stride, x.stride],
                [y.dilation, x.dilation],
            ],
            groups: shape.groups,
            tf32: tf32(),
        }
    }
}

/// The descriptions of one convolution, and the algorithms for one direction of it.
pub(in crate::nn::cuda) struct Plan<A> {
    pub x: TensorShape,
    pub w: FilterShape,
    pub y: TensorShape,
    pub motion: Motion,
    /// Each with its bytes of workspace; the repeatable ones first, then as cuDNN orders them.
    algorithms: Vec<(A, usize)>,
    /// How many of them turned out not to work.
    failed: Cell<usize>,
}

/// The plans that a thread remembers, by direction.
#[derive(Default)]
pub(in crate::nn::cuda) struct Plans {
    forward: HashMap<Case, Rc<Plan<sys::cudnnConvolutionFwdAlgo_t>>>,
    data: HashMap<Case, Rc<Plan<sys::cudnnConvolutionBwdDataAlgo_t>>>,
    filter: HashMap<Case, Rc<Plan<sys::cudnnConvolutionBwdFilterAlgo_t>>>,
}

/// A function that gives the plan of a shape in one direction. `$operands` names three of the
/// plan's descriptions in the order in which cuDNN's question takes them.
macro_rules! planned {
    ($direction:ident, $algorithm:ident, $suggestion:ident, $ask:ident, $operands:expr) => {
        pub(super) fn $direction(
            library: &Library,
            shape: &ConvShape,
        ) -> Result<Rc<Plan<sys::$algorithm>>> {
            let case = Case::of(shape);
            if let Some(plan) = library.plans.borrow().$direction.get(&case) {
                return Ok(plan.clone());
            }
            let mut plan = Plan::new(&case, shape)?;
            let (first, second, third) = $operands(&plan);
            // SAFETY: zero is a value of every field.
            let mut suggestions: [sys::$suggestion; 8] = unsafe { std::mem::zeroed() };
            let mut count = 0;
            // SAFETY: the descriptions exist, and there is room for eight suggestions.
            let asked = unsafe {
                sys::$ask(
                    library.handle(),
                    first,
                    second,
                    plan.motion.0,
                    third,
                    suggestions.len() as i32,
                    &mut count,
                    suggestions.as_mut_ptr(),
                )
            };
            // Without a suggestion the reference computes.
            if !is_unsupported(asked) {
                check("convolution's algorithms", asked)?;
                for repeatable in [true, false] {
                    let told = suggestions.iter().take(count.max(0) as usize);
                    let taken = told.filter(|suggestion| {
                        let same = sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC;
                        suggestion.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                            && suggestion.memory <= WORKSPACE
                            && (suggestion.determinism == same) == repeatable
                    });
                    let taken = taken.map(|suggestion| (suggestion.algo, suggestion.memory));
                    plan.algorithms.extend(taken);
                }
            }
            let plan = Rc::new(plan);
            let known = &mut library.plans.borrow_mut().$direction;
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(case, plan.clone());
            Ok(plan)
        }
    };
}

planned!(
    forward,
    cudnnConvolutionFwdAlgo_t,
    cudnnConvolutionFwdAlgoPerf_t,
    cudnnGetConvolutionForwardAlgorithm_v7,
    |plan: &Plan<_>| (plan.x.0, plan.w.0, plan.y.0)
);
planned!(
    data,
    cudnnConvolutionBwdDataAlgo_t,
    cudnnConvolutionBwdDataAlgoPerf_t,
    cudnnGetConvolutionBackwardDataAlgorithm_v7,
    |plan: &Plan<_>| (plan.w.0, plan.y.0, plan.x.0)
);
planned!(
    filter,
    cudnnConvolutionBwdFilterAlgo_t,
    cudnnConvolutionBwdFilterAlgoPerf_t,
    cudnnGetConvolutionBackwardFilterAlgorithm_v7,
    |plan: &Plan<_>| (plan.x.0, plan.y.0, plan.w.0)
);

impl<A: Copy> Plan<A> {
    fn new(case: &Case, shape: &ConvShape) -> Result<Self> {
        Ok(Self {
            x: TensorShape::new(case.x)?,
            w: FilterShape::new(case.w)?,
            y: TensorShape::new(shape.output_dims())?,
            motion: Motion::new(case.motion, case.groups, case.tf32)?,
            algorithms: Vec::new(),
            failed: Cell::new(0),
        })
    }

    /// Calls `launch` with the best algorithm that works, its workspace and how large that is;
    /// false if there is none.
    ///
    /// A suggestion may still turn out to be unsupported, or its workspace not to be had.
    pub fn run(
        &self,
        library: &Library,
        device: &CudaDevice,
        operation: &'static str,
        launch: impl Fn(A, *mut c_void, usize) -> sys::cudnnStatus_t,
    ) -> Result<bool> {
        while let Some(&(algorithm, bytes)) = self.algorithms.get(self.failed.get()) {
            if let Ok(mut workspace) = library.workspace(device, bytes) {
                let stream = device.cuda_stream();
                let (space, _space) = workspace.device_ptr_mut(&stream);
                let status = launch(algorithm, space as _, bytes);
                if !is_unsupported(status) {
                    check(operation, status)?;
                    return Ok(true);
                }
            }
            self.failed.set(self.failed.get() + 1);
        }
        Ok(false)
    }
}
