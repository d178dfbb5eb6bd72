//! The window: panels and views around one document and one training session.
//!
//! Views read a [`context::Ctx`] and push [`context::Action`]s; [`app::App`] alone applies them.
//! Only this module knows egui.

pub mod app;
pub mod commands;
pub mod comparison;
pub mod context;
pub mod document;
pub mod history;

mod clipboard;
pub mod dock;
pub mod editor;
pub mod labs;
pub mod panels;
pub mod plots;
pub mod run;
pub mod views;

mod data;
mod dialogs;
pub mod files;
mod format;
mod formula;
pub mod frame_times;
mod menus;
mod modals;
mod perform;
mod rewrite;
pub mod settings;
mod status;
pub mod theme;
pub mod toasts;
pub mod training;
pub mod weights;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::i18n::{Lang, Text};
use crate::labs::Settings;

/// The panels of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ViewKind {
    Editor,
    Palette,
    Form,
    Problems,
    Curves,
    Maps,
    Weights,
    Data,
    Confusion,
    Segmentation,
    Depth,
    Text,
    Prototxt,
    Labs,
    Predict,
    Comparison,
}

impl ViewKind {
    pub const ALL: [Self; 16] = [
        Self::Editor,
        Self::Palette,
        Self::Form,
        Self::Problems,
        Self::Curves,
        Self::Maps,
        Self::Weights,
        Self::Data,
        Self::Confusion,
        Self::Segmentation,
        Self::Depth,
        Self::Text,
        Self::Predict,
        Self::Prototxt,
        Self::Labs,
        Self::Comparison,
    ];

    pub const fn title(self) -> Text {
        match self {
            Self::Editor => Text::new("Graph", "网络图"),
            Self::Palette => Text::new("Layers", "层"),
            Self::Form => Text::new("Parameters", "参数"),
            Self::Problems => Text::new("Problems", "问题"),
            Self::Curves => Text::new("Curves", "曲线"),
            Self::Maps => Text::new("Feature maps", "特征图"),
            Self::Weights => Text::new("Weights", "权重"),
            Self::Data => Text::new("Data", "数据"),
            Self::Confusion => Text::new("Confusion matrix", "混淆矩阵"),
            Self::Segmentation => Text::new("Segmentation", "语义分割"),
            Self::Depth => Text::new("Gradients by depth", "各层梯度"),
            Self::Text => Text::new("Text", "文本"),
            Self::Predict => Text::new("Predict", "识别"),
            Self::Prototxt => Text::new("Prototxt", "Prototxt"),
            Self::Labs => Text::new("Concept benches", "概念实验台"),
            Self::Comparison => Text::new("Comparison", "比较"),
        }
    }
}

/// Opens the window, on this project file or this bench if one is given, and returns when it is
/// closed.
///
/// # Errors
/// If there is no display, or it cannot draw.
pub fn run(
    file: Option<PathBuf>,
    lang: Option<Lang>,
    bench: Option<Settings>,
) -> anyhow::Result<()> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id(app::APP_ID)
            .with_title("Layerlab")
            .with_icon(icon())
            .with_inner_size([1440.0, 900.0])
            .with_min_inner_size([720.0, 480.0]),
        ..Default::default()
    };
    eframe::run_native(
        app::APP_ID,
        options,
        Box::new(|creation| {
            let mut settings = settings::Settings::load(creation.storage);
            if let Some(lang) = lang {
                settings.set_language(lang);
            }
            let storage = eframe::storage_dir(app::APP_ID);
            let mut app = app::App::new(&creation.egui_ctx, settings, storage, file);
            if let Some(bench) = bench {
                app.show_bench(bench);
            }
            Ok(Box::new(app))
        }),
    )
    .map_err(|error| anyhow::anyhow!("{error}"))
}

/// Three sheets, one behind the other, 64 × 64.
fn icon() -> egui::IconData {
    const SIDE: u32 = 64;
    const SHEETS: [(u32, u32, [u8; 3]); 3] = [
        (22, 6, [0x2d, 0xd4, 0xbf]),
        (14, 16, [0xa7, 0x8b, 0xfa]),
        (6, 26, [0x5b, 0x9d, 0xff]),
    ];
    let mut rgba = vec![0; (SIDE * SIDE * 4) as usize];
    for (left, top, [red, green, blue]) in SHEETS {
        for y in top..top + 32 {
            for x in left..left + 36 {
                // A dark edge tells the sheets apart.
                let edge = y == top || x == left + 35 || y == top + 31 || x == left;
                let part = if edge { 2 } else { 1 };
                let at = ((y * SIDE + x) * 4) as usize;
                rgba[at..at + 4].copy_from_slice(&[red / part, green / part, blue / part, 255]);
            }
        }
    }
    egui::IconData {
        rgba,
        width: SIDE,
        height: SIDE,
    }
}
