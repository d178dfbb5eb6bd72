//! Writing the text format as Caffe's own files look: a field a line, two spaces deeper in each
//! message.

use std::fmt::{self, Write};

use super::{Entry, Message, OWN, Value};

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Message {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        for entry in &self.0 {
            let Entry {
                name, value, own, ..
            } = entry;
            write!(f, "{:1$}", "", depth * 2)?;
            match value {
                _ if *own => {
                    write!(f, "{OWN}")?;
                    entry.write_on_one_line(f)?;
                    f.write_char('\n')?;
                }
                Value::Message(message) => {
                    writeln!(f, "{name} {{")?;
                    message.write(f, depth + 1)?;
                    writeln!(f, "{:1$}}}", "", depth * 2)?;
                }
                value => {
                    write!(f, "{name}: ")?;
                    value.write_scalar(f)?;
                    f.write_char('\n')?;
                }
            }
        }
        Ok(())
    }
}

impl Entry {
    fn write_on_one_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Message(message) => {
                write!(f, " {} {{", self.name)?;
                message
                    .0
                    .iter()
                    .try_for_each(|entry| entry.write_on_one_line(f))?;
                f.write_str(" }")
            }
            value => {
                write!(f, " {}: ", self.name)?;
                value.write_scalar(f)
            }
        }
    }
}

impl Value {
    fn write_scalar(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => {
                f.write_char('"')?;
                for c in text.chars() {
                    match c {
                        '\\' => f.write_str("\\\\")?,
                        '"' => f.write_str("\\\"")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        c => f.write_char(c)?,
                    }
                }
                f.write_char('"')
            }
            Self::Message(_) => Ok(()),
        }
    }
}
