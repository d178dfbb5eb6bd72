//! Caffe's network and solver definitions, both ways.
//!
//! Reading is total above the syntax: whatever a definition says that Layerlab has no place for
//! becomes a note with its line, is kept with its node, its stage or the project, and is written
//! again. Invariant: time and memory are proportional to the text, which is bounded
//! ([`MAX_BYTES`], nesting, layers).

mod fields;
mod kinds;
mod model;
mod prototxt;
mod reader;
mod rules;
mod solver;
mod writer;

pub use model::{
    ModelLayer, layers_of, open_model, read_model, weights_by_type, weights_for, write_model,
};
pub use prototxt::{Entry, Message, Syntax, Value, parse};
pub(super) use reader::place;
pub use reader::{blank, import_net};
pub use solver::{SolverFile, export_solver, import_solver};
pub use writer::{Exported, Extent, export_net};

use std::path::{Path, PathBuf};

use crate::data::{Color, Damaged, DataConfig, Mean, Preprocess};
use crate::graph::Facts;
use crate::i18n::{tr, tr_format};
use crate::project::{Project, write_atomically};

/// A definition larger than this is refused.
pub const MAX_BYTES: u64 = 16 << 20;

/// Something in a definition that Layerlab reads otherwise, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// From 1.
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// What a definition became.
#[derive(Debug)]
pub struct Imported {
    pub project: Project,
    /// Each with the file that it is about.
    pub notes: Vec<(PathBuf, Note)>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{}", tr_format!("cannot read {}: {source}", "无法读取 {}：{source}", path.display()))]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("{} is too large for what it should be", "{} 过大", path.display()))]
    TooLarge { path: PathBuf },
    #[error("{}", tr_format!("cannot write {}: {source}", "无法写入 {}：{source}", path.display()))]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!(
        "{} is there already and belongs to another network; choose another name or folder",
        "{} 已存在且属于另一个网络；请另选名称或文件夹", path.display()
    ))]
    Taken { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Damaged { path: PathBuf, source: Damaged },
    #[error("{}:{syntax}", path.display())]
    Syntax { path: PathBuf, syntax: Syntax },
    #[error("{}", tr_format!(
        "{}: names no network; give it one with `net: \"FILE\"`",
        "{}：没有指明网络；请用 `net: \"FILE\"` 给出", path.display()
    ))]
    NoNet { path: PathBuf },
    #[error("{}", tr_format!(
        "{}: the network {net} is neither there as written nor beside the solver",
        "{}：网络 {net} 既不在所写路径，也不在求解器文件旁", path.display()
    ))]
    NetMissing { path: PathBuf, net: String },
}

/// Reads a network's or a solver's definition. A solver's network is looked for as written, then
/// beside the solver; see `beside`.
pub fn open(path: &Path) -> Result<Imported, ImportError> {
    let message = read(path)?;
    let with = |path: &Path, notes: Vec<Note>| -> Vec<(PathBuf, Note)> {
        notes
            .into_iter()
            .map(|note| (path.to_owned(), note))
            .collect()
    };
    let folder = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
    if !message.is_solver() {
        let (project, notes) = import_net(&message, blank(), Some(&folder(path)));
        let notes = with(path, notes);
        return Ok(Imported { project, notes });
    }
    let solver = import_solver(&message);
    let Some(net) = solver.net else {
        return Err(ImportError::NoNet {
            path: path.to_owned(),
        });
    };
    let found = beside(&folder(path), &net)
        .into_iter()
        .find(|path| path.is_file());
    let Some(net_path) = found else {
        return Err(ImportError::NetMissing {
            path: path.to_owned(),
            net,
        });
    };
    let net = read(&net_path)?;
    let (mut project, notes) = import_net(&net, blank(), Some(&folder(&net_path)));
    let mut all = with(path, solver.notes);
    all.extend(with(&net_path, notes));
    project.seed = solver.seed.unwrap_or(project.seed);
    project.stages = vec![solver.stage];
    Ok(Imported {
        project,
        notes: all,
    })
}

