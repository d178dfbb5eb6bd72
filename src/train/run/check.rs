//! What makes training impossible, found before anything is computed.

use crate::data::SplitName;
use crate::i18n::{tr, tr_format};
use crate::train::session::Job;
use crate::train::{Failure, Stage, selects};

pub(super) fn check(job: &Job) -> Result<(), Failure> {
    if job.stages.is_empty() {
        let text = tr("the project has no training stage", "项目没有训练阶段");
        return Err(Failure::new(text));
    }
    if let Some(problem) = job.stages.iter().find_map(Stage::problem) {
        return Err(Failure::new(problem));
    }
    for stage in &job.stages {
        let is_known = |entry: &String| {
            let entry = std::slice::from_ref(entry);
            job.graph
                .nodes()
                .iter()
                .any(|node| selects(entry, &node.name))
        };
        let mut entries = stage.trained.iter().chain(&stage.losses);
        if let Some(entry) = entries.find(|entry| !is_known(entry)) {
            let stage = &stage.name;
            return Err(Failure::new(tr_format!(
                "stage “{stage}” names “{entry}”, but no node or group has this name",
                "阶段“{stage}”提到“{entry}”，但没有这个名称的节点或分组"
            )));
        }
    }
    if job.feed.dataset().is_empty(SplitName::Train) {
        let text = tr(
            "the training split is empty; hold back fewer examples",
            "训练集为空；请减少留出的样本",
        );
        return Err(Failure::new(text));
    }
    if job.threads == Some(0) {
        let text = tr("at least one thread is needed", "至少需要一个线程");
        return Err(Failure::new(text));
    }
    Ok(())
}
