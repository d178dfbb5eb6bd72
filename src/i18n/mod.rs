//! The two languages of the program, switched live.
//!
//! A text is written where it is used, once in each language: [`tr`] picks one, [`tr_format!`]
//! fills one in, and [`Text`] is a pair kept as data. The compiler therefore refuses a text
//! without its translation and a placeholder that exists in one language only.
//! This module is a leaf: it knows nothing else of the program.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// A language of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    English,
    Chinese,
}

impl Lang {
    /// The language's name in itself, for the menu that switches to it.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "简体中文",
        }
    }

    /// The language that a locale such as `zh_CN.UTF-8` or `en-GB` asks for.
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") {
            Self::Chinese
        } else {
            Self::English
        }
    }
}

static CURRENT: AtomicU8 = AtomicU8::new(0);

/// The language in use.
pub fn lang() -> Lang {
    match CURRENT.load(Ordering::Relaxed) {
        1 => Lang::Chinese,
        _ => Lang::English,
    }
}

/// Switches the language of everything that is drawn or printed from now on.
pub fn set_lang(lang: Lang) {
    CURRENT.store(lang as u8, Ordering::Relaxed);
}

/// The text in the language in use.
pub fn tr(en: &'static str, zh: &'static str) -> &'static str {
    match lang() {
        Lang::English => en,
        Lang::Chinese => zh,
    }
}

/// `format!` with one template for each language.
#[macro_export]
macro_rules! tr_format {
    ($en:literal, $zh:literal $(, $($arg:tt)*)?) => {
        match $crate::i18n::lang() {
            $crate::i18n::Lang::English => format!($en $(, $($arg)*)?),
            $crate::i18n::Lang::Chinese => format!($zh $(, $($arg)*)?),
        }
    };
}
pub use crate::tr_format;

/// A text in both languages, for tables and constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    pub en: &'static str,
    pub zh: &'static str,
}

impl Text {
    pub const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }

    /// The text in the language in use.
    pub fn get(self) -> &'static str {
        tr(self.en, self.zh)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.get())
    }
}
