//! The project document: one readable RON file, its version and its migrations.
//!
//! This module is the sole owner of the format. Reading is strict (unknown fields and newer
//! versions are refused with the line) and bounded; writing is deterministic, so that two
//! saves of one project are the same bytes, and atomic, so that no half file is ever left.

mod examples;
pub mod recovery;

mod diff;
mod rename;

pub use diff::{ProjectDiff, diff};

use std::io::Write;
use std::path::{Path, PathBuf};

use ron::extensions::Extensions;
use ron::value::RawValue;
use serde::{Deserialize, Serialize};

use crate::data::DataConfig;
use crate::graph::{Comment, Graph, Inputs, Multiplier, Node, Phases};
use crate::i18n::tr_format;
use crate::layers;
use crate::train::Stage;

pub use examples::{Chapter, EXAMPLES, Example};

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// A project file larger than this is refused: what is large belongs beside it.
const MAX_BYTES: u64 = 16 << 20;

/// Changes a document of version `index + 1` into the next version's text.
const MIGRATIONS: [fn(&str) -> String; VERSION as usize - 1] = [];

/// Everything that a person makes and shares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    pub title: String,
    /// What the project shows, for the person who opens it.
    pub about: String,
    /// Starts every random stream: weights, order of the examples, dropout.
    pub seed: u64,
    /// Whether results are to be rounded as little as can be, rather than found as fast.
    pub precise: bool,
    pub data: DataConfig,
    pub graph: Graph,
    pub stages: Vec<Stage>,
    /// What Caffe's definition says of the whole network and nothing here means, as prototxt.
    pub caffe: String,
}

/// Why a project cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("{}", tr_format!("cannot read {}: {source}", "无法读取 {}：{source}", path.display()))]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("cannot write {}: {source}", "无法写入 {}：{source}", path.display()))]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("{} is too large for a project file ({bytes} bytes)", "{} 过大，不是项目文件（{bytes} 字节）", path.display()))]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("{}", tr_format!("line {line}, column {column}: {message}", "第 {line} 行第 {column} 列：{message}"))]
    Syntax {
        line: usize,
        column: usize,
        message: String,
    },
    #[error("{}", tr_format!("this project was written by a newer version of Layerlab (format {found}; this one reads up to {VERSION}); please update Layerlab", "该项目由更新版本的 Layerlab 写成（格式 {found}，本版本最高支持 {VERSION}）；请更新 Layerlab"))]
    Newer { found: u32 },
    #[error("{}", tr_format!("format version 0 does not exist; the first is 1", "不存在格式版本 0；首个版本是 1"))]
    NoVersion,
    #[error("{}", tr_format!("cannot be written as RON: {0}", "无法写成 RON：{0}", _0))]
    Serialise(#[from] ron::Error),
    #[error("{}", tr_format!("{}: {source}", "{}：{source}", path.display()))]
    InFile {
        path: PathBuf,
        source: Box<ProjectError>,
    },
}

