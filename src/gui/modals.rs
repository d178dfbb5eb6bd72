//! Questions that wait for an answer: unsaved changes, work left by a crash, about the program.

use std::path::{Path, PathBuf};

use egui::RichText;

use super::files::file_name;
use super::theme;
use crate::i18n::{tr, tr_format};
use crate::project::recovery::Leftover;

/// What a person wants to do that would lose unsaved changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    New,
    /// The dialog to open a project.
    AskOpen,
    Open(PathBuf),
    Example(usize),
    Quit,
}

/// An answer to the question about unsaved changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    Save,
    Discard,
    Cancel,
}

/// Asks about unsaved changes.
pub fn guard_ui(ctx: &egui::Context, title: &str) -> Option<Guard> {
    let mut answer = None;
    let modal = egui::Modal::new("unsaved".into())
        .frame(theme::modal_frame(&ctx.global_style()))
        .show(ctx, |ui| {
            ui.set_width(400.0);
            ui.heading(tr("Save the changes?", "保存更改？"));
            ui.add_space(4.0);
            ui.label(tr_format!(
                "“{title}” has changes that are not in its file.",
                "“{title}”有尚未保存的更改。"
            ));
            ui.add_space(10.0);
            ui.horizontal(|ui| {
                let save = egui::Button::new(RichText::new(tr("Save", "保存")).strong());
                let save = ui.add(save);
                if ui.memory(|memory| memory.focused().is_none()) {
                    save.request_focus();
                }
                if save.clicked() {
                    answer = Some(Guard::Save);
                }
                if ui.button(tr("Don't save", "不保存")).clicked() {
                    answer = Some(Guard::Discard);
                }
                if ui.button(tr("Cancel", "取消")).clicked() {
                    answer = Some(Guard::Cancel);
                }
            });
        });
    if modal.should_close() && answer.is_none() {
        answer = Some(Guard::Cancel);
    }
    answer
}

/// Offers work that a crash left; whether to take it.
pub fn recovery_ui(ctx: &egui::Context, leftover: &Leftover) -> Option<bool> {
    let mut answer = None;
    egui::Modal::new("recovery".into()).frame(theme::modal_frame(&ctx.global_style())).show(ctx, |ui| {
        ui.set_width(440.0);
        ui.heading(tr("Recover unsaved work?", "恢复未保存的工作？"));
        ui.add_space(4.0);
        let name = name_of(leftover.path.as_deref(), &leftover.project.title);
        let ago = leftover.time.and_then(|time| time.elapsed().ok()).map_or(0, |ago| ago.as_secs() / 60);
        ui.label(tr_format!(
            "Layerlab did not end properly. It had kept “{name}” with unsaved changes aside, {ago} minutes ago.",
            "Layerlab 上次未正常退出。{ago} 分钟前自动保存了“{name}”未保存的更改。"
        ));
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            if ui.button(RichText::new(tr("Recover", "恢复")).strong()).clicked() {
                answer = Some(true);
            }
            if ui.button(tr("Discard", "丢弃")).clicked() {
                answer = Some(false);
            }
        });
    });
    answer
}

/// Whether it stays open.
pub fn about_ui(ctx: &egui::Context) -> bool {
    let mut open = true;
    let modal = egui::Modal::new("about".into()).frame(theme::modal_frame(&ctx.global_style())).show(ctx, |ui| {
        ui.set_width(400.0);
        ui.heading(format!("Layerlab {}", env!("CARGO_PKG_VERSION")));
        ui.add_space(4.0);
        ui.label(tr(
            "A workbench to assemble deep networks, train them, and look inside while they learn.",
            "组装、训练深度网络，并在学习过程中观察其内部的工作台。",
        ));
        ui.add_space(4.0);
        ui.label(RichText::new(env!("CARGO_PKG_LICENSE")).weak());
        ui.label(RichText::new(tr(
            "Built-in data and fonts: see LICENSES.md. Typeface: Noto Sans SC, SIL Open Font License.",
            "内置数据与字体的许可见 LICENSES.md。字体：Noto Sans SC（SIL 开放字体许可）。",
        )).weak());
        ui.add_space(8.0);
        if ui.button(tr("Close", "关闭")).clicked() {
            open = false;
        }
    });
    open && !modal.should_close()
}

/// What a project is called: its file's name, else its title.
pub fn name_of(path: Option<&Path>, title: &str) -> String {
    match path {
        Some(path) => file_name(path),
        None if title.is_empty() => tr("Untitled", "未命名").to_owned(),
        None => title.to_owned(),
    }
}
