//! One step of a solver in one kernel a parameter, where Candle's own operations take a pass over
//! the memory each.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaView, DeviceRepr, PushKernelArg};
use candle_core::{Result, Tensor, bail};

use super::kernel::{Kernel, for_each, number};
use super::memory::{alloc, tensor, with_views};
use super::serves;
use crate::nn::cpu::same_shape;
use crate::nn::update::{Rule, Step, correction, reference};

/// `Solver` of `kernels.cu`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Solver {
    kind: i32,
    l1: i32,
    rate: f32,
    decay: f32,
    scale: f32,
    past: f32,
    past2: f32,
    delta: f32,
}

// SAFETY: it is laid out as the kernel's structure, and holds nothing but numbers.
unsafe impl DeviceRepr for Solver {}

impl Solver {
    fn of(step: &Step) -> Self {
        let common = Self {
            l1: i32::from(step.l1),
            rate: step.rate as f32,
            decay: step.decay as f32,
            scale: step.scale as f32,
            ..Self::default()
        };
        let with = |kind: i32, past: f64, delta: f64| Self {
            kind,
            past: past as f32,
            delta: delta as f32,
            ..common
        };
        match step.rule {
            Rule::Sgd { momentum } => with(0, momentum, 0.0),
            Rule::SgdPyTorch { momentum } => with(1, momentum, 0.0),
            Rule::Nesterov { momentum } => with(2, momentum, 0.0),
            Rule::AdaGrad { delta } => with(3, 0.0, delta),
            Rule::RmsProp { decay, delta } => with(4, decay, delta),
            Rule::AdaDelta { momentum, delta } => with(5, momentum, delta),
            Rule::Adam {
                momentum,
                momentum2,
                delta,
                step: t,
            } => Self {
                past2: momentum2 as f32,
                rate: (step.rate * correction(momentum, momentum2, t)) as f32,
                ..with(6, momentum, delta)
            },
        }
    }
}

/// See [`crate::nn::update`].
pub(in crate::nn) fn update(
    w: &Tensor,
    g: &Tensor,
    states: &[Tensor],
    step: &Step,
) -> Result<(Tensor, Vec<Tensor>)> {
    for other in std::iter::once(g).chain(states) {
        same_shape(w, other)?;
    }
    match states {
        [s] if step.rule.states() == 1 && serves(&[w, g, s]) => one(w, g, s, step),
        [s, r] if step.rule.states() == 2 && serves(&[w, g, s, r]) => two([w, g, s, r], step),
        _ if states.len() == step.rule.states() => reference(w, g, states, step),
        _ => bail!("{:?} does not keep {} states", step.rule, states.len()),
    }
}

fn one(w: &Tensor, g: &Tensor, s: &Tensor, step: &Step) -> Result<(Tensor, Vec<Tensor>)> {
    let (count, solver) = (w.elem_count(), Solver::of(step));
    with_views(
        [w, g, s],
        |device, [old_w, g, s]: [CudaView<'_, f32>; 3]| {
            let mut new_w = alloc::<f32>(device, count)?;
            let mut new_s = alloc::<f32>(device, count)?;
            let kernel = Kernel::load(device, "update_one")?;
            let length: u32 = number("update", count)?;
            let mut launch = kernel.launch();
            launch.arg(&old_w).arg(&g).arg(&s);
            launch.arg(&mut new_w).arg(&mut new_s);
            launch.arg(&solver).arg(&length);
            // SAFETY: the arguments are the kernel's, and all arrays hold `length` numbers.
            unsafe { launch.launch(for_each(count)?) }.w()?;
            let states = vec![tensor(new_s, device, w.shape())?];
            Ok((tensor(new_w, device, w.shape())?, states))
        },
    )
}

fn two(tensors: [&Tensor; 4], step: &Step) -> Result<(Tensor, Vec<Tensor>)> {
    let shape = tensors[0].shape();
    let (count, solver) = (shape.elem_count(), Solver::of(step));
    with_views(tensors, |device, [w, g, s, r]: [CudaView<'_, f32>; 4]| {
        let mut new_w = alloc::<f32>(device, count)?;
        let mut new_s = alloc::<f32>(device, count)?;
        let mut new_r = alloc::<f32>(device, count)?;
        let kernel = Kernel::load(device, "update_two")?;
        let length: u32 = number("update", count)?;
        let mut launch = kernel.launch();
        launch.arg(&w).arg(&g).arg(&s).arg(&r);
        launch.arg(&mut new_w).arg(&mut new_s).arg(&mut new_r);
        launch.arg(&solver).arg(&length);
        // SAFETY: the arguments are the kernel's, and all arrays hold `length` numbers.
        unsafe { launch.launch(for_each(count)?) }.w()?;
        let states = vec![tensor(new_s, device, shape)?, tensor(new_r, device, shape)?];
        Ok((tensor(new_w, device, shape)?, states))
    })
}
