//! A drawing of the graph for papers and slides: Graphviz's dot, SVG, and PNG made from the SVG.
//!
//! Boxes stand where the person put them in the editor; where that gives no readable picture
//! (nobody has placed them, or groups are folded) they are laid out in layers.
//! Invariant: no text of a project leaves its place in the markup.

mod dot;
mod figure;
mod png;
mod svg;

#[cfg(test)]
mod tests;

pub use dot::dot;
pub use figure::{Figure, Folding};
pub use png::{PngError, png};
pub use svg::svg;

use crate::graph::Family;

/// Noto Sans SC (SIL Open Font License), cut down to what is needed; see assets/LICENSES.md.
pub const FONT: &[u8] = include_bytes!("../../../assets/fonts/NotoSansSC-subset.otf");

/// The colour of a family of layers on a dark and on a light ground, as 0xRRGGBB.
pub fn family_colors(family: Family) -> (u32, u32) {
    match family {
        Family::Data => (0x2dd4bf, 0x0f8f80),
        Family::Convolution => (0x60a5fa, 0x2563eb),
        Family::Pooling => (0x38bdf8, 0x0284c7),
        Family::Linear => (0xa78bfa, 0x7c3aed),
        Family::Recurrent => (0xe879f9, 0xa21caf),
        Family::Activation => (0xfbbf24, 0xb7791f),
        Family::Normalisation => (0xd4e157, 0x7a7a10),
        Family::Regularisation => (0xa3e635, 0x5b8c0e),
        Family::Structure => (0x94a3b8, 0x5b6b82),
        Family::Loss => (0xfb7185, 0xd61f45),
        Family::Metric => (0x4ade80, 0x15924a),
        Family::Unknown => (0x8b8f98, 0x6b7280),
    }
}

/// `top` over white, `part` of it.
fn tint(top: u32, part: f32) -> u32 {
    let [_, red, green, blue] = top.to_be_bytes();
    let mix = |value: u8| (255.0 + (f32::from(value) - 255.0) * part).round() as u8;
    u32::from_be_bytes([0, mix(red), mix(green), mix(blue)])
}
