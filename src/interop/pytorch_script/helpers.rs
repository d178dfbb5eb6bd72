//! What the scripts need beside PyTorch, written into a script where it is used.

/// A piece of Python that some layers call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    Pool,
    Pyramid,
    Lrn,
    Mvn,
    Along,
    Scale,
    Bias,
    BatchNorm,
    Embedding,
    CropCentre,
    ArgMax,
    Nearest,
    Bilinear,
    UnitBall,
    Normalised,
    Infogain,
    SigmoidLoss,
    Hinge,
    SmoothL1,
    Contrastive,
}

impl Helper {
    /// Those that it calls itself.
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Pyramid => &[Self::Pool],
            Self::Scale | Self::Bias => &[Self::Along],
            Self::Infogain | Self::SigmoidLoss => &[Self::Normalised],
            _ => &[],
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Pool => POOL,
            Self::Pyramid => PYRAMID,
            Self::Lrn => LRN,
            Self::Mvn => MVN,
            Self::Along => ALONG,
            Self::Scale => SCALE,
            Self::Bias => BIAS,
            Self::BatchNorm => BATCH_NORM,
            Self::Embedding => EMBEDDING,
            Self::CropCentre => CROP_CENTRE,
            Self::ArgMax => ARG_MAX,
            Self::Nearest => NEAREST,
            Self::Bilinear => BILINEAR,
            Self::UnitBall => UNIT_BALL,
            Self::Normalised => NORMALISED,
            Self::Infogain => INFOGAIN,
            Self::SigmoidLoss => SIGMOID_LOSS,
            Self::Hinge => HINGE,
            Self::SmoothL1 => SMOOTH_L1,
            Self::Contrastive => CONTRASTIVE,
        }
    }
}

const POOL: &str = r#"def caffe_pool(x, kernel, stride, pad, ceil, average=False):
    """Pooling as in Caffe, where the padding may exceed half the window."""

    def windows(size, kernel, stride, pad):
        room = size + 2 * pad - kernel
        count = room // stride + 1
        # A window that hangs over the end must begin inside the image or the padding before it.
        return count + 1 if ceil and room % stride and count * stride < size + pad else count

    (height, width), (pad_y, pad_x) = x.shape[2:], pad
    rows = windows(height, kernel[0], stride[0], pad_y)
    columns = windows(width, kernel[1], stride[1], pad_x)
    # What lies behind the image up to the end of the last window; less than 0 cuts.
    below = (rows - 1) * stride[0] + kernel[0] - height - pad_y
    right = (columns - 1) * stride[1] + kernel[1] - width - pad_x
    padding = (pad_x, right, pad_y, below)
    if not average:
        return F.max_pool2d(F.pad(x, padding, value=-math.inf), kernel, stride)
    # The padding counts as zeros, what hangs over it does not count.
    counted = x.new_ones(1, 1, height + 2 * pad_y, width + 2 * pad_x)
    counted = F.pad(counted, (0, right - pad_x, 0, below - pad_y))
    return F.avg_pool2d(F.pad(x, padding), kernel, stride) / F.avg_pool2d(counted, kernel, stride)
"#;

