//! Image files as planes of bytes.
//!
//! Invariant: decoding is bounded in size and memory. Transparency is dropped, 16-bit images
//! become 8-bit, an animation gives its first frame, and an EXIF orientation is not applied
//! (as torchvision's `ImageFolder`).

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ColorType, GrayImage, ImageDecoder, ImageReader, Limits, RgbImage};

use super::{Color, DataError};
use crate::i18n::tr;

/// The longest side of an image that is decoded, in pixels.
pub(super) const MAX_DECODED_SIDE: u32 = 16_384;
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// An image: channel by channel (gray, or red, green, blue), row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Channels, height, width.
    pub shape: [usize; 3],
    pub pixels: Vec<u8>,
}

/// Channels (1 or 3), height and width by the file's header.
pub(super) fn shape(path: &Path) -> Result<[usize; 3], DataError> {
    let decoder = reader(path)?
        .into_decoder()
        .map_err(|error| failed(path, error))?;
    let (width, height) = decoder.dimensions();
    let channels = if is_gray(decoder.color_type()) { 1 } else { 3 };
    if width == 0 || height == 0 {
        return Err(DataError::format(path, tr("is an empty image", "是空图像")));
    }
    Ok([channels, height as usize, width as usize])
}

pub(super) fn decode(path: &Path) -> Result<Picture, DataError> {
    let decoded = reader(path)?
        .decode()
        .map_err(|error| failed(path, error))?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    if width == 0 || height == 0 {
        return Err(DataError::format(path, tr("is an empty image", "是空图像")));
    }
    if is_gray(decoded.color()) {
        return Ok(Picture {
            shape: [1, height, width],
            pixels: decoded.into_luma8().into_raw(),
        });
    }
    let interleaved = decoded.into_rgb8().into_raw();
    let pixels = (0..3)
        .flat_map(|channel| planar(&interleaved, channel))
        .collect();
    Ok(Picture {
        shape: [3, height, width],
        pixels,
    })
}

impl Picture {
    /// Decodes an image file; what it holds decides on its format.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        decode(path)
    }

    /// Red, green, blue and opacity of every pixel, row by row, as clipboards give them; opacity
    /// is dropped. `None` where the numbers do not fit the size.
    pub fn of_rgba(width: usize, height: usize, rgba: &[u8]) -> Option<Self> {
        let count = width.checked_mul(height).filter(|count| *count > 0)?;
        if rgba.len() != count.checked_mul(4)? {
            return None;
        }
        let plane = |channel| rgba.iter().skip(channel).step_by(4).copied();
        Some(Self {
            shape: [3, height, width],
            pixels: (0..3).flat_map(plane).collect(),
        })
    }

    /// Gray to colour repeats the plane, colour to gray weighs by ITU-R BT.601; any other
    /// change of channels leaves the picture as it is.
    pub fn with_channels(self, channels: usize) -> Self {
        let [from, height, width] = self.shape;
        let pixels = match (from, channels) {
            (1, 3) => self.pixels.repeat(3),
            (3, 1) => {
                let plane = height * width;
                let (red, rest) = self.pixels.split_at(plane);
                let (green, blue) = rest.split_at(plane);
                let gray = |((&r, &g), &b): ((&u8, &u8), &u8)| {
                    let weighed = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
                    ((weighed + 500) / 1000) as u8
                };
                red.iter().zip(green).zip(blue).map(gray).collect()
            }
            _ => return self,
        };
        Self {
            shape: [channels, height, width],
            pixels,
        }
    }

    /// Red, green, blue, or the other way round.
    pub fn ordered(mut self, color: Color) -> Self {
        let [channels, height, width] = self.shape;
        if (channels, color) == (3, Color::Bgr) {
            let (red, rest) = self.pixels.split_at_mut(height * width);
            red.swap_with_slice(&mut rest[height * width..]);
        }
        self
    }

    /// Bilinear, with antialiasing when the image shrinks.
    pub fn resized(self, height: usize, width: usize) -> Self {
        let [channels, from_height, from_width] = self.shape;
        if (from_height, from_width) == (height, width) {
            return self;
        }
        let (width_to, height_to) = (width as u32, height as u32);
        let mut pixels = Vec::with_capacity(channels * height * width);
        if channels == 3 {
            // Three at once: the library works on four channels whatever it is given.
            let plane = from_height * from_width;
            let mut image = RgbImage::new(from_width as u32, from_height as u32);
            for (at, pixel) in image.pixels_mut().enumerate() {
                pixel.0 = [0, 1, 2].map(|channel| self.pixels[channel * plane + at]);
            }
            let image = imageops::resize(&image, width_to, height_to, FilterType::Triangle);
            pixels.extend((0..3).flat_map(|channel| planar(image.as_raw(), channel)));
        } else {
            for plane in self.pixels.chunks_exact(from_height * from_width) {
                let size = (from_width as u32, from_height as u32);
                if let Some(plane) = GrayImage::from_raw(size.0, size.1, plane.to_vec()) {
                    let plane = imageops::resize(&plane, width_to, height_to, FilterType::Triangle);
                    pixels.extend_from_slice(plane.as_raw());
                }
            }
        }
        Self {
            shape: [channels, height, width],
            pixels,
        }
    }
}

