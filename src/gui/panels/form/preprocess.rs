//! The part of the project's form that says what happens to the data on their way to the network.

use egui::Ui;

use super::fields::{Typing, count_ui, list_ui, real_ui};
use super::name_ui;
use crate::data::{
    Color, DataConfig, MAX_LENGTH, MAX_SIDE, MAX_VOCABULARY, MAX_WHITENED, Mean, Sequence, Std,
    TextUnit, Whiten,
};
use crate::i18n::{Text, tr};

/// A list of named values, of which one is in force.
fn pick_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    id: &str,
    value: &mut T,
    options: &[(Text, T)],
    is: impl Fn(&T, &T) -> bool,
) -> bool {
    let mut changed = false;
    let now = options
        .iter()
        .find(|(_, option)| is(option, value))
        .map_or("", |(name, _)| name.get());
    egui::ComboBox::from_id_salt(id)
        .selected_text(now)
        .show_ui(ui, |ui| {
            for (name, option) in options {
                let chosen = is(option, value);
                if ui.selectable_label(chosen, name.get()).clicked() && !chosen {
                    *value = option.clone();
                    changed = true;
                }
            }
        });
    changed
}

/// A mean image's path; it counts once it is wholly typed.
fn path_ui(ui: &mut Ui, path: &mut String, typing: &mut Typing) -> bool {
    let id = ui.id().with("mean file");
    let mut text = match typing {
        Some((of, text)) if *of == id => text.clone(),
        _ => path.clone(),
    };
    let field = egui::TextEdit::singleline(&mut text)
        .id(id)
        .desired_width(130.0)
        .hint_text(tr("path of a .binaryproto", ".binaryproto 文件的路径"));
    let response = ui.add(field).on_hover_text(tr(
        "Caffe's mean image, relative to the project's folder",
        "Caffe 的均值图像文件，相对于项目文件夹",
    ));
    if response.has_focus() {
        *typing = Some((id, text));
        return false;
    }
    if !response.lost_focus() {
        return false;
    }
    *typing = None;
    let changed = text != *path;
    *path = text;
    changed
}

pub fn preprocess_ui(ui: &mut Ui, data: &mut DataConfig, typing: &mut Typing) -> bool {
    let preprocess = &mut data.preprocess;
    let same = |a: &_, b: &_| std::mem::discriminant(a) == std::mem::discriminant(b);
    let mut changed = false;
    name_ui(ui, tr("colour", "颜色"), "");
    let colors = [
        (Text::new("as it is", "保持原样"), Color::Keep),
        (Text::new("gray", "灰度"), Color::Gray),
        (Text::new("RGB", "RGB"), Color::Rgb),
        (Text::new("BGR", "BGR"), Color::Bgr),
    ];
    changed |= pick_ui(ui, "color", &mut preprocess.color, &colors, PartialEq::eq);
    ui.end_row();
    name_ui(
        ui,
        tr("resize", "缩放"),
        tr(
            "Height × width in pixels; the aspect ratio is not kept",
            "高 × 宽（像素）；不保持长宽比",
        ),
    );
    ui.horizontal(|ui| {
        let mut resizes = preprocess.resize.is_some();
        if ui.checkbox(&mut resizes, "").changed() {
            preprocess.resize = resizes.then_some((28, 28));
            changed = true;
        }
        if let Some((height, width)) = &mut preprocess.resize {
            changed |= count_ui(ui, height, 1, MAX_SIDE);
            ui.label("×");
            changed |= count_ui(ui, width, 1, MAX_SIDE);
        }
    });
    ui.end_row();
    let finite = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite());
    name_ui(
        ui,
        tr("mean", "均值"),
        tr(
            "What is subtracted; (x − mean) / std × scale",
            "减去的值；(x − 均值) / 标准差 × 缩放",
        ),
    );
    ui.horizontal_wrapped(|ui| {
        let means = [
            (Text::new("none", "无"), Mean::None),
            (Text::new("number", "数值"), Mean::Value(vec![128.0])),
            (Text::new("per channel", "每通道"), Mean::Channel),
            (Text::new("per pixel", "每像素"), Mean::Image),
            (
                Text::new("from a file", "来自文件"),
                Mean::File(String::new()),
            ),
        ];
        changed |= pick_ui(ui, "mean", &mut preprocess.mean, &means, |a, b| same(a, b));
        if let Mean::Value(values) = &mut preprocess.mean {
            let id = ui.id().with("mean values");
            changed |= list_ui(ui, values, 16, finite, id, typing);
        }
        if let Mean::File(path) = &mut preprocess.mean {
            changed |= path_ui(ui, path, typing);
        }
    });
    ui.end_row();
    name_ui(
        ui,
        tr("std", "标准差"),
        tr("What the difference is divided by", "差值除以的数"),
    );
    ui.horizontal_wrapped(|ui| {
        let deviations = [
            (Text::new("none", "无"), Std::None),
            (Text::new("number", "数值"), Std::Value(vec![64.0])),
            (Text::new("per channel", "每通道"), Std::Channel),
        ];
        changed |= pick_ui(ui, "std", &mut preprocess.std, &deviations, |a, b| {
            std::mem::discriminant(a) == std::mem::discriminant(b)
        });
        if let Std::Value(values) = &mut preprocess.std {
            let id = ui.id().with("std values");
            changed |= list_ui(
                ui,
                values,
                16,
                |text| finite(text).filter(|x| *x > 0.0),
                id,
                typing,
            );
        }
    });
    ui.end_row();
    name_ui(
        ui,
        tr("scale", "缩放系数"),
        tr(
            "1/256 = 0.00390625 maps bytes to 0 … 1",
            "1/256 = 0.00390625 将字节映射到 0 … 1",
        ),
    );
    changed |= real_ui(ui, &mut preprocess.scale, -1e6, 1e6);
    ui.end_row();
    changed |= whiten_ui(ui, &mut preprocess.whiten);
    changed | augment_ui(ui, data)
}

