//! `layerlab infer`: what a network makes of one image or tensor: the likeliest classes, or any
//! output written to a file.

mod top;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use candle_core::{DType, Tensor};
use clap::Args;
use serde_json::{Map, Value};

use super::{ProjectArgs, npy, source};
use crate::data::DataSummary;
use crate::graph::{Facts, Node, Phase, PortRef, Role};
use crate::i18n::{tr, tr_format};
use crate::net::{ForwardOptions, Keep, Net, NetFeed};
use crate::project::{Project, write_atomically};
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(long, value_name = "FILE", help = tr(
        "The weights; an ONNX model has its own", "权重文件；ONNX 模型自带权重"
    ))]
    weights: Option<PathBuf>,
    #[arg(long, value_name = "IMG", conflicts_with = "input", required_unless_present = "input", help = tr(
        "An image file, preprocessed as the project says", "图像文件，按项目的设置预处理"
    ))]
    image: Option<PathBuf>,
    #[arg(long, value_name = "X.npy", help = tr(
        "The raw tensor, after preprocessing, with or without the batch axis",
        "预处理之后的原始张量，可带或不带批次维"
    ))]
    input: Option<PathBuf>,
    #[arg(long, value_name = "NAME[:PORT]", help = tr(
        "The output of this node, or of every node in a group or like a pattern such as '*'; may be repeated (default: the network's outputs)",
        "该节点的输出，或某个分组、某个模式（如 '*'）所指的每个节点的输出；可重复（默认为网络的输出）"
    ))]
    node: Vec<String>,
    #[arg(long, value_name = "FILE.npy|.json|.png|.safetensors", value_parser = parse_out, help = tr(
        "The file to write; its ending says how (default: the likeliest classes are printed)",
        "要写的文件；格式由扩展名决定（默认打印可能性最大的类别）"
    ))]
    out: Option<Out>,
    #[arg(long, value_name = "K", default_value_t = 5, conflicts_with = "out",
        value_parser = clap::value_parser!(u16).range(1..), help = tr(
        "How many classes are printed", "打印多少个类别"
    ))]
    top: u16,
    #[arg(long, conflicts_with = "out", help = tr(
        "Print the classes as one JSON object for each example", "以 JSON 打印类别，每个样本一个对象"
    ))]
    json: bool,
}

/// The file to write, and how.
#[derive(Clone, Debug)]
struct Out {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Npy,
    Json,
    Png,
    Safetensors,
}

