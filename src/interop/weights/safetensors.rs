//! The index of a safetensors file: its header alone, whose length is bounded by the format.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use safetensors::tensor::Metadata;

use super::{Contents, Number, Source, Storage, Store, View, truncated};
use crate::i18n::{tr, tr_format};

/// Before the header: its length.
const LENGTH: u64 = 8;

/// A longer header is refused: it takes about a hundred bytes a tensor.
const MAX_HEADER: u64 = 8 << 20;

/// Finds the tensors of a file; `length` is the file's. Says what is wrong with it.
pub fn open(mut file: Box<dyn Source>, length: u64) -> Result<Contents, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut begin = [0; LENGTH as usize];
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.read_exact(&mut begin)
        .map_err(|_| truncated().to_owned())?;
    let header = u64::from_le_bytes(begin);
    if header > MAX_HEADER || header > length.saturating_sub(LENGTH) {
        return Err(tr(
            "is no whole safetensors file: its header is longer than the file, or absurdly long",
            "不是完整的 safetensors 文件：其文件头比文件还长，或长得离谱",
        )
        .to_owned());
    }
    let mut bytes = Vec::new();
    (&mut file)
        .take(header)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| {
        tr_format!(
            "is not a whole safetensors file: {error}",
            "不是完整的 safetensors 文件：{error}"
        )
    })?;
    let start = LENGTH + header;
    if start.checked_add(metadata.data_len() as u64) != Some(length) {
        return Err(truncated().to_owned());
    }
    let mut store = Store::new(file, length);
    let mut views = BTreeMap::new();
    for (key, info) in metadata.tensors() {
        let Some(number) = Number::of_safetensors(info.dtype) else {
            let dtype = info.dtype;
            return Err(tr_format!(
                "the tensor “{key}” is of type {dtype}, which cannot be read",
                "张量“{key}”的类型为 {dtype}，无法读取"
            ));
        };
        let (begin, end) = info.data_offsets;
        let bytes = end.saturating_sub(begin);
        views.insert(key, View::whole(store.storages.len(), info.shape.clone()));
        store.storages.push(Storage {
            number,
            count: bytes / number.size(),
            start: start + begin as u64,
            length: bytes as u64,
            unpacked: None,
            crc: None,
        });
    }
    store.check(&views)?;
    Ok(Contents {
        store,
        views,
        notes: Vec::new(),
    })
}
