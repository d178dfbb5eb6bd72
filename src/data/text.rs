//! Texts as sequences of tokens, characters or words, cut into windows of T.
//!
//! An example is T tokens in a row; its labels are the T tokens that follow them, one at each
//! position. Held-back windows are the last stretches of the text, so none of them overlaps what
//! trains. The vocabulary is what the training stretch holds; class 0 stands for all other
//! tokens.
//! It must not know how batches are made.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::config::{MAX_VOCABULARY, TextSettings, TextUnit};
use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataError, Split, read_limited};
use crate::i18n::{tr, tr_format};

/// The class of every token that the vocabulary lacks.
pub const UNKNOWN: &str = "<unk>";

/// A text longer than this, unpacked, is refused: its tokens take four times as much memory.
const MAX_BYTES: u64 = 100 << 20;

/// A text as tokens, and the class of each.
#[derive(Clone)]
pub(super) struct Corpus {
    settings: TextSettings,
    /// The distinct tokens, in the order in which the text brings them.
    units: Vec<String>,
    /// The text, as places in `units`.
    tokens: Vec<u32>,
    /// The class of each of `units`.
    classes: Vec<u32>,
}

/// Opens a file of UTF-8 text, plain or gzipped.
pub(super) fn open(path: &Path, settings: &TextSettings) -> Result<Dataset, DataError> {
    let file = std::fs::File::open(path).map_err(|error| DataError::read(path, error))?;
    read(std::io::BufReader::new(file), path, settings)
}

/// Reads a text; the path is for messages.
pub(super) fn read(
    reader: impl std::io::BufRead,
    path: &Path,
    settings: &TextSettings,
) -> Result<Dataset, DataError> {
    let too_large = tr(
        "holds more than 100 MiB of text; use a part of it",
        "文本超过 100 MiB；请使用其中一部分",
    );
    let bytes = read_limited(reader, path, MAX_BYTES, too_large)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        DataError::Line {
            path: path.display().to_string(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64,
            problem: tr(
                "is not UTF-8 text; save it as UTF-8",
                "不是 UTF-8 文本；请另存为 UTF-8",
            )
            .into(),
        }
    })?;
    let corpus = Corpus::new(text, settings);
    let (windows, length, held) = (corpus.windows(), settings.length, corpus.tokens.len());
    if windows == 0 {
        let problem = tr_format!(
            "holds {held} tokens, too few for one example of {length} and the token after it; lower `text.length`",
            "只有 {held} 个词元，不足以构成一个长度为 {length} 的样本及其后一个词元；请减小 `text.length`"
        );
        return Err(DataError::format(path, problem));
    }
    let dataset = Dataset {
        kind: Kind::Text,
        source: String::new(),
        channels: 1,
        size: None,
        classes: Vec::new(),
        names: ClassNames::OfData,
        class_texts: &[],
        counts: Counts {
            train: windows,
            validation: 0,
            test: 0,
        },
        labels: Vec::new(),
        targets: Targets::default(),
        store: Store::Text(corpus),
        mean: None,
        parts: Default::default(),
    };
    dataset.checked(path)?.split(&Split::default())
}

impl Corpus {
    fn new(text: &str, settings: &TextSettings) -> Self {
        let mut corpus = Self {
            settings: settings.clone(),
            units: Vec::new(),
            tokens: Vec::new(),
            classes: Vec::new(),
        };
        let mut places: HashMap<String, u32> = HashMap::new();
        each_token(text, settings.unit, |token| {
            let place = places.get(token).copied().unwrap_or_else(|| {
                let place = corpus.units.len() as u32;
                places.insert(token.to_owned(), place);
                corpus.units.push(token.to_owned());
                place
            });
            corpus.tokens.push(place);
        });
        corpus
    }

    /// T, the tokens of an example.
    pub fn length(&self) -> usize {
        self.settings.length
    }

    pub fn unit(&self) -> TextUnit {
        self.settings.unit
    }

    /// Windows that lie side by side and have a token after them.
    pub fn windows(&self) -> usize {
        self.tokens.len().saturating_sub(1) / self.settings.length.max(1)
    }

    /// The training, validation and test windows, when the last ones are held back: the last
    /// `test` for the test, those before them for validation. One training window is not offered,
    /// which leaves room to begin each epoch at another token.
    pub fn parts(&self, validation: usize, test: usize) -> [Range<usize>; 3] {
        let windows = self.windows();
        let held_test = windows.saturating_sub(test);
        let held = held_test.saturating_sub(validation);
        let offered = if held > 1 { held - 1 } else { held };
        [0..offered, held..held_test, held_test..windows]
    }

    /// How far from its place an epoch may begin, in tokens, without leaving the training text.
    pub fn slack(&self, train: usize, validation: usize, test: usize) -> usize {
        let held = self.windows().saturating_sub(validation + test);
        if held > train {
            self.settings.length - 1
        } else {
            0
        }
    }

