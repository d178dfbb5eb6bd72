//! The text format of Protocol Buffers, without a schema: names and values with their places.
//!
//! After the language's specification (protobuf.dev, “Text Format Language”). No crate reads it
//! without compiled descriptors and keeps what those do not know, hence this one. Invariant: the
//! tree's size is proportional to the text's, and its depth is at most [`MAX_DEPTH`].

use std::fmt;

use super::Note;
use crate::i18n::{tr, tr_format};

/// Deeper messages are refused, so that no text overflows the stack.
const MAX_DEPTH: usize = 64;

/// More fields, or a longer name, are refused: with both, a tree takes at most about 100 MB
/// beside its texts.
const MAX_ENTRIES: usize = 1 << 18;
const MAX_NAME: usize = 128;

/// Fields in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message(pub Vec<Entry>);

/// One field, once for each value of a repeated one.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    pub value: Value,
    /// From 1.
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number or the name of an enum's value, as written.
    Word(String),
    /// Quoted; escapes are resolved.
    Text(String),
    Message(Message),
}

/// Where a text breaks off being one.
#[derive(Clone, Debug, PartialEq)]
pub struct Syntax {
    pub line: usize,
    pub column: usize,
    pub problem: String,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

/// The text again, one field a line, without comments.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { name, value, .. } in &self.0 {
            match value {
                Value::Word(word) => writeln!(f, "{name}: {word}")?,
                Value::Text(text) => {
                    let text = text
                        .replace('\\', "\\\\")
                        .replace('"', "\\\"")
                        .replace('\n', "\\n");
                    writeln!(f, "{name}: \"{text}\"")?;
                }
                Value::Message(message) => writeln!(f, "{name} {{\n{message}}}")?,
            }
        }
        Ok(())
    }
}

impl Message {
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.name == name)
    }

    /// The last one, which is the one that counts.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.name == name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.word()
    }

    /// A solver says how to train, a network has layers.
    pub fn is_solver(&self) -> bool {
        let own = ["net", "train_net", "base_lr", "lr_policy", "max_iter"];
        let layers = ["layer", "layers"];
        let has = |names: &[&str]| {
            self.0
                .iter()
                .any(|entry| names.contains(&entry.name.as_str()))
        };
        has(&own) && !has(&layers)
    }
}

impl Entry {
    /// A number, a name or a text; `None` for a message.
    pub fn word(&self) -> Option<&str> {
        match &self.value {
            Value::Word(text) | Value::Text(text) => Some(text),
            Value::Message(_) => None,
        }
    }

    pub fn message(&self) -> Option<&Message> {
        match &self.value {
            Value::Message(message) => Some(message),
            _ => None,
        }
    }

    /// A real number; C's suffix `f` is allowed.
    pub fn real(&self) -> Option<f64> {
        let Value::Word(word) = &self.value else {
            return None;
        };
        let bare = if word.starts_with("0x") {
            word
        } else {
            word.trim_end_matches(['f', 'F'])
        };
        let number = bare.parse().ok().or_else(|| Some(self.integer()? as f64));
        number.filter(|number: &f64| number.is_finite())
    }

