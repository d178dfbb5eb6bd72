//! What the window remembers from one start to the next: layout, language, theme, recent files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ViewKind;
use super::dock;
use super::panels::Panels;
use crate::i18n::Lang;

const KEY: &str = "settings";
const RECENT: usize = 10;

/// A person's settings. What an older or newer version wrote and this one cannot read is
/// replaced by the defaults.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `None` follows the system's locale.
    language: Option<String>,
    pub theme: egui::ThemePreference,
    /// Newest first.
    pub recent: Vec<PathBuf>,
    pub layout: egui_tiles::Tree<ViewKind>,
    pub frame_times: bool,
    pub minimap: bool,
    pub panels: Panels,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: None,
            theme: egui::ThemePreference::System,
            recent: Vec::new(),
            layout: dock::default_layout(),
            frame_times: false,
            minimap: true,
            panels: Panels::default(),
        }
    }
}

impl Settings {
    pub fn load(storage: Option<&dyn eframe::Storage>) -> Self {
        let saved = storage.and_then(|storage| eframe::get_value(storage, KEY));
        saved.unwrap_or_default()
    }

    pub fn save(&self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, KEY, self);
    }

    pub fn language(&self) -> Lang {
        match self.language.as_deref() {
            Some(language) => Lang::of_locale(language),
            None => Lang::of_locale(&sys_locale::get_locale().unwrap_or_default()),
        }
    }

    pub fn set_language(&mut self, language: Lang) {
        let locale = match language {
            Lang::English => "en",
            Lang::Chinese => "zh",
        };
        self.language = Some(locale.to_owned());
    }

    /// Puts a file on top of the recent ones.
    pub fn add_recent(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.recent.retain(|other| *other != path);
        self.recent.insert(0, path);
        self.recent.truncate(RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_round_trip_and_recent_files_are_few_and_unique() {
        let mut settings = Settings::default();
        settings.set_language(Lang::Chinese);
        for n in 0..30 {
            settings.add_recent(Path::new(&format!("/p/{}.ron", n % 12)));
        }
        assert_eq!(settings.recent.len(), RECENT);
        assert_eq!(settings.recent[0], Path::new("/p/5.ron"));
        let text = ron::to_string(&settings).unwrap();
        let read: Settings = ron::from_str(&text).unwrap();
        assert_eq!(read.language(), Lang::Chinese);
        assert_eq!(read.recent, settings.recent);
        assert_eq!(read.layout.tiles.len(), settings.layout.tiles.len());
    }
}
