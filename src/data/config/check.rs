//! Settings that make sense for no data set are refused, with what to write instead.

use super::{
    DataConfig, MAX_BATCH, MAX_GENERATED, MAX_LENGTH, MAX_SIDE, MAX_VOCABULARY, Mean, PairSettings,
    Preprocess, Sequence, ShapesSettings, Std, TextUnit, Whiten,
};
use crate::data::DataError;
use crate::data::shapes::{SIDES, TEST_SEED};
use crate::i18n::{tr, tr_format};

impl DataConfig {
    /// Finds values that make sense for no data set.
    pub fn check(&self) -> Result<(), DataError> {
        if self.source.trim().is_empty() {
            let problem = tr(
                "is empty; write a built-in name or a path",
                "为空；请填写内置数据集名称或路径",
            );
            return Err(DataError::config("source", problem));
        }
        for (setting, size) in [
            ("batch.train", self.batch.train),
            ("batch.test", self.batch.test),
        ] {
            if !(1..=MAX_BATCH).contains(&size) {
                let problem = tr_format!(
                    "is {size}; it must be 1 to {MAX_BATCH}",
                    "为 {size}；应在 1 到 {MAX_BATCH} 之间"
                );
                return Err(DataError::config(setting, problem));
            }
        }
        if !(1..=MAX_LENGTH).contains(&self.text.length) {
            let length = self.text.length;
            let problem = tr_format!(
                "is {length}; it must be 1 to {MAX_LENGTH}",
                "为 {length}；应在 1 到 {MAX_LENGTH} 之间"
            );
            return Err(DataError::config("text.length", problem));
        }
        if let TextUnit::Words(size) = self.text.unit
            && !(2..=MAX_VOCABULARY).contains(&size)
        {
            let problem = tr_format!(
                "has {size} words; there must be 2 to {MAX_VOCABULARY}",
                "词表大小为 {size}；应在 2 到 {MAX_VOCABULARY} 之间"
            );
            return Err(DataError::config("text.unit", problem));
        }
        self.classes.check()?;
        self.shapes.check()?;
        if let Some(pairs) = &self.pairs {
            pairs.check()?;
        }
        self.preprocess.check()
    }
}

impl PairSettings {
    fn check(&self) -> Result<(), DataError> {
        for (setting, count) in [("pairs.train", self.train), ("pairs.test", self.test)] {
            let problem = tr_format!(
                "is {count}; it must be 20 to {MAX_GENERATED}, and a multiple of 20 for the test",
                "为 {count}；应在 20 到 {MAX_GENERATED} 之间，测试数须为 20 的倍数"
            );
            let is_even = setting == "pairs.train" || count.is_multiple_of(20);
            if !(20..=MAX_GENERATED).contains(&count) || !is_even {
                return Err(DataError::config(setting, problem));
            }
        }
        Ok(())
    }
}

impl ShapesSettings {
    fn check(&self) -> Result<(), DataError> {
        let wrong = |setting, problem: String| Err(DataError::config(setting, problem));
        let [least, most] = SIDES;
        let (height, width) = self.size;
        if !(least..=most).contains(&height) || !(least..=most).contains(&width) {
            return wrong(
                "shapes.size",
                tr_format!(
                    "is {height} × {width}; both sides must be {least} to {most} pixels",
                    "为 {height} × {width}；两边都应在 {least} 到 {most} 像素之间"
                ),
            );
        }
        for (setting, count) in [("shapes.train", self.train), ("shapes.test", self.test)] {
            if !(1..=MAX_GENERATED).contains(&count) {
                return wrong(
                    setting,
                    tr_format!(
                        "is {count}; it must be 1 to {MAX_GENERATED}",
                        "为 {count}；应在 1 到 {MAX_GENERATED} 之间"
                    ),
                );
            }
        }
        if self.seed == TEST_SEED {
            return wrong(
                "shapes.seed",
                tr_format!(
                    "is {TEST_SEED}, the seed of the test images; write another",
                    "为 {TEST_SEED}，这是测试图像的种子；请改用其他值"
                ),
            );
        }
        Ok(())
    }
}

impl Preprocess {
    fn check(&self) -> Result<(), DataError> {
        let wrong = |setting, problem: &str| Err(DataError::config(setting, problem));
        if let Some((height, width)) = self.resize
            && !((1..=MAX_SIDE).contains(&height) && (1..=MAX_SIDE).contains(&width))
        {
            let problem = tr_format!(
                "is {height} × {width}; both sides must be 1 to {MAX_SIDE} pixels",
                "为 {height} × {width}；两边都应在 1 到 {MAX_SIDE} 像素之间"
            );
            return wrong("preprocess.resize", &problem);
        }
        if !self.scale.is_finite() || self.scale == 0.0 {
            let problem = tr("must be a finite number other than 0", "必须是非零的有限数");
            return wrong("preprocess.scale", problem);
        }
        if let Whiten::Pca { epsilon, .. } | Whiten::Zca { epsilon } = self.whiten
            && !(epsilon.is_finite() && epsilon >= 0.0)
        {
            let problem = tr("needs an ε from 0 up", "的 ε 应为大于等于 0 的有限数");
            return wrong("preprocess.whiten", problem);
        }
        let as_image = self.crop.is_some() || self.mirror || self.sequence != Sequence::Off;
        if matches!(self.whiten, Whiten::Pca { .. }) && as_image {
            let problem = tr(
                "PCA gives components, not images, so crop, mirror and sequence do not go with it; write Zca",
                "PCA 给出的是主成分而不是图像，不能再裁剪、镜像或转为序列；请改用 Zca",
            );
            return wrong("preprocess.whiten", problem);
        }
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        match &self.mean {
            Mean::Value(values) if !finite(values) => {
                let problem = tr("must hold finite numbers", "必须全部是有限数");
                return wrong("preprocess.mean", problem);
            }
            Mean::File(path) if path.trim().is_empty() => {
                let problem = tr(
                    "names no file; write the path of a .binaryproto",
                    "没有文件；请填写 .binaryproto 的路径",
                );
                return wrong("preprocess.mean", problem);
            }
            _ => {}
        }
        match &self.std {
            Std::Value(values) if !finite(values) || values.iter().any(|&value| value <= 0.0) => {
                let problem = tr(
                    "must hold finite numbers above 0",
                    "必须全部是大于 0 的有限数",
                );
                wrong("preprocess.std", problem)
            }
            _ => Ok(()),
        }
    }
}
