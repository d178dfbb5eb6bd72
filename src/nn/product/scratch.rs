//! Room that a thread uses again and again.

use std::cell::RefCell;

/// Numbers in a cache line.
const LINE: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `f` `length` numbers of any value, aligned to a cache line. It may be nested.
pub(in crate::nn) fn scratch<R>(length: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut room = FREE.with_borrow_mut(|free| take(free, length + LINE));
    if room.len() < length + LINE {
        room = vec![0.0; length + LINE];
    }
    let start = room
        .as_ptr()
        .align_offset(LINE * size_of::<f32>())
        .min(LINE);
    let result = f(&mut room[start..][..length]);
    FREE.with_borrow_mut(|free| free.push(room));
    result
}

/// The smallest that is large enough, else the largest, whose place the new one takes.
fn take(free: &mut Vec<Vec<f32>>, length: usize) -> Vec<f32> {
    let fits = |room: &Vec<f32>| room.len() >= length;
    let best = (0..free.len()).min_by_key(|&i| match fits(&free[i]) {
        true => (0, free[i].len()),
        false => (1, usize::MAX - free[i].len()),
    });
    best.map(|i| free.swap_remove(i)).unwrap_or_default()
}
