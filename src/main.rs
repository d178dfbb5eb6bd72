//! Without a command: the window; else the command line.

use std::process::ExitCode;

use layerlab::cli::Opening;
use layerlab::i18n::{tr, tr_format};

/// Gives memory of the last step to the next one without asking the system, which would hand out
/// every page anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    layerlab::cli::main(window)
}

/// `None` where no window can be had; the reason is said on stderr.
#[cfg(feature = "window")]
fn window(opening: Opening) -> Option<anyhow::Result<()>> {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if cfg!(all(unix, not(target_os = "macos"))) && !has_display {
        no_window(tr("there is no display", "没有显示器"));
        return None;
    }
    match layerlab::gui::run(opening.file, opening.lang, opening.bench) {
        Ok(()) => Some(Ok(())),
        Err(error) => {
            no_window(&layerlab::cli::message(&error));
            None
        }
    }
}

#[cfg(not(feature = "window"))]
fn window(_: Opening) -> Option<anyhow::Result<()>> {
    no_window(tr(
        "this program was built without the window",
        "此程序编译时未包含窗口",
    ));
    None
}

fn no_window(reason: &str) {
    eprintln!(
        "{}",
        tr_format!("no window: {reason}", "无法打开窗口：{reason}")
    );
}
