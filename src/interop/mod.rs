//! Files of other programs as projects and weights, and back.

pub mod caffe;
pub mod drawing;
pub mod layer_table;
pub mod onnx;
mod pytorch;
pub mod pytorch_script;
pub mod weights;
pub mod words;
