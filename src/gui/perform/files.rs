//! Opening, saving and exporting the document, and what a file dialog answered.

use super::*;

impl App {
    pub(super) fn start_folder(&self) -> Option<PathBuf> {
        let of_recent = || Some(self.settings.recent.first()?.parent()?.to_owned());
        self.document.path().map(PathBuf::from).or_else(of_recent)
    }

    /// Opens a project file, or Caffe's definition or an ONNX model as a new project; what is wrong with it is
    /// said, and the window stays as it is.
    pub fn open(&mut self, path: PathBuf) {
        if path.extension().is_some_and(|ending| ending == "prototxt") {
            return self.open_caffe(&path);
        }
        if path.extension().is_some_and(|ending| ending == "onnx") {
            return self.open_onnx(&path);
        }
        match Project::open(&path) {
            Ok(project) => {
                self.settings.add_recent(&path);
                self.show(Document::new(project, Some(path)));
            }
            Err(error) => {
                self.settings.recent.retain(|recent| *recent != path);
                self.toasts.show(Tone::Error, error.to_string());
            }
        }
    }

    fn open_caffe(&mut self, path: &Path) {
        match caffe::open(path) {
            Ok(imported) => {
                self.show(Document::unsaved(imported.project, None));
                if let Some((file, note)) = imported.notes.first() {
                    let (file, line) = (crate::gui::files::file_name(file), note.line);
                    let (first, more) = (&note.message, imported.notes.len() - 1);
                    self.toasts.show(
                        Tone::Info,
                        tr_format!(
                            "{file}, line {line}: {first} (and {more} more notes; see Prototxt)",
                            "{file} 第 {line} 行：{first}（另有 {more} 条说明；见 Prototxt）"
                        ),
                    );
                    self.open_view(ViewKind::Prototxt);
                }
            }
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    pub(in crate::gui) fn save(&mut self, ctx: &Context) {
        match self.document.path().map(PathBuf::from) {
            Some(path) => self.save_to(path, ctx),
            None => self.ask_save(),
        }
    }

    pub(super) fn ask_save(&mut self) {
        let here = self.document.path().map(PathBuf::from);
        let suggestion = here.unwrap_or_else(|| self.suggested_path("ron"));
        self.files.ask(Purpose::SaveProject, Some(suggestion));
    }

    /// A file of the project's title, in the folder that was used last.
    pub(super) fn suggested_path(&self, ending: &str) -> PathBuf {
        let title = &self.document.project().title;
        let stem: String = title
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let stem = stem.trim_matches('-').to_lowercase();
        let stem = if stem.is_empty() { "network" } else { &stem };
        let folder = self.start_folder().and_then(|path| {
            if path.is_dir() {
                Some(path)
            } else {
                path.parent().map(PathBuf::from)
            }
        });
        let folder = folder.or_else(std::env::home_dir).unwrap_or_default();
        folder.join(format!("{stem}.{ending}"))
    }

    /// Writes the network and its solvers; says what Caffe reads otherwise.
    fn export_caffe(&mut self, path: &Path) {
        let project = self.document.project();
        let summary = self.data.current().map(|feed| feed.summary());
        let size = project.data.batch.test.max(1);
        let tests = summary.map(|summary| summary.test.div_ceil(size) as u64);
        match caffe::save(project, self.data.facts(), tests, path) {
            Ok(files) => {
                let names: Vec<String> = files
                    .iter()
                    .map(|(path, _)| crate::gui::files::file_name(path))
                    .collect();
                let names = names.join(", ");
                self.toasts
                    .show(Tone::Info, tr_format!("{names} written", "已写入 {names}"));
                let notes: Vec<String> = files.into_iter().flat_map(|(_, notes)| notes).collect();
                if let Some(first) = notes.first() {
                    let more = notes.len() - 1;
                    self.toasts.show(
                        Tone::Warning,
                        tr_format!("{first} (and {more} more)", "{first}（另有 {more} 条）"),
                    );
                }
            }
            Err(error) => self.toasts.show(Tone::Error, error.to_string()),
        }
    }

    /// A relative path of data means the same file when the project moves to another folder.
    fn keep_data(&mut self, path: &Path) {
        let source = Path::new(&self.document.project().data.source);
        let built_in = BUILT_IN.iter().any(|(name, _)| Path::new(name) == source);
        let old = self.document.folder().join(source);
        let new_folder = path.parent().unwrap_or(Path::new(""));
        if built_in || source.is_absolute() || !old.exists() || new_folder.join(source).exists() {
            return;
        }
        let Ok(old) = std::path::absolute(old) else {
            return;
        };
        let inside = std::path::absolute(new_folder)
            .ok()
            .and_then(|folder| old.strip_prefix(folder).ok());
        let source = inside.unwrap_or(&old).display().to_string();
        self.document
            .edit(Text::new("Save elsewhere", "另存"), None, move |project| {
                project.data.source = source
            });
    }

    /// Writes the project; a relative data path still means the same file afterwards.
    fn save_to(&mut self, path: PathBuf, ctx: &Context) {
        self.keep_data(&path);
        let project = self.document.shared();
        match project.save(&path) {
            Ok(()) => {
                self.settings.add_recent(&path);
                let name = crate::gui::files::file_name(&path);
                self.document.saved_as(path, project);
                self.toasts
                    .show(Tone::Info, tr_format!("{name} saved", "{name} 已保存"));
                if let Some(next) = self.after_save.take() {
                    self.go_on(next, ctx);
                }
            }
            Err(error) => {
                self.after_save = None;
                self.toasts.show(Tone::Error, error.to_string());
            }
        }
    }

    pub(in crate::gui) fn browse_data(&mut self, folder: bool) {
        let purpose = if folder {
            Purpose::DataFolder
        } else {
            Purpose::DataFile
        };
        self.files.ask(purpose, Some(self.document.folder()));
    }

    /// A file or folder was chosen.
    pub(in crate::gui) fn chosen(&mut self, purpose: Purpose, path: PathBuf, ctx: &Context) {
        match purpose {
            Purpose::OpenProject => self.open(path),
            Purpose::Compare => self.compare_with(&path),
            Purpose::SaveProject => self.save_to(with_ending(path, "ron"), ctx),
            Purpose::ExportCaffe => self.export_caffe(&with_ending(path, "prototxt")),
            Purpose::ExportScript => self.export_script(&with_ending(path, "py")),
            Purpose::ExportDrawing => self.export_drawing(&with_ending(path, "svg")),
            Purpose::ExportTable => self.export_table(&with_ending(path, "csv")),
            Purpose::Picture => self.open_picture(&path),
            Purpose::ClassNames => self.read_class_names(&path),
            Purpose::ExportOnnx => self.export_onnx(&with_ending(path, "onnx")),
            Purpose::LoadWeights => self.compare_weights(path),
            Purpose::SaveWeights => self.save_weights(&with_ending(path, "safetensors")),
            Purpose::SaveCheckpoint => self.training.send(Command::Save(path)),
            Purpose::ResumeCheckpoint => self.start(Start {
                resume: Some(path),
                ..Start::default()
            }),
            Purpose::DataFile | Purpose::DataFolder => {
                let inside = path.strip_prefix(self.document.folder()).ok();
                let inside = inside.filter(|_| self.document.path().is_some());
                let source = inside.map_or_else(
                    || path.display().to_string(),
                    |inside| inside.display().to_string(),
                );
                self.document.edit(
                    Text::new("Choose data", "选择数据"),
                    None,
                    move |project| {
                        project.data.source = source;
                    },
                );
            }
        }
    }
}
