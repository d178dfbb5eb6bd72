//! The embedded Chinese font has every Chinese character that this repository writes.
#![cfg(feature = "window")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

const FONT: &[u8] = include_bytes!("../assets/fonts/NotoSansSC-subset.otf");

/// Hanzi and full-width punctuation: what the fonts that egui brings along lack.
fn is_chinese(character: char) -> bool {
    matches!(character, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            texts(&path, found);
        } else if matches!(ending, Some("rs" | "ron" | "md")) {
            found.push(path);
        }
    }
}

#[test]
fn the_font_loads_and_has_every_character_in_use() {
    let context = egui::Context::default();
    let mut fonts = egui::FontDefinitions::default();
    let data = egui::FontData::from_static(FONT);
    fonts.font_data.insert("chinese".into(), Arc::new(data));
    let family = fonts
        .families
        .entry(egui::FontFamily::Proportional)
        .or_default();
    family.push("chinese".into());
    context.set_fonts(fonts);
    let _ = context.run_ui(Default::default(), |_| {});
    let has = |character| {
        let id = egui::FontId::proportional(14.0);
        context.fonts_mut(|fonts| {
            fonts.has_glyph(&id, character) && fonts.glyph_width(&id, character) > 0.0
        })
    };
    assert!(
        "卷积网络学习率，。“中文”"
            .chars()
            .filter(|&c| is_chinese(c))
            .all(has)
    );
    assert!(!has('\u{20000}'), "the check can tell what the font lacks");

    let galley = context.fonts_mut(|fonts| {
        let id = egui::FontId::proportional(14.0);
        fonts.layout_no_wrap("卷".into(), id, egui::Color32::WHITE)
    });
    let drawn = galley.rows[0].glyphs[0].uv_rect;
    assert!(
        !drawn.is_nothing(),
        "a character has an outline that is drawn"
    );

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["src", "projects", "assets"] {
        texts(&root.join(folder), &mut paths);
    }
    assert!(!paths.is_empty());
    let mut missing = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        missing.extend(text.chars().filter(|&c| is_chinese(c) && !has(c)));
    }
    assert!(
        missing.is_empty(),
        "run assets/make_font.sh; missing: {missing:?}"
    );
}
