//! `layerlab labs`: the concept benches, and each one's demonstration without a window.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::table::Table;
use super::{print_json, print_line};
use crate::i18n::{tr, tr_format};
use crate::interop::caffe;
use crate::labs::{BENCHES, Bench, Figure, FigureValue, Settings, bench};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(help = tr("A bench to run, such as approximation", "要运行的实验台，例如 approximation"))]
    name: Option<String>,
    #[arg(
        long,
        value_name = "KEY=VALUE",
        requires = "name",
        help = tr("Changes a control of the bench; may be given several times", "修改实验台的一个控件；可多次使用")
    )]
    set: Vec<String>,
    #[arg(long, help = tr("Print JSON, one object a line", "输出 JSON，每行一个对象"))]
    json: bool,
    #[arg(
        long,
        requires = "name",
        conflicts_with = "json",
        help = tr("Open the window on this bench", "在窗口中打开该实验台")
    )]
    pub window: bool,
}

impl Options {
    /// The bench with its settings.
    pub fn settings(&self, bench: &'static Bench) -> anyhow::Result<Settings> {
        let mut settings = Settings::of(bench);
        for text in &self.set {
            settings.set_text(text)?;
        }
        Ok(settings)
    }

    /// The bench that the window is to open on, with its settings.
    pub fn in_window(&self) -> anyhow::Result<Option<Settings>> {
        match &self.name {
            Some(name) if self.window => Ok(Some(self.settings(bench(name)?)?)),
            _ => Ok(None),
        }
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    match &options.name {
        None => list(options.json)?,
        Some(name) => {
            let bench = bench(name)?;
            let settings = options.settings(bench)?;
            demonstrate(bench, &settings, options.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(as_json: bool) -> anyhow::Result<()> {
    if as_json {
        for bench in BENCHES {
            print_json(&describe(bench))?;
        }
        return Ok(());
    }
    let headings = [
        tr("bench", "实验台"),
        tr("chapter", "章"),
        tr("about", "内容"),
    ];
    let mut table = Table::new(&headings, &[]);
    for bench in BENCHES {
        let texts = [bench.id, bench.chapter.text().get(), bench.title.get()];
        table.add(texts.map(str::to_owned).to_vec());
    }
    table.lines().iter().try_for_each(|line| print_line(line))
}

fn describe(bench: &'static Bench) -> Value {
    let defaults = Settings::of(bench);
    let controls = bench.controls.iter().zip(defaults.texts());
    let controls = controls.map(|(control, (key, default))| {
        json!({
            "key": key, "name": control.name.get(), "default": default,
            "range": control.range_text(), "about": control.about.get(),
        })
    });
    json!({
        "id": bench.id,
        "chapter": bench.chapter.text().get(),
        "title": bench.title.get(),
        "about": bench.about.get(),
        "try": bench.what_to_try.get(),
        "notice": bench.what_to_notice.get(),
        "formula": bench.formula,
        "takeaway": bench.takeaway.get(),
        "project": bench.project.0,
        "controls": controls.collect::<Vec<_>>(),
    })
}

fn demonstrate(bench: &'static Bench, settings: &Settings, as_json: bool) -> anyhow::Result<()> {
    if !as_json {
        let title = tr_format!("{} · {}", "{} · {}", bench.id, bench.title);
        for line in [&title, bench.about.get(), bench.formula, ""] {
            print_line(line)?;
        }
        for (key, value) in settings.texts() {
            print_line(&format!("  {key} = {value}"))?;
        }
        print_line("")?;
    }
    let figures = (bench.demonstrate)(settings)?;
    if as_json {
        let values = figures.iter();
        let values = values.map(|figure| (figure.key.to_owned(), figure.to_json()));
        let prototxt: Vec<String> = prototxt(bench, settings).collect();
        let settings: Map<String, Value> = settings
            .texts()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect();
        return print_json(&json!({
            "bench": bench.id,
            "prototxt": prototxt,
            "settings": settings,
            "figures": values.collect::<Map<String, Value>>(),
            "takeaway": bench.takeaway.get(),
        }));
    }
    for figure in &figures {
        print_figure(figure)?;
    }
    for text in prototxt(bench, settings) {
        print_line("")?;
        print_line(text.trim_end())?;
    }
    print_line("")?;
    print_line(bench.takeaway.get())
}

/// The stages that the settings say, as Caffe's solvers.
fn prototxt(bench: &'static Bench, settings: &Settings) -> impl Iterator<Item = String> {
    let stages = bench.stages.map(|stages| stages(settings));
    let text = |stage| caffe::export_solver(&stage, "net.prototxt", 0, None).text;
    stages.into_iter().flatten().map(text)
}

fn print_figure(figure: &Figure) -> anyhow::Result<()> {
    let line = |value: &str| tr_format!("{}: {value}", "{}：{value}", figure.name);
    match &figure.value {
        FigureValue::Number(value) => print_line(&line(&written(*value))),
        FigureValue::Word(text) => print_line(&line(text)),
        FigureValue::Series(values) => {
            let values: Vec<String> = values.iter().map(|value| written(*value)).collect();
            print_line(&line(&values.join("  ")))
        }
        FigureValue::Table { columns, rows } => {
            print_line(&line(""))?;
            const RIGHT: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
            let mut headings = vec![""];
            headings.extend(columns.iter().map(String::as_str));
            let mut table = Table::new(&headings, &RIGHT);
            for (name, values) in rows {
                let cells = values.iter().map(|value| written(*value));
                table.add(std::iter::once(name.clone()).chain(cells).collect());
            }
            table
                .lines()
                .iter()
                .try_for_each(|line| print_line(&format!("  {line}")))
        }
    }
}

/// Five significant digits.
fn written(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if value.fract() == 0.0 && size < 1e9 {
        format!("{value:.0}")
    } else if (1e-3..1e6).contains(&size) {
        let decimals = (4 - size.log10().floor() as i32).clamp(0, 7) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    }
}
