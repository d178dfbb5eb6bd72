//! The colours of label pictures: PASCAL VOC's, which most tools for segmentation use.
//!
//! Invariant: the colour of a label is a function of the label alone.

/// The label of pixels that do not count.
pub const IGNORE: u8 = 255;

/// Red, green and blue of a label. Bits 0, 3 and 6 of the label become the highest bits of the
/// three colours, bits 1, 4 and 7 the next, as in the development kit of PASCAL VOC (Everingham
/// et al. 2010), so that 0 is black and near labels differ much.
pub fn label_color(label: u8) -> [u8; 3] {
    std::array::from_fn(|channel| {
        let bit = |place: usize| label.checked_shr((3 * place + channel) as u32).unwrap_or(0) & 1;
        (0..3).fold(0, |color, place| color | bit(place) << (7 - place))
    })
}

/// All 256 colours, as a PNG file's palette.
pub(super) fn palette() -> Vec<u8> {
    (0..=u8::MAX).flat_map(label_color).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_pascal_voc() {
        for (label, color) in [
            (0, [0, 0, 0]),
            (1, [128, 0, 0]),
            (2, [0, 128, 0]),
            (5, [128, 0, 128]),
            (8, [64, 0, 0]),
            (15, [192, 128, 128]),
            (20, [0, 64, 128]),
            (IGNORE, [224, 224, 192]),
        ] {
            assert_eq!(label_color(label), color, "{label}");
        }
    }
}
