//! Unsaved work, kept aside every minute, and found again after a crash.
//!
//! Each running window holds one numbered slot by a lock that the system takes away when the
//! program ends in whatever way; work that lies in a free slot was therefore left by a crash.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::{Project, ProjectError, write_atomically};

/// More windows than this at a time are not protected.
const SLOTS: usize = 16;

/// A place for the unsaved work of this window alone.
#[derive(Debug)]
pub struct Slot {
    folder: PathBuf,
    number: usize,
    /// Held open: closing it gives the slot back.
    _lock: File,
}

/// Work that a crash left behind.
#[derive(Debug)]
pub struct Leftover {
    pub project: Project,
    /// The file that it belongs to, if it had one.
    pub path: Option<PathBuf>,
    /// When it was kept aside.
    pub time: Option<std::time::SystemTime>,
}

impl Slot {
    /// Takes a slot in this folder, which is made if need be: one with work in it if there is
    /// one, so that it can be offered. `None` if all are taken.
    ///
    /// # Errors
    /// If the folder cannot be made or written to.
    pub fn take(folder: &Path) -> std::io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let mut empty = None;
        for number in 0..SLOTS {
            let path = folder.join(format!("window-{number}.lock"));
            let mut options = OpenOptions::new();
            let lock = options
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)?;
            if lock.try_lock().is_err() {
                continue;
            }
            let slot = Self {
                folder: folder.to_owned(),
                number,
                _lock: lock,
            };
            if slot.document().exists() {
                return Ok(Some(slot));
            }
            empty = empty.or(Some(slot));
        }
        Ok(empty)
    }

    fn document(&self) -> PathBuf {
        self.folder.join(format!("unsaved-{}.ron", self.number))
    }

    fn origin(&self) -> PathBuf {
        self.folder.join(format!("unsaved-{}.path", self.number))
    }

    /// The work that lies in the slot.
    pub fn leftover(&self) -> Option<Result<Leftover, ProjectError>> {
        let document = self.document();
        let time = std::fs::metadata(&document).ok()?.modified().ok();
        let path = std::fs::read_to_string(self.origin()).ok();
        let path = path.filter(|path| !path.is_empty()).map(PathBuf::from);
        let project = Project::open(&document);
        Some(project.map(|project| Leftover {
            project,
            path,
            time,
        }))
    }

    /// Keeps a project aside, over what was kept before.
    ///
    /// # Errors
    /// If it cannot be written; what was kept before is then still there.
    pub fn keep(&self, project: &Project, path: Option<&Path>) -> Result<(), ProjectError> {
        let origin = path
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let write = |source| ProjectError::Write {
            path: self.origin(),
            source,
        };
        write_atomically(&self.origin(), origin.as_bytes()).map_err(write)?;
        project.save(&self.document())
    }

    /// Forgets what was kept; nothing is lost any more if the program ends now.
    pub fn clear(&self) {
        // A file that is not there or cannot be removed would only be offered once more.
        let _ = std::fs::remove_file(self.document());
        let _ = std::fs::remove_file(self.origin());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_found_by_the_next_window() {
        let folder = tempfile::tempdir().unwrap();
        let first = Slot::take(folder.path()).unwrap().unwrap();
        let second = Slot::take(folder.path()).unwrap().unwrap();
        assert_ne!(first.number, second.number);
        assert!(first.leftover().is_none());
        let project = Project {
            title: "half done".to_owned(),
            ..Project::default()
        };
        second
            .keep(&project, Some(Path::new("/home/a/b.ron")))
            .unwrap();
        first.keep(&Project::default(), None).unwrap();
        first.clear();
        let third = Slot::take(folder.path()).unwrap().unwrap();
        assert!(
            third.leftover().is_none(),
            "the second window is still there"
        );
        drop(second);
        let found = Slot::take(folder.path()).unwrap().unwrap();
        let leftover = found.leftover().unwrap().unwrap();
        assert_eq!(leftover.project, project);
        assert_eq!(leftover.path.as_deref(), Some(Path::new("/home/a/b.ron")));
        found.clear();
        assert!(found.leftover().is_none());
    }

    #[test]
    fn broken_work_is_an_error_and_not_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::take(folder.path()).unwrap().unwrap();
        std::fs::write(slot.document(), "(version: 1, tit").unwrap();
        assert!(slot.leftover().unwrap().is_err());
    }
}
