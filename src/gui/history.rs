//! Undo and redo: the history of whole documents.
//!
//! Every change keeps the document as it was before, so there are no inverse operations that
//! could be wrong. It does not know what is in a document.

use std::sync::Arc;

use crate::i18n::Text;

/// Steps beyond this many are forgotten, oldest first.
const LIMIT: usize = 200;

/// A change that can be taken back: its name and the document on the far side of it.
struct Step<T> {
    name: Text,
    document: Arc<T>,
}

/// What was, and what was taken back.
pub struct History<T> {
    past: Vec<Step<T>>,
    future: Vec<Step<T>>,
    /// The merge key of the newest step while it may still grow.
    open: Option<String>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self {
            past: Vec::new(),
            future: Vec::new(),
            open: None,
        }
    }
}

impl<T> History<T> {
    /// Keeps `before` as a step, unless this change continues the newest one: edits in a row
    /// with the same `merge` key are one step.
    pub fn record(&mut self, name: Text, merge: Option<String>, before: Arc<T>) {
        let continues = merge.is_some() && merge == self.open && !self.past.is_empty();
        self.future.clear();
        self.open = merge;
        if continues {
            return;
        }
        if self.past.len() == LIMIT {
            self.past.remove(0);
        }
        self.past.push(Step {
            name,
            document: before,
        });
    }

    /// Ends the newest step: the next change is a step of its own.
    pub fn close_step(&mut self) {
        self.open = None;
    }

    /// The document before the newest change, in exchange for the present one.
    pub fn undo(&mut self, present: Arc<T>) -> Option<Arc<T>> {
        self.open = None;
        swap(&mut self.past, &mut self.future, present)
    }

    /// The document after the change that was taken back last.
    pub fn redo(&mut self, present: Arc<T>) -> Option<Arc<T>> {
        self.open = None;
        swap(&mut self.future, &mut self.past, present)
    }

    /// The name of what undo would take back.
    pub fn undo_name(&self) -> Option<Text> {
        self.past.last().map(|step| step.name)
    }

    /// The name of what redo would bring back.
    pub fn redo_name(&self) -> Option<Text> {
        self.future.last().map(|step| step.name)
    }
}

fn swap<T>(from: &mut Vec<Step<T>>, to: &mut Vec<Step<T>>, present: Arc<T>) -> Option<Arc<T>> {
    let Step { name, document } = from.pop()?;
    to.push(Step {
        name,
        document: present,
    });
    Some(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDIT: Text = Text::new("edit", "编辑");

    struct Number(Arc<i32>, History<i32>);

    impl Number {
        fn set(&mut self, value: i32, merge: Option<&str>) {
            let before = std::mem::replace(&mut self.0, Arc::new(value));
            self.1.record(EDIT, merge.map(str::to_owned), before);
        }
        fn undo(&mut self) -> bool {
            let Some(document) = self.1.undo(self.0.clone()) else {
                return false;
            };
            self.0 = document;
            true
        }
        fn redo(&mut self) -> bool {
            let Some(document) = self.1.redo(self.0.clone()) else {
                return false;
            };
            self.0 = document;
            true
        }
    }

    #[test]
    fn undo_and_redo_walk_the_same_way_back_and_forth() {
        let mut number = Number(Arc::new(0), History::default());
        assert!(!number.undo());
        for value in 1..=5 {
            number.set(value, None);
        }
        for value in (0..5).rev() {
            assert!(number.undo());
            assert_eq!(*number.0, value);
        }
        assert!(!number.undo());
        assert!(number.redo() && number.redo());
        assert_eq!(*number.0, 2);
        number.set(7, None);
        assert!(!number.redo(), "a new change forgets what was taken back");
        assert!(number.undo());
        assert_eq!(*number.0, 2);
    }

    #[test]
    fn a_row_of_edits_with_one_key_is_one_step() {
        let mut number = Number(Arc::new(0), History::default());
        number.set(1, Some("slider"));
        number.set(2, Some("slider"));
        number.set(3, Some("other"));
        number.set(4, Some("other"));
        number.1.close_step();
        number.set(5, Some("other"));
        let mut seen = Vec::new();
        while number.undo() {
            seen.push(*number.0);
        }
        assert_eq!(seen, [4, 2, 0]);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut number = Number(Arc::new(0), History::default());
        for value in 1..=1000 {
            number.set(value, None);
        }
        let mut steps = 0;
        while number.undo() {
            steps += 1;
        }
        assert_eq!((steps, *number.0), (LIMIT, 1000 - LIMIT as i32));
    }
}
