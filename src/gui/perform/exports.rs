//! What others read (a PyTorch script, a drawing, the table of layers), and what the network is
//! asked about.

use std::sync::Arc;

use super::*;
use crate::data::{ClassNames, Feed, Picture};
use crate::gui::context::{Shown, next_serial};
use crate::gui::files::file_name;
use crate::interop::drawing::{self, Figure, Folding};
use crate::interop::layer_table;
use crate::interop::pytorch_script::{self, Preprocessing, ScriptOptions};
use crate::project::write_atomically;

impl App {
    pub(super) fn ask_export(&mut self, purpose: Purpose, ending: &str) {
        let suggestion = self.suggested_path(ending);
        self.files.ask(purpose, Some(suggestion));
    }

    /// Says that files were written, or why they were not.
    fn say_written(&mut self, written: Result<Vec<PathBuf>, String>) {
        match written {
            Ok(paths) => {
                let names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
                let names = names.join(", ");
                let text = tr_format!("{names} written", "已写入 {names}");
                self.toasts.show(Tone::Info, text);
            }
            Err(problem) => self.toasts.show(Tone::Error, problem),
        }
    }

    /// The script, and beside it the newest weights where something was trained.
    pub(super) fn export_script(&mut self, path: &Path) {
        let project = self.document.project();
        let feed = self.data.current();
        let names = &project.data.classes;
        let classes = match names.count() {
            0 => feed.map_or(Vec::new(), |feed| feed.dataset().classes().to_vec()),
            count => (0..count)
                .filter_map(|class| names.get(class))
                .map(str::to_owned)
                .collect(),
        };
        let options = ScriptOptions {
            facts: self.data.facts().clone(),
            preprocessing: Preprocessing {
                full: feed.and_then(|feed| feed.image_shape()),
                statistics: feed.map(|feed| Feed::statistics(feed).clone()),
            },
            classes,
        };
        let weights = self
            .training
            .run
            .snapshot()
            .map(|snapshot| &snapshot.weights);
        let saved = pytorch_script::save(project, &options, weights, path);
        self.say_written(saved.map_err(|error| error.to_string()));
    }

    /// The graph as it is in the editor; the name's ending says in which format.
    pub(super) fn export_drawing(&mut self, path: &Path) {
        let (project, inference) = (self.document.project(), self.document.inference());
        let figure = Figure::new(&project.title, &project.graph, inference, Folding::AsIs);
        let bytes = match ending(path).as_str() {
            "dot" => Ok(drawing::dot(&figure).into_bytes()),
            "png" => drawing::png(&figure).map_err(|error| error.to_string()),
            _ => Ok(drawing::svg(&figure).into_bytes()),
        };
        self.write_export(path, bytes);
    }

    pub(super) fn export_table(&mut self, path: &Path) {
        let (project, inference) = (self.document.project(), self.document.inference());
        let bytes = match ending(path).as_str() {
            "md" => {
                Ok(layer_table::markdown(&project.title, &project.graph, inference).into_bytes())
            }
            _ => layer_table::csv(&project.graph, inference).map_err(|error| error.to_string()),
        };
        self.write_export(path, bytes);
    }

    fn write_export(&mut self, path: &Path, bytes: Result<Vec<u8>, String>) {
        let write = |bytes: Vec<u8>| {
            write_atomically(path, &bytes)
                .map(|()| vec![path.to_owned()])
                .map_err(|error| format!("{}: {error}", path.display()))
        };
        self.say_written(bytes.and_then(write));
    }

    pub(in crate::gui) fn browse_picture(&mut self) {
        self.files.ask(Purpose::Picture, self.start_folder());
    }

    /// Asks the network about an image file.
    pub fn open_picture(&mut self, path: &Path) {
        match Picture::open(path) {
            Ok(picture) => self.show_picture(picture, file_name(path)),
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    pub(in crate::gui) fn paste_picture(&mut self) {
        match crate::gui::clipboard::picture() {
            Ok(Some(picture)) => {
                let name = tr("from the clipboard", "来自剪贴板").to_owned();
                self.show_picture(picture, name);
            }
            Ok(None) => self.toasts.show(
                Tone::Warning,
                tr("the clipboard holds no picture", "剪贴板中没有图片").to_owned(),
            ),
            Err(problem) => self.toasts.show(Tone::Error, problem),
        }
    }

    pub(in crate::gui) fn show_picture(&mut self, picture: Picture, name: String) {
        self.picture = Some(Shown {
            picture: Arc::new(picture),
            name,
            serial: next_serial(),
        });
        dock::open(&mut self.settings.layout, ViewKind::Predict);
    }

    /// Takes the names of the classes from a text file, one a line.
    pub(super) fn read_class_names(&mut self, path: &Path) {
        match ClassNames::open(path) {
            Ok(names) => self.document.edit(
                Text::new("Name the classes", "设置类别名称"),
                None,
                move |project| project.data.classes = names,
            ),
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}
