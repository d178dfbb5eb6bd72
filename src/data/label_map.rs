//! Pictures whose pixels are labels: PNG files with a palette or in gray, read as numbers.
//!
//! Invariant: a label is never interpolated, and reading is bounded in size and memory.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::DataError;
use super::palette::{IGNORE, palette};
use super::picture::MAX_DECODED_SIDE;
use crate::i18n::{tr, tr_format};

const MAX_DECODED_BYTES: usize = 512 << 20;

/// A label for each pixel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelMap {
    pub height: usize,
    pub width: usize,
    pub labels: Vec<u8>,
}

impl LabelMap {
    /// Height and width by the file's header.
    pub fn size(path: &Path) -> Result<(usize, usize), DataError> {
        let (reader, _) = open(path)?;
        let info = reader.info();
        Ok((info.height as usize, info.width as usize))
    }

    /// The palette's indices, or the gray values, of a file.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let (mut reader, depth) = open(path)?;
        let (height, width) = (reader.info().height as usize, reader.info().width as usize);
        let bytes = reader.output_buffer_size().unwrap_or(usize::MAX);
        if bytes > MAX_DECODED_BYTES {
            let problem = tr("is too large for a label picture", "标签图过大");
            return Err(DataError::format(path, problem));
        }
        let mut packed = vec![0; bytes];
        let frame = reader
            .next_frame(&mut packed)
            .map_err(|error| failed(path, &error))?;
        let per_byte = 8 / usize::from(depth);
        let mask = u8::MAX >> (8 - depth);
        let row = |line: &[u8]| -> Vec<u8> {
            let label = |x: usize| {
                let shift = 8 - usize::from(depth) * (x % per_byte + 1);
                line.get(x / per_byte)
                    .map_or(0, |byte| byte >> shift & mask)
            };
            (0..width).map(label).collect()
        };
        let lines = packed.chunks_exact(frame.line_size.max(1)).take(height);
        Ok(Self {
            height,
            width,
            labels: lines.flat_map(row).collect(),
        })
    }

    /// An indexed PNG in the colours of [`palette`].
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        let write = |source| DataError::Write {
            path: path.display().to_string(),
            source,
        };
        let mut out = BufWriter::new(File::create(path).map_err(write)?);
        let mut encoder = png::Encoder::new(&mut out, self.width as u32, self.height as u32);
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette(palette());
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.labels)?;
            writer.finish()
        });
        written.map_err(|error| write(error.into()))?;
        out.flush().map_err(write)
    }

    /// Finds a label that is neither a class nor [`IGNORE`].
    pub fn check(&self, classes: usize, path: &Path) -> Result<(), DataError> {
        let wrong = |label: &&u8| usize::from(**label) >= classes && **label != IGNORE;
        match self.labels.iter().find(wrong) {
            None => Ok(()),
            Some(label) => Err(DataError::format(
                path,
                tr_format!(
                    "holds the label {label}, but there are only {classes} classes (from 0; 255 is left out)",
                    "含有标签 {label}，但只有 {classes} 个类别（从 0 开始；255 表示忽略）"
                ),
            )),
        }
    }

    /// The nearest pixel's label for each pixel of another size.
    pub fn resized(self, height: usize, width: usize) -> Self {
        if (self.height, self.width) == (height, width) {
            return self;
        }
        // The middle of a pixel, in the pixels of before.
        let nearest = |at: usize, from: usize, to: usize| (2 * at + 1) * from / (2 * to);
        let columns: Vec<usize> = (0..width).map(|x| nearest(x, self.width, width)).collect();
        let rows = (0..height).map(|y| nearest(y, self.height, height) * self.width);
        let labels = rows.flat_map(|row| columns.iter().map(move |x| row + x));
        Self {
            height,
            width,
            labels: labels.map(|at| self.labels[at]).collect(),
        }
    }
}

/// A reader of what the file holds, and its bits a pixel.
fn open(path: &Path) -> Result<(png::Reader<BufReader<File>>, u8), DataError> {
    let file = File::open(path).map_err(|error| DataError::read(path, error))?;
    let limits = Limits {
        bytes: MAX_DECODED_BYTES,
    };
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), limits);
    decoder.set_transformations(Transformations::IDENTITY);
    let reader = decoder.read_info().map_err(|error| failed(path, &error))?;
    let info = reader.info();
    let is_large = info.width.max(info.height) > MAX_DECODED_SIDE;
    let is_label = matches!(info.color_type, ColorType::Indexed | ColorType::Grayscale);
    let depth = info.bit_depth as u8;
    if is_large || !is_label || depth > 8 {
        let problem = tr(
            "is no label picture: that is a PNG with a palette or in gray, of 8 bits or fewer a pixel, whose numbers are the classes",
            "不是标签图：应为带调色板或灰度的 PNG，每像素不超过 8 位，数值即类别",
        );
        return Err(DataError::format(path, problem));
    }
    Ok((reader, depth))
}

fn failed(path: &Path, error: &png::DecodingError) -> DataError {
    let problem = tr_format!(
        "cannot be read as a label picture (PNG): {error}",
        "无法作为标签图（PNG）读取：{error}"
    );
    DataError::format(path, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(width: usize, labels: &[u8]) -> LabelMap {
        LabelMap {
            height: labels.len() / width,
            width,
            labels: labels.to_vec(),
        }
    }

    #[test]
    fn indices_come_back_whatever_their_colour() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.png");
        let labels = map(3, &[0, 1, 2, 255, 20, 7]);
        labels.write(&path).unwrap();
        assert_eq!(LabelMap::size(&path).unwrap(), (2, 3));
        assert_eq!(LabelMap::read(&path).unwrap(), labels);
        // Anybody else sees the colours.
        let seen = image::open(&path).unwrap().into_rgb8();
        assert_eq!(seen.get_pixel(1, 0).0, [128, 0, 0]);
        labels.check(21, &path).unwrap();
        let error = labels.check(20, &path).unwrap_err().to_string();
        assert!(
            error.contains("label 20") && error.contains("20 classes"),
            "{error}"
        );
    }

    #[test]
    fn few_bits_and_gray_are_read_and_colours_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.png");
        for (color, depth, data) in [
            (
                ColorType::Grayscale,
                BitDepth::Two,
                &[0b00_01_10_11, 0b11_00_00_00][..],
            ),
            (ColorType::Indexed, BitDepth::Four, &[0x01, 0x23, 0x30][..]),
        ] {
            let file = File::create(&path).unwrap();
            let mut encoder = png::Encoder::new(file, 5, 1);
            encoder.set_color(color);
            encoder.set_depth(depth);
            encoder.set_palette(palette()[..48].to_vec());
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(data).unwrap();
            writer.finish().unwrap();
            assert_eq!(LabelMap::read(&path).unwrap(), map(5, &[0, 1, 2, 3, 3]));
        }
        image::RgbImage::new(2, 2).save(&path).unwrap();
        let error = LabelMap::read(&path).unwrap_err().to_string();
        assert!(error.contains("palette"), "{error}");
    }

    #[test]
    fn resizing_takes_the_nearest_and_mixes_nothing() {
        let labels = map(2, &[0, 9, 5, 255]);
        let large = labels.clone().resized(4, 4);
        assert_eq!(
            large.labels,
            [0, 0, 9, 9, 0, 0, 9, 9, 5, 5, 255, 255, 5, 5, 255, 255]
        );
        assert_eq!(large.resized(2, 2), labels);
        assert_eq!(labels.resized(1, 1).labels, [255]);
    }
}
