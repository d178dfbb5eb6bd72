//! `layerlab generate`: the generated data set as files that other programs read.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt;
use crate::data::MAX_GENERATED;
use crate::data::shapes::{self, SIDES, Shapes};
use crate::i18n::{tr, tr_format};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(about = tr(
        "Shapes on photographs: PNG images, label pictures and COCO JSON",
        "照片背景上的形状：PNG 图像、标签图与 COCO JSON"
    ))]
    Shapes(ShapesOptions),
}

#[derive(Debug, Args)]
struct ShapesOptions {
    #[arg(help = tr("The folder to make", "要新建的文件夹"))]
    out: PathBuf,
    #[arg(long, value_name = "N", default_value = "200", value_parser = parse_count, help = tr(
        "How many images", "图像数量"
    ))]
    count: usize,
    #[arg(long, value_name = "S", default_value = "1", help = tr(
        "The seed; 2015 gives the test set of shapes-v1",
        "随机种子；2015 即 shapes-v1 的测试集"
    ))]
    seed: u64,
    #[arg(long, value_name = "HxW", default_value = "160x160", value_parser = parse_size, help = tr(
        "Height and width of the images", "图像的高和宽"
    ))]
    size: Size,
}

/// Height and width; a type of its own, because clap takes a list for many arguments.
#[derive(Clone, Copy, Debug)]
struct Size([usize; 2]);

fn parse_count(text: &str) -> Result<usize, String> {
    let count = text
        .parse()
        .ok()
        .filter(|count| (1..=MAX_GENERATED).contains(count));
    count.ok_or_else(|| format!("1 … {MAX_GENERATED}"))
}

fn parse_size(text: &str) -> Result<Size, String> {
    let side = |text: &str| {
        let side: usize = text.trim().parse().ok()?;
        (SIDES[0]..=SIDES[1]).contains(&side).then_some(side)
    };
    let sides = text.split_once(['x', '×']);
    let sides = sides.and_then(|(height, width)| Some([side(height)?, side(width)?]));
    let [least, most] = SIDES;
    sides.map(Size).ok_or_else(|| {
        tr_format!(
            "write height and width, each {least} to {most}, such as 160x160",
            "请填写高和宽，各为 {least} 到 {most}，例如 160x160"
        )
    })
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let What::Shapes(ShapesOptions {
        out,
        count,
        seed,
        size,
    }) = &options.what;
    interrupt::listen();
    let bar = ProgressBar::new(*count as u64);
    let template = tr(
        "{bar:30} {pos}/{len} images  {eta} left",
        "{bar:30} {pos}/{len} 幅图像  剩余 {eta}",
    );
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let shapes = Shapes::new(size.0, *seed)?;
    let done = shapes::export(&shapes, *count, out, |done| {
        bar.set_position(done as u64);
        !interrupt::asked()
    });
    bar.finish_and_clear();
    let folder = out.display();
    match done? {
        true => eprintln!(
            "{}",
            tr_format!(
                "{count} images in {folder}: images/, labels/, classes.txt and annotations.json (COCO)",
                "已在 {folder} 写出 {count} 幅图像：images/、labels/、classes.txt 与 annotations.json（COCO）"
            )
        ),
        false => {
            return Err(anyhow!(tr(
                "interrupted; nothing was written",
                "已中断；没有写出任何内容"
            )));
        }
    }
    Ok(ExitCode::SUCCESS)
}
