//! The operations that make tensors: a storage's persistent id, and the calls that rebuild one.

use super::{Machine, Outcome, PickleError, refused};
use crate::interop::pytorch::value::{Known, StorageId, TensorId, Value};
use crate::interop::weights::MAX_RANK;

/// The longest key of a storage; they are small numbers or addresses.
const MAX_KEY: usize = 64;

impl Machine<'_> {
    /// BINPERSID: `("storage", class, key, device, count)`; the older form has a part of a
    /// storage behind it: `(key of the part, offset, count)`.
    pub fn storage(&mut self) -> Outcome<()> {
        let id = self.pop()?;
        let items = self.heap.items(id).ok_or(PickleError::Damaged)?.to_vec();
        let (kind, class, key, count, part) = match items[..] {
            [kind, class, key, _, count] => (kind, class, key, count, Value::None),
            [kind, class, key, _, count, part] => (kind, class, key, count, part),
            _ => return Err(refused_id(self.heap.items(id).map_or(0, <[_]>::len))),
        };
        if self.heap.text(kind) != Some("storage") {
            return Err(refused(self.heap.text(kind).unwrap_or("persistent id")));
        }
        let (Value::Known(Known::StorageOf(number)), Some(key)) = (class, self.heap.text(key))
        else {
            return Err(PickleError::Damaged);
        };
        if key.len() > MAX_KEY {
            return Err(PickleError::Damaged);
        }
        let key = key.to_owned();
        let (begin, count) = match (part, self.heap.items(part)) {
            (Value::None, _) => (0, size(count)?),
            (_, Some([_, begin, count])) => (size(*begin)?, size(*count)?),
            _ => return Err(PickleError::Damaged),
        };
        self.spend()?;
        self.heap.storages.push(StorageId {
            number,
            key,
            count,
            begin,
        });
        self.push(Value::Storage(self.heap.storages.len() - 1))
    }

    /// REDUCE: calls something with a tuple.
    pub fn reduce(&mut self) -> Outcome<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Value::Known(function) = function else {
            return Err(refused("REDUCE"));
        };
        let arguments = self.heap.items(arguments).ok_or(PickleError::Damaged)?;
        // No function here looks at more of them.
        let arguments: Vec<Value> = arguments.iter().copied().take(8).collect();
        match (function, arguments.as_slice()) {
            (Known::OrderedDict, []) => self.push_dict(Vec::new()),
            (Known::OrderedDict, [list]) => self.dict_of(*list),
            (Known::Size, [sizes @ (Value::Tuple(_) | Value::List(_))]) => self.push(*sizes),
            (Known::RebuildTensor, [storage, offset, shape, stride, ..]) => {
                let Value::Storage(storage) = *storage else {
                    return Err(PickleError::Damaged);
                };
                let tensor = TensorId {
                    storage,
                    offset: size(*offset)?,
                    shape: self.sizes(*shape)?,
                    stride: self.sizes(*stride)?,
                };
                if tensor.shape.len() != tensor.stride.len() {
                    return Err(PickleError::Damaged);
                }
                self.made += 2 * tensor.shape.len();
                self.spend()?;
                self.heap.tensors.push(tensor);
                self.push(Value::Tensor(self.heap.tensors.len() - 1))
            }
            (Known::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => self.push(*tensor),
            (Known::StorageOf(number), _) => Err(refused(&format!("torch storage ({number})"))),
            _ => Err(PickleError::Damaged),
        }
    }

    /// NEWOBJ: only an empty dictionary is made so.
    pub fn new_object(&mut self) -> Outcome<()> {
        let (arguments, class) = (self.pop()?, self.pop()?);
        match (class, self.heap.items(arguments)) {
            (Value::Known(Known::OrderedDict), Some([])) => self.push_dict(Vec::new()),
            _ => Err(refused("NEWOBJ")),
        }
    }

    /// BUILD: the attributes of an ordered dictionary (`_metadata`) say nothing of tensors.
    pub fn build(&mut self) -> Outcome<()> {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) => Ok(()),
            _ => Err(refused("BUILD")),
        }
    }

    /// A dictionary from a list of pairs, as Python 2 writes ordered ones.
    fn dict_of(&mut self, list: Value) -> Outcome<()> {
        let pairs = self.heap.items(list).ok_or(PickleError::Damaged)?;
        let pair = |pair: &Value| match self.heap.items(*pair) {
            Some([key, value]) => Ok((*key, *value)),
            _ => Err(PickleError::Damaged),
        };
        let entries = pairs.iter().map(pair).collect::<Outcome<Vec<_>>>()?;
        self.made += entries.len();
        self.push_dict(entries)
    }

    fn sizes(&self, value: Value) -> Outcome<Vec<usize>> {
        let items = self.heap.items(value).ok_or(PickleError::Damaged)?;
        if items.len() > MAX_RANK {
            return Err(PickleError::Damaged);
        }
        items.iter().map(|item| size(*item)).collect()
    }
}

fn size(value: Value) -> Outcome<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).map_err(|_| PickleError::Damaged),
        _ => Err(PickleError::Damaged),
    }
}

fn refused_id(length: usize) -> PickleError {
    refused(&format!("a persistent id of {length} parts"))
}
