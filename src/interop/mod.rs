//! Files of other programs as projects and weights, and back.

pub mod caffe;
mod pytorch;
pub mod weights;
