//! What a thread holds of cuDNN: the handle, the descriptions and algorithms of the convolutions it
//! has met, and one workspace that grows.

use std::cell::{RefCell, RefMut};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::cuda_backend::{DeviceId, WrapErr};
use candle_core::{CudaDevice, Result, bail};

use super::conv::Plans;
use super::kernel::number;
use super::memory::alloc;

/// What a result is multiplied by, and what the memory it goes to held before.
pub(super) const ONE: *const c_void = (&raw const ONE_VALUE).cast();
pub(super) const ZERO: *const c_void = (&raw const ZERO_VALUE).cast();
static ONE_VALUE: f32 = 1.0;
static ZERO_VALUE: f32 = 0.0;

/// cuDNN on one device's stream, for one thread: a handle may not be used by two at once.
pub(super) struct Library {
    device: DeviceId,
    handle: sys::cudnnHandle_t,
    pub plans: RefCell<Plans>,
    workspace: RefCell<Option<CudaSlice<u8>>>,
}

thread_local! {
    static LIBRARY: RefCell<Option<Rc<Library>>> = const { RefCell::new(None) };
}

impl Library {
    /// This thread's; made anew where the thread turns to another device.
    pub fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        LIBRARY.with_borrow_mut(|held| match held {
            Some(library) if library.device == device.id() => Ok(library.clone()),
            _ => Ok(held.insert(Rc::new(Self::open(device)?)).clone()),
        })
    }

    fn open(device: &CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().w()?;
        let mut handle = null_mut();
        // SAFETY: the pointer is valid for the call.
        check("start", unsafe { sys::cudnnCreate(&mut handle) })?;
        let library = Self {
            device: device.id(),
            handle,
            plans: RefCell::default(),
            workspace: RefCell::new(None),
        };
        // SAFETY: the handle was just made, and whoever has the device keeps its stream.
        let set = unsafe { sys::cudnnSetStream(handle, stream.cu_stream().cast()) };
        check("stream", set)?;
        Ok(library)
    }

    pub fn handle(&self) -> sys::cudnnHandle_t {
        self.handle
    }

    /// At least `bytes` of memory, for one operation: all operations of the stream share it.
    pub fn workspace(
        &self,
        device: &CudaDevice,
        bytes: usize,
    ) -> Result<RefMut<'_, CudaSlice<u8>>> {
        let mut held = self.workspace.borrow_mut();
        if held.as_ref().is_none_or(|held| held.len() < bytes) {
            // The old one goes first, so that both need not fit.
            *held = None;
            *held = Some(alloc(device, bytes.max(1))?);
        }
        match RefMut::filter_map(held, Option::as_mut) {
            Ok(workspace) => Ok(workspace),
            Err(_) => bail!("cuDNN has no workspace"),
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle is this one's own. After a failure of the card this fails too, which
        // changes nothing any more.
        unsafe { sys::cudnnDestroy(self.handle) };
    }
}

/// An error with the operation's name unless `status` is success.
pub(super) fn check(operation: &'static str, status: sys::cudnnStatus_t) -> Result<()> {
    if status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
        return Ok(());
    }
    bail!("cuDNN {operation}: {status:?}")
}

/// Whether cuDNN has no way to do what it was asked for; an installation that lacks something is
/// another matter.
pub(super) fn is_unsupported(status: sys::cudnnStatus_t) -> bool {
    use sys::cudnnStatus_t::{
        CUDNN_STATUS_NOT_SUPPORTED, CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH,
        CUDNN_STATUS_NOT_SUPPORTED_BAD_LAUNCH_PARAM, CUDNN_STATUS_NOT_SUPPORTED_LAYOUT,
        CUDNN_STATUS_NOT_SUPPORTED_PADDING, CUDNN_STATUS_NOT_SUPPORTED_SHAPE,
        CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT,
    };
    matches!(
        status,
        CUDNN_STATUS_NOT_SUPPORTED
            | CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH
            | CUDNN_STATUS_NOT_SUPPORTED_BAD_LAUNCH_PARAM
            | CUDNN_STATUS_NOT_SUPPORTED_LAYOUT
            | CUDNN_STATUS_NOT_SUPPORTED_PADDING
            | CUDNN_STATUS_NOT_SUPPORTED_SHAPE
            | CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT
    )
}

