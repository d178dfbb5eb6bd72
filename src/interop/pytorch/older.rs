//! The form of PyTorch's files before 1.6: pickles in a row (a magic number, the protocol, sizes
//! of the machine's types, the object, the keys of its storages), then each storage's length and
//! numbers, in the order of the keys.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::Places;
use super::pickle::{self, MAX_BYTES, Pickle, PickleError};
use super::value::Value;
use crate::i18n::tr;
use crate::interop::weights::{Number, Storage, truncated};

/// The magic number 0x1950a86a20f9469cfc6c, behind the pickle protocol that it begins with.
const MAGIC: [u8; 13] = [
    0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];

/// Whether a file that begins so is one of these.
pub fn is_older(head: &[u8]) -> bool {
    head.first() == Some(&0x80) && head.get(2..2 + MAGIC.len()) == Some(&MAGIC)
}

/// What the pickle says, and where its storages are, by key.
pub fn read<R: Read + Seek>(file: &mut R, length: u64) -> Result<(Pickle, Places), String> {
    let said = |error: PickleError| error.to_string();
    let failed = |error: std::io::Error| error.to_string();
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.take(MAX_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(failed)?;
    let mut at = 2 + MAGIC.len();
    let mut next = || {
        let pickle = pickle::read(head.get(at..).unwrap_or_default());
        pickle.inspect(|pickle| at += pickle.length).map_err(said)
    };
    let (_protocol, sizes) = (next()?, next()?);
    if is_big_endian(&sizes) {
        return Err(tr(
            "was written on a big-endian machine, which cannot be read",
            "由大端序计算机写成，无法读取",
        )
        .to_owned());
    }
    let (object, keys) = (next()?, next()?);
    let keys = (keys.heap.items(keys.root)).and_then(|items| {
        let texts = items.iter().map(|item| keys.heap.text(*item));
        texts.collect::<Option<Vec<_>>>()
    });
    let keys = keys.ok_or_else(|| said(PickleError::Damaged))?;
    let storages = locate(file, length, at as u64, &keys, &number_types(&object))?;
    Ok((object, storages))
}

fn is_big_endian(sizes: &Pickle) -> bool {
    let mut entries = sizes.heap.entries(sizes.root).unwrap_or_default().iter();
    entries.any(|(key, value)| {
        sizes.heap.text(*key) == Some("little_endian") && *value == Value::Bool(false)
    })
}

/// The storages' types by key.
fn number_types(object: &Pickle) -> BTreeMap<&str, Number> {
    let storages = object.heap.storages.iter();
    storages.map(|id| (id.key.as_str(), id.number)).collect()
}

/// Walks over the storages, which follow each other from `at` on.
fn locate<R: Read + Seek>(
    file: &mut R,
    length: u64,
    mut at: u64,
    keys: &[&str],
    types: &BTreeMap<&str, Number>,
) -> Result<Places, String> {
    let mut storages = BTreeMap::new();
    for key in keys {
        let Some(number) = types.get(key).copied() else {
            return Err(PickleError::Damaged.to_string());
        };
        let mut count = [0; 8];
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.read_exact(&mut count))
            .map_err(|_| truncated().to_owned())?;
        let count = u64::from_le_bytes(count);
        let bytes = count.checked_mul(number.size() as u64);
        let end = bytes.and_then(|bytes| bytes.checked_add(at + 8));
        let (Some(bytes), Some(end), Ok(count)) = (bytes, end, usize::try_from(count)) else {
            return Err(truncated().to_owned());
        };
        if end > length {
            return Err(truncated().to_owned());
        }
        let storage = Storage {
            number,
            count,
            start: at + 8,
            length: bytes,
            unpacked: None,
            crc: None,
        };
        storages.insert(((*key).to_owned(), number), storage);
        at = end;
    }
    Ok(storages)
}
