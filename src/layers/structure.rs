//! Layers that bend the flow: join and cut ([`join`]), repeat ([`tile`]), combine and sum up
//! ([`combine`]), other axes for the same numbers ([`shape`]), and pick some of them ([`pick`]).

mod combine;
mod join;
mod pick;
mod shape;
mod tile;

pub use combine::{Eltwise, EltwiseOperation, Reduction, ReductionOperation};
pub use join::{Concat, Slice};
pub use pick::{ArgMax, BatchReindex, Silence};
pub use shape::{Flatten, Reshape};
pub use tile::Tile;
