//! A machine for the pickles (protocols 2 to 5) that hold state dictionaries.
//!
//! It follows the description of the operations in Python's `pickletools`. It knows dictionaries,
//! lists, tuples, strings, numbers and the rebuilding of tensors; whatever else a pickle asks for
//! is refused by name. Invariants: nothing is ever executed; time is proportional to the pickle's
//! length, and memory to [`MAX_VALUES`].

mod rebuild;

use std::collections::HashMap;

use super::value::{Heap, Known, Value};
use crate::i18n::{tr, tr_format};

/// A longer pickle is no state dictionary: a thousand tensors take about 100 KB.
pub const MAX_BYTES: usize = 16 << 20;

/// Values that are made by one pickle, copies included.
const MAX_VALUES: usize = 1 << 20;

/// The longest name that is looked for.
const MAX_NAME: usize = 256;

/// Why a pickle is not read.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PickleError {
    #[error(
        "{}",
        tr(
            "is damaged or no PyTorch file: its pickle breaks off or makes no sense",
            "已损坏或不是 PyTorch 文件：其 pickle 数据中断或无意义"
        )
    )]
    Damaged,
    #[error("{}", tr_format!(
        "asks for {what}, which no tensor needs; nothing was executed. Save only the weights: torch.save(model.state_dict(), …)",
        "要求 {what}，而张量并不需要它；未执行任何代码。请只保存权重：torch.save(model.state_dict(), …)"
    ))]
    Refused { what: String },
    #[error(
        "{}",
        tr(
            "holds far more objects than a state dictionary; it is damaged or made to do harm",
            "所含对象远多于一个状态字典；文件已损坏或带有恶意"
        )
    )]
    TooLarge,
}

type Outcome<T> = Result<T, PickleError>;

/// What a pickle holds, and how many bytes it takes.
#[derive(Debug)]
pub struct Pickle {
    pub root: Value,
    pub heap: Heap,
    pub length: usize,
}