/// Only the version, of a document of any version.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    #[serde(default)]
    seed: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    precise: bool,
    data: DataConfig,
    stages: Vec<Stage>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    caffe: String,
    graph: GraphDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphDocument {
    nodes: Vec<NodeDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    comments: Vec<Comment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    folded: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeDocument {
    name: String,
    layer: Box<RawValue>,
    #[serde(default, skip_serializing_if = "no_wires")]
    inputs: Inputs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_inputs: Option<Inputs>,
    #[serde(default, skip_serializing_if = "is_default")]
    phases: Phases,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    multipliers: std::collections::BTreeMap<String, Multiplier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_weight: Option<f64>,
    #[serde(default)]
    position: [f32; 2],
    #[serde(default, skip_serializing_if = "String::is_empty")]
    comment: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    caffe: String,
}

fn no_wires(inputs: &Inputs) -> bool {
    inputs.0.is_empty()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn format() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_recursion_limit(64)
}

impl Project {
    /// Reads a document of this or an earlier version.
    pub fn from_ron(text: &str) -> Result<Self, ProjectError> {
        let header: Header = format().from_str(text).map_err(|error| syntax(&error))?;
        if header.version > VERSION {
            return Err(ProjectError::Newer {
                found: header.version,
            });
        }
        let Some(done) = header.version.checked_sub(1) else {
            return Err(ProjectError::NoVersion);
        };
        let migrated = (MIGRATIONS.iter().skip(done as usize))
            .fold(text.to_owned(), |text, migrate| migrate(&text));
        let text = if migrated == text { text } else { &migrated };
        let document: Document = format().from_str(text).map_err(|error| syntax(&error))?;
        let mut graph = Graph::default();
        graph.comments = document.graph.comments;
        graph.folded = document.graph.folded.into_iter().collect();
        for node in document.graph.nodes {
            graph.add(read_node(node, text)?);
        }
        Ok(Self {
            title: document.title,
            about: document.about,
            seed: document.seed,
            precise: document.precise,
            data: document.data,
            graph,
            stages: document.stages,
            caffe: document.caffe,
        })
    }

    /// The document, the same bytes for equal projects.
    pub fn to_ron(&self) -> Result<String, ProjectError> {
        let nodes = self
            .graph
            .nodes()
            .iter()
            .map(write_node)
            .collect::<Result<_, _>>()?;
        let document = Document {
            version: VERSION,
            title: self.title.clone(),
            about: self.about.clone(),
            seed: self.seed,
            precise: self.precise,
            data: self.data.clone(),
            stages: self.stages.clone(),
            caffe: self.caffe.clone(),
            graph: GraphDocument {
                nodes,
                comments: self.graph.comments.clone(),
                folded: self.graph.folded.iter().cloned().collect(),
            },
        };
        let pretty = ron::ser::PrettyConfig::new()
            .new_line("\n")
            .indentor("  ")
            // A node's fields stand on a line each, what is in them does not.
            .depth_limit(4);
        let mut text = format().to_string_pretty(&document, pretty)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a project file.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let read = |source| ProjectError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::metadata(path).map_err(read)?.len();
        if bytes > MAX_BYTES {
            return Err(ProjectError::TooLarge {
                path: path.to_owned(),
                bytes,
            });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        let in_file = |error| ProjectError::InFile {
            path: path.to_owned(),
            source: Box::new(error),
        };
        Self::from_ron(&text).map_err(in_file)
    }

    /// Writes the project: either wholly, or the file stays as it was.
    pub fn save(&self, path: &Path) -> Result<(), ProjectError> {
        let text = self.to_ron()?;
        write_atomically(path, text.as_bytes()).map_err(|source| ProjectError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

/// Writes to a temporary file in the same folder and renames that over `path`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // Readable by whoever may read the person's other files, not by the person alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn syntax(error: &ron::error::SpannedError) -> ProjectError {
    let start = error.span.start;
    ProjectError::Syntax {
        line: start.line,
        column: start.col,
        message: error.code.to_string(),
    }
}

fn read_node(document: NodeDocument, whole: &str) -> Result<Node, ProjectError> {
    let raw = document.layer.get_ron();
    let text = raw.trim();
    let layer = layers::parse(text).map_err(|error| {
        // The layer's text is a part of the document; its error moves to the document's line.
        let (line, column) = position_of(whole, text);
        let at = error.span.start;
        let column = if at.line == 1 {
            column + at.col - 1
        } else {
            at.col
        };
        let name = &document.name;
        let code = error.code;
        let message = tr_format!("layer of node “{name}”: {code}", "节点“{name}”的层：{code}");
        ProjectError::Syntax {
            line: line + at.line - 1,
            column,
            message,
        }
    })?;
    Ok(Node {
        name: document.name,
        inputs: document.inputs,
        test_inputs: document.test_inputs,
        phases: document.phases,
        key: document.key,
        multipliers: document.multipliers,
        loss_weight: document.loss_weight,
        position: document.position,
        comment: document.comment,
        caffe: document.caffe,
        ..Node::new("", layer)
    })
}

/// Line and column, from 1, of the first place where `part` stands in `whole`.
fn position_of(whole: &str, part: &str) -> (usize, usize) {
    let before = &whole[..whole.find(part).unwrap_or(0)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

fn write_node(node: &Node) -> Result<NodeDocument, ProjectError> {
    let text = node.layer.to_ron()?;
    let layer = RawValue::from_boxed_ron(text.into_boxed_str())
        .map_err(|error| ProjectError::Serialise(error.code))?;
    Ok(NodeDocument {
        name: node.name.clone(),
        layer,
        inputs: node.inputs.clone(),
        test_inputs: node.test_inputs.clone(),
        phases: node.phases,
        key: node.key.clone(),
        multipliers: node.multipliers.clone(),
        loss_weight: node.loss_weight,
        position: node.position,
        comment: node.comment.clone(),
        caffe: node.caffe.clone(),
    })
}
