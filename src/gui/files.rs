//! Asking for files: the system's dialogs, or a line to type a path where it has none.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::theme;
use crate::i18n::{Text, tr};
use crate::interop::weights::ENDINGS;

/// What a file or folder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    OpenProject,
    Compare,
    SaveProject,
    ExportCaffe,
    ExportScript,
    ExportDrawing,
    ExportTable,
    Picture,
    ClassNames,
    ExportOnnx,
    LoadWeights,
    SaveWeights,
    SaveCheckpoint,
    ResumeCheckpoint,
    DataFile,
    DataFolder,
}

impl Purpose {
    fn title(self) -> Text {
        match self {
            Self::OpenProject => Text::new("Open a project", "打开项目"),
            Self::Compare => Text::new("Compare with a project", "与项目比较"),
            Self::SaveProject => Text::new("Save the project as", "项目另存为"),
            Self::ExportCaffe => Text::new("Export for Caffe", "导出为 Caffe"),
            Self::ExportScript => Text::new("Export a PyTorch script", "导出 PyTorch 脚本"),
            Self::ExportDrawing => Text::new("Export a drawing", "导出网络图"),
            Self::ExportTable => Text::new("Export the table of layers", "导出层表"),
            Self::Picture => Text::new("Open an image", "打开图像"),
            Self::ClassNames => Text::new("Read class names, one a line", "读取类别名称，每行一个"),
            Self::ExportOnnx => Text::new("Export as ONNX", "导出为 ONNX"),
            Self::LoadWeights => Text::new("Load weights", "载入权重"),
            Self::SaveWeights => Text::new("Save the weights as", "权重另存为"),
            Self::SaveCheckpoint => {
                Text::new("Save a checkpoint into a folder", "将检查点保存到文件夹")
            }
            Self::ResumeCheckpoint => {
                Text::new("Resume from a checkpoint folder", "从检查点文件夹继续训练")
            }
            Self::DataFile => Text::new("Choose a data file", "选择数据文件"),
            Self::DataFolder => Text::new("Choose a data folder", "选择数据文件夹"),
        }
    }
}

/// Endings of images that can be decoded.
pub const IMAGE_ENDINGS: &[&str] = &["png", "jpg", "jpeg", "bmp", "webp"];

impl Purpose {
    /// The kinds of files that can be written, the usual one first.
    fn written(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::ExportCaffe => &[("prototxt", &["prototxt"])],
            Self::ExportScript => &[("Python", &["py"])],
            Self::ExportDrawing => &[("SVG", &["svg"]), ("PNG", &["png"]), ("Graphviz", &["dot"])],
            Self::ExportTable => &[("CSV", &["csv"]), ("Markdown", &["md"])],
            _ => &[],
        }
    }
}

type Chosen = Pin<Box<dyn Future<Output = Option<PathBuf>>>>;

/// A dialog that answers sooner than a person can was not there.
const TOO_SOON: Duration = Duration::from_millis(250);

enum Asking {
    /// The system's own dialog, in a window of its own.
    Dialog { answer: Chosen, since: Instant },
    /// A path that is typed.
    Line { text: String, fresh: bool },
}

/// The dialog that is open, if any.
#[derive(Default)]
pub struct FileDialogs {
    asking: Option<(Purpose, Asking)>,
    suggestion: String,
    /// Set once the system turned out to have no dialogs, and by tests.
    pub typed_only: bool,
}

/// Draws a new frame when a dialog answers.
struct Repaint(egui::Context);

impl Wake for Repaint {
    fn wake(self: Arc<Self>) {
        self.0.request_repaint();
    }
}

impl FileDialogs {
    pub fn is_open(&self) -> bool {
        self.asking.is_some()
    }

    /// Asks for a file or folder, beginning at `suggestion`.
    pub fn ask(&mut self, purpose: Purpose, suggestion: Option<PathBuf>) {
        let suggestion = suggestion.unwrap_or_default();
        self.suggestion = suggestion.display().to_string();
        let asking = if self.typed_only {
            self.line()
        } else {
            Asking::Dialog {
                answer: dialog(purpose, suggestion),
                since: Instant::now(),
            }
        };
        self.asking = Some((purpose, asking));
    }

    fn line(&self) -> Asking {
        Asking::Line {
            text: self.suggestion.clone(),
            fresh: true,
        }
    }

