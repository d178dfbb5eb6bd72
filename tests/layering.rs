//! Who may know whom: read from the `use` statements and paths of the source itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the top down; a module may use those of later rows, not of its own row.
const ROWS: [&[&str]; 9] = [
    &["gui", "cli"],
    &["interop", "inspect", "labs"],
    &["project"],
    &["train"],
    &["data"],
    &["net"],
    &["layers"],
    &["graph"],
    &["nn"],
];

/// Used by everybody, using nobody.
const LEAF: &str = "i18n";

fn source_files() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the source was not found");
    files
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text))
        .collect()
}

/// The top module that a file belongs to: `graph` for `graph/infer.rs`.
fn module(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn rank(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Lines of code: neither comments nor what stands in a test module at the file's end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every module named in a `crate::module` path, groups such as `crate::{a, b::c}` included.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        if code[..start].ends_with('$') {
            continue;
        }
        let rest = &code[start + "crate::".len()..];
        let name = |text: &str| -> String {
            text.trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        match rest.strip_prefix('{') {
            None => {
                used.insert(name(rest));
            }
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            used.insert(name(&item));
                            item.clear();
                            continue;
                        }
                        _ => {}
                    }
                    item.push(c);
                }
                used.insert(name(&item));
            }
        }
    }
    used
}

#[test]
fn imports_point_only_down() {
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let own = module(&path);
        for used in used_modules(&code(&text)) {
            let allowed = match (rank(&own), rank(&used)) {
                _ if used == own || used == LEAF => true,
                // Macros are exported at the root.
                (_, None) if matches!(used.as_str(), "tr_format" | "choice") => true,
                (None, _) => own != LEAF,
                (Some(_), None) => false,
                (Some(own), Some(used)) => own < used,
            };
            if !allowed {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_scanner_sees_groups_and_plain_paths() {
    let code = "use crate::{graph::{Node, Phase}, nn};\nlet x = crate::train::Stage::default();";
    assert_eq!(
        used_modules(code),
        ["graph", "nn", "train"]
            .into_iter()
            .map(str::to_owned)
            .collect()
    );
}

fn files_with(needles: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let name = path.to_string_lossy().replace('\\', "/");
        if allowed.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        let code = code(&text);
        for needle in needles.iter().filter(|needle| code.contains(**needle)) {
            wrong.push(format!("{name}: {needle}"));
        }
    }
    wrong
}

#[test]
fn egui_appears_only_in_the_window() {
    let wrong = files_with(&["egui", "eframe"], &["gui/"]);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn threads_start_only_where_they_are_allowed() {
    let wrong = files_with(
        &["thread::spawn", "thread::Builder", "thread::scope"],
        &["train/session", "data/", "inspect/"],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_opened_only_where_they_are_allowed() {
    let wrong = files_with(
        &[
            "File::open",
            "File::create",
            "fs::read",
            "fs::write",
            "OpenOptions",
        ],
        &[
            "project",
            "data/",
            "interop/",
            "train/checkpoint",
            "cli/",
            "main.rs",
        ],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = (source_files().into_iter())
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// A text that a person sees goes through `tr`: no widget is given a bare English literal.
#[test]
fn texts_in_the_window_are_in_both_languages() {
    let widgets = [
        ".label(\"",
        ".button(\"",
        ".small_button(\"",
        ".heading(\"",
        ".on_hover_text(\"",
        ".checkbox(&mut ",
        ".menu_button(\"",
        ".strong(\"",
        ".weak(\"",
        ".hint_text(\"",
        "RichText::new(\"",
        "Window::new(\"",
        ".collapsing(\"",
        "Button::new(\"",
    ];
    let mut bare = Vec::new();
    for (path, text) in source_files()
        .into_iter()
        .filter(|(path, _)| module(path) == "gui")
    {
        for line in code(&text).lines() {
            for widget in widgets {
                let Some(at) = line.find(widget) else {
                    continue;
                };
                let rest = &line[at + widget.len()..];
                let text = match widget.ends_with('"') {
                    true => rest,
                    false => rest.split_once(", \"").map_or("", |(_, text)| text),
                };
                let literal = text.split('"').next().unwrap_or_default();
                // A word of prose, not a symbol, a unit or a placeholder.
                let outside: String = literal.split('{').next().unwrap_or_default().to_owned();
                if outside.chars().filter(|c| c.is_ascii_alphabetic()).count() > 2 {
                    bare.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(bare.is_empty(), "{bare:#?}");
}
