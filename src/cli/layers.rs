//! `layerlab layers`: the catalogue, made from what the layers say of themselves.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::table::Table;
use super::{print_json, print_line};
use crate::graph::{Family, Field, FieldValue, Filler, Layer, Port, PortType, Role};
use crate::i18n::{tr, tr_format};
use crate::layers::{CATALOGUE, make};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(help = tr("A layer to explain, such as Convolution", "要说明的层，例如 Convolution"))]
    name: Option<String>,
    #[arg(long, help = tr("Print JSON, one layer a line", "输出 JSON，每行一层"))]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let chosen: Vec<Box<dyn Layer>> = match &options.name {
        None => CATALOGUE.iter().map(|entry| entry.make()).collect(),
        Some(name) => match make(name) {
            Some(layer) => vec![layer],
            None => bail!(tr_format!(
                "there is no layer “{name}”; `layerlab layers` lists them",
                "没有名为“{name}”的层；用 `layerlab layers` 查看全部"
            )),
        },
    };
    if options.json {
        for layer in chosen {
            print_json(&describe(layer))?;
        }
    } else if options.name.is_some() {
        for layer in chosen {
            explain(layer)?;
        }
    } else {
        let mut table = Table::new(
            &[
                tr("layer", "层"),
                tr("family", "类别"),
                tr("what it does", "作用"),
            ],
            &[],
        );
        for layer in chosen {
            let spec = layer.spec();
            let texts = [spec.name, spec.family.text().get(), spec.about.get()];
            table.add(texts.map(str::to_owned).to_vec());
        }
        for line in table.lines() {
            print_line(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(mut layer: Box<dyn Layer>) -> anyhow::Result<()> {
    let spec = layer.spec();
    print_line(&tr_format!("{} · {}", "{} · {}", spec.name, spec.title))?;
    print_line(spec.about.get())?;
    print_line(spec.formula)?;
    let ports = |ports: &[Port]| {
        if ports.is_empty() {
            return tr("none", "无").to_owned();
        }
        let text = |port: &Port| format!("{} ({})", port.name, port.kind.text());
        ports.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let inputs = layer.inputs();
    let more = if inputs.repeat_last { " …" } else { "" };
    let (required, optional) = inputs.ports.split_at(inputs.required);
    print_line(&tr_format!(
        "inputs: {}{more}",
        "输入：{}{more}",
        ports(required)
    ))?;
    if !optional.is_empty() {
        print_line(&tr_format!(
            "optional inputs: {}",
            "可选输入：{}",
            ports(optional)
        ))?;
    }
    print_line(&tr_format!(
        "outputs: {}",
        "输出：{}",
        ports(layer.outputs())
    ))?;
    let text = layer.to_ron()?;
    print_line(&tr_format!("in a project: {text}", "写在项目中：{text}"))?;
    let headings = [
        tr("parameter", "参数"),
        tr("default", "默认值"),
        tr("range", "范围"),
        tr("meaning", "含义"),
    ];
    let mut table = Table::new(&headings, &[]);
    let mut fields = 0;
    layer.fields(&mut |field: Field<'_>| {
        fields += 1;
        let FieldFacts { default, range, .. } = FieldFacts::of(&field.value);
        let default = match default {
            Value::String(text) => text,
            other => other.to_string(),
        };
        table.add(vec![
            field.name.to_owned(),
            default,
            range,
            field.about.get().to_owned(),
        ]);
    });
    if fields > 0 {
        print_line("")?;
        for line in table.lines() {
            print_line(&line)?;
        }
    }
    Ok(())
}

fn describe(mut layer: Box<dyn Layer>) -> Value {
    let spec = layer.spec();
    let inputs = layer.inputs();
    let mut fields = Vec::new();
    let outputs: Vec<Value> = layer.outputs().iter().map(describe_port).collect();
    layer.fields(&mut |field: Field<'_>| {
        let FieldFacts {
            kind,
            default,
            range,
            options,
        } = FieldFacts::of(&field.value);
        fields.push(json!({
            "name": field.name, "type": kind, "default": default, "range": range,
            "options": options, "about": field.about.get(), "caffe": field.caffe,
        }));
    });
    json!({
        "name": spec.name,
        "title": spec.title.get(),
        "family": family_key(spec.family),
        "role": role_key(spec.role),
        "about": spec.about.get(),
        "formula": spec.formula,
        "caffe": { "type": spec.caffe.0, "param": spec.caffe.1 },
        "inputs": inputs.ports.iter().map(describe_port).collect::<Vec<_>>(),
        "repeat_last_input": inputs.repeat_last,
        "required_inputs": inputs.required,
        "outputs": outputs,
        "fields": fields,
    })
}

fn describe_port(port: &Port) -> Value {
    let kind = match port.kind {
        PortType::Tensor => "tensor",
        PortType::Labels => "labels",
        PortType::Any => "any",
    };
    json!({ "name": port.name, "type": kind })
}

fn family_key(family: Family) -> String {
    format!("{family:?}").to_lowercase()
}

fn role_key(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

/// A parameter in numbers and names.
struct FieldFacts {
    kind: &'static str,
    default: Value,
    range: String,
    /// The values of a choice, else null.
    options: Option<Vec<&'static str>>,
}

impl FieldFacts {
    fn of(value: &FieldValue<'_>) -> Self {
        let plain = |kind, default, range| Self {
            kind,
            default,
            range,
            options: None,
        };
        let counts = |min: usize, max: usize| format!("{min} … {max}");
        match value {
            FieldValue::Count { value, min, max } => {
                plain("count", json!(**value), counts(*min, *max))
            }
            FieldValue::Pair { value, min, max } => {
                plain("pair", json!(**value), counts(*min, *max))
            }
            FieldValue::Size { value, max } => plain("size", json!(**value), counts(1, *max)),
            FieldValue::Integer { value, min, max } => {
                plain("integer", json!(**value), format!("{min} … {max}"))
            }
            FieldValue::OptionalCount { value, min, max } => {
                plain("optional count", json!(**value), counts(*min, *max))
            }
            FieldValue::Real { value, min, max } => {
                plain("real", json!(**value), format!("{min} … {max}"))
            }
            FieldValue::Flag(value) => plain("flag", json!(**value), String::new()),
            FieldValue::Choice(choice) => {
                let options: Vec<_> = choice.options().iter().map(|(name, _)| *name).collect();
                Self {
                    kind: "choice",
                    default: json!(options.get(choice.index())),
                    range: options.join(" | "),
                    options: Some(options),
                }
            }
            FieldValue::Filler(filler) => {
                let names = Filler::ALL.map(|(name, _)| name);
                Self {
                    kind: "filler",
                    default: json!(**filler),
                    range: names.join(" | "),
                    options: Some(names.to_vec()),
                }
            }
            FieldValue::Counts {
                value,
                min,
                max,
                max_len,
            } => {
                let (range, most) = (counts(*min, *max), max_len);
                plain(
                    "counts",
                    json!(**value),
                    tr_format!("{range}, at most {most}", "{range}，至多 {most} 个"),
                )
            }
            FieldValue::Integers {
                value,
                min,
                max,
                max_len,
            } => plain(
                "integers",
                json!(**value),
                tr_format!(
                    "{min} … {max}, at most {max_len}",
                    "{min} … {max}，至多 {max_len} 个"
                ),
            ),
            FieldValue::Reals { value, max_len } => plain(
                "reals",
                json!(**value),
                tr_format!("at most {max_len}", "至多 {max_len} 个"),
            ),
        }
    }
}
