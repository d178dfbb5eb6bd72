//! Unsaved work is kept aside now and then, and offered again after a crash.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::Context;

use super::App;
use crate::gui::document::Document;
use crate::gui::toasts::Tone;
use crate::i18n::tr_format;
use crate::project::recovery::Slot;

/// Between two times that unsaved work is kept aside.
const AUTOSAVE: Duration = Duration::from_secs(60);

impl App {
    pub(super) fn find_leftover(&mut self, storage: Option<PathBuf>) {
        let Some(folder) = storage else { return };
        match Slot::take(&folder) {
            Ok(slot) => self.slot = slot,
            Err(error) => self.toasts.show(
                Tone::Warning,
                tr_format!(
                    "unsaved work cannot be kept in {}: {error}",
                    "无法在 {} 中自动保存：{error}",
                    folder.display()
                ),
            ),
        }
        match self.slot.as_ref().and_then(Slot::leftover) {
            Some(Ok(leftover)) => self.leftover = Some(leftover),
            Some(Err(error)) => {
                self.toasts.show(Tone::Warning, error.to_string());
                self.keep_nothing();
            }
            None => {}
        }
    }

    /// Forgets what was kept aside, but not work of a crash that nobody has decided about.
    pub(super) fn keep_nothing(&self) {
        if let Some(slot) = self.slot.as_ref().filter(|_| self.leftover.is_none()) {
            slot.clear();
        }
    }

    pub(super) fn autosave(&mut self, ctx: &Context) {
        let Some(slot) = self.slot.as_ref().filter(|_| self.leftover.is_none()) else {
            return;
        };
        if !self.document.is_dirty() {
            return;
        }
        let due = self.kept.0 + AUTOSAVE;
        let now = Instant::now();
        if now < due {
            ctx.request_repaint_after(due - now);
        } else if self.kept.1 != self.document.revision() {
            self.kept = (now, self.document.revision());
            if let Err(error) = slot.keep(self.document.project(), self.document.path()) {
                self.toasts.show(Tone::Warning, error.to_string());
            }
        }
    }

    /// Keeps unsaved work aside now, whatever the clock says.
    pub fn autosave_now(&mut self) {
        self.kept = (
            Instant::now() - AUTOSAVE,
            self.document.revision().wrapping_sub(1),
        );
        self.autosave(&Context::default());
    }

    pub(super) fn recover(&mut self, recover: bool) {
        let Some(leftover) = self.leftover.take() else {
            return;
        };
        if recover {
            self.document = Document::unsaved(leftover.project, leftover.path);
            self.show_document();
        } else {
            self.keep_nothing();
        }
    }
}