/// Writes a project's network to `path` and, beside it, a solver for each stage; a file asked
/// for as `NAME_solver.prototxt` has its network in `NAME.prototxt`. `tests` are the batches of
/// the test split, if they are known. Returns the files and what Caffe reads otherwise in them.
///
/// A file beside `path` that is there already is written over only if it is this network's.
pub fn save(
    project: &Project,
    facts: &Facts,
    tests: Option<u64>,
    path: &Path,
) -> Result<Vec<(PathBuf, Vec<String>)>, ImportError> {
    let asked = path.file_stem().unwrap_or_default().to_string_lossy();
    let stem = match asked.strip_suffix("solver") {
        Some(rest) => rest.trim_end_matches('_'),
        None => &asked,
    };
    let stem = if stem.is_empty() { "net" } else { stem };
    let net = format!("{stem}.prototxt");
    let network = export_net(project, facts, Extent::Project);
    let mut files = vec![(path.with_file_name(&net), network)];
    for (index, stage) in project.stages.iter().enumerate() {
        let solver = match index {
            0 if asked.ends_with("solver") => path.to_owned(),
            0 => path.with_file_name(format!("{stem}_solver.prototxt")),
            _ => path.with_file_name(format!("{stem}_solver{}.prototxt", index + 1)),
        };
        files.push((solver, export_solver(stage, &net, project.seed, tests)));
    }
    let is_ours = |message: Message| match message.is_solver() {
        true => message.text("net") == Some(&net),
        false => message.text("name") == Some(&project.title),
    };
    for (beside, _) in files
        .iter()
        .filter(|(file, _)| file != path && file.exists())
    {
        if !read(beside).is_ok_and(is_ours) {
            return Err(ImportError::Taken {
                path: beside.clone(),
            });
        }
    }
    let write = |(path, exported): (PathBuf, Exported)| {
        let written = write_atomically(&path, exported.text.as_bytes());
        match written {
            Ok(()) => Ok((path, exported.notes)),
            Err(source) => Err(ImportError::Write { path, source }),
        }
    };
    files.into_iter().map(write).collect()
}

/// Where a file that a definition in `folder` names may be: as written; beside the definition
/// under its path, or its base name; and there with its folder's name in front, for folders that
/// were copied into one.
fn beside(folder: &Path, written: &str) -> Vec<PathBuf> {
    let written = Path::new(written);
    let mut paths = vec![written.to_owned(), folder.join(written)];
    if let Some(base) = written.file_name() {
        paths.push(folder.join(base));
        if let Some(parent) = written.parent().and_then(Path::file_name) {
            let (parent, base) = (parent.to_string_lossy(), base.to_string_lossy());
            paths.push(folder.join(format!("{parent}_{base}")));
        }
    }
    paths
}

/// Takes out of the data's settings what a network's definition says itself.
fn without_caffes(data: &mut DataConfig) {
    let usual = blank().data;
    data.source = usual.source;
    data.batch = usual.batch;
    own_only(&mut data.preprocess);
}

/// Leaves only what Caffe has no field for.
fn own_only(preprocess: &mut Preprocess) {
    preprocess.scale = 1.0;
    preprocess.mirror = false;
    if preprocess
        .crop
        .is_some_and(|(height, width)| height == width)
    {
        preprocess.crop = None;
    }
    if says_color(preprocess) {
        preprocess.color = Color::Keep;
    }
    if matches!(preprocess.mean, Mean::Value(_) | Mean::File(_)) {
        preprocess.mean = Mean::None;
    }
}

/// Whether the mean tells the order of the channels.
fn says_color(preprocess: &Preprocess) -> bool {
    match &preprocess.mean {
        Mean::Value(values) => values.len() == 3,
        Mean::File(_) => true,
        Mean::None | Mean::Channel | Mean::Image => false,
    }
}

/// Says that a filler is Layerlab's alone.
fn no_filler(name: &str) -> String {
    tr_format!(
        "Caffe has no filler {name}; only Layerlab reads it",
        "Caffe 没有填充方式 {name}；只有 Layerlab 能读取"
    )
}

fn read(path: &Path) -> Result<Message, ImportError> {
    let bytes = read_bytes(path, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|error| ImportError::Read {
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    })?;
    parse(&text).map_err(|syntax| ImportError::Syntax {
        path: path.to_owned(),
        syntax,
    })
}

/// A file of at most so many bytes.
fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, ImportError> {
    use std::io::Read;
    let failed = |source| ImportError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(ImportError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

/// A field that nothing was made of.
fn not_used(entry: &Entry, place: &str) -> Note {
    let name = &entry.name;
    let message = match place {
        "" => tr_format!(
            "{name} has no counterpart here; it is kept, but not used",
            "{name} 在此没有对应项；予以保留，但不使用"
        ),
        place => tr_format!(
            "{name} of {place} has no counterpart here; it is kept, but not used",
            "{place} 的 {name} 在此没有对应项；予以保留，但不使用"
        ),
    };
    entry.note(message)
}

/// A field whose value makes no sense for it.
fn wrong_value(entry: &Entry) -> Note {
    let name = &entry.name;
    let why = tr(
        "its value cannot be read; the default is taken",
        "无法读取其值；采用默认值",
    );
    entry.note(format!("{name}: {why}"))
}

#[cfg(test)]
mod tests;
