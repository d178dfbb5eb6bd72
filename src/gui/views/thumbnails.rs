//! Small images of examples, all in one texture, decoded as they come into sight.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use egui::{Color32, ColorImage, Rect, TextureHandle, TextureOptions, Ui, Vec2, pos2, vec2};

use crate::data::{DataConfig, DataError, Dataset, Feed, Pixels, SplitName};
use crate::inspect::{
    Maps, Picture, beside, blend, picture_of_bytes, picture_of_labels, picture_of_values,
};
use serde::{Deserialize, Serialize};

/// The longest side of a thumbnail in pixels; larger images are reduced.
const SIDE: usize = 64;
/// Rows and columns of thumbnails in the texture.
const ROWS: usize = 24;
/// Decoding stops for this frame after this long, and goes on in the next.
const PATIENCE: Duration = Duration::from_millis(6);

/// Which image: before or after preprocessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shot {
    pub split: SplitName,
    pub index: usize,
    pub preprocessed: bool,
    pub labels: LabelsShown,
}

/// Where the labels of the pixels are shown, of data that have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LabelsShown {
    Off,
    /// Half of the colours over the image.
    #[default]
    Over,
    /// At the image's right.
    Beside,
}

/// A cache of thumbnails; what was not seen for longest makes room.
#[derive(Default)]
pub struct Thumbnails {
    source: Option<Source>,
    texture: Option<TextureHandle>,
    made: HashMap<Shot, Made>,
    frame: u64,
    began: Option<Instant>,
}

struct Made {
    slot: usize,
    /// Width and height in pixels.
    size: [usize; 2],
    seen: u64,
    problem: Option<String>,
}

/// Tells one data set from another, as far as a window needs it.
#[derive(Clone, PartialEq)]
pub struct Source {
    place: usize,
    config: DataConfig,
    lengths: [usize; 3],
}

impl Source {
    pub fn of(feed: &Feed) -> Self {
        Self {
            place: std::ptr::from_ref(feed) as usize,
            config: feed.config().clone(),
            lengths: SplitName::ALL.map(|split| feed.dataset().len(split)),
        }
    }
}

impl Thumbnails {
    /// To be called once in each frame before any is drawn.
    pub fn begin(&mut self, feed: &Feed) {
        let source = Source::of(feed);
        if self.source.as_ref() != Some(&source) {
            self.made.clear();
            self.source = Some(source);
        }
        self.frame += 1;
        self.began = None;
    }

    /// Draws an example into a rectangle, as large as its shape allows.
    pub fn draw(&mut self, ui: &Ui, feed: &Feed, shot: Shot, into: Rect) {
        let Some((part, size)) = self.prepare(ui, feed, shot) else {
            ui.painter()
                .rect_filled(into, 2.0, ui.visuals().faint_bg_color);
            return;
        };
        let scale = (into.width() / size.x).min(into.height() / size.y);
        let rect = Rect::from_center_size(into.center(), size * scale);
        if let Some(texture) = &self.texture {
            ui.painter().image(texture.id(), rect, part, Color32::WHITE);
        }
    }

    /// Why an example that was drawn in this frame has no image.
    pub fn problem(&self, shot: Shot) -> Option<&str> {
        self.made.get(&shot)?.problem.as_deref()
    }

    /// Where a thumbnail is in the texture, and its size; `None` until it is made.
    fn prepare(&mut self, ui: &Ui, feed: &Feed, shot: Shot) -> Option<(Rect, Vec2)> {
        if !self.made.contains_key(&shot) {
            let began = *self.began.get_or_insert_with(Instant::now);
            if began.elapsed() > PATIENCE {
                ui.ctx().request_repaint();
                return None;
            }
            let slot = self.free_slot()?;
            self.make(ui, feed, shot, slot);
        }
        let made = self.made.get_mut(&shot)?;
        made.seen = self.frame;
        let [width, height] = made.size;
        if width * height == 0 {
            return None;
        }
        let corner = [made.slot % ROWS * SIDE, made.slot / ROWS * SIDE];
        let whole = (ROWS * SIDE) as f32;
        let at = |x: f32, y: f32| {
            pos2(
                (corner[0] as f32 + x) / whole,
                (corner[1] as f32 + y) / whole,
            )
        };
        let size = vec2(width as f32, height as f32);
        Some((
            Rect::from_min_max(at(0.02, 0.02), at(size.x - 0.02, size.y - 0.02)),
            size,
        ))
    }

