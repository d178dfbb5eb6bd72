//! Everything below the window in one program, because each test program is linked anew.

mod catalogue;
mod corruption;
mod font;
mod golden;
mod golden_layers;
mod golden_solvers;
mod gradcheck;
mod graph;
mod groups;
mod layering;
mod onnx;
mod rewrite;
mod train;
mod zoo;
