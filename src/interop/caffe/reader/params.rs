//! Multipliers and shared parameters of a layer.

use super::*;

impl Reader<'_> {
    /// Multipliers and shared parameters; V1 has `blobs_lr` and `weight_decay` instead.
    pub(super) fn params(&mut self, entry: &Entry, message: &Message, node: &mut Node) {
        let params: Vec<&Message> = message.all("param").filter_map(Entry::message).collect();
        match kinds::suffixes(node.layer.spec()) {
            Some(suffixes) => self.multipliers(message, &params, suffixes, node),
            None => {
                for param in &params {
                    let suffix = param.text("suffix").unwrap_or_default();
                    give_multiplier(node, suffix, Some(*param), [None; 2]);
                }
            }
        }
        // V1 names a parameter by a plain text.
        let name = |entry: &'_ Entry| match &entry.value {
            Value::Message(param) => param.text("name").map(str::to_owned),
            _ => entry.word().map(str::to_owned),
        };
        let names = message.all("param").filter_map(name);
        let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        for name in &names {
            match self.owners.get(name) {
                Some(owner) => node.key = Some(owner.clone()),
                None => {
                    let key = node
                        .key
                        .clone()
                        .unwrap_or_else(|| node.name.replace('/', "."));
                    self.owners.insert(name.clone(), key);
                }
            }
        }
        // The first to name them owns them.
        node.key = node
            .key
            .take()
            .filter(|key| *key != node.name.replace('/', "."));
        if node.key.is_some() && names.len() < params.len() {
            self.notes.push(entry.note(tr(
                "parameters are shared all together here, not one by one",
                "此处参数只能全部共享，不能逐个共享",
            )));
        }
    }

    fn multipliers(
        &mut self,
        message: &Message,
        params: &[&Message],
        suffixes: &[&str],
        node: &mut Node,
    ) {
        let reals = |name: &str| {
            message
                .all(name)
                .filter_map(Entry::real)
                .collect::<Vec<f64>>()
        };
        let (rates, decays) = (reals("blobs_lr"), reals("weight_decay"));
        for (index, suffix) in suffixes.iter().enumerate() {
            let old = [&rates, &decays].map(|numbers| numbers.get(index).copied());
            give_multiplier(node, suffix, params.get(index).copied(), old);
        }
        let extra = message.all("param").nth(suffixes.len());
        if let Some(extra) = extra.filter(|_| !suffixes.is_empty()) {
            self.notes.push(not_used(extra, &node.name));
        }
    }
}

fn give_multiplier(
    node: &mut Node,
    suffix: &str,
    param: Option<&Message>,
    [old_lr, old_decay]: [Option<f64>; 2],
) {
    let number = |name: &str| param?.get(name)?.real();
    let multiplier = Multiplier {
        lr: number("lr_mult").or(old_lr).unwrap_or(1.0),
        decay: number("decay_mult").or(old_decay).unwrap_or(1.0),
    };
    if multiplier != Multiplier::default() && !suffix.is_empty() {
        node.multipliers.insert(suffix.to_owned(), multiplier);
    }
}
