//! Files of other programs as projects: Caffe's network and solver definitions.
//!
//! Reading is total above the syntax: whatever a definition says that Layerlab has no place for
//! becomes a note with its line, and the rest is a project. Invariant: time and memory are
//! proportional to the text, which is bounded ([`MAX_BYTES`], nesting, layers).

mod fields;
mod net;
mod prototxt;
mod solver;

pub use net::import_net;
pub use prototxt::{Entry, Message, Syntax, Value, parse};
pub use solver::{SolverFile, import_solver};

use std::path::{Path, PathBuf};

use crate::i18n::{tr, tr_format};
use crate::project::Project;

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
    #[error("{}", tr_format!("{} is too large for a network definition", "{} 过大，不是网络定义文件", path.display()))]
    TooLarge { path: PathBuf },
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
/// beside the solver; see `candidates`.
pub fn open(path: &Path) -> Result<Imported, ImportError> {
    let message = read(path)?;
    let with = |path: &Path, notes: Vec<Note>| -> Vec<(PathBuf, Note)> {
        notes
            .into_iter()
            .map(|note| (path.to_owned(), note))
            .collect()
    };
    if !message.is_solver() {
        let (project, notes) = import_net(&message);
        let notes = with(path, notes);
        return Ok(Imported { project, notes });
    }
    let solver = import_solver(&message);
    let Some(net) = solver.net else {
        return Err(ImportError::NoNet {
            path: path.to_owned(),
        });
    };
    let found = candidates(&net, path)
        .into_iter()
        .find(|path| path.is_file());
    let Some(net_path) = found else {
        return Err(ImportError::NetMissing {
            path: path.to_owned(),
            net,
        });
    };
    let (mut project, notes) = import_net(&read(&net_path)?);
    let mut all = with(path, solver.notes);
    all.extend(with(&net_path, notes));
    project.seed = solver.seed.unwrap_or(project.seed);
    project.stages = vec![solver.stage];
    Ok(Imported {
        project,
        notes: all,
    })
}

/// Where a solver's network may be: as written; beside the solver under its base name; and there
/// with its folder's name in front, for folders that were copied into one.
fn candidates(net: &str, solver: &Path) -> Vec<PathBuf> {
    let written = Path::new(net);
    let beside = solver.parent().unwrap_or(Path::new(""));
    let mut paths = vec![written.to_owned()];
    if let Some(base) = written.file_name() {
        paths.push(beside.join(base));
        if let Some(folder) = written.parent().and_then(Path::file_name) {
            let (folder, base) = (folder.to_string_lossy(), base.to_string_lossy());
            paths.push(beside.join(format!("{folder}_{base}")));
        }
    }
    paths
}

fn read(path: &Path) -> Result<Message, ImportError> {
    let read = |source| ImportError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(read)?.len() > MAX_BYTES {
        return Err(ImportError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    parse(&text).map_err(|syntax| ImportError::Syntax {
        path: path.to_owned(),
        syntax,
    })
}

/// A field that nothing was made of.
fn not_used(entry: &Entry, place: &str) -> Note {
    let name = &entry.name;
    let message = match place {
        "" => tr_format!(
            "{name} has no counterpart and is not used",
            "{name} 没有对应项，未使用"
        ),
        place => tr_format!(
            "{name} of {place} has no counterpart and is not used",
            "{place} 的 {name} 没有对应项，未使用"
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