    /// A whole number: decimal, hexadecimal or octal.
    pub fn integer(&self) -> Option<i64> {
        let Value::Word(word) = &self.value else {
            return None;
        };
        let (sign, digits) = match word.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, word.as_str()),
        };
        // One sign is enough.
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let number = if let Some(digits) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            i64::from_str_radix(digits, 16)
        } else if digits.len() > 1 && digits.starts_with('0') {
            i64::from_str_radix(digits, 8)
        } else {
            digits.parse()
        };
        number.ok().and_then(|number: i64| number.checked_mul(sign))
    }

    pub fn count(&self) -> Option<usize> {
        self.integer()
            .and_then(|number| usize::try_from(number).ok())
    }

    pub fn flag(&self) -> Option<bool> {
        match self.word()? {
            "true" | "True" | "t" | "1" => Some(true),
            "false" | "False" | "f" | "0" => Some(false),
            _ => None,
        }
    }

    pub fn note(&self, message: impl Into<String>) -> Note {
        Note {
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Message, Syntax> {
    let mut reader = Reader {
        rest: text,
        line: 1,
        column: 1,
        entries: 0,
    };
    reader.message(None, 0)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
    /// Fields so far.
    entries: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(c)
    }

    /// Passes over white space and comments.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            if c == '#' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next();
                }
            } else if c.is_whitespace() || c == '\u{feff}' {
                self.next();
            } else {
                return;
            }
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip();
        let there = self.peek() == Some(wanted);
        if there {
            self.next();
        }
        there
    }

    fn wrong(&self, problem: impl Into<String>) -> Syntax {
        Syntax {
            line: self.line,
            column: self.column,
            problem: problem.into(),
        }
    }

    /// What is there instead of what was wanted.
    fn expected(&self, wanted: &str) -> Syntax {
        let found = match self.peek() {
            Some(c) => format!("`{c}`"),
            None => tr("the end of the text", "文本结尾").to_owned(),
        };
        self.wrong(tr_format!(
            "expected {wanted}, found {found}",
            "此处应为 {wanted}，却是 {found}"
        ))
    }

    /// The fields up to the closing sign, or to the end of the text.
    fn message(&mut self, end: Option<char>, depth: usize) -> Result<Message, Syntax> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(tr("is nested too deeply", "嵌套过深")));
        }
        let mut entries = Vec::new();
        loop {
            self.skip();
            match (self.peek(), end) {
                (None, None) => return Ok(Message(entries)),
                (None, Some(end)) => return Err(self.expected(&format!("`{end}`"))),
                (Some(c), Some(end)) if c == end => {
                    self.next();
                    return Ok(Message(entries));
                }
                _ => self.field(&mut entries, depth)?,
            }
            if !self.take(',') {
                self.take(';');
            }
        }
    }

    fn field(&mut self, entries: &mut Vec<Entry>, depth: usize) -> Result<(), Syntax> {
        let (line, column) = (self.line, self.column);
        let name = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() {
            return Err(self.expected(tr("the name of a field", "字段名")));
        }
        if name.len() > MAX_NAME {
            return Err(self.wrong(tr("the name of a field is too long", "字段名过长")));
        }
        let colon = self.take(':');
        self.skip();
        let mut add = |value| {
            let name = name.to_owned();
            entries.push(Entry {
                name,
                value,
                line,
                column,
            });
        };
        match self.peek() {
            Some('[') if colon => {
                self.next();
                while !self.take(']') {
                    let value = self.value(depth)?;
                    add(value);
                    if !self.take(',') && self.peek() != Some(']') {
                        return Err(self.expected("`,` / `]`"));
                    }
                }
            }
            Some('{' | '<') => add(self.value(depth)?),
            _ if colon => add(self.value(depth)?),
            _ => return Err(self.expected("`:` / `{`")),
        }
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, Syntax> {
        self.skip();
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(self.wrong(tr_format!(
                "has more than {MAX_ENTRIES} fields",
                "字段超过 {MAX_ENTRIES} 个"
            )));
        }
        match self.peek() {
            Some(open @ ('{' | '<')) => {
                self.next();
                let end = if open == '{' { '}' } else { '>' };
                Ok(Value::Message(self.message(Some(end), depth + 1)?))
            }
            Some('"' | '\'') => {
                let mut text = String::new();
                // Texts side by side are one.
                while let Some(quote @ ('"' | '\'')) = self.peek() {
                    self.next();
                    self.quoted(quote, &mut text)?;
                    self.skip();
                }
                Ok(Value::Text(text))
            }
            _ => {
                let word = self.word(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
                if word.is_empty() {
                    return Err(self.expected(tr("a value", "值")));
                }
                Ok(Value::Word(word.to_owned()))
            }
        }
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.column += word.chars().count();
        word
    }

    fn quoted(&mut self, quote: char, text: &mut String) -> Result<(), Syntax> {
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(()),
                None | Some('\n') => {
                    return Err(self.wrong(tr("a text does not end", "字符串没有结束")));
                }
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(c) => text.push(c),
                    None => return Err(self.wrong(tr("a text does not end", "字符串没有结束"))),
                },
                Some(c) => text.push(c),
            }
        }
    }
}