/// PCA or ZCA, and their ε.
fn whiten_ui(ui: &mut Ui, whiten: &mut Whiten) -> bool {
    let mut changed = false;
    let about = tr(
        "Makes the variances along the principal components of the training set equal: λ / (λ + ε). PCA hands over the components, ZCA turns them back into an image.",
        "使训练集各主成分方向上的方差相等：λ / (λ + ε)。PCA 输出主成分，ZCA 再变换回图像。",
    );
    name_ui(ui, tr("whiten", "白化"), about);
    ui.horizontal_wrapped(|ui| {
        let kinds = [
            (Text::new("none", "无"), Whiten::Off),
            (
                Text::new("PCA", "PCA"),
                Whiten::Pca {
                    epsilon: 0.01,
                    keep: 0,
                },
            ),
            (Text::new("ZCA", "ZCA"), Whiten::Zca { epsilon: 0.01 }),
        ];
        let same = |a: &_, b: &_| std::mem::discriminant(a) == std::mem::discriminant(b);
        changed |= pick_ui(ui, "whiten", whiten, &kinds, same);
        if let Whiten::Pca { epsilon, .. } | Whiten::Zca { epsilon } = whiten {
            ui.weak(tr("ε", "ε"));
            changed |= real_ui(ui, epsilon, 0.0, 1e6);
        }
        if let Whiten::Pca { keep, .. } = whiten {
            let about = tr(
                "how many components of most variance; 0 keeps all that vary",
                "保留方差最大的多少个主成分；0 表示保留所有有变化的",
            );
            ui.weak(tr("keep", "保留")).on_hover_text(about);
            changed |= count_ui(ui, keep, 0, MAX_WHITENED);
        }
    });
    ui.end_row();
    changed
}