    /// Draws what is open; gives the answer once.
    pub fn ui(&mut self, ctx: &egui::Context) -> Option<(Purpose, PathBuf)> {
        let (purpose, asking) = self.asking.as_mut()?;
        let purpose = *purpose;
        match asking {
            Asking::Dialog { answer, since } => {
                let waker = Waker::from(Arc::new(Repaint(ctx.clone())));
                match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Pending => None,
                    Poll::Ready(Some(path)) => {
                        self.asking = None;
                        Some((purpose, path))
                    }
                    Poll::Ready(None) if since.elapsed() < TOO_SOON => {
                        self.typed_only = true;
                        self.asking = Some((purpose, self.line()));
                        None
                    }
                    Poll::Ready(None) => {
                        self.asking = None;
                        None
                    }
                }
            }
            Asking::Line { text, fresh } => {
                let answer = line_ui(ctx, purpose, text, fresh)?;
                self.asking = None;
                answer.map(|path| (purpose, path))
            }
        }
    }
}

fn dialog(purpose: Purpose, suggestion: PathBuf) -> Chosen {
    let mut dialog = rfd::AsyncFileDialog::new().set_title(purpose.title().get());
    let folder = if suggestion.is_dir() {
        Some(suggestion.as_path())
    } else {
        suggestion.parent()
    };
    if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
        dialog = dialog.set_directory(folder);
    }
    let name = suggestion
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let path = |file: Option<rfd::FileHandle>| file.map(|file| file.path().to_owned());
    let project = tr("Layerlab project", "Layerlab 项目");
    match purpose {
        Purpose::OpenProject | Purpose::Compare => {
            let all = tr(
                "Projects, Caffe networks and ONNX models",
                "项目、Caffe 网络与 ONNX 模型",
            );
            let endings = ["ron", "prototxt", "onnx"];
            let answer = dialog.add_filter(all, &endings).pick_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::SaveProject => {
            dialog = dialog.add_filter(project, &["ron"]);
            let answer = dialog.set_file_name(name.unwrap_or_default()).save_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::Picture => {
            let images = tr("Images", "图像");
            let answer = dialog.add_filter(images, IMAGE_ENDINGS).pick_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::ExportCaffe
        | Purpose::ExportScript
        | Purpose::ExportDrawing
        | Purpose::ExportTable => {
            for (name, endings) in purpose.written() {
                dialog = dialog.add_filter(*name, endings);
            }
            let answer = dialog.set_file_name(name.unwrap_or_default()).save_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::ExportOnnx => {
            dialog = dialog.add_filter("ONNX", &["onnx"]);
            let answer = dialog.set_file_name(name.unwrap_or_default()).save_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::LoadWeights => {
            let weights = tr("Weights", "权重");
            let answer = dialog.add_filter(weights, &ENDINGS).pick_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::SaveWeights => {
            dialog = dialog.add_filter("safetensors", &["safetensors"]);
            let answer = dialog.set_file_name(name.unwrap_or_default()).save_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::DataFile | Purpose::ClassNames => {
            let answer = dialog.pick_file();
            Box::pin(async move { path(answer.await) })
        }
        Purpose::SaveCheckpoint | Purpose::ResumeCheckpoint | Purpose::DataFolder => {
            let answer = dialog.pick_folder();
            Box::pin(async move { path(answer.await) })
        }
    }
}

/// `None` while it is open; then the path, or `None` if there is none.
fn line_ui(
    ctx: &egui::Context,
    purpose: Purpose,
    text: &mut String,
    fresh: &mut bool,
) -> Option<Option<PathBuf>> {
    let mut answer = None;
    let modal = egui::Modal::new("path".into())
        .frame(theme::modal_frame(&ctx.global_style()))
        .show(ctx, |ui| {
            ui.set_width(460.0);
            ui.heading(purpose.title().get());
            ui.label(tr(
                "This system offers no file dialog; please type the path.",
                "此系统没有可用的文件对话框，请直接输入路径。",
            ));
            let field = egui::TextEdit::singleline(text).desired_width(f32::INFINITY);
            let field = ui.add(field.hint_text(tr("path", "路径")));
            if std::mem::take(fresh) {
                field.request_focus();
            }
            let entered =
                field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            ui.add_space(6.0);
            ui.horizontal(|ui| {
                let ready = !text.trim().is_empty();
                let go = ui
                    .add_enabled(ready, egui::Button::new(tr("OK", "确定")))
                    .clicked();
                if ready && (go || entered) {
                    answer = Some(Some(PathBuf::from(text.trim())));
                }
                if ui.button(tr("Cancel", "取消")).clicked() {
                    answer = Some(None);
                }
            });
        });
    if modal.should_close() && answer.is_none() {
        answer = Some(None);
    }
    answer
}

/// A file gets the ending that the dialogs look for.
pub fn with_ending(mut path: PathBuf, ending: &str) -> PathBuf {
    if path.extension().is_none() {
        path.set_extension(ending);
    }
    path
}

/// The name for people of a file: without its folder.
pub fn file_name(path: &std::path::Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| path.display().to_string())
}

/// Whether a file's name says that it is an image.
pub fn is_image(path: &std::path::Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| IMAGE_ENDINGS.contains(&ending.as_str()))
}
