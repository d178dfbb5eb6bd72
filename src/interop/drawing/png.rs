//! A figure as a picture: its SVG, rendered at twice its size with the program's own font.

use std::sync::Arc;

use resvg::{tiny_skia, usvg};

use super::{FONT, Figure, svg};
use crate::i18n::tr_format;

/// Pixels of a point.
const SCALE: f32 = 2.0;
/// The most pixels of a picture, 400 MB; a larger figure is rendered smaller.
const MOST_PIXELS: f32 = 1e8;
/// The most of a side.
const LONGEST: f32 = 30_000.0;

#[derive(Debug, thiserror::Error)]
pub enum PngError {
    #[error("{}", tr_format!("the drawing cannot be rendered: {0}", "无法渲染该图：{0}", _0))]
    Svg(#[from] usvg::Error),
    #[error("{}", tr_format!("the drawing is too large for a picture; write .svg, or fold groups", "图太大，无法生成图片；请写成 .svg，或折叠一些组"))]
    TooLarge,
    #[error("{}", tr_format!("the picture cannot be encoded: {message}", "无法编码图片：{message}"))]
    Encoding { message: String },
}

pub fn png(figure: &Figure) -> Result<Vec<u8>, PngError> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    let family = fonts.faces().next().and_then(|face| face.families.first());
    if let Some(name) = family.map(|(name, _)| name.clone()) {
        fonts.set_sans_serif_family(name);
    }
    let options = usvg::Options {
        fontdb: Arc::new(fonts),
        ..usvg::Options::default()
    };
    // The font has no signs of these; the window takes them from another one.
    let text = svg(figure).replace('×', "x").replace('…', "...");
    let tree = usvg::Tree::from_str(&text, &options)?;
    let [width, height] = figure.size;
    let scale = SCALE
        .min((MOST_PIXELS / (width * height).max(1.0)).sqrt())
        .min(LONGEST / width.max(height).max(1.0));
    let [columns, rows] = [width, height].map(|side| (side * scale).ceil().max(1.0) as u32);
    let mut pixels = tiny_skia::Pixmap::new(columns, rows).ok_or(PngError::TooLarge)?;
    let transform = tiny_skia::Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut pixels.as_mut());
    let encoded = pixels.encode_png();
    encoded.map_err(|error| PngError::Encoding {
        message: error.to_string(),
    })
}
