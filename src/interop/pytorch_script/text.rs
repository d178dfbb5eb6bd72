//! Pieces of Python text.
//!
//! Invariant: whatever a project says becomes the inside of a string, a comment of one line, or a
//! name made of ASCII letters, digits and `_`; it never becomes code. It must not know layers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// Words that mean something else in Python, or that the script uses itself.
const TAKEN: &[&str] = &[
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "case",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "match",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "type",
    "while",
    "with",
    "yield", // What the forward uses.
    "F",
    "arg_max",
    "caffe_pool",
    "contrastive_loss",
    "crop_centre",
    "hinge_loss",
    "infogain_loss",
    "laid_along",
    "len",
    "lrn_within_channel",
    "mean_variance",
    "nearest",
    "nn",
    "self",
    "sigmoid_loss",
    "smooth_l1_loss",
    "spatial_pyramid",
    "torch",
];

/// Attributes of `nn.Module`, whose places a submodule must not take.
const MODULE_ATTRIBUTES: &[&str] = &[
    "T_destination",
    "add_module",
    "apply",
    "bfloat16",
    "buffers",
    "call_super_init",
    "children",
    "compile",
    "cpu",
    "cuda",
    "double",
    "dump_patches",
    "eval",
    "extra_repr",
    "float",
    "forward",
    "get_buffer",
    "get_extra_state",
    "get_parameter",
    "get_submodule",
    "half",
    "ipu",
    "load_state_dict",
    "loss",
    "modules",
    "mtia",
    "named_buffers",
    "named_children",
    "named_modules",
    "named_parameters",
    "parameters",
    "register_backward_hook",
    "register_buffer",
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook",
    "register_module",
    "register_parameter",
    "register_state_dict_post_hook",
    "register_state_dict_pre_hook",
    "requires_grad_",
    "set_extra_state",
    "set_submodule",
    "share_memory",
    "state_dict",
    "to",
    "to_empty",
    "train",
    "training",
    "type",
    "xpu",
    "zero_grad",
];

/// Whether a character reads the same to people and to Python: no control character, nothing
/// that turns the direction of writing or cannot be seen.
fn is_plain(c: char) -> bool {
    let punctuation = matches!(c, '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{bf}' | '\u{d7}' | '\u{f7}'
        | '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{22ff}' | '\u{3001}'..='\u{303f}' | '\u{ff01}'..='\u{ff60}');
    matches!(c, ' '..='~') || c.is_alphanumeric() || punctuation
}

/// A string literal with this content.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            c if is_plain(c) => literal.push(c),
            c if (c as u32) < 0x1_0000 => _ = write!(literal, "\\u{:04x}", c as u32),
            c => _ = write!(literal, "\\U{:08x}", c as u32),
        }
    }
    literal.push('"');
    literal
}

/// The text without anything that could end a comment or a line.
pub(super) fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { ' ' })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Comment lines of about 90 columns, each behind `indent`.
pub(super) fn comment(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in one_line(paragraph).split(' ') {
            if !line.is_empty() && line.width() + word.width() > 88 {
                _ = writeln!(lines, "{indent}# {line}");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            _ = writeln!(lines, "{indent}# {line}");
        }
    }
    lines
}

/// A list of strings under a name, several on a line.
pub(super) fn list(name: &str, values: &[String]) -> String {
    let mut text = format!("{name} = [");
    let mut line = String::new();
    for value in values {
        let value = literal(value);
        if !line.is_empty() && line.width() + value.width() > 90 {
            _ = write!(text, "\n   {line}");
            line.clear();
        }
        _ = write!(line, " {value},");
    }
    match (line.is_empty(), text.ends_with('[')) {
        (true, _) => text + "]\n",
        (false, true) => format!("{text}{}]\n", line.trim_start().trim_end_matches(',')),
        (false, false) => format!("{text}\n   {line}\n]\n"),
    }
}

/// A number as Python reads it.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "math.nan".to_owned(),
        value if value.is_infinite() && value > 0.0 => "math.inf".to_owned(),
        value if value.is_infinite() => "-math.inf".to_owned(),
        value => format!("{value:?}"),
    }
}

/// `(1, 2)`, also for one value and none.
pub(super) fn tuple(values: &[impl ToString]) -> String {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    match &texts[..] {
        [one] => format!("({one},)"),
        texts => format!("({})", texts.join(", ")),
    }
}

/// `3` where both are equal, else `(3, 1)`.
pub(super) fn pair(values: [usize; 2]) -> String {
    match values {
        [a, b] if a == b => a.to_string(),
        values => tuple(&values),
    }
}

/// Whether a part of a key can be written as an attribute of a module.
pub(super) fn is_attribute(name: &str) -> bool {
    is_identifier(name)
        && !name.starts_with('_')
        && !TAKEN.contains(&name)
        && !MODULE_ATTRIBUTES.contains(&name)
}

fn is_identifier(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Gives names of variables, each once.
#[derive(Default)]
pub(super) struct Variables(BTreeSet<String>);

impl Variables {
    /// A variable like `wanted`, which may be any text.
    pub fn fresh(&mut self, wanted: &str) -> String {
        let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut stem: String = wanted.chars().map(keep).collect();
        if !is_identifier(&stem) || stem.starts_with('_') {
            stem = format!("x{}{stem}", if stem.starts_with('_') { "" } else { "_" });
        }
        let mut name = stem.clone();
        let mut count = 1usize;
        while TAKEN.contains(&name.as_str()) || !self.0.insert(name.clone()) {
            count += 1;
            name = format!("{stem}_{count}");
        }
        name
    }
}