/// Reads the pickle at the beginning of these bytes.
pub fn read(bytes: &[u8]) -> Outcome<Pickle> {
    let mut machine = Machine {
        bytes,
        ..Machine::default()
    };
    let root = loop {
        let code = machine.byte()?;
        if code == b'.' {
            break machine.pop()?;
        }
        machine.step(code)?;
    };
    Ok(Pickle {
        root,
        heap: machine.heap,
        length: machine.at,
    })
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    heap: Heap,
    /// Values that were made so far.
    made: usize,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(PickleError::Damaged)?;
        let taken = self.bytes.get(self.at..end).ok_or(PickleError::Damaged)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Outcome<u8> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned number of 1 to 8 bytes.
    fn number(&mut self, bytes: usize) -> Outcome<u64> {
        let taken = self.take(bytes)?.iter().rev();
        Ok(taken.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// So many bytes as a number of this width says.
    fn counted(&mut self, width: usize) -> Outcome<&'a [u8]> {
        let count = self.number(width)?;
        self.take(usize::try_from(count).map_err(|_| PickleError::Damaged)?)
    }

    /// The text up to the next end of line.
    fn line(&mut self) -> Outcome<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(MAX_NAME).position(|byte| *byte == b'\n');
        let line = self.take(end.ok_or(PickleError::Damaged)?)?;
        self.at += 1;
        str::from_utf8(line).map_err(|_| PickleError::Damaged)
    }

    /// Counts a value that is made.
    fn spend(&mut self) -> Outcome<()> {
        self.made += 1;
        match self.made <= MAX_VALUES {
            true => Ok(()),
            false => Err(PickleError::TooLarge),
        }
    }

    fn push(&mut self, value: Value) -> Outcome<()> {
        self.spend()?;
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Outcome<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(value) if self.stack.len() >= floor => Ok(value),
            _ => Err(PickleError::Damaged),
        }
    }

    fn top(&self) -> Outcome<Value> {
        self.stack.last().copied().ok_or(PickleError::Damaged)
    }

    /// Everything above the last mark, which goes too.
    fn above_mark(&mut self) -> Outcome<Vec<Value>> {
        let mark = self.marks.pop().ok_or(PickleError::Damaged)?;
        if mark > self.stack.len() {
            return Err(PickleError::Damaged);
        }
        Ok(self.stack.split_off(mark))
    }

    fn push_text(&mut self, bytes: &[u8]) -> Outcome<()> {
        let text = str::from_utf8(bytes).map_err(|_| PickleError::Damaged)?;
        self.heap.texts.push(text.to_owned());
        self.push(Value::Text(self.heap.texts.len() - 1))
    }

    fn push_list(&mut self, items: Vec<Value>) -> Outcome<()> {
        self.spend()?;
        self.heap.lists.push(items);
        self.push(Value::List(self.heap.lists.len() - 1))
    }

    fn push_tuple(&mut self, items: Vec<Value>) -> Outcome<()> {
        self.spend()?;
        self.heap.lists.push(items);
        self.push(Value::Tuple(self.heap.lists.len() - 1))
    }

    fn push_dict(&mut self, entries: Vec<(Value, Value)>) -> Outcome<()> {
        self.spend()?;
        self.heap.dicts.push(entries);
        self.push(Value::Dict(self.heap.dicts.len() - 1))
    }

    /// The last values of the stack as a tuple.
    fn tuple_of(&mut self, count: usize) -> Outcome<()> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push_tuple(items)
    }

    fn remember(&mut self, place: u64) -> Outcome<()> {
        let value = self.top()?;
        self.spend()?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u64) -> Outcome<()> {
        let value = self.memo.get(&place).copied();
        self.push(value.ok_or(PickleError::Damaged)?)
    }

    /// Carries out one operation. Their letters are those of Python's `pickle` module.
    fn step(&mut self, code: u8) -> Outcome<()> {
        match code {
            // PROTO, FRAME
            0x80 => self.protocol(),
            0x95 => self.take(8).map(drop),
            // MARK, POP, POP_MARK, DUP
            b'(' => {
                self.spend()?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.above_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
            b'J' => {
                let number = self.number(4)? as u32 as i32;
                self.push(Value::Int(number.into()))
            }
            b'K' | b'M' => {
                let number = self.number(if code == b'K' { 1 } else { 2 })?;
                self.push(Value::Int(number as i64))
            }
            0x8a | 0x8b => self.long(if code == 0x8a { 1 } else { 4 }),
            b'G' => {
                self.take(8)?;
                self.push(Value::Other)
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8, SHORT_BINSTRING, BINSTRING
            0x8c | b'X' | 0x8d | b'U' | b'T' => {
                let width = match code {
                    0x8c | b'U' => 1,
                    0x8d => 8,
                    _ => 4,
                };
                let text = self.counted(width)?;
                self.push_text(text)
            }
            // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
            b'C' | b'B' | 0x8e | 0x96 => {
                let width = match code {
                    b'C' => 1,
                    b'B' => 4,
                    _ => 8,
                };
                self.counted(width)?;
                self.push(Value::Other)
            }
            // BINGET, LONG_BINGET, BINPUT, LONG_BINPUT, MEMOIZE
            b'h' | b'j' => {
                let place = self.number(if code == b'h' { 1 } else { 4 })?;
                self.recall(place)
            }
            b'q' | b'r' => {
                let place = self.number(if code == b'q' { 1 } else { 4 })?;
                self.remember(place)
            }
            0x94 => self.remember(self.memo.len() as u64),
            _ => self.step_on_containers(code),
        }
    }

    fn step_on_containers(&mut self, code: u8) -> Outcome<()> {
        match code {
            // EMPTY_LIST, LIST, APPEND, APPENDS
            b']' => self.push_list(Vec::new()),
            b'l' => {
                let items = self.above_mark()?;
                self.push_list(items)
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' => {
                let items = self.above_mark()?;
                self.append(items)
            }
            // EMPTY_TUPLE, TUPLE1 to TUPLE3, TUPLE
            b')' => self.push_tuple(Vec::new()),
            0x85..=0x87 => self.tuple_of(usize::from(code - 0x84)),
            b't' => {
                let items = self.above_mark()?;
                self.push_tuple(items)
            }
            // EMPTY_DICT, DICT, SETITEM, SETITEMS
            b'}' => self.push_dict(Vec::new()),
            b'd' => {
                let entries = pairs(self.above_mark()?)?;
                self.push_dict(entries)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])
            }
            b'u' => {
                let entries = pairs(self.above_mark()?)?;
                self.set_items(entries)
            }
            // EMPTY_SET, ADDITEMS, FROZENSET
            0x8f => self.push(Value::Other),
            0x90 => self.above_mark().map(drop),
            0x91 => {
                self.above_mark()?;
                self.push(Value::Other)
            }
            _ => self.step_on_names(code),
        }
    }

    fn step_on_names(&mut self, code: u8) -> Outcome<()> {
        match code {
            // GLOBAL, STACK_GLOBAL, INST
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Known(known(module, name)?))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |value| self.heap.text(value).ok_or(PickleError::Damaged);
                let known = known(text(module)?, text(name)?)?;
                self.push(Value::Known(known))
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                Err(refused(&format!("{module}.{name}")))
            }
            // BINPERSID, REDUCE, NEWOBJ, BUILD
            b'Q' => self.storage(),
            b'R' => self.reduce(),
            0x81 => self.new_object(),
            b'b' => self.build(),
            // OBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID, NEXT_BUFFER, READONLY_BUFFER
            b'o' => Err(refused("OBJ")),
            0x92 => Err(refused("NEWOBJ_EX")),
            0x82..=0x84 => Err(refused("EXT")),
            b'P' => Err(refused("PERSID")),
            0x97 | 0x98 => Err(refused("NEXT_BUFFER")),
            _ => Err(PickleError::Damaged),
        }
    }

    fn protocol(&mut self) -> Outcome<()> {
        match self.byte()? {
            2..=5 => Ok(()),
            other => Err(refused(&format!("pickle protocol {other}"))),
        }
    }

    /// An integer in two's complement; the few that are longer than 64 bits are of no use here.
    fn long(&mut self, width: usize) -> Outcome<()> {
        let bytes = self.counted(width)?;
        if bytes.len() > 8 {
            return self.push(Value::Other);
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(whole)))
    }

    fn append(&mut self, items: Vec<Value>) -> Outcome<()> {
        match self.top()? {
            Value::List(at) => self.heap.lists[at].extend(items),
            _ => return Err(PickleError::Damaged),
        }
        Ok(())
    }

    fn set_items(&mut self, entries: Vec<(Value, Value)>) -> Outcome<()> {
        match self.top()? {
            Value::Dict(at) => self.heap.dicts[at].extend(entries),
            _ => return Err(PickleError::Damaged),
        }
        Ok(())
    }
}

fn pairs(items: Vec<Value>) -> Outcome<Vec<(Value, Value)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err(PickleError::Damaged),
    }
}

fn known(module: &str, name: &str) -> Outcome<Known> {
    Known::named(module, name).ok_or_else(|| refused(&format!("{module}.{name}")))
}

/// The name without what a terminal would obey.
fn refused(what: &str) -> PickleError {
    let what = what.chars().take(MAX_NAME).collect::<String>();
    PickleError::Refused {
        what: what.escape_debug().to_string(),
    }
}