/// One channel of interleaved red, green and blue.
fn planar(interleaved: &[u8], channel: usize) -> impl Iterator<Item = u8> {
    interleaved.iter().skip(channel).step_by(3).copied()
}

fn is_gray(color: ColorType) -> bool {
    matches!(
        color,
        ColorType::L8 | ColorType::L16 | ColorType::La8 | ColorType::La16
    )
}

type FileReader = ImageReader<std::io::BufReader<std::fs::File>>;

fn reader(path: &Path) -> Result<FileReader, DataError> {
    let read = |error| DataError::read(path, error);
    // The content decides on the format: names of collected images are often wrong.
    let mut reader = ImageReader::open(path)
        .map_err(read)?
        .with_guessed_format()
        .map_err(read)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_DECODED_SIDE);
    limits.max_image_height = Some(MAX_DECODED_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    Ok(reader)
}

fn failed(path: &Path, source: image::ImageError) -> DataError {
    DataError::Image {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_convert_by_the_stated_weights() {
        let color = Picture {
            shape: [3, 1, 2],
            pixels: vec![255, 10, 0, 20, 0, 30],
        };
        // 0.299 · 255 = 76.2; 0.299 · 10 + 0.587 · 20 + 0.114 · 30 = 18.15.
        let gray = color.clone().with_channels(1);
        assert_eq!(
            gray,
            Picture {
                shape: [1, 1, 2],
                pixels: vec![76, 18]
            }
        );
        assert_eq!(gray.with_channels(3).pixels, [76, 18, 76, 18, 76, 18]);
        assert_eq!(color.clone().with_channels(3), color);
        let turned = color.clone().ordered(Color::Bgr);
        assert_ne!(turned, color);
        assert_eq!(turned.ordered(Color::Bgr), color);
    }

    #[test]
    fn resizing_averages_when_it_shrinks() {
        let picture = Picture {
            shape: [1, 2, 2],
            pixels: vec![0, 100, 100, 200],
        };
        assert_eq!(picture.clone().resized(1, 1).pixels, [100]);
        assert_eq!(picture.resized(4, 6).pixels.len(), 24);
        let pixels = vec![0, 100, 100, 200, 9, 9, 9, 9, 50, 50, 150, 150];
        let color = Picture {
            shape: [3, 2, 2],
            pixels,
        };
        assert_eq!(color.resized(1, 1).pixels, [100, 9, 100]);
    }

    #[test]
    fn files_decode_to_planes_whatever_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("really-a.jpg");
        let rgb = image::RgbImage::from_raw(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        rgb.save_with_format(&path, image::ImageFormat::Png)
            .unwrap();
        assert_eq!(shape(&path).unwrap(), [3, 1, 2]);
        let expected = Picture {
            shape: [3, 1, 2],
            pixels: vec![1, 4, 2, 5, 3, 6],
        };
        assert_eq!(decode(&path).unwrap(), expected);
        let deep =
            image::ImageBuffer::<image::Luma<u16>, _>::from_raw(1, 1, vec![65_535u16]).unwrap();
        deep.save_with_format(&path, image::ImageFormat::Png)
            .unwrap();
        assert_eq!(
            decode(&path).unwrap(),
            Picture {
                shape: [1, 1, 1],
                pixels: vec![255]
            }
        );
    }
}
