//! Caffe's arrays of numbers (`BlobProto` in caffe.proto): mean images and weights.
//!
//! Protocol Buffers' binary format is walked field by field ([`Fields`]) over the bytes as they
//! are, so that a file asks for no more memory than its own numbers need.

use std::path::Path;

use prost::encoding::{WireType, decode_key, decode_varint};

use super::{DataError, read_limited};
use crate::i18n::tr;

/// As Caffe's `kMaxBlobAxes`.
const MAX_AXES: usize = 32;

/// Larger mean images are refused.
const MAX_BYTES: u64 = 256 << 20;

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}",
    tr("the file is damaged or is not Caffe's", "文件已损坏或不是 Caffe 文件")
)]
pub struct Damaged;

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64([u8; 8]),
    /// A message, a text, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message in their order: number and value. Ends after the first damage.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn one(&mut self) -> Result<(u32, Wire<'a>), Damaged> {
        let rest = &mut self.0;
        let (number, kind) = decode_key(rest).map_err(|_| Damaged)?;
        let wire = match kind {
            WireType::Varint => Wire::Varint(decode_varint(rest).map_err(|_| Damaged)?),
            WireType::ThirtyTwoBit => {
                Wire::Fixed32(take(rest, 4)?.try_into().map_err(|_| Damaged)?)
            }
            WireType::SixtyFourBit => {
                Wire::Fixed64(take(rest, 8)?.try_into().map_err(|_| Damaged)?)
            }
            WireType::LengthDelimited => {
                let length = decode_varint(rest).map_err(|_| Damaged)?;
                Wire::Bytes(take(rest, usize::try_from(length).map_err(|_| Damaged)?)?)
            }
            WireType::StartGroup | WireType::EndGroup => return Err(Damaged),
        };
        Ok((number, wire))
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Damaged> {
    let (taken, left) = rest.split_at_checked(count).ok_or(Damaged)?;
    *rest = left;
    Ok(taken)
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let one = self.one();
        if one.is_err() {
            self.0 = &[];
        }
        Some(one)
    }
}

/// Numbers in rows; the last axis is the fastest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blob {
    /// The product is the number of values.
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl Blob {
    /// Reads `BlobProto`, with its shape in the current or in the older form (num, channels,
    /// height, width). Double precision is rounded.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut blob = Self::default();
        let mut old = [None; 4];
        for field in Fields(bytes) {
            match field? {
                (number @ 1..=4, Wire::Varint(size)) => {
                    old[number as usize - 1] = Some(usize::try_from(size).map_err(|_| Damaged)?);
                }
                (5, Wire::Fixed32(bytes)) => blob.data.push(f32::from_le_bytes(bytes)),
                (5, Wire::Bytes(packed)) => {
                    let (numbers, []) = packed.as_chunks::<4>() else {
                        return Err(Damaged);
                    };
                    blob.data.reserve_exact(numbers.len());
                    blob.data
                        .extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
                }
                (8, Wire::Fixed64(bytes)) => blob.data.push(f64::from_le_bytes(bytes) as f32),
                (8, Wire::Bytes(packed)) => {
                    let (numbers, []) = packed.as_chunks::<8>() else {
                        return Err(Damaged);
                    };
                    let numbers = numbers
                        .iter()
                        .map(|bytes| f64::from_le_bytes(*bytes) as f32);
                    blob.data.extend(numbers);
                }
                (7, Wire::Bytes(shape)) => blob.shape = dims(shape)?,
                _ => {}
            }
        }
        if old.iter().any(Option::is_some) {
            blob.shape = old.map(|size| size.unwrap_or(1)).to_vec();
        } else if blob.shape.is_empty() && blob.data.len() != 1 {
            blob.shape = vec![blob.data.len()];
        }
        let count = (blob.shape.iter()).try_fold(1usize, |count, size| count.checked_mul(*size));
        if count != Some(blob.data.len()) {
            return Err(Damaged);
        }
        Ok(blob)
    }

    /// Reads a mean image (`.binaryproto`).
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = std::fs::File::open(path).map_err(|error| DataError::read(path, error))?;
        let too_large = tr("is too large for a mean image", "过大，不是均值图像");
        let bytes = read_limited(std::io::BufReader::new(file), path, MAX_BYTES, too_large)?;
        Self::parse(&bytes).map_err(|damaged| DataError::format(path, damaged.to_string()))
    }

    /// Whether the shapes are the same but for axes of one in front.
    pub fn is_like(&self, shape: &[usize]) -> bool {
        fn bare(shape: &[usize]) -> &[usize] {
            let ones = shape.iter().take_while(|size| **size == 1).count();
            &shape[ones..]
        }
        bare(&self.shape) == bare(shape)
    }
}

/// `BlobShape`
fn dims(bytes: &[u8]) -> Result<Vec<usize>, Damaged> {
    let mut shape = Vec::new();
    let mut push = |size: u64| {
        shape.push(usize::try_from(size).map_err(|_| Damaged)?);
        if shape.len() > MAX_AXES {
            Err(Damaged)
        } else {
            Ok(())
        }
    };
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Varint(size)) => push(size)?,
            (1, Wire::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    push(decode_varint(&mut packed).map_err(|_| Damaged)?)?;
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}
