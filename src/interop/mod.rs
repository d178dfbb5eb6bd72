//! Files of other programs as projects and weights, and back.

pub mod caffe;
pub mod onnx;
mod pytorch;
pub mod weights;
