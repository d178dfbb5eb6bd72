//! Tensor operations that Candle lacks, gets wrong or does slowly, each with its own backward.
//!
//! Every operation is a function from tensors to new tensors, so a clone of a tensor stays what it
//! was; only [`update`] changes weights and its own states in place. `f32` and `f64` tensors on the
//! CPU take a fast path, and with cuDNN `f32` tensors on CUDA take another; any other device takes
//! the `reference` form, made of Candle's own forward operations, which is also what the tests
//! compare the fast paths with.
//!
//! Invariant: the same inputs give the same bits, at any number of threads, because every sum is
//! cut into parts by the shapes alone and the parts are added in order. This module knows tensors
//! only: no layer, no graph, no phase.

mod activation;
mod batch_norm;
mod channels;
mod conv;
mod dropout;
mod eltwise;
mod embed;
mod linear;
mod loss;
mod norm;
mod pointwise;
mod pool;
mod recurrent;
mod reduce;
mod reference;
mod resize;
mod size;
mod softmax;
mod staging;
mod tf32;
mod update;

mod cpu;
#[cfg(feature = "cudnn")]
mod cuda;
mod matmul;
mod patches;
mod product;
mod simd;
mod winograd;

pub use activation::{relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward};
pub use batch_norm::{
    Moments, batch_norm, batch_norm_backward, batch_norm_of_batch, batch_statistics,
};
pub use channels::{channel_affine, channel_dot, prelu, prelu_backward};
pub use conv::{
    Conv2d, bias_backward, conv2d, conv2d_backward_data, conv2d_backward_filter, conv2d_relu,
};
pub use dropout::dropout;
pub use eltwise::{
    eltwise_max, eltwise_max_backward, eltwise_product, eltwise_product_backward, eltwise_sum,
    eltwise_sum_backward,
};
pub use embed::{embed, embed_backward};
pub use linear::{linear, linear_backward_data, linear_backward_weight, linear_relu};
pub use loss::{
    Averaging, Contrastive, Divisor, HingeNorm, SmoothL1, SmoothL1Gradients, contrastive_loss,
    contrastive_loss_backward, euclidean_loss, euclidean_loss_backward, hinge_loss,
    hinge_loss_backward, infogain_loss, infogain_loss_backward, multinomial_logistic_loss,
    multinomial_logistic_loss_backward, sigmoid_cross_entropy, sigmoid_cross_entropy_backward,
    smooth_l1_loss, smooth_l1_loss_backward, softmax_cross_entropy, softmax_cross_entropy_backward,
};
pub use norm::{Lrn, lrn, lrn_backward, mvn, mvn_backward};
pub use pointwise::{Pointwise, pointwise, pointwise_backward};
pub use pool::{Pool2d, avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward};
pub use recurrent::{
    Cell, CellWeights, RecurrentGradients, Unrolled, recurrent, recurrent_backward,
};
pub use reduce::{Reduce, reduce, reduce_backward, top_indices};
pub use resize::{Resize, resize, resize_backward};
pub use size::{conv_output, pool_output};
pub use softmax::{softmax, softmax_backward};
pub use staging::Staging;
pub use tf32::{set_tf32, tf32};
pub use update::{Rule, Step, update};

#[cfg(test)]
mod tests;