fn parse_out(text: &str) -> Result<Out, String> {
    let path = PathBuf::from(text);
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => Format::Npy,
        Some("json") => Format::Json,
        Some("png") => Format::Png,
        Some("safetensors") => Format::Safetensors,
        _ => {
            let text = tr(
                "the name must end in .npy, .json, .png or .safetensors",
                "文件名须以 .npy、.json、.png 或 .safetensors 结尾",
            );
            return Err(text.to_owned());
        }
    };
    Ok(Out { path, format })
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let project = source::open_project(&options.project)?;
    let weights = source::weights_of(&options.project, options.weights.as_deref())?;
    // Numbers go in as they are; the data are opened for their facts alone, or for the names of
    // the classes.
    let feed = match options.image.is_some() || options.out.is_none() {
        true => Some(source::open_feed_for(&project, Some(weights))?),
        false => None,
    };
    let tensor = match (&options.image, &feed) {
        (Some(image), Some(feed)) => feed.image_tensor(image)?,
        _ => npy::read(options.input.as_deref().unwrap_or(Path::new("")))?,
    };
    let facts = match &feed {
        Some(feed) => train::facts(feed),
        None => match DataSummary::open(&project.data, Path::new("")) {
            Ok(summary) => train::facts_of(&summary),
            // The tensor itself says how large an example is.
            Err(error) => shaped_like(&project, &tensor).ok_or(error)?,
        },
    };
    let net = source::trained_net(&project, &facts, weights)?;
    let tensor = with_batch(tensor, &net)?;
    match (&options.out, &feed) {
        (None, Some(feed)) => top::print(&net, feed, tensor, options)?,
        (Some(out), _) => write(&net, tensor, &options.node, out)?,
        (None, None) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes an output, or all of them, to a file.
fn write(net: &Net, tensor: Tensor, nodes: &[String], out: &Out) -> anyhow::Result<()> {
    let wanted = match nodes {
        [] => net.outputs(Phase::Test),
        entries => wanted(net, entries),
    };
    let outputs = forward(net, tensor, &wanted)?;
    let bytes = match out.format {
        Format::Npy => npy::write(only(&outputs)?)?,
        Format::Png => picture(only(&outputs)?)?,
        Format::Json => {
            let mut object = Map::new();
            for (port, tensor) in &outputs {
                object.insert(port.to_string(), nested(tensor)?);
            }
            serde_json::to_vec(&object)?
        }
        Format::Safetensors => {
            let named = outputs.iter();
            let named = named.map(|(port, tensor)| (port.to_string(), tensor.clone()));
            train::weights_to_bytes(&out.path, &named.collect())?
        }
    };
    let path = &out.path;
    write_atomically(path, &bytes)
        .with_context(|| tr_format!("cannot write {}", "无法写入 {}", path.display()))?;
    for (port, tensor) in &outputs {
        let shape = crate::graph::Shape::known(tensor.dims());
        eprintln!("{}", tr_format!("{port}: {shape}", "{port}：{shape}"));
    }
    Ok(())
}

/// The outputs that the entries mean; one that means no node is left to be refused by name.
fn wanted(net: &Net, entries: &[String]) -> Vec<PortRef> {
    let mut wanted = Vec::new();
    for entry in entries {
        let list = std::slice::from_ref(entry);
        let computes = |node: &&Node| {
            node.name == *entry
                || matches!(node.layer.spec().role, Role::Layer)
                    && !node.layer.outputs().is_empty()
                    && train::selects(list, &node.name)
        };
        let nodes = net.order(Phase::Test).filter(computes);
        let meant: Vec<PortRef> = nodes.map(|node| PortRef::new(&node.name, 0)).collect();
        match meant.is_empty() {
            true => wanted.push(PortRef::parse(entry)),
            false => wanted.extend(meant),
        }
    }
    wanted
}

/// What is known without the data, of a tensor that has the batch axis.
fn shaped_like(project: &Project, tensor: &Tensor) -> Option<Facts> {
    let example = tensor.dims().get(1..).filter(|dims| !dims.is_empty())?;
    let nodes = project.graph.nodes().iter();
    let sources = nodes.filter(|node| matches!(node.layer.spec().role, Role::Data | Role::Input));
    let shapes = sources.map(|node| (node.name.clone(), example.to_vec()));
    Some(Facts {
        shapes: shapes.collect(),
        ..Facts::default()
    })
}

/// Adds the batch axis where it is left out.
fn with_batch(tensor: Tensor, net: &Net) -> anyhow::Result<Tensor> {
    let source = net
        .order(Phase::Test)
        .find(|node| matches!(node.layer.spec().role, Role::Data | Role::Input));
    let shape = source.and_then(|node| {
        net.inference()
            .phase(Phase::Test)
            .nodes
            .get(&node.id)?
            .outputs
            .as_ref()?
            .first()
    });
    match shape {
        Some(shape) if shape.rank() == tensor.rank() + 1 => Ok(tensor.unsqueeze(0)?),
        _ => Ok(tensor),
    }
}

fn forward(
    net: &Net,
    tensor: Tensor,
    wanted: &[PortRef],
) -> anyhow::Result<Vec<(PortRef, Tensor)>> {
    let nodes: BTreeSet<String> = wanted.iter().map(|port| port.node.clone()).collect();
    let options = ForwardOptions {
        keep: Keep::Only(nodes.clone()),
        until: Some(nodes),
        ..ForwardOptions::default()
    };
    let pass = net.forward(Phase::Test, &NetFeed::only(tensor, net), options)?;
    let mut outputs = Vec::new();
    for port in wanted {
        let Some(value) = pass.value(net, port) else {
            bail!(tr_format!(
                "there is no output “{port}” here",
                "此处没有输出“{port}”"
            ));
        };
        outputs.push((port.clone(), value.tensor().clone()));
    }
    Ok(outputs)
}

/// The one output that a file of one tensor can hold.
fn only(outputs: &[(PortRef, Tensor)]) -> anyhow::Result<&Tensor> {
    match outputs {
        [(_, tensor)] => Ok(tensor),
        [] => bail!(tr("the network has no output", "网络没有输出")),
        several => {
            let names: Vec<String> = several.iter().map(|(port, _)| port.to_string()).collect();
            let names = names.join(", ");
            bail!(tr_format!(
                "the network has several outputs ({names}); choose one with --node, or write .json or .safetensors",
                "网络有多个输出（{names}）；请用 --node 选择一个，或写成 .json 或 .safetensors"
            ))
        }
    }
}

/// Lists in lists, as deep as the tensor has axes; what is not finite becomes null.
fn nested(tensor: &Tensor) -> anyhow::Result<Value> {
    if tensor.rank() == 0 {
        return Ok(Value::from(
            tensor.to_dtype(DType::F32)?.to_scalar::<f32>()?,
        ));
    }
    if tensor.rank() == 1 {
        return Ok(Value::from(tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?));
    }
    let parts = (0..tensor.dim(0)?).map(|index| nested(&tensor.get(index)?));
    Ok(Value::Array(parts.collect::<anyhow::Result<_>>()?))
}

/// Every map of a batch as a grey tile, in a grid with lines between; black is the least number
/// of all, white the largest.
fn picture(tensor: &Tensor) -> anyhow::Result<Vec<u8>> {
    let (maps, height, width) = match *tensor.dims() {
        [n, c, h, w] => (n * c, h, w),
        [n, d] => (n, 1, d),
        [d] => (1, 1, d),
        _ => bail!(tr(
            "this output is no picture; write .npy or .json",
            "该输出不是图像；请写成 .npy 或 .json"
        )),
    };
    let values = tensor
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let columns = (maps as f64).sqrt().ceil().max(1.0) as usize;
    let rows = maps.div_ceil(columns);
    let size = |count: usize, side: usize| u32::try_from(count * (side + 1) - 1);
    let mut picture = image::GrayImage::new(size(columns, width)?, size(rows, height)?);
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f32::MAX, f32::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let grey =
        |value: f32| ((value - low) / (high - low).max(f32::MIN_POSITIVE) * 255.0).round() as u8;
    for (index, value) in values.iter().enumerate() {
        let (map, y, x) = (
            index / (height * width),
            index / width % height,
            index % width,
        );
        let left = map % columns * (width + 1) + x;
        let top = map / columns * (height + 1) + y;
        picture.put_pixel(left as u32, top as u32, image::Luma([grey(*value)]));
    }
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)?;
    Ok(bytes)
}