/// A description that cuDNN keeps, destroyed with its owner.
macro_rules! description {
    ($(#[$about:meta])* $name:ident, $raw:ident, $create:ident, $destroy:ident) => {
        $(#[$about])*
        pub(super) struct $name(pub sys::$raw);

        impl $name {
            fn create() -> Result<Self> {
                let mut raw = null_mut();
                // SAFETY: the pointer is valid for the call.
                check("description", unsafe { sys::$create(&mut raw) })?;
                Ok(Self(raw))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: it was made by `create`, and nobody else destroys it.
                unsafe { sys::$destroy(self.0) };
            }
        }
    };
}

description!(
    /// The shape of a contiguous `f32` tensor (N, C, H, W).
    TensorShape, cudnnTensorDescriptor_t,
    cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor
);
description!(
    /// The shape of contiguous `f32` filters (O, C / groups, KH, KW).
    FilterShape, cudnnFilterDescriptor_t,
    cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor
);
description!(
    /// How a convolution moves its window.
    Motion, cudnnConvolutionDescriptor_t,
    cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor
);

const FLOAT: sys::cudnnDataType_t = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
const NCHW: sys::cudnnTensorFormat_t = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;

impl TensorShape {
    pub fn new(dims: [usize; 4]) -> Result<Self> {
        let (shape, [n, c, h, w]) = (Self::create()?, numbers(dims)?);
        // SAFETY: the description exists.
        let set = unsafe { sys::cudnnSetTensor4dDescriptor(shape.0, NCHW, FLOAT, n, c, h, w) };
        check("tensor shape", set)?;
        Ok(shape)
    }

    /// Of a tensor (N, C, …), whose further axes cuDNN sees as one.
    pub fn by_channel(dims: &[usize]) -> Result<Self> {
        let [n, c, rest @ ..] = dims else {
            bail!("{dims:?} has no channels")
        };
        Self::new([*n, *c, rest.iter().product(), 1])
    }

    /// Of one number a channel.
    pub fn of_channels(channels: usize) -> Result<Self> {
        Self::new([1, channels, 1, 1])
    }
}

impl FilterShape {
    pub fn new(dims: [usize; 4]) -> Result<Self> {
        let (shape, [o, c, h, w]) = (Self::create()?, numbers(dims)?);
        // SAFETY: the description exists.
        let set = unsafe { sys::cudnnSetFilter4dDescriptor(shape.0, FLOAT, NCHW, o, c, h, w) };
        check("filter shape", set)?;
        Ok(shape)
    }
}

impl Motion {
    /// `sizes` are padding, stride and dilation, each [vertical, horizontal].
    pub fn new(sizes: [[usize; 2]; 3], groups: usize, tf32: bool) -> Result<Self> {
        let motion = Self::create()?;
        let [pad, stride, dilation] = sizes;
        let [pad, stride, dilation] = [numbers(pad)?, numbers(stride)?, numbers(dilation)?];
        // DEFAULT_MATH lets cuDNN round to TF32 from Ampere on, FMA_MATH forbids it.
        let math = match tf32 {
            true => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
            false => sys::cudnnMathType_t::CUDNN_FMA_MATH,
        };
        // SAFETY: the description exists.
        unsafe {
            let set = sys::cudnnSetConvolution2dDescriptor(
                motion.0,
                pad[0],
                pad[1],
                stride[0],
                stride[1],
                dilation[0],
                dilation[1],
                sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                FLOAT,
            );
            check("convolution's sizes", set)?;
            let set = sys::cudnnSetConvolutionGroupCount(motion.0, number("groups", groups)?);
            check("convolution's groups", set)?;
            let set = sys::cudnnSetConvolutionMathType(motion.0, math);
            check("convolution's precision", set)?;
        }
        Ok(motion)
    }
}

fn numbers<const N: usize>(sizes: [usize; N]) -> Result<[i32; N]> {
    let mut numbers = [0; N];
    for (to, size) in numbers.iter_mut().zip(sizes) {
        *to = number("shape", size)?;
    }
    Ok(numbers)
}
