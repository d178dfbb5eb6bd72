//! The generated data set as files that other programs read: PNG images, label pictures, and
//! boxes and masks in COCO's JSON.
//!
//! The folder appears whole or not at all. Masks are COCO's run lengths (columns from top to
//! bottom, ground first), which say exactly which pixels are seen.

use std::path::Path;

use serde_json::{Value, json};

use super::{CLASSES, Scene, Shapes, VERSION};
use crate::data::DataError;
use crate::data::label_map::LabelMap;
use crate::i18n::tr;

/// Beside `images` and `labels`.
pub const COCO_FILE: &str = "annotations.json";

/// Writes the first `count` examples to a new folder; `progress` is told how many are done, and
/// ends it by saying `false`, which leaves nothing and returns `false`.
pub fn export(
    shapes: &Shapes,
    count: usize,
    folder: &Path,
    mut progress: impl FnMut(usize) -> bool,
) -> Result<bool, DataError> {
    let write = |path: &Path| {
        let path = path.display().to_string();
        move |source| DataError::Write { path, source }
    };
    let is_taken =
        std::fs::read_dir(folder).map_or(folder.exists(), |mut entries| entries.next().is_some());
    if is_taken {
        let problem = tr(
            "is there already; name a folder that does not exist or is empty",
            "已存在；请指定不存在的或空的文件夹",
        );
        return Err(DataError::format(folder, problem));
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(write(parent))?;
    let mut builder = tempfile::Builder::new();
    // Readable by whoever may read the person's other files, not by the person alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let unfinished = builder.tempdir_in(parent).map_err(write(parent))?;
    let [images, labels] = ["images", "labels"].map(|name| unfinished.path().join(name));
    for folder in [&images, &labels] {
        std::fs::create_dir(folder).map_err(write(folder))?;
    }
    let mut coco = Coco::default();
    for index in 0..count {
        if !progress(index) {
            return Ok(false);
        }
        let scene = shapes.draw(index as u64);
        let name = format!("{index:06}.png");
        write_image(&scene, &images.join(&name))?;
        let map = LabelMap {
            height: scene.height,
            width: scene.width,
            labels: scene.labels(),
        };
        map.write(&labels.join(&name))?;
        coco.add(&scene, index, name);
    }
    let names: String = CLASSES
        .iter()
        .map(|class| format!("{}\n", class.en))
        .collect();
    let document = coco.document(shapes.seed).to_string();
    for (name, text) in [("classes.txt", names), (COCO_FILE, document)] {
        let path = unfinished.path().join(name);
        std::fs::write(&path, text).map_err(write(&path))?;
    }
    if folder.exists() {
        std::fs::remove_dir(folder).map_err(write(folder))?;
    }
    std::fs::rename(unfinished.path(), folder).map_err(write(folder))?;
    progress(count);
    Ok(true)
}

fn write_image(scene: &Scene, path: &Path) -> Result<(), DataError> {
    let plane = scene.height * scene.width;
    let interleaved = (0..plane).flat_map(|at| [0, 1, 2].map(|k| scene.pixels[k * plane + at]));
    let (width, height) = (scene.width as u32, scene.height as u32);
    let image = image::RgbImage::from_raw(width, height, interleaved.collect());
    let saved = image.map(|image| image.save(path));
    saved.unwrap_or(Ok(())).map_err(|error| DataError::Write {
        path: path.display().to_string(),
        source: std::io::Error::other(error),
    })
}

/// The lists of a COCO file, as they grow.
#[derive(Default)]
struct Coco {
    images: Vec<Value>,
    annotations: Vec<Value>,
}

impl Coco {
    fn add(&mut self, scene: &Scene, index: usize, name: String) {
        let (height, width) = (scene.height, scene.width);
        self.images.push(json!({
            "id": index + 1, "file_name": name, "height": height, "width": width,
        }));
        for (nth, thing) in scene.things.iter().enumerate() {
            let [left, top, right, bottom] = thing.bounds;
            self.annotations.push(json!({
                "id": self.annotations.len() + 1,
                "image_id": index + 1,
                "category_id": thing.class,
                "bbox": [left, top, right - left, bottom - top],
                "area": thing.area,
                "segmentation": { "size": [height, width], "counts": runs(scene, nth) },
                "iscrowd": 0,
            }));
        }
    }

    fn document(self, seed: u64) -> Value {
        let classes = CLASSES.iter().enumerate().skip(1);
        let categories = classes
            .map(|(id, class)| json!({ "id": id, "name": class.en, "supercategory": "shape" }));
        json!({
            "info": { "description": format!("{VERSION}, seed {seed}"), "version": "1" },
            "images": self.images,
            "annotations": self.annotations,
            "categories": categories.collect::<Vec<_>>(),
        })
    }
}

/// How long the mask is absent, present, absent …, column by column.
fn runs(scene: &Scene, nth: usize) -> Vec<usize> {
    let mask: Vec<bool> = scene.mask(nth).collect();
    let (mut runs, mut present) = (vec![0], false);
    for x in 0..scene.width {
        for y in 0..scene.height {
            if mask[y * scene.width + x] != present {
                present = !present;
                runs.push(0);
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
        }
    }
    runs
}
