//! The state dictionary in what was pickled.
//!
//! Training scripts wrap it (`{"state_dict": …, "epoch": …}`) and parallel training prefixes its
//! keys (`module.`): both are undone, and said.

use std::collections::BTreeMap;

use super::value::{Heap, Value};
use crate::i18n::{tr, tr_format};

/// Under which names a checkpoint keeps its weights, the likeliest first.
const WRAPPERS: [&str; 7] = [
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
];

/// Wrappers in wrappers that are looked into.
const MAX_DEPTH: usize = 4;

/// What wrapping a whole network puts before its keys: `DataParallel`, `torch.compile`.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];

/// The tensors of a pickle by key, as indices into its heap, and notes on how they were found.
pub fn find(
    root: Value,
    heap: &Heap,
) -> Result<(BTreeMap<String, usize>, Vec<String>), &'static str> {
    let mut notes = Vec::new();
    let mut dict = root;
    for _ in 0..MAX_DEPTH {
        let Some((name, inner)) = wrapped(dict, heap) else {
            break;
        };
        notes.push(tr_format!(
            "the weights were taken from its “{name}”",
            "权重取自其中的“{name}”"
        ));
        dict = inner;
    }
    let entries = heap.entries(dict).unwrap_or_default();
    let mut tensors = BTreeMap::new();
    let mut others = 0;
    for (key, value) in entries {
        match (heap.text(*key), value) {
            (Some(key), Value::Tensor(tensor)) => {
                tensors.insert(key.to_owned(), *tensor);
            }
            _ => others += 1,
        }
    }
    if tensors.is_empty() {
        return Err(tr(
            "holds no state dictionary; save one with torch.save(model.state_dict(), …)",
            "不含状态字典；请用 torch.save(model.state_dict(), …) 保存",
        ));
    }
    if others > 0 {
        notes.push(tr_format!(
            "{others} entries that are no tensors were passed over",
            "跳过了 {others} 个不是张量的条目"
        ));
    }
    for prefix in PREFIXES {
        if tensors.keys().all(|key| key.starts_with(prefix)) {
            let cut = |(key, tensor): (String, usize)| (key[prefix.len()..].to_owned(), tensor);
            tensors = tensors.into_iter().map(cut).collect();
            notes.push(tr_format!(
                "“{prefix}” before every key was taken off",
                "去掉了每个键前面的“{prefix}”"
            ));
        }
    }
    Ok((tensors, notes))
}

/// The dictionary inside of this one that holds the weights, if there is one.
fn wrapped(dict: Value, heap: &Heap) -> Option<(&'static str, Value)> {
    let entries = heap.entries(dict)?;
    WRAPPERS.iter().find_map(|name| {
        let mut named = entries.iter().rev();
        let (_, inner) = named.find(|(key, _)| heap.text(*key) == Some(name))?;
        heap.entries(*inner).map(|_| (*name, *inner))
    })
}
