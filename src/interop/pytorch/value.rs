//! What a pickle of tensors is made of.
//!
//! Invariant: values hold places in a heap, never each other, so that a list which contains
//! itself, or a nesting of any depth, is nothing special and is dropped without recursion.

use crate::interop::weights::Number;

/// A value; small and copied freely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(usize),
    List(usize),
    Tuple(usize),
    Dict(usize),
    Known(Known),
    Storage(usize),
    Tensor(usize),
    /// Something that no tensor needs: a real number, bytes, a set, a long integer.
    Other,
}

/// The few names of Python's that are known here; none of them is Python's code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildParameter,
    StorageOf(Number),
}

impl Known {
    pub fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch", "Size") => Some(Self::Size),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch" | "torch.cuda", class) => Number::of_storage(class).map(Self::StorageOf),
            _ => None,
        }
    }
}

/// What a persistent id says of a storage.
#[derive(Clone, Debug)]
pub struct StorageId {
    pub number: Number,
    pub key: String,
    pub count: usize,
    /// Where it begins in the storage of that key; only the older form has parts of storages.
    pub begin: usize,
}

/// A tensor as its rebuilding function is told of it.
#[derive(Clone, Debug)]
pub struct TensorId {
    /// An index into the heap's storages.
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// Everything that values point to.
#[derive(Debug, Default)]
pub struct Heap {
    pub texts: Vec<String>,
    /// Of lists and tuples.
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    pub storages: Vec<StorageId>,
    pub tensors: Vec<TensorId>,
}

impl Heap {
    pub fn text(&self, value: Value) -> Option<&str> {
        match value {
            Value::Text(at) => self.texts.get(at).map(String::as_str),
            _ => None,
        }
    }

    /// Of a list or a tuple.
    pub fn items(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::List(at) | Value::Tuple(at) => self.lists.get(at).map(Vec::as_slice),
            _ => None,
        }
    }

    pub fn entries(&self, value: Value) -> Option<&[(Value, Value)]> {
        match value {
            Value::Dict(at) => self.dicts.get(at).map(Vec::as_slice),
            _ => None,
        }
    }
}
