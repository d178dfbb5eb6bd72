//! ONNX's tensors: numbers in the file itself, in one of several forms, or in a file beside it.
//!
//! Invariant: the bytes that are there are compared with the shape before anything is allocated
//! for it, and a file beside the model lies in its folder.

use std::borrow::Cow;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use candle_core::{DType, Device, Tensor};

use super::Broken;
use super::proto::{each_varint, pair, push, text};
use crate::data::{Fields, Wire};
use crate::i18n::{tr, tr_format};

const MAX_AXES: usize = 16;

/// A tensor whose numbers are still in their file.
#[derive(Clone, Default)]
pub(super) struct TensorData<'a> {
    pub name: &'a str,
    pub dims: Vec<usize>,
    kind: Kind,
    /// The message, where its numbers are.
    body: &'a [u8],
}

/// Element types by ONNX's numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kind(pub u64);

impl Kind {
    /// The width of an element, and its name here if it is a real number.
    fn form(self) -> Option<(usize, Option<DType>)> {
        Some(match self.0 {
            1 => (4, Some(DType::F32)),
            2 | 3 | 9 => (1, None),
            4 | 5 => (2, None),
            6 | 12 => (4, None),
            7 | 13 => (8, None),
            10 => (2, Some(DType::F16)),
            11 => (8, Some(DType::F64)),
            16 => (2, Some(DType::BF16)),
            _ => return None,
        })
    }

    pub fn is_real(self) -> bool {
        matches!(self.form(), Some((_, Some(_))))
    }

    fn number(self, bytes: &[u8]) -> f64 {
        let wide = |signed: bool| {
            let mut word = [if signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
                0xff
            } else {
                0
            }; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            word
        };
        match self.0 {
            2 | 4 | 9 | 12 | 13 => u64::from_le_bytes(wide(false)) as f64,
            _ => i64::from_le_bytes(wide(true)) as f64,
        }
    }
}

