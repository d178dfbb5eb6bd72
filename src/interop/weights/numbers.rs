//! The types of numbers that files of weights hold, and their bytes as `f32`.
//!
//! Everything is little-endian, as every format here writes it.

use std::fmt;

use safetensors::Dtype;

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Number {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// By PyTorch's name of its storage's class.
    pub fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// By the name that a safetensors file gives it.
    pub fn of_safetensors(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::F64 => Self::F64,
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            Dtype::I64 => Self::I64,
            Dtype::I32 => Self::I32,
            Dtype::I16 => Self::I16,
            Dtype::I8 => Self::I8,
            Dtype::U64 => Self::U64,
            Dtype::U32 => Self::U32,
            Dtype::U16 => Self::U16,
            Dtype::U8 => Self::U8,
            Dtype::BOOL => Self::Bool,
            _ => return None,
        })
    }

    /// Appends the numbers that these bytes hold; a rest that is no whole number is left out.
    pub fn decode(self, bytes: &[u8], to: &mut Vec<f32>) {
        match self {
            Self::F64 => extend(bytes, to, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => extend(bytes, to, f32::from_le_bytes),
            Self::F16 => extend(bytes, to, |b| half::f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => extend(bytes, to, |b| half::bf16::from_le_bytes(b).to_f32()),
            Self::I64 => extend(bytes, to, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => extend(bytes, to, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => extend(bytes, to, |b| i16::from_le_bytes(b).into()),
            Self::I8 => extend(bytes, to, |b| i8::from_le_bytes(b).into()),
            Self::U64 => extend(bytes, to, |b| u64::from_le_bytes(b) as f32),
            Self::U32 => extend(bytes, to, |b| u32::from_le_bytes(b) as f32),
            Self::U16 => extend(bytes, to, |b| u16::from_le_bytes(b).into()),
            Self::U8 => extend(bytes, to, |[b]: [u8; 1]| b.into()),
            Self::Bool => extend(bytes, to, |[b]: [u8; 1]| f32::from(b != 0)),
        }
    }
}

fn extend<const N: usize>(bytes: &[u8], to: &mut Vec<f32>, number: impl Fn([u8; N]) -> f32) {
    let (whole, _) = bytes.as_chunks::<N>();
    to.extend(whole.iter().map(|bytes| number(*bytes)));
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_decoded() {
        let check = |number: Number, bytes: &[u8], expected: &[f32]| {
            let mut found = Vec::new();
            number.decode(bytes, &mut found);
            assert_eq!(found, expected, "{number}");
            assert_eq!(number.size() * expected.len(), bytes.len(), "{number}");
        };
        check(Number::F64, &(-1.5f64).to_le_bytes(), &[-1.5]);
        check(Number::F32, &0.1f32.to_le_bytes(), &[0.1]);
        check(Number::F16, &[0x00, 0x3c, 0x00, 0xc0], &[1.0, -2.0]);
        check(Number::Bf16, &[0x80, 0x3f, 0x00, 0xc0], &[1.0, -2.0]);
        check(Number::I64, &(-7i64).to_le_bytes(), &[-7.0]);
        check(Number::I32, &(-7i32).to_le_bytes(), &[-7.0]);
        check(Number::I16, &(-7i16).to_le_bytes(), &[-7.0]);
        check(Number::I8, &[0xff, 3], &[-1.0, 3.0]);
        check(Number::U64, &9u64.to_le_bytes(), &[9.0]);
        check(Number::U32, &9u32.to_le_bytes(), &[9.0]);
        check(Number::U16, &[1, 1], &[257.0]);
        check(Number::U8, &[255, 0], &[255.0, 0.0]);
        check(Number::Bool, &[0, 1, 7], &[0.0, 1.0, 1.0]);
    }
}
