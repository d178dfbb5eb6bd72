//! Tensors where they lie in a file: read one at a time, when they are wanted.
//!
//! Invariants: a [`View`] that [`Store::check`] let pass lies inside its storage, its storage
//! inside the file, and all tensors together are not larger than the file can account for; so
//! reading allocates no more than a small multiple of the file's length.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};

use candle_core::{Device, Tensor};

use super::Number;
use crate::i18n::{tr, tr_format};

/// What a file may grow to in memory: 16 times its length, and a megabyte for very small ones.
const GROWTH: u64 = 16;
const SMALL: u64 = 1 << 20;

/// The most axes of a tensor; PyTorch's own limit is 64.
pub const MAX_RANK: usize = 64;

/// Bytes that are turned into numbers at a time.
const BLOCK: usize = 1 << 20;

/// A file that can be read from anywhere in it.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

/// A run of numbers in a file, which tensors look at.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    pub number: Number,
    /// How many numbers.
    pub count: usize,
    /// Where its bytes begin in the file, and how many there are in the file.
    pub start: u64,
    pub length: u64,
    /// The length before compression with deflate, if it is compressed.
    pub unpacked: Option<u64>,
    /// Of the whole storage before compression, if the file tells.
    pub crc: Option<u32>,
}

/// A tensor: a way to look at a storage.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// An index into the store's storages.
    pub storage: usize,
    /// Of the first number.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

impl View {
    /// A tensor that fills its storage, row by row.
    pub fn whole(storage: usize, shape: Vec<usize>) -> Self {
        let mut stride = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            stride[axis - 1] = shape[axis].saturating_mul(stride[axis]);
        }
        Self {
            storage,
            offset: 0,
            shape,
            stride,
        }
    }

    /// How many numbers; `None` is absurdly many.
    fn count(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut sizes = self.shape.iter();
        sizes.try_fold(1usize, |count, size| count.checked_mul(*size))
    }

    /// How many numbers of the storage lie from the first to the last one that is looked at.
    fn span(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let axes = self.shape.iter().zip(&self.stride);
        axes.into_iter().try_fold(1usize, |span, (size, stride)| {
            span.checked_add((size - 1).checked_mul(*stride)?)
        })
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (size, stride) in self.shape.iter().zip(&self.stride).rev() {
            if *size != 1 && *stride != expected {
                return false;
            }
            expected *= size;
        }
        true
    }

    /// The numbers in the order of the shape, from those of the span.
    fn gather(&self, span: &[f32]) -> Vec<f32> {
        let count = self.count().unwrap_or(0);
        let mut numbers = Vec::with_capacity(count);
        let (mut index, mut at) = (vec![0; self.shape.len()], 0);
        while numbers.len() < count {
            numbers.push(span[at]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.stride[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.stride[axis] * self.shape[axis];
                index[axis] = 0;
            }
        }
        numbers
    }
}

/// A file with the storages in it.
pub struct Store {
    file: Box<dyn Source>,
    length: u64,
    pub storages: Vec<Storage>,
    /// Those whose checksum was compared.
    sound: BTreeSet<usize>,
    /// The compressed storage that was read last.
    unpacked: Option<(usize, Vec<u8>)>,
}

impl Store {
    pub fn new(file: Box<dyn Source>, length: u64) -> Self {
        Self {
            file,
            length,
            storages: Vec::new(),
            sound: BTreeSet::new(),
            unpacked: None,
        }
    }

    /// Refuses storages that are not in the file, tensors that are not in their storage, and more
    /// of either than the file can account for.
    pub fn check(&self, views: &BTreeMap<String, View>) -> Result<(), String> {
        let most = self.length.saturating_mul(GROWTH).saturating_add(SMALL);
        let too_large = || {
            tr_format!(
                "declares tensors far larger than the file, which has {} bytes; it is damaged or made to do harm",
                "声明的张量远大于文件本身（{} 字节）；文件已损坏或带有恶意",
                self.length
            )
        };
        let mut stored = 0u64;
        for storage in &self.storages {
            let in_file = storage.start.checked_add(storage.length);
            let bytes = (storage.count as u64).checked_mul(storage.number.size() as u64);
            let there = storage.unpacked.unwrap_or(storage.length);
            if in_file.is_none_or(|end| end > self.length)
                || bytes.is_none_or(|bytes| bytes > there)
            {
                return Err(truncated().to_owned());
            }
            stored = stored.saturating_add(there);
        }
        if stored > most {
            return Err(too_large());
        }
        let mut total = 0u64;
        for (key, view) in views {
            let (Some(count), Some(span)) = (view.count(), view.span()) else {
                return Err(too_large());
            };
            let there = self.storages.get(view.storage).map_or(0, |s| s.count);
            if view.offset.checked_add(span).is_none_or(|end| end > there) {
                return Err(tr_format!(
                    "the tensor “{key}” looks beyond its storage of {there} numbers; the file is damaged",
                    "张量“{key}”超出其存储区（{there} 个数）；文件已损坏"
                ));
            }
            total = total.saturating_add((count.max(span) as u64).saturating_mul(4));
        }
        if total > most {
            return Err(too_large());
        }
        Ok(())
    }

