//! Reading the text format: names, values, places.

use super::{Entry, Message, OWN, Syntax, Value};
use crate::i18n::{tr, tr_format};

/// Deeper messages are refused, so that no text overflows the stack.
const MAX_DEPTH: usize = 64;

/// More fields, or a longer name, are refused: with both, a tree takes at most about 100 MB
/// beside its texts.
const MAX_ENTRIES: usize = 1 << 18;
const MAX_NAME: usize = 128;

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Message, Syntax> {
    let mut reader = Reader {
        rest: text,
        line: 1,
        column: 1,
        entries: 0,
        own_line: 0,
    };
    reader.message(None, 0)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
    /// Fields so far.
    entries: usize,
    /// The last line that holds Layerlab's own fields behind [`OWN`].
    own_line: usize,
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

    /// Passes over white space and comments; what follows [`OWN`] is read on.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            if self.rest.starts_with(OWN) {
                self.own_line = self.line;
                self.rest = &self.rest[OWN.len()..];
                self.column += OWN.len();
            } else if c == '#' {
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
        // The bracket that opened it.
        let begun = (self.line, self.column.saturating_sub(1));
        if depth > MAX_DEPTH {
            return Err(self.wrong(tr("is nested too deeply", "嵌套过深")));
        }
        let mut entries = Vec::new();
        loop {
            self.skip();
            match (self.peek(), end) {
                (None, None) => return Ok(Message(entries)),
                (None, Some(end)) => {
                    (self.line, self.column) = begun;
                    return Err(self.wrong(tr_format!(
                        "what begins here has no `{end}` at its end",
                        "此处开始的内容缺少结尾的 `{end}`"
                    )));
                }
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
        let own = line == self.own_line;
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
                own,
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