    fn make(&mut self, ui: &Ui, feed: &Feed, shot: Shot, slot: usize) {
        let seen = self.frame;
        let (size, problem) = match picture(feed, shot) {
            Ok(picture) => {
                let picture = picture.reduced(SIDE);
                self.upload(ui, slot, &picture);
                ([picture.width, picture.height], None)
            }
            Err(error) => ([0, 0], Some(error.to_string())),
        };
        self.made.insert(
            shot,
            Made {
                slot,
                size,
                seen,
                problem,
            },
        );
    }

    fn upload(&mut self, ui: &Ui, slot: usize, picture: &Picture) {
        if picture.rgb.is_empty() {
            return;
        }
        let texture = self.texture.get_or_insert_with(|| {
            let empty = ColorImage::filled([ROWS * SIDE; 2], Color32::TRANSPARENT);
            ui.ctx()
                .load_texture("thumbnails", empty, TextureOptions::NEAREST)
        });
        let image = ColorImage::from_rgb([picture.width, picture.height], &picture.rgb);
        let corner = [slot % ROWS * SIDE, slot / ROWS * SIDE];
        texture.set_partial(corner, image, TextureOptions::NEAREST);
    }

    /// A place for one more; `None` when all are in use in this frame.
    fn free_slot(&mut self) -> Option<usize> {
        if self.made.len() < ROWS * ROWS {
            // Slots are given in order and freed only by replacing.
            return Some(self.made.len());
        }
        let (shot, made) = self.made.iter().min_by_key(|(_, made)| made.seen)?;
        let (shot, slot, seen) = (*shot, made.slot, made.seen);
        if seen == self.frame {
            return None;
        }
        self.made.remove(&shot);
        Some(slot)
    }
}

/// An example as an image, with its labels where each pixel has one: as its source holds it, or
/// as the network sees it.
pub fn picture(feed: &Feed, shot: Shot) -> Result<Picture, DataError> {
    let (picture, labels) = image_and_labels(feed, shot)?;
    let is_map = labels.len() == picture.width * picture.height && !labels.is_empty();
    if !is_map || shot.labels == LabelsShown::Off {
        return Ok(picture);
    }
    let labels = picture_of_labels(&labels, picture.width);
    Ok(match shot.labels {
        LabelsShown::Beside => beside(&[picture, labels]).1,
        _ => blend(&picture, &labels, 0.5),
    })
}

/// The same apart; no labels where the pixels have none.
pub fn image_and_labels(feed: &Feed, shot: Shot) -> Result<(Picture, Vec<u32>), DataError> {
    let dataset = feed.dataset();
    let (split, index) = (shot.split, shot.index);
    if shot.preprocessed {
        let batch = feed.batch(split, &[index])?;
        let maps = Maps::of(&batch.data, 0)?;
        let labels = batch.labels.filter(|_| dataset.has_label_maps());
        let labels = labels.map(|labels| labels.flatten_all()?.to_vec1());
        let shape = [maps.channels, maps.height, maps.width];
        let picture = halves(dataset, shape, &maps.values, picture_of_values);
        return Ok((picture, labels.transpose()?.unwrap_or_default()));
    }
    let example = dataset.example(split, index)?;
    let shape = match example.shape[..] {
        [channels, height, width] => [channels, height, width],
        _ => [1, 1, example.shape.iter().product()],
    };
    let picture = match &example.pixels {
        Pixels::U8(bytes) => halves(dataset, shape, bytes, picture_of_bytes),
        Pixels::F32(values) => picture_of_values(values, shape),
        Pixels::Tokens(tokens) => {
            let values: Vec<f32> = tokens.iter().map(|token| *token as f32).collect();
            picture_of_values(&values, shape)
        }
    };
    let labels = if dataset.has_label_maps() {
        example.labels
    } else {
        Vec::new()
    };
    Ok((picture, labels))
}

/// The two images of a pair beside each other; anything else as it is.
fn halves<T>(
    dataset: &Dataset,
    [channels, height, width]: [usize; 3],
    values: &[T],
    draw: impl Fn(&[T], [usize; 3]) -> Picture,
) -> Picture {
    if !dataset.is_pairs() {
        return draw(values, [channels, height, width]);
    }
    let (first, second) = values.split_at(values.len() / 2);
    let shape = [channels / 2, height, width];
    beside(&[draw(first, shape), draw(second, shape)]).1
}
