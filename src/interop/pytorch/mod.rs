//! PyTorch's files (`.pth`, `.pt`, `.bin`): the state dictionaries that `torch.save` writes, in
//! the zip form and in the older one.
//!
//! A pickle can name any function of Python's, so unpickling a foreign file runs foreign code.
//! Here nothing is run: a small machine of our own understands what tensors need, and refuses the
//! rest by name. It must not know networks: what fits one is the report's matter.

mod archive;
mod older;
mod pickle;
mod state;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Read, Seek, SeekFrom};

use crate::i18n::tr;
use crate::interop::weights::{Contents, Number, Source, Storage, Store, View};
use archive::Archive;
use pickle::{Pickle, PickleError};

/// How many bytes tell whether a file is PyTorch's.
pub const HEAD: usize = 16;

/// Whether a file that begins so is PyTorch's, or at least a zip archive.
pub fn is_torch(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || older::is_older(head)
}

/// Finds the tensors of a file; `length` is the file's. Says what is wrong with it.
pub fn open(mut file: Box<dyn Source>, length: u64) -> Result<Contents, String> {
    let mut head = Vec::new();
    let begun = file.seek(SeekFrom::Start(0));
    begun
        .and_then(|_| (&mut file).take(HEAD as u64).read_to_end(&mut head))
        .map_err(|error| error.to_string())?;
    if older::is_older(&head) {
        let (pickle, places) = older::read(&mut file, length)?;
        return contents(Store::new(file, length), &pickle, &places);
    }
    if !is_torch(&head) {
        return Err(tr(
            "is no file of PyTorch's: it is neither a zip archive nor the older form",
            "不是 PyTorch 文件：既不是 zip 压缩包，也不是旧格式",
        )
        .to_owned());
    }
    let mut archive = Archive::open(&mut file)?;
    let pickle = archive.pickle()?;
    let mut places = BTreeMap::new();
    for id in &pickle.heap.storages {
        if let Entry::Vacant(place) = places.entry((id.key.clone(), id.number)) {
            place.insert(archive.storage(id)?);
        }
    }
    contents(Store::new(file, length), &pickle, &places)
}

/// A storage by its key, and the type of its numbers: equal bytes may be looked at as two types.
type Places = BTreeMap<(String, Number), Storage>;

/// The state dictionary of a pickle, with every tensor checked against its storage.
fn contents(mut store: Store, pickle: &Pickle, places: &Places) -> Result<Contents, String> {
    let damaged = || PickleError::Damaged.to_string();
    let Pickle { root, heap, .. } = pickle;
    let (found, notes) = state::find(*root, heap)?;
    let mut indices = BTreeMap::new();
    let mut views = BTreeMap::new();
    for (key, tensor) in found {
        let tensor = heap.tensors.get(tensor).ok_or_else(damaged)?;
        let id = heap.storages.get(tensor.storage).ok_or_else(damaged)?;
        let place = (id.key.clone(), id.number);
        let storage = places.get(&place).ok_or_else(damaged)?;
        let storage = *indices.entry(place).or_insert_with(|| {
            store.storages.push(*storage);
            store.storages.len() - 1
        });
        let offset = tensor.offset.checked_add(id.begin).ok_or_else(damaged)?;
        let (shape, stride) = (tensor.shape.clone(), tensor.stride.clone());
        let view = View {
            storage,
            offset,
            shape,
            stride,
        };
        views.insert(key, view);
    }
    store.check(&views)?;
    Ok(Contents {
        store,
        views,
        notes,
    })
}