impl<'a> TensorData<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut tensor = Self {
            body: bytes,
            ..Self::default()
        };
        for field in Fields(bytes) {
            match field? {
                (1, wire) => each_varint(wire, |size| {
                    let size = usize::try_from(size as i64).map_err(|_| Broken::default())?;
                    push(&mut tensor.dims, MAX_AXES, size)
                })?,
                (2, Wire::Varint(kind)) => tensor.kind = Kind(kind),
                (8, Wire::Bytes(name)) => tensor.name = text(name)?,
                _ => {}
            }
        }
        Ok(tensor)
    }

    /// Whether the numbers that are in the message make the shape.
    pub fn check(&self) -> Result<(), Broken> {
        let needed = self.count();
        let (width, _) = self.form()?;
        for field in Fields(self.body) {
            if let (9, Wire::Bytes(raw)) = field?
                && needed.and_then(|count| count.checked_mul(width)) != Some(raw.len())
            {
                return Err(self.wrong(raw.len()));
            }
        }
        match needed {
            Some(_) => Ok(()),
            None => Err(self.wrong(0)),
        }
    }

    fn wrong(&self, found: usize) -> Broken {
        let (name, dims) = (self.name, &self.dims);
        Broken(tr_format!(
            "the tensor “{name}” has {found} bytes of numbers, which do not make the shape {dims:?}",
            "张量“{name}”有 {found} 字节数据，与形状 {dims:?} 不符"
        ))
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `None` where there are absurdly many.
    pub fn count(&self) -> Option<usize> {
        let mut dims = self.dims.iter();
        dims.try_fold(1usize, |count, size| count.checked_mul(*size))
    }

    /// The numbers in single precision.
    pub fn tensor(&self, folder: Option<&Path>) -> Result<Tensor, Broken> {
        let (_, dtype) = self.form()?;
        let bytes = self.bytes(folder)?;
        let Some(dtype) = dtype else {
            let data: Vec<f32> = self
                .numbers_in(&bytes)
                .map(|number| number as f32)
                .collect();
            return Ok(Tensor::from_vec(data, self.dims.as_slice(), &Device::Cpu)?);
        };
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, &self.dims, &Device::Cpu)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }

    /// The numbers one by one; for few of them.
    pub fn numbers(&self, folder: Option<&Path>) -> Result<Vec<f64>, Broken> {
        if self.kind.is_real() {
            let flat = self.tensor(folder)?.flatten_all()?;
            return Ok(flat.to_dtype(DType::F64)?.to_vec1()?);
        }
        let bytes = self.bytes(folder)?;
        Ok(self.numbers_in(&bytes).collect())
    }

    fn numbers_in(&self, bytes: &[u8]) -> impl Iterator<Item = f64> {
        let width = self.kind.form().map_or(1, |(width, _)| width);
        bytes.chunks(width).map(|bytes| self.kind.number(bytes))
    }

    fn form(&self) -> Result<(usize, Option<DType>), Broken> {
        self.kind.form().ok_or_else(|| {
            let (name, kind) = (self.name, self.kind.0);
            Broken(tr_format!(
                "the tensor “{name}” is of the element type {kind}, which is not read",
                "张量“{name}”的元素类型为 {kind}，不支持读取"
            ))
        })
    }

    /// The numbers as raw bytes, exactly as many as the shape says.
    fn bytes(&self, folder: Option<&Path>) -> Result<Cow<'a, [u8]>, Broken> {
        let (width, _) = self.form()?;
        let needed = self.count().and_then(|count| count.checked_mul(width));
        let mut raw = None;
        let mut typed = Vec::new();
        let mut external = Vec::new();
        let mut is_external = false;
        for field in Fields(self.body) {
            match field? {
                (9, Wire::Bytes(bytes)) => raw = Some(bytes),
                (13, Wire::Bytes(entry)) => push(&mut external, 16, pair(entry)?)?,
                (14, Wire::Varint(place)) => is_external = place == 1,
                (number @ (4 | 5 | 7 | 10 | 11), wire) => {
                    self.gather(number, wire, &mut typed, width)?;
                }
                _ => {}
            }
        }
        let bytes: Cow<'a, [u8]> = match (raw, is_external) {
            (_, true) => Cow::Owned(self.external(&external, folder, needed)?),
            (Some(bytes), false) => Cow::Borrowed(bytes),
            (None, false) => Cow::Owned(typed),
        };
        match Some(bytes.len()) == needed {
            true => Ok(bytes),
            false => Err(self.wrong(bytes.len())),
        }
    }

    /// Numbers of their own types as the bytes that `raw_data` would have.
    fn gather(
        &self,
        field: u32,
        wire: Wire<'_>,
        bytes: &mut Vec<u8>,
        width: usize,
    ) -> Result<(), Broken> {
        match (field, wire) {
            (4, Wire::Fixed32(number)) => bytes.extend(number),
            (10, Wire::Fixed64(number)) => bytes.extend(number),
            (4 | 10, Wire::Bytes(packed)) => bytes.extend_from_slice(packed),
            (5 | 7 | 11, wire) => each_varint(wire, |number| {
                bytes.extend(&number.to_le_bytes()[..width]);
                Ok(())
            })?,
            _ => return Err(Broken::default()),
        }
        Ok(())
    }

    /// A part of a file beside the model.
    fn external(
        &self,
        entries: &[(&str, &str)],
        folder: Option<&Path>,
        needed: Option<usize>,
    ) -> Result<Vec<u8>, Broken> {
        let entry = |wanted: &str| entries.iter().find(|(key, _)| *key == wanted);
        let number = |key: &str| match entry(key) {
            Some((_, value)) => value
                .parse::<u64>()
                .map(Some)
                .map_err(|_| Broken::default()),
            None => Ok(None),
        };
        let name = entry("location").map_or("", |(_, name)| name);
        let mut parts = Path::new(name).components();
        let is_beside = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        let Some(folder) = folder.filter(|_| is_beside && !name.contains(['\\', ':'])) else {
            return Err(Broken(tr_format!(
                "its numbers are said to lie in “{name}”; only a file in the model's own folder is opened",
                "其数据据称位于“{name}”；只会打开模型所在文件夹内的文件"
            )));
        };
        let path = folder.join(name);
        let failed = |error: std::io::Error| {
            let path = path.display();
            Broken(tr_format!(
                "the numbers beside it, {path}, cannot be read: {error}",
                "无法读取旁边的数据文件 {path}：{error}"
            ))
        };
        let mut file = std::fs::File::open(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?.unwrap_or(size.saturating_sub(offset));
        let is_there = offset.checked_add(length).is_some_and(|end| end <= size);
        let (true, Some(needed)) = (is_there, needed.filter(|n| *n as u64 == length)) else {
            let (tensor, dims) = (self.name, &self.dims);
            let path = path.display();
            return Err(Broken(tr_format!(
                "the tensor “{tensor}” of shape {dims:?} is not whole in {path}",
                "形状为 {dims:?} 的张量“{tensor}”在 {path} 中不完整"
            )));
        };
        let mut bytes = vec![0; needed];
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

impl From<candle_core::Error> for Broken {
    fn from(error: candle_core::Error) -> Self {
        Self(tr_format!(
            "numbers cannot be read: {error}",
            "无法读取数据：{error}"
        ))
    }
}

impl From<crate::data::Damaged> for Broken {
    fn from(_: crate::data::Damaged) -> Self {
        Self::default()
    }
}

impl Default for Broken {
    fn default() -> Self {
        Self(
            tr(
                "the file is damaged or is no ONNX model",
                "文件已损坏或不是 ONNX 模型",
            )
            .to_owned(),
        )
    }
}