    /// Reads a tensor as `f32`, onto the CPU.
    pub fn read(&mut self, view: &View) -> io::Result<Tensor> {
        let span = view.span().unwrap_or(0);
        let Some(storage) = self.storages.get(view.storage).copied() else {
            return Err(damaged());
        };
        let size = storage.number.size();
        let first = (view.offset * size) as u64;
        let mut numbers = Vec::with_capacity(span);
        if storage.unpacked.is_some() {
            let bytes = self.unpack(view.storage)?;
            let range = first as usize..first as usize + span * size;
            let part = bytes.get(range).ok_or_else(damaged)?;
            storage.number.decode(part, &mut numbers);
        } else {
            self.verify(view.storage)?;
            self.file.seek(SeekFrom::Start(storage.start + first))?;
            let mut block = vec![0; BLOCK.min(span * size)];
            let mut left = span * size;
            while left > 0 {
                let now = left.min(block.len());
                self.file.read_exact(&mut block[..now])?;
                storage.number.decode(&block[..now], &mut numbers);
                left -= now;
            }
        }
        if !view.is_contiguous() {
            numbers = view.gather(&numbers);
        }
        Tensor::from_vec(numbers, view.shape.as_slice(), &Device::Cpu).map_err(io::Error::other)
    }

    /// Compares the checksum of a storage that is not compressed, once.
    fn verify(&mut self, index: usize) -> io::Result<()> {
        let storage = self.storages[index];
        let Some(expected) = storage.crc.filter(|_| !self.sound.contains(&index)) else {
            return Ok(());
        };
        self.file.seek(SeekFrom::Start(storage.start))?;
        let mut crc = flate2::CrcReader::new((&mut self.file).take(storage.length));
        io::copy(&mut crc, &mut io::sink())?;
        if crc.crc().sum() != expected
            || u64::from(crc.crc().amount()) != storage.length % (1 << 32)
        {
            return Err(damaged());
        }
        self.sound.insert(index);
        Ok(())
    }

    /// The bytes of a compressed storage; the last one is kept for the next tensor in it.
    fn unpack(&mut self, index: usize) -> io::Result<&[u8]> {
        if self
            .unpacked
            .as_ref()
            .is_none_or(|(held, _)| *held != index)
        {
            self.unpacked = None;
            let storage = self.storages[index];
            self.file.seek(SeekFrom::Start(storage.start))?;
            let packed = (&mut self.file).take(storage.length);
            let bytes = inflate(packed, storage.unpacked.unwrap_or(0), storage.crc)?;
            self.unpacked = Some((index, bytes));
        }
        let held = self.unpacked.as_ref().map(|(_, bytes)| bytes.as_slice());
        held.ok_or_else(damaged)
    }
}

/// Decompresses exactly `length` bytes; more or fewer are an error, and nothing beyond is made.
pub fn inflate(packed: impl Read, length: u64, crc: Option<u32>) -> io::Result<Vec<u8>> {
    let mut reader = flate2::CrcReader::new(flate2::read::DeflateDecoder::new(packed));
    let mut bytes = Vec::new();
    (&mut reader)
        .take(length.saturating_add(1))
        .read_to_end(&mut bytes)?;
    let sound = crc.is_none_or(|crc| reader.crc().sum() == crc);
    if bytes.len() as u64 != length || !sound {
        return Err(damaged());
    }
    Ok(bytes)
}

fn damaged() -> io::Error {
    let text = tr("its data are damaged", "其数据已损坏");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// What is said of a file that ends before what it declares.
pub fn truncated() -> &'static str {
    tr(
        "is damaged: it ends before the numbers that it declares; download or copy it again",
        "已损坏：文件在其声明的数据之前就结束了；请重新下载或复制",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(count: usize) -> Store {
        let bytes: Vec<u8> = (0..count)
            .flat_map(|index| (index as f32).to_le_bytes())
            .collect();
        let length = bytes.len() as u64;
        let mut store = Store::new(Box::new(io::Cursor::new(bytes)), length);
        store.storages.push(Storage {
            number: Number::F32,
            count,
            start: 0,
            length,
            unpacked: None,
            crc: None,
        });
        store
    }

    fn view(offset: usize, shape: &[usize], stride: &[usize]) -> View {
        View {
            storage: 0,
            offset,
            shape: shape.to_vec(),
            stride: stride.to_vec(),
        }
    }

    #[test]
    fn strides_and_offsets_are_honoured() {
        let mut store = store(24);
        let mut check = |view: View, expected: &[f32]| {
            store
                .check(&[(String::new(), view.clone())].into())
                .unwrap();
            let tensor = store.read(&view).unwrap();
            assert_eq!(tensor.dims(), view.shape);
            let found: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(found, expected);
        };
        check(view(0, &[2, 3], &[3, 1]), &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        check(view(1, &[3, 2], &[1, 3]), &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        check(view(5, &[2, 2], &[12, 3]), &[5.0, 8.0, 17.0, 20.0]);
        check(view(7, &[3], &[0]), &[7.0, 7.0, 7.0]);
        check(view(23, &[], &[]), &[23.0]);
        check(view(0, &[0, 9], &[9, 1]), &[]);
        check(view(3, &[1, 2], &[99, 1]), &[3.0, 4.0]);
    }

    #[test]
    fn what_looks_beyond_is_an_error() {
        let store = store(24);
        let refused = |view: View| store.check(&[("w".to_owned(), view)].into()).unwrap_err();
        for view in [
            view(20, &[5], &[1]),
            view(0, &[2, 2], &[24, 1]),
            view(usize::MAX, &[1], &[1]),
            view(0, &[2], &[usize::MAX]),
            view(0, &[usize::MAX, usize::MAX], &[0, 0]),
            view(0, &[1 << 20], &[0]),
        ] {
            assert!(!refused(view).is_empty());
        }
        assert!(refused(view(20, &[5], &[1])).contains("“w”"));
    }
}