    /// The vocabulary of the first `windows` windows, to be the classes' names.
    pub fn vocabulary(&self, windows: usize) -> Vec<String> {
        let mut counts = vec![0u64; self.units.len()];
        let end = (windows * self.settings.length).min(self.tokens.len());
        for token in &self.tokens[..end] {
            counts[*token as usize] += 1;
        }
        let counted = self.units.iter().zip(counts);
        let mut seen: Vec<(&String, u64)> = counted.filter(|(_, count)| *count > 0).collect();
        seen.sort_unstable();
        if let TextUnit::Words(size) = self.settings.unit {
            // Stable, so that words of one count stay in alphabetical order.
            seen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            seen.truncate(size.saturating_sub(1));
        }
        seen.truncate(MAX_VOCABULARY - 1);
        let names = seen.into_iter().map(|(unit, _)| unit.clone());
        std::iter::once(UNKNOWN.to_owned()).chain(names).collect()
    }

    /// Gives every token its class in this vocabulary.
    pub fn classify(&mut self, vocabulary: &[String]) {
        let places = places(vocabulary);
        let class = |unit: &String| places.get(unit.as_str()).copied().unwrap_or(0);
        self.classes = self.units.iter().map(class).collect();
    }

    /// The classes of window `place`, begun `offset` tokens later, and of the token after it.
    pub fn window(&self, place: usize, offset: usize) -> impl Iterator<Item = u32> {
        let start = (place * self.settings.length + offset).min(self.tokens.len());
        let end = (start + self.settings.length + 1).min(self.tokens.len());
        let class = |token: &u32| self.classes.get(*token as usize).copied().unwrap_or(0);
        self.tokens[start..end].iter().map(class)
    }
}

fn places(vocabulary: &[String]) -> HashMap<&str, u32> {
    let numbered = vocabulary.iter().enumerate();
    numbered
        .map(|(class, token)| (token.as_str(), class as u32))
        .collect()
}

/// The classes of a text's tokens.
pub(super) fn classes_of(text: &str, unit: TextUnit, vocabulary: &[String]) -> Vec<u32> {
    let places = places(vocabulary);
    let mut classes = Vec::new();
    each_token(text, unit, |token| {
        classes.push(places.get(token).copied().unwrap_or(0));
    });
    classes
}

/// Tokens as running text: characters side by side, words with spaces where they belong.
pub(super) fn written<'a>(tokens: impl IntoIterator<Item = &'a str>, unit: TextUnit) -> String {
    let mut text = String::new();
    let mut opens = false;
    for token in tokens {
        if let TextUnit::Words(_) = unit {
            let first = token.chars().next().unwrap_or(' ');
            let after = text.chars().next_back().unwrap_or('\n');
            let closes = matches!(first, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '”');
            let joins = matches!(first, '-' | '—' | '–' | '\n') || is_ideograph(first);
            let joined = matches!(after, '-' | '—' | '–' | '\n') || is_ideograph(after);
            if !(closes || joins || joined || opens) {
                text.push(' ');
            }
            opens = matches!(first, '(' | '[' | '“');
        }
        text.push_str(token);
    }
    text
}

/// A token to be shown in one line.
pub(super) fn shown(token: &str) -> &str {
    match token {
        " " => "␣",
        "\n" => "⏎",
        "\t" => "→",
        other => other,
    }
}

/// Calls `take` with every token. Lines end in `\n`, whatever the file says. Words are small
/// letters and digits with apostrophes inside; an ideograph, a sign and an empty line (`\n`) are
/// tokens by themselves, and a single end of line only parts words.
fn each_token(text: &str, unit: TextUnit, mut take: impl FnMut(&str)) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut buffer = [0; 4];
    let mut chars = text.chars().peekable();
    match unit {
        TextUnit::Characters => {
            while let Some(c) = chars.next() {
                if !(c == '\r' && chars.peek() == Some(&'\n')) {
                    take(c.encode_utf8(&mut buffer));
                }
            }
        }
        TextUnit::Words(_) => {
            let mut word = String::new();
            let mut lines = 0;
            while let Some(c) = chars.next() {
                let apostrophe = matches!(c, '\'' | '’') && !word.is_empty();
                let inside = apostrophe && chars.peek().is_some_and(|c| c.is_alphanumeric());
                if inside || (c.is_alphanumeric() && !is_ideograph(c)) {
                    word.extend(c.to_lowercase());
                    lines = 0;
                    continue;
                }
                if !word.is_empty() {
                    take(&word);
                    word.clear();
                }
                lines = match c {
                    '\n' => lines + 1,
                    c if c.is_whitespace() => lines,
                    _ => 0,
                };
                if lines == 2 || !c.is_whitespace() {
                    take(c.encode_utf8(&mut buffer));
                }
            }
            if !word.is_empty() {
                take(&word);
            }
        }
    }
}

/// Of a script that writes no spaces between words (Unicode's CJK blocks and kana).
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests;
