//! The part of the project's form that says what examples are made: generated shapes, and pairs.

use egui::Ui;

use super::fields::{count_ui, whole_ui};
use super::name_ui;
use crate::data::shapes::{SIDES, TEST_SEED};
use crate::data::{DataConfig, MAX_GENERATED, PairSettings};
use crate::i18n::tr;

/// How many shapes are generated, and of which size; nothing for other sources.
pub fn shapes_ui(ui: &mut Ui, data: &mut DataConfig) -> bool {
    if data.source != "shapes" {
        return false;
    }
    let mut changed = false;
    let shapes = &mut data.shapes;
    let about = tr(
        "Generated images to train on and to test on; the latter have a seed of their own, so that results can be compared",
        "用于训练和测试的生成图像数；测试图像使用固定的种子，便于比较结果",
    );
    name_ui(ui, tr("generated", "生成"), about);
    ui.horizontal_wrapped(|ui| {
        ui.weak(tr("train", "训练"));
        changed |= count_ui(ui, &mut shapes.train, 1, MAX_GENERATED);
        ui.weak(tr("test", "测试"));
        changed |= count_ui(ui, &mut shapes.test, 1, MAX_GENERATED);
        ui.weak(tr("seed", "种子"));
        let before = shapes.seed;
        if whole_ui(ui, &mut shapes.seed, u64::MAX) {
            // The seed of the test images is taken.
            if shapes.seed == TEST_SEED {
                let step = if before > TEST_SEED { -1 } else { 1 };
                shapes.seed = TEST_SEED.saturating_add_signed(step);
            }
            changed = true;
        }
    });
    ui.end_row();
    name_ui(
        ui,
        tr("size", "大小"),
        tr("Height × width in pixels", "高 × 宽（像素）"),
    );
    ui.horizontal(|ui| {
        changed |= count_ui(ui, &mut shapes.size.0, SIDES[0], SIDES[1]);
        ui.label("×");
        changed |= count_ui(ui, &mut shapes.size.1, SIDES[0], SIDES[1]);
    });
    ui.end_row();
    changed
}

/// Whether examples are pairs, for networks that verify.
pub fn pairs_ui(ui: &mut Ui, data: &mut DataConfig) -> bool {
    let mut changed = false;
    let about = tr(
        "Two images an example, half of them of one class; its label says whether they are. For networks that verify, as faces are verified.",
        "每个样本为两张图像，其中一半属于同一类别，标签表示是否相同。用于人脸验证一类的网络。",
    );
    name_ui(ui, tr("pairs", "样本对"), about);
    ui.horizontal_wrapped(|ui| {
        let mut has_pairs = data.pairs.is_some();
        if ui.checkbox(&mut has_pairs, "").changed() {
            data.pairs = has_pairs.then(PairSettings::default);
            changed = true;
        }
        let Some(pairs) = &mut data.pairs else { return };
        ui.weak(tr("train", "训练"));
        changed |= count_ui(ui, &mut pairs.train, 20, MAX_GENERATED);
        ui.weak(tr("test", "测试"));
        let before = pairs.test;
        if count_ui(ui, &mut pairs.test, 20, MAX_GENERATED) {
            // Ten parts, half of each of one class.
            let is_up = pairs.test > before;
            pairs.test = if is_up {
                pairs.test.next_multiple_of(20)
            } else {
                pairs.test / 20 * 20
            };
            changed = true;
        }
        let about = tr(
            "so many of the last classes occur in the test alone",
            "最后这些类别只出现在测试中",
        );
        ui.weak(tr("classes held back", "留出的类别"))
            .on_hover_text(about);
        changed |= count_ui(ui, &mut pairs.held_back, 0, 1 << 20);
    });
    ui.end_row();
    changed
}
