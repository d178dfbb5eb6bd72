//! Arithmetic that an exporter wrote down though its result is known: shapes taken apart and put
//! together again, constants cast and spread.
//!
//! Invariant: no result has more than [`FEW`] numbers, so a file cannot make much of little.

use super::proto::NodeView;
use super::values::{FEW, Numbers, Source, Value, axis_in};

/// The operator's outputs, where its inputs are known and it is one of the few that exporters use
/// so; `None` leaves it to others.
pub(super) fn fold<'a>(node: &NodeView<'a>, inputs: &[Value<'a>], opset: u64) -> Option<Value<'a>> {
    let given = |index: usize| match inputs.get(index)? {
        Value::Numbers(numbers) => Some(numbers),
        _ => None,
    };
    let first = given(0);
    if let (Some(Value::Filled { dims, value }), true) = (inputs.first(), is_filled_still(node.op))
    {
        let list = |index: usize| given(index).and_then(Numbers::integers);
        let dims = sliced(node, dims, list, opset)?;
        return Some(Value::Filled {
            dims,
            value: *value,
        });
    }
    let result = match node.op {
        "Identity" => return inputs.first().cloned(),
        "Cast" | "CastLike" => {
            let first = first?;
            // Float, double and the half precisions; all else is whole.
            let whole = !matches!(node.integer("to"), Some(1 | 10 | 11 | 16));
            let cast = |value: f64| if whole { value.trunc() } else { value };
            Numbers {
                values: first.values.iter().map(|value| value.map(cast)).collect(),
                whole,
                ..first.clone()
            }
        }
        "Floor" => each(first?, f64::floor),
        "Ceil" => each(first?, f64::ceil),
        "Neg" => each(first?, |x| -x),
        "Sqrt" => each(first?, f64::sqrt),
        "Reciprocal" => each(first?, |x| 1.0 / x),
        "Not" => each(first?, |x| f64::from(x == 0.0)),
        "Add" => pairs(first?, given(1)?, |a, b| a + b)?,
        "Sub" => pairs(first?, given(1)?, |a, b| a - b)?,
        "Mul" => pairs(first?, given(1)?, |a, b| a * b)?,
        "Div" => {
            let (a, b) = (first?, given(1)?);
            let whole = a.whole && b.whole;
            pairs(a, b, |a, b| if whole { (a / b).trunc() } else { a / b })?
        }
        "Mod" => pairs(first?, given(1)?, |a, b| a - b * (a / b).floor())?,
        "Pow" => pairs(first?, given(1)?, f64::powf)?,
        "Max" if inputs.len() == 2 => pairs(first?, given(1)?, f64::max)?,
        "Min" if inputs.len() == 2 => pairs(first?, given(1)?, f64::min)?,
        "Equal" => pairs(first?, given(1)?, |a, b| f64::from(a == b))?,
        "Less" => pairs(first?, given(1)?, |a, b| f64::from(a < b))?,
        "Greater" => pairs(first?, given(1)?, |a, b| f64::from(a > b))?,
        "Where" => choose(first?, given(1)?, given(2)?)?,
        "Concat" => concat(inputs)?,
        "Gather" => gather(first?, given(1)?)?,
        "Slice" => slice(node, first?, |index| given(index)?.integers(), opset)?,
        "Squeeze" | "Unsqueeze" | "Reshape" | "Flatten" => {
            let first = first?;
            let dims = match (node.op, first.values.len()) {
                // Numbers in lists keep their order; only a single one can lose its axis.
                ("Squeeze", 1) => vec![],
                (_, count) => vec![count],
            };
            Numbers {
                dims,
                ..first.clone()
            }
        }
        "ReduceProd" => {
            let product = first?.known()?.iter().product::<f64>();
            let keeps = node.integer("keepdims") != Some(0);
            Numbers {
                dims: if keeps { vec![1] } else { vec![] },
                values: vec![Some(product)],
                whole: first?.whole,
            }
        }
        "Range" => {
            let [from, to, step] = [0, 1, 2].map(|index| given(index)?.single());
            let (from, to, step) = (from?, to?, step?);
            let count = ((to - from) / step).ceil().max(0.0);
            // A count that is no number is refused too.
            if count.is_nan() || count > FEW as f64 {
                return None;
            }
            let values = (0..count as usize).map(|index| Some(from + index as f64 * step));
            Numbers {
                whole: first?.whole,
                ..Numbers::list(values.collect())
            }
        }
        "ConstantOfShape" | "Expand" => return spread(node, inputs),
        _ => return None,
    };
    (result.values.len() <= FEW).then_some(Value::Numbers(result))
}

/// Operators that leave one number everywhere what it is.
fn is_filled_still(op: &str) -> bool {
    matches!(op, "Slice" | "Cast")
}

/// The sizes behind a Slice; other operators keep them.
fn sliced(
    node: &NodeView<'_>,
    dims: &[Option<usize>],
    given: impl Fn(usize) -> Option<Vec<i64>>,
    opset: u64,
) -> Option<Vec<Option<usize>>> {
    let mut dims = dims.to_vec();
    if node.op != "Slice" {
        return Some(dims);
    }
    let list = |name: &str, index: usize| match opset < 10 {
        true => node.integers(name).map(<[i64]>::to_vec),
        false => given(index),
    };
    let (starts, ends) = (list("starts", 1)?, list("ends", 2)?);
    let axes = list("axes", 3).unwrap_or_else(|| (0..starts.len() as i64).collect());
    if list("steps", 4).is_some_and(|steps| steps.iter().any(|step| *step != 1)) {
        return None;
    }
    for ((start, end), axis) in starts.iter().zip(&ends).zip(&axes) {
        let axis = axis_in(*axis, dims.len())?;
        dims[axis] = Some(clamped(*start, *end, dims[axis]?).len());
    }
    Some(dims)
}

fn each(a: &Numbers, function: impl Fn(f64) -> f64) -> Numbers {
    Numbers {
        values: a.values.iter().map(|value| value.map(&function)).collect(),
        ..a.clone()
    }
}

/// Of equal lists, or of a list and a single number.
fn pairs(a: &Numbers, b: &Numbers, function: impl Fn(f64, f64) -> f64) -> Option<Numbers> {
    let count = match (a.values.len(), b.values.len()) {
        (a, b) if a == b => a,
        (a, 1) => a,
        (1, b) => b,
        _ => return None,
    };
    let at = |numbers: &Numbers, index: usize| match numbers.values.len() {
        1 => numbers.values[0],
        _ => numbers.values[index],
    };
    let value = |index| Some(function(at(a, index)?, at(b, index)?));
    let like = if a.dims.len() >= b.dims.len() && a.values.len() == count {
        a
    } else {
        b
    };
    Some(Numbers {
        dims: like.dims.clone(),
        values: (0..count).map(value).collect(),
        whole: a.whole && b.whole,
    })
}

fn choose(condition: &Numbers, yes: &Numbers, no: &Numbers) -> Option<Numbers> {
    let count = [condition, yes, no].map(|numbers| numbers.values.len());
    let most = count.into_iter().max()?;
    if count
        .iter()
        .any(|count| *count == 0 || (*count != most && *count != 1))
    {
        return None;
    }
    let at = |numbers: &Numbers, index: usize| numbers.values[index.min(numbers.values.len() - 1)];
    let value = |index| match at(condition, index)? {
        0.0 => at(no, index),
        _ => at(yes, index),
    };
    Some(Numbers {
        whole: yes.whole && no.whole,
        ..Numbers::list((0..most).map(value).collect())
    })
}

/// Of lists.
fn concat(inputs: &[Value<'_>]) -> Option<Numbers> {
    let mut all = Numbers::list(Vec::new());
    for input in inputs {
        let Value::Numbers(numbers) = input else {
            return None;
        };
        if numbers.dims.len() > 1 || all.values.len() + numbers.values.len() > FEW {
            return None;
        }
        all.whole &= numbers.whole;
        all.values.extend(&numbers.values);
    }
    all.dims = vec![all.values.len()];
    Some(all)
}

fn gather(list: &Numbers, indices: &Numbers) -> Option<Numbers> {
    if list.dims.len() > 1 {
        return None;
    }
    let at = |index: i64| {
        let index = axis_in(index, list.values.len())?;
        Some(list.values[index])
    };
    let values: Option<Vec<_>> = indices.integers()?.into_iter().map(at).collect();
    Some(Numbers {
        dims: indices.dims.clone(),
        values: values?,
        whole: list.whole,
    })
}

/// Of a list.
fn slice(
    node: &NodeView<'_>,
    list: &Numbers,
    given: impl Fn(usize) -> Option<Vec<i64>>,
    opset: u64,
) -> Option<Numbers> {
    let one = |name: &str, index: usize| match opset < 10 {
        true => node.integers(name)?.first().copied(),
        false => given(index)?.first().copied(),
    };
    let (start, end) = (one("starts", 1)?, one("ends", 2)?);
    if list.dims.len() != 1 || one("steps", 4).unwrap_or(1) != 1 {
        return None;
    }
    let range = clamped(start, end, list.values.len());
    Some(Numbers {
        whole: list.whole,
        ..Numbers::list(list.values.get(range)?.to_vec())
    })
}

/// ONNX's start and end on an axis of this size.
pub(super) fn clamped(start: i64, end: i64, size: usize) -> std::ops::Range<usize> {
    let size = size as i64;
    let place = |at: i64| if at < 0 { at.saturating_add(size) } else { at }.clamp(0, size);
    let (start, end) = (place(start), place(end));
    start as usize..end.max(start) as usize
}

/// One number in every place of a shape.
fn spread<'a>(node: &NodeView<'a>, inputs: &[Value<'a>]) -> Option<Value<'a>> {
    use super::proto::AttributeValue;
    let shape = |value: &Value<'_>| match value {
        Value::Numbers(numbers) => Some(numbers.values.clone()),
        _ => None,
    };
    let (value, whole, dims) = match (node.op, inputs) {
        ("ConstantOfShape", [dims]) => {
            let (value, whole) = match node.attribute("value") {
                Some(AttributeValue::Tensor(tensor)) if tensor.count() == Some(1) => {
                    let numbers = tensor.numbers(None).ok()?;
                    (numbers[0], !tensor.kind().is_real())
                }
                _ => (0.0, false),
            };
            (value, whole, shape(dims)?)
        }
        (_, [Value::Numbers(numbers), dims]) => {
            let known = numbers.known()?;
            let first = *known.first()?;
            if known.iter().any(|value| *value != first) {
                return None;
            }
            (first, numbers.whole, shape(dims)?)
        }
        (_, [Value::Weights(weights), dims]) => {
            let known = match &weights.source {
                Source::File(data) if data.count()? <= FEW => data.numbers(None).ok()?,
                _ => return None,
            };
            let first = *known.first()?;
            if known.iter().any(|value| *value != first) {
                return None;
            }
            (first, false, shape(dims)?)
        }
        (_, [Value::Filled { value, .. }, dims]) => (*value, false, shape(dims)?),
        _ => return None,
    };
    let size = |size: &Option<f64>| size.map(|size| size.max(0.0) as usize);
    let dims: Vec<Option<usize>> = dims.iter().map(size).collect();
    let count = dims
        .iter()
        .try_fold(1usize, |count, size| count.checked_mul((*size)?));
    match count.filter(|count| *count <= FEW) {
        Some(count) if dims.len() <= 1 => Some(Value::Numbers(Numbers {
            dims: dims.iter().flatten().copied().collect(),
            values: vec![Some(value); count],
            whole,
        })),
        _ => Some(Value::Filled { dims, value }),
    }
}
