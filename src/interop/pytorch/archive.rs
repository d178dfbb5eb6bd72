//! The zip form of PyTorch's files (since 1.6): `NAME/data.pkl` beside `NAME/data/KEY` for each
//! storage, usually not compressed.
//!
//! The archive tells where things are; reading them is the store's work.

use std::io::{self, Read, Seek};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::pickle::{self, MAX_BYTES, Pickle};
use super::value::StorageId;
use crate::i18n::{tr, tr_format};
use crate::interop::weights::{Storage, inflate, truncated};

/// Where an entry lies.
#[derive(Clone, Copy)]
struct Entry {
    index: usize,
    start: u64,
    length: u64,
    unpacked: Option<u64>,
    crc: Option<u32>,
}

/// An open archive.
pub struct Archive<'a, R: Read + Seek> {
    zip: ZipArchive<&'a mut R>,
    /// Before the names of all entries, with its `/`.
    prefix: String,
}

impl<'a, R: Read + Seek> Archive<'a, R> {
    pub fn open(file: &'a mut R) -> Result<Self, String> {
        let zip = ZipArchive::new(file).map_err(|error| said(&error))?;
        let found = zip.file_names().filter_map(Result::ok).find_map(|name| {
            let prefix = name.strip_suffix("data.pkl")?;
            (prefix.is_empty() || prefix.ends_with('/')).then(|| prefix.to_owned())
        });
        let Some(prefix) = found else {
            return Err(tr(
                "is a zip archive, but not one of PyTorch's: it holds no data.pkl",
                "是 zip 压缩包，但不是 PyTorch 文件：其中没有 data.pkl",
            )
            .to_owned());
        };
        Ok(Self { zip, prefix })
    }

    /// What the archive's pickle says.
    pub fn pickle(&mut self) -> Result<Pickle, String> {
        if let Some(order) = self.entry("byteorder")?
            && self.bytes(order)? == b"big"
        {
            return Err(tr(
                "was written on a big-endian machine, which cannot be read",
                "由大端序计算机写成，无法读取",
            )
            .to_owned());
        }
        let entry = self.entry("data.pkl")?.ok_or_else(truncated)?;
        let bytes = self.bytes(entry)?;
        pickle::read(&bytes).map_err(|error| error.to_string())
    }

    /// Where a storage is.
    pub fn storage(&mut self, id: &StorageId) -> Result<Storage, String> {
        let key = &id.key;
        let Some(entry) = self.entry(&format!("data/{key}"))? else {
            return Err(tr_format!(
                "is damaged: the storage “{key}” is not in it",
                "已损坏：其中没有存储区“{key}”"
            ));
        };
        Ok(Storage {
            number: id.number,
            count: id.count,
            start: entry.start,
            length: entry.length,
            unpacked: entry.unpacked,
            crc: entry.crc,
        })
    }

    fn entry(&mut self, name: &str) -> Result<Option<Entry>, String> {
        let Some(index) = self.zip.index_for_name(&format!("{}{name}", self.prefix)) else {
            return Ok(None);
        };
        let file = self.zip.by_index_raw(index).map_err(|error| said(&error))?;
        let unpacked = match file.compression() {
            _ if file.encrypted() => return Err(packed(name)),
            CompressionMethod::Stored => None,
            CompressionMethod::DEFLATE => Some(file.size()),
            _ => return Err(packed(name)),
        };
        Ok(Some(Entry {
            index,
            start: file.data_start().ok_or_else(truncated)?,
            length: file.compressed_size(),
            unpacked,
            // PyTorch can be told to write none.
            crc: Some(file.crc32()).filter(|crc| *crc != 0),
        }))
    }

    /// The bytes of a small entry.
    fn bytes(&mut self, entry: Entry) -> Result<Vec<u8>, String> {
        let length = entry.unpacked.unwrap_or(entry.length);
        if length > MAX_BYTES as u64 {
            return Err(pickle::PickleError::TooLarge.to_string());
        }
        let failed = |error: io::Error| error.to_string();
        let file = self.zip.by_index_raw(entry.index);
        let mut file = file.map_err(|error| said(&error))?;
        if entry.unpacked.is_some() {
            return inflate(&mut file, length, entry.crc).map_err(failed);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(truncated().to_owned()),
        }
    }
}

fn said(error: &ZipError) -> String {
    tr_format!(
        "is a damaged zip archive ({error}); download or copy it again",
        "是损坏的 zip 压缩包（{error}）；请重新下载或复制"
    )
}

fn packed(name: &str) -> String {
    tr_format!(
        "its “{name}” is encrypted or compressed by a method that PyTorch does not use",
        "其中的“{name}”已加密，或采用了 PyTorch 不使用的压缩方法"
    )
}