/// Crop, mirror and sequence.
fn augment_ui(ui: &mut Ui, data: &mut DataConfig) -> bool {
    let preprocess = &mut data.preprocess;
    let mut changed = false;
    let about = tr(
        "Height × width of a part: at a random place in training, the centre in tests",
        "裁剪的高 × 宽：训练时位置随机，测试时取中央",
    );
    name_ui(ui, tr("crop", "裁剪"), about);
    ui.horizontal(|ui| {
        let mut crops = preprocess.crop.is_some();
        if ui.checkbox(&mut crops, "").changed() {
            preprocess.crop = crops.then_some((24, 24));
            changed = true;
        }
        if let Some((height, width)) = &mut preprocess.crop {
            changed |= count_ui(ui, height, 1, MAX_SIDE);
            ui.label("×");
            changed |= count_ui(ui, width, 1, MAX_SIDE);
        }
    });
    ui.end_row();
    let about = tr(
        "In training every second image, by chance, is turned round from left to right",
        "训练时随机将一半的图像左右翻转",
    );
    name_ui(ui, tr("mirror", "镜像"), about);
    changed |= ui.checkbox(&mut preprocess.mirror, "").changed();
    ui.end_row();
    let about = tr(
        "Hands an image to a recurrent network as a sequence: (H, W·C) row by row, or (H·W, C) pixel by pixel",
        "将图像作为序列交给循环网络：逐行 (H, W·C)，或逐像素 (H·W, C)",
    );
    name_ui(ui, tr("sequence", "序列"), about);
    let sequences = [
        (Text::new("no", "否"), Sequence::Off),
        (Text::new("rows", "逐行"), Sequence::Rows),
        (Text::new("pixels", "逐像素"), Sequence::Pixels),
    ];
    changed |= pick_ui(
        ui,
        "sequence",
        &mut preprocess.sequence,
        &sequences,
        PartialEq::eq,
    );
    ui.end_row();
    changed
}

/// How a text becomes examples; nothing for other sources.
pub fn text_ui(ui: &mut Ui, data: &mut DataConfig) -> bool {
    let is_file = data.source.ends_with(".txt") || data.source.ends_with(".txt.gz");
    if !(is_file || data.source == "moby-dick") {
        return false;
    }
    let mut changed = false;
    let about = tr(
        "What a token is, and how many make an example; its labels are the tokens that follow. Rarer words than the vocabulary holds are one class, <unk>.",
        "词元的单位，以及每个样本的词元数；标签为其后的词元。词表之外的低频词归为一个类别 <unk>。",
    );
    name_ui(ui, tr("text", "文本"), about);
    ui.horizontal_wrapped(|ui| {
        let units = [
            (Text::new("characters", "字符"), TextUnit::Characters),
            (Text::new("words", "单词"), TextUnit::Words(5_000)),
        ];
        let same = |a: &_, b: &_| std::mem::discriminant(a) == std::mem::discriminant(b);
        changed |= pick_ui(ui, "text unit", &mut data.text.unit, &units, same);
        if let TextUnit::Words(size) = &mut data.text.unit {
            ui.weak(tr("vocabulary", "词表"));
            changed |= count_ui(ui, size, 2, MAX_VOCABULARY);
        }
        ui.weak(tr("length", "长度"));
        changed |= count_ui(ui, &mut data.text.length, 1, MAX_LENGTH);
    });
    ui.end_row();
    changed
}

/// Which columns of a table are targets, and whether they are scaled.
pub fn targets_ui(ui: &mut Ui, data: &mut DataConfig, typing: &mut Typing) -> bool {
    let endings = [".csv", ".tsv", ".h5", ".hdf5"];
    let is_table = endings.iter().any(|ending| data.source.ends_with(ending));
    if !is_table && data.targets == Default::default() {
        return false;
    }
    let mut changed = false;
    let about = tr(
        "Columns that are predicted as real numbers: names or numbers from 1, with commas between. Scaled to 0 … 1 by the training set's least and greatest value they suit a sigmoid output.",
        "作为实数预测的列：列名或从 1 开始的列号，以逗号分隔。按训练集的最小值和最大值缩放到 0 … 1 后适合 Sigmoid 输出。",
    );
    name_ui(ui, tr("targets", "目标值"), about);
    ui.horizontal_wrapped(|ui| {
        let id = ui.id().with("target columns");
        let name = |text: &str| Some(text.trim().to_owned()).filter(|name| !name.is_empty());
        changed |= list_ui(ui, &mut data.targets.columns, 4_096, name, id, typing);
        let scaled = tr("scale to 0 … 1", "缩放到 0 … 1");
        changed |= ui.checkbox(&mut data.targets.to_unit, scaled).changed();
    });
    ui.end_row();
    changed
}
