//! What happens to an image before the network sees it, as a Python function.

use std::fmt::Write as _;

use super::text::{number, tuple};
use crate::data::{Color, Preprocess, Sequence, Statistics, Whiten};

/// More numbers than this are read from a file instead of standing in the script.
const MOST_NUMBERS: usize = 16;

/// What is known of the preprocessing beside what the project says.
#[derive(Clone, Debug, Default)]
pub struct Preprocessing {
    /// Channels, height and width before mean, crop and the like; `None` where the project reads
    /// no images, or nobody knows their size.
    pub full: Option<[usize; 3]>,
    /// The numbers behind `mean`, `std` and `whiten`; `None` where they are not known.
    pub statistics: Option<Statistics>,
}

impl Preprocessing {
    /// Whether the script needs the statistics in a file beside it.
    pub(super) fn needs_file(&self, preprocess: &Preprocess) -> bool {
        let many = |statistics: &Statistics| statistics.mean.len() > MOST_NUMBERS;
        self.full.is_some()
            && self
                .statistics
                .as_ref()
                .is_some_and(|statistics| many(statistics) || preprocess.whiten != Whiten::Off)
    }

    /// The function `preprocess`, or a comment why there is none.
    pub(super) fn text(&self, preprocess: &Preprocess) -> String {
        let Some([channels, height, width]) = self.full else {
            return "def preprocess(path):\n    raise SystemExit(\"the network does not read images of a known size; give a .npy file\")\n".to_owned();
        };
        let Some(statistics) = &self.statistics else {
            return "def preprocess(path):\n    raise SystemExit(\"the mean and deviation of the training data are not known here; give a .npy file that is preprocessed\")\n".to_owned();
        };
        let mode = if channels == 1 { "L" } else { "RGB" };
        let mut text = String::from("def preprocess(path):\n");
        text +=
            "    \"\"\"An image file as the network sees it, (1, C, H, W). Needs Pillow.\"\"\"\n";
        text += "    from PIL import Image\n\n";
        _ = writeln!(text, "    image = Image.open(path).convert(\"{mode}\")");
        _ = writeln!(
            text,
            "    image = image.resize(({width}, {height}), Image.Resampling.BILINEAR)"
        );
        text += "    x = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).float()\n";
        _ = writeln!(
            text,
            "    x = x.reshape({height}, {width}, {channels}).permute(2, 0, 1)"
        );
        if preprocess.color == Color::Bgr && channels == 3 {
            text += "    x = x.flip(0)  # Blue, green, red.\n";
        }
        text += &arithmetic(preprocess, statistics, self.needs_file(preprocess));
        text += &whitening(preprocess.whiten);
        if matches!(preprocess.whiten, Whiten::Pca { .. }) {
            return text + "    return x.reshape(1, -1, 1, 1)\n";
        }
        if let Some((crop_height, crop_width)) = preprocess.crop {
            let top = height.saturating_sub(crop_height) / 2;
            let left = width.saturating_sub(crop_width) / 2;
            let (bottom, right) = (top + crop_height, left + crop_width);
            _ = writeln!(
                text,
                "    x = x[:, {top}:{bottom}, {left}:{right}]  # The middle; in training a random part."
            );
        }
        if preprocess.mirror {
            text +=
                "    # In training every second image, by chance, is turned from left to right.\n";
        }
        text += match preprocess.sequence {
            Sequence::Off => "",
            Sequence::Rows => "    x = x.permute(1, 2, 0).flatten(1)  # A row at each step.\n",
            Sequence::Pixels => {
                "    x = x.permute(1, 2, 0).flatten(0, 1)  # A pixel at each step.\n"
            }
        };
        text + "    return x.unsqueeze(0).contiguous()\n"
    }
}

/// `(x − mean) / std × scale`, without what has no effect.
fn arithmetic(preprocess: &Preprocess, statistics: &Statistics, from_file: bool) -> String {
    let mut text = String::new();
    if from_file {
        text += "    fitted = read_safetensors(Path(__file__).with_suffix(\".preprocess.safetensors\"))\n";
    }
    let numbers = |values: &[f32]| {
        let equal = values.iter().all(|value| *value == values[0]);
        let values = if equal { &values[..1] } else { values };
        let texts: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        match &texts[..] {
            [one] => one.clone(),
            texts => format!("torch.tensor({}).reshape(-1, 1, 1)", tuple(texts)),
        }
    };
    match &statistics.mean[..] {
        [] => {}
        mean if mean.len() > MOST_NUMBERS => {
            text += "    x = x - fitted[\"mean\"].reshape(x.shape)\n"
        }
        mean => _ = writeln!(text, "    x = x - {}", numbers(mean)),
    }
    if !statistics.std.is_empty() {
        _ = writeln!(text, "    x = x / {}", numbers(&statistics.std));
    }
    if preprocess.scale != 1.0 {
        _ = writeln!(text, "    x = x * {}", number(preprocess.scale));
    }
    text
}

fn whitening(whiten: Whiten) -> String {
    let (epsilon, keep) = match whiten {
        Whiten::Off => return String::new(),
        Whiten::Pca { epsilon, keep } => (epsilon, keep),
        Whiten::Zca { epsilon } => (epsilon, 0),
    };
    let epsilon = number(epsilon);
    let kept = if keep > 0 {
        format!("[:{keep}]")
    } else {
        String::new()
    };
    let mut text = String::from("    # Whitening by principal components.\n");
    text += "    variances = fitted[\"whiten.variances\"]\n";
    text += "    vectors = fitted[\"whiten.vectors\"].reshape(len(variances), -1)\n";
    text += "    y = vectors @ (x.flatten() - fitted[\"whiten.mean\"])\n";
    _ = writeln!(text, "    y = y / torch.sqrt(variances + {epsilon})");
    text += &match whiten {
        Whiten::Zca { .. } => "    x = (vectors.T @ y).reshape(x.shape)\n".to_owned(),
        _ => format!("    x = y{kept}\n"),
    };
    text
}
