//! Our own kernels, compiled for the card when the first of them is needed.

use std::sync::{Arc, OnceLock};

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaStream, LaunchArgs, LaunchConfig,
};
use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx;
use candle_core::{CudaDevice, Result, bail};

const SOURCE: &str = include_str!("kernels.cu");
/// Under which Candle keeps the loaded module.
const MODULE: &str = "layerlab";
/// Threads of a block of an elementwise kernel.
const THREADS: u32 = 256;

/// The kernels in the driver's portable code, or why NVRTC refuses them.
pub(in crate::nn) fn compile() -> Result<&'static str> {
    static COMPILED: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| match compile_ptx(SOURCE) {
        Ok(code) => Ok(code.to_src()),
        Err(error) => Err(error.to_string()),
    });
    match compiled {
        Ok(code) => Ok(code),
        Err(error) => bail!("the CUDA kernels cannot be compiled: {error}"),
    }
}

/// A kernel of `kernels.cu`, loaded.
pub(super) struct Kernel {
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

impl Kernel {
    pub fn load(device: &CudaDevice, name: &'static str) -> Result<Self> {
        let function = device.get_or_load_custom_func(name, MODULE, compile()?)?;
        Ok(Self {
            function: function.into_cuda_function(),
            stream: device.cuda_stream(),
        })
    }

    /// A launch, which wants its arguments.
    pub fn launch(&self) -> LaunchArgs<'_> {
        self.stream.launch_builder(&self.function)
    }
}

/// One thread for each of `count` elements.
pub(super) fn for_each(count: usize) -> Result<LaunchConfig> {
    Ok(LaunchConfig {
        grid_dim: (number::<u32>("launch", count)?.div_ceil(THREADS), 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    })
}

/// A size as the card's libraries count it.
pub(super) fn number<T: TryFrom<usize>>(operation: &'static str, size: usize) -> Result<T> {
    match T::try_from(size) {
        Ok(size) => Ok(size),
        Err(_) => bail!("CUDA {operation}: the size {size} is too large"),
    }
}