const PYRAMID: &str = r#"def spatial_pyramid(x, levels, average=False):
    """Spatial pyramid pooling with Caffe's windows."""
    pooled = []
    for bins in (2**level for level in range(levels)):
        kernel = tuple(-(-size // bins) for size in x.shape[2:])
        pad = tuple((k * bins - size + 1) // 2 for k, size in zip(kernel, x.shape[2:]))
        pooled.append(caffe_pool(x, kernel, kernel, pad, True, average).flatten(1))
    return torch.cat(pooled, 1)
"#;

const LRN: &str = r#"def lrn_within_channel(x, size, alpha, beta, k):
    """Local response normalisation over a window of pixels."""
    return x / (k + alpha * F.avg_pool2d(x * x, size, 1, size // 2)) ** beta
"#;

const MVN: &str = r#"def mean_variance(x, axis, variance, eps):
    """Each map (axis 2) or example (axis 1) less its mean and over its standard deviation."""
    rows = x.flatten(axis)
    rows = rows - rows.mean(-1, keepdim=True)
    if variance:
        rows = rows / (rows.square().mean(-1, keepdim=True).sqrt() + eps)
    return rows.reshape(x.shape)
"#;

const ALONG: &str = r#"def laid_along(numbers, x, axis):
    """The numbers laid along the axes of x from one axis on."""
    behind = x.dim() - axis % x.dim() - numbers.dim()
    return numbers.reshape(numbers.shape + (1,) * behind)
"#;

const SCALE: &str = r#"class Scale(nn.Module):
    """A learned factor for each channel, or a given one, and perhaps an addend."""

    def __init__(self, shape, axis, weight=True, bias=False):
        super().__init__()
        self.axis = axis
        self.weight = nn.Parameter(torch.ones(shape)) if weight else None
        self.bias = nn.Parameter(torch.zeros(shape)) if bias else None

    def forward(self, x, weight=None):
        y = x * laid_along(self.weight if weight is None else weight, x, self.axis)
        return y if self.bias is None else y + laid_along(self.bias, x, self.axis)
"#;

const BIAS: &str = r#"class Bias(nn.Module):
    """A learned addend for each channel."""

    def __init__(self, shape, axis):
        super().__init__()
        self.axis = axis
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return x + laid_along(self.bias, x, self.axis)
"#;

const BATCH_NORM: &str = r#"class CaffeBatchNorm(nn.Module):
    """Batch normalisation as in Caffe: no weight and bias, and running sums beside their factor."""

    def __init__(self, channels, eps, keep=0.999, stats="by_phase"):
        super().__init__()
        self.eps, self.keep, self.stats = eps, keep, stats
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.zeros(channels))
        self.register_buffer("scale_factor", torch.zeros(1))

    def forward(self, x):
        of_batch = self.training if self.stats == "by_phase" else self.stats == "batch"
        if of_batch:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            mean, variance = x.mean(axes), x.var(axes, unbiased=False)
            if self.training:
                self.remember(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        else:
            factor = torch.where(self.scale_factor == 0, 1, self.scale_factor)
            mean, variance = self.running_mean / factor, self.running_var / factor
        shape = (-1,) + (1,) * (x.dim() - 2)
        return (x - mean.reshape(shape)) / torch.sqrt(variance.reshape(shape) + self.eps)

    def remember(self, mean, variance, count):
        unbiased = count / (count - 1) if count > 1 else 1
        self.running_mean.mul_(self.keep).add_(mean)
        self.running_var.mul_(self.keep).add_(variance * unbiased)
        self.scale_factor.mul_(self.keep).add_(1)
"#;

const EMBEDDING: &str = r#"class BiasedEmbedding(nn.Embedding):
    """A vector for each token, and one bias for all of them."""

    def __init__(self, tokens, width):
        super().__init__(tokens, width)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return super().forward(x) + self.bias
"#;

const CROP_CENTRE: &str = r#"def crop_centre(x, like, axis):
    """The middle of x, as large as `like` from one axis on."""
    for axis in range(axis, x.dim()):
        x = x.narrow(axis, (x.shape[axis] - like.shape[axis]) // 2, like.shape[axis])
    return x
"#;

const ARG_MAX: &str = r#"def arg_max(x, top_k, axis, values):
    """Caffe's ArgMax: of equal values the later one goes first."""
    rows = x.flatten(1) if axis is None else x
    at = 1 if axis is None else axis
    best, order = rows.flip(at).sort(stable=True, dim=at, descending=True)
    best = best.narrow(at, 0, top_k)
    places = (rows.shape[at] - 1 - order.narrow(at, 0, top_k)).to(x.dtype)
    if axis is not None:
        return best if values else places
    both = torch.stack([places, best], 1) if values else places.unsqueeze(1)
    return both.reshape(both.shape + (1,) * max(x.dim() - 3, 0))
"#;

const NEAREST: &str = r#"def nearest(x, height, width):
    """Another size by repeating pixels."""
    rows = torch.arange(height, device=x.device) * x.shape[2] // height
    columns = torch.arange(width, device=x.device) * x.shape[3] // width
    return x[:, :, rows][..., columns]
"#;

const BILINEAR: &str = r#"@torch.no_grad()
def bilinear_(weight):
    """Fills a Deconvolution's weight with those of bilinear interpolation, as Caffe does."""
    factor = (weight.shape[-1] + 1) // 2
    centre = (2 * factor - 1 - factor % 2) / (2 * factor)
    hats = [1 - (torch.arange(size) / factor - centre).abs() for size in weight.shape[-2:]]
    weight.copy_(torch.outer(*hats).expand_as(weight))
"#;

const UNIT_BALL: &str = r#"@torch.no_grad()
def unit_ball_(weight):
    """Uniform in 0 … 1, then divided so that the weights of each output sum to 1."""
    rows = torch.rand_like(weight).reshape(weight.shape[0], -1)
    weight.copy_((rows / rows.sum(1, keepdim=True)).reshape(weight.shape))
"#;

const NORMALISED: &str = r#"def normalised(losses, counts, how):
    """The sum of the losses that count, over Caffe's divisor."""
    divisor = {"valid": counts.sum(), "full": counts.numel(), "batch_size": len(counts), "none": 1}
    return losses[counts].sum() / max(int(divisor[how]), 1)
"#;

const INFOGAIN: &str = r#"def infogain_loss(scores, label, axis, ignore, how, matrix=None):
    """Softmax loss, each answer weighed by the row of the right class; without a matrix, plain."""
    scores, label = scores.flatten(0, axis - 1), label.flatten(0, axis - 1).long()
    counts = torch.ones_like(label, dtype=torch.bool) if ignore is None else label != ignore
    logarithms = F.log_softmax(scores, 1).movedim(1, -1)
    known = torch.where(counts, label, 0)
    if matrix is None:
        losses = -logarithms.gather(-1, known.unsqueeze(-1)).squeeze(-1)
    else:
        losses = -(matrix.reshape(scores.shape[1], -1)[known] * logarithms).sum(-1)
    return normalised(losses, counts, how)
"#;

const SIGMOID_LOSS: &str = r#"def sigmoid_loss(scores, target, ignore, how):
    """Cross entropy of each score's sigmoid with a target in 0 … 1."""
    counts = torch.ones_like(target, dtype=torch.bool) if ignore is None else target != ignore
    losses = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
    return normalised(losses, counts, how)
"#;

const HINGE: &str = r#"def hinge_loss(scores, label, power):
    """One against all: the right class above 1, all others below −1."""
    sides = torch.ones_like(scores).scatter(1, label.long().unsqueeze(1), -1)
    return F.relu(1 + sides * scores).pow(power).sum() / label.numel()
"#;

const SMOOTH_L1: &str = r#"def smooth_l1_loss(a, b, sigma, inside=None, outside=None):
    """Fast R-CNN's: the sum over the number of examples, with weights inside and outside."""
    difference = a - b if inside is None else inside * (a - b)
    losses = F.smooth_l1_loss(difference, torch.zeros_like(a), reduction="none", beta=1 / sigma**2)
    return (losses if outside is None else outside * losses).sum() / len(a)
"#;

const CONTRASTIVE: &str = r#"def contrastive_loss(a, b, similar, margin, legacy):
    """Pulls similar pairs together and pushes the others apart, up to a margin."""
    square = (a - b).flatten(1).square().sum(1)
    apart = F.relu(margin - square) if legacy else F.relu(margin - square.sqrt()).square()
    return torch.where(similar != 0, square, apart).sum() / (2 * len(a))
"#;
