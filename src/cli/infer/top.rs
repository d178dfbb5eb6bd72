//! The likeliest classes, with bars.

use anyhow::bail;
use candle_core::Tensor;
use serde::Serialize;

use super::{Options, forward};
use crate::cli::table::Table;
use crate::cli::{print_json, print_line};
use crate::data::Feed;
use crate::graph::PortRef;
use crate::i18n::{tr, tr_format};
use crate::net::Net;
use crate::train::{Classifier, best};

/// Characters of a full bar.
const BAR: f32 = 24.0;

#[derive(Serialize)]
struct Report {
    /// Where the scores were read.
    node: String,
    /// The place in the batch.
    example: usize,
    top: Vec<Guess>,
}

#[derive(Serialize)]
struct Guess {
    class: usize,
    name: String,
    probability: f32,
}

pub(super) fn print(
    net: &Net,
    feed: &Feed,
    tensor: Tensor,
    options: &Options,
) -> anyhow::Result<()> {
    let (scores, rows) = probabilities(net, tensor, options.node.first().map(String::as_str))?;
    let count = rows.len();
    for (example, row) in rows.iter().enumerate() {
        let guess = |(class, probability): (usize, f32)| Guess {
            class,
            name: feed.output_name(class, row.len()).into_owned(),
            probability,
        };
        let guesses = best(row, usize::from(options.top)).into_iter().map(guess);
        let report = Report {
            node: scores.to_string(),
            example,
            top: guesses.collect(),
        };
        if options.json {
            print_json(&report)?;
            continue;
        }
        if count > 1 {
            let number = example + 1;
            print_line(&tr_format!(
                "example {number} of {count}:",
                "第 {number} 个样本，共 {count} 个："
            ))?;
        }
        for line in lines(&report.top) {
            print_line(&line)?;
        }
    }
    Ok(())
}

/// The scores' place, and the probabilities of every example.
fn probabilities(
    net: &Net,
    tensor: Tensor,
    node: Option<&str>,
) -> anyhow::Result<(PortRef, Vec<Vec<f32>>)> {
    let found = match node {
        Some(name) => Classifier::reading(net, PortRef::parse(name)),
        None => Classifier::find(net),
    };
    let Some(classifier) = found else {
        bail!(tr(
            "nothing in this network judges scores of classes; write an output with --out, or name the scores with --node",
            "该网络中没有判断类别得分的层；请用 --out 写出某个输出，或用 --node 指明得分所在节点"
        ));
    };
    let outputs = forward(net, tensor, std::slice::from_ref(&classifier.scores))?;
    let [(port, scores)] = &outputs[..] else {
        bail!(tr("the network has no output", "网络没有输出"));
    };
    match classifier.probabilities(scores)? {
        Some(rows) => Ok((port.clone(), rows)),
        None => {
            let shape = crate::graph::Shape::known(scores.dims());
            bail!(tr_format!(
                "“{port}” gives {shape}, not one row of scores for each example; write it with --out",
                "“{port}”给出的是 {shape}，而不是每个样本一行得分；请用 --out 写出"
            ))
        }
    }
}

/// Name, percentage and bar of each.
fn lines(guesses: &[Guess]) -> Vec<String> {
    let mut table = Table::new(&[], &[1]);
    for guess in guesses {
        let percent = format!("{:.2} %", 100.0 * guess.probability);
        table.add(vec![guess.name.clone(), percent, bar(guess.probability)]);
    }
    table.lines().split_off(1)
}

/// A bar in eighths of a character.
fn bar(share: f32) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * BAR * 8.0).round() as usize;
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_probability() {
        let guess = |name: &str, probability| Guess {
            class: 0,
            name: name.to_owned(),
            probability,
        };
        let lines = lines(&[
            guess("cat", 0.75),
            guess("鲸鱼", 0.0625),
            guess("dog", f32::NAN),
        ]);
        let expected = [
            format!("cat   75.00 %  {}", "█".repeat(18)),
            "鲸鱼   6.25 %  █▌".to_owned(),
            "dog     NaN %".to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}
