//! Which device computes, and why it is not the one that was asked for.
//!
//! Choosing never fails: whatever is missing or broken, the CPU computes, and the notice says
//! why.

use candle_core::Device;

use crate::i18n::{Text, tr, tr_format};
#[cfg(feature = "cuda")]
use crate::nn;

/// What a person may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest that this program was built for and that works.
    #[default]
    Auto,
    Cpu,
    Cuda,
    Metal,
}

impl DeviceChoice {
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Metal];

    /// The name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Self::Auto => Text::new("automatic", "自动"),
            Self::Cpu => Text::new("CPU", "CPU"),
            Self::Cuda => Text::new("CUDA (NVIDIA)", "CUDA（英伟达）"),
            Self::Metal => Text::new("Metal (Apple)", "Metal（苹果）"),
        }
    }

    /// The device, and where it is the CPU instead of what was asked for, the reason.
    pub fn open(self) -> (Device, Option<String>) {
        let wanted: &[Backend] = match self {
            Self::Cpu => &[],
            Self::Cuda => &[("CUDA", cuda)],
            Self::Metal => &[("Metal", metal)],
            Self::Auto => AUTOMATIC,
        };
        let mut reasons = Vec::new();
        for (name, open) in wanted {
            match open() {
                Ok(device) => return (device, None),
                Err(reason) => reasons.push(tr_format!(
                    "{name} cannot be used, the CPU computes instead: {reason}",
                    "无法使用 {name}，改由 CPU 计算：{reason}"
                )),
            }
        }
        let notice = (!reasons.is_empty()).then(|| reasons.join("\n"));
        (Device::Cpu, notice)
    }
}

/// Its name, and how to open it or why that is impossible.
type Backend = (&'static str, fn() -> Result<Device, String>);

/// What a build tries without being asked: only what it was built for.
const AUTOMATIC: &[Backend] = &[
    #[cfg(feature = "cuda")]
    ("CUDA", cuda),
    #[cfg(feature = "metal")]
    ("Metal", metal),
];

/// What a person calls the device.
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "CPU".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("CUDA {gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("Metal {gpu_id}"),
    }
}

/// Opens a device behind a guard: a driver that is missing or broken may panic instead of
/// returning an error. (A CUDA build links the driver, so one that is missing altogether shows
/// before `main`; cudarc's `is_culib_present` exists in builds that load it at run time only.)
#[cfg(any(feature = "cuda", feature = "metal"))]
fn guarded(open: fn() -> candle_core::Result<Device>) -> Result<Device, String> {
    match std::panic::catch_unwind(open) {
        Ok(opened) => opened.map_err(|error| {
            // Candle's text goes on with where in the program it happened.
            let text = error.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        }),
        Err(panic) => Err(super::session::panic_text(&*panic)),
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device, String> {
    guarded(|| {
        // A stream of its own: that of the thread would be another one in every thread, and a
        // window that reads a snapshot would not wait for what computes it.
        let device = Device::new_cuda_with_stream(0)?;
        // SAFETY: without events nothing orders streams among each other, and there is only one:
        // every tensor of this device is made, used and freed in it, from whatever thread.
        unsafe { device.as_cuda_device()?.disable_event_tracking() };
        // A convolution and a kernel of our own show whether the driver takes this build's code,
        // and whether the libraries are whole.
        let ones = candle_core::Tensor::ones((1, 1, 1, 1), candle_core::DType::F32, &device)?;
        let y = nn::conv2d(&ones, &ones, None, &nn::Conv2d::default())?;
        let y = nn::relu(&y, 0.0)?.flatten_all()?.to_vec1::<f32>()?;
        match y[..] {
            [1.0] => Ok(device),
            _ => candle_core::bail!("it computes 1 · 1 = {y:?}"),
        }
    })
}

/// What to say before the first step, if the device compiles for it: of CUDA a program holds code
/// that the driver turns into the card's once a machine and keeps.
pub(super) fn compiling(device: &Device) -> Option<&'static str> {
    device.is_cuda().then(|| {
        tr(
            "the first step prepares the card, the very first time for up to half a minute…",
            "首步训练前需准备显卡，首次使用时最长约半分钟…",
        )
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device, String> {
    Err(not_built("cuda"))
}

#[cfg(feature = "metal")]
fn metal() -> Result<Device, String> {
    guarded(|| Device::new_metal(0))
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<Device, String> {
    Err(not_built("metal"))
}

#[cfg(not(all(feature = "cuda", feature = "metal")))]
fn not_built(feature: &str) -> String {
    tr_format!(
        "this program was built without it (build with `cargo build --release --features {feature}`)",
        "此程序编译时未包含它（请用 `cargo build --release --features {feature}` 编译）"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        let (device, notice) = DeviceChoice::Cpu.open();
        assert!(device.is_cpu());
        assert_eq!(notice, None);
        assert_eq!(name(&device), "CPU");
        assert_eq!(compiling(&device), None);
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn what_was_not_built_is_said_and_the_cpu_computes() {
        for choice in [DeviceChoice::Cuda, DeviceChoice::Metal] {
            let (device, notice) = choice.open();
            assert!(device.is_cpu());
            assert!(notice.unwrap().contains(choice.key()));
        }
        assert_eq!(DeviceChoice::Auto.open().1, None);
    }
}
