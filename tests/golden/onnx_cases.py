"""Small ONNX models, one an operator or two, with what onnxruntime makes of them.

    python3 tests/golden/onnx_cases.py

writes tests/cases/onnx/NAME.onnx and golden.safetensors beside them (`NAME.x`, `NAME.y`); it needs
torch, onnx and onnxruntime. Where an axis is a batch the model leaves its size open.
"""

import pathlib

import numpy as np
import onnx
import onnxruntime
import safetensors.numpy
import torch
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parents[1] / "cases" / "onnx"
random = np.random.default_rng(7)
golden = {}


def numbers(*shape):
    return random.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return (np.abs(random.standard_normal(shape)) + 0.5).astype(np.float32)


def whole(*values):
    return np.array(values, dtype=np.int64)


def node(op, *inputs, out=None, outs=None, name=None, **attributes):
    outputs = outs or [out or f"{op.lower()}_{'_'.join(inputs)[:20]}"]
    return helper.make_node(op, list(inputs), outputs, name=name or outputs[0], **attributes)


def case(name, x, nodes, weights=None, opset=17, y=None, kind=TensorProto.FLOAT, edit=None, runs=True, dims=None):
    """`x` is (N, …); the last node's first output is the answer, unless `y` names another."""
    nodes = nodes if isinstance(nodes, list) else [nodes]
    y = y or nodes[-1].output[0]
    weights = weights or {}
    given = [w if isinstance(w, TensorProto) else numpy_helper.from_array(w, k) for k, w in weights.items()]
    dims = dims or ["batch", *x.shape[1:]]
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", kind, dims)],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    if edit:
        edit(model)
    path = FOLDER / f"{name}.onnx"
    onnx.save(model, path)
    if runs:
        session = onnxruntime.InferenceSession(str(path))
        golden[f"{name}.x"] = x.astype(np.float32)
        golden[f"{name}.y"] = session.run(None, {"x": x})[0].astype(np.float32)


def filters():
    x = numbers(2, 4, 7, 9)
    case("conv", x, node("Conv", "x", "c.weight", "c.bias", name="c", group=2, strides=[2, 1], pads=[1, 2, 1, 2], dilations=[1, 2]),
         {"c.weight": numbers(6, 2, 3, 2), "c.bias": numbers(6)})
    case("conv_uneven", x, node("Conv", "x", "w", strides=[2, 2], pads=[0, 1, 1, 0]), {"w": numbers(3, 4, 3, 3)})
    case("conv_same_upper", x, node("Conv", "x", "w", strides=[2, 2], auto_pad="SAME_UPPER"), {"w": numbers(3, 4, 2, 2)})
    case("conv_same_lower", x, node("Conv", "x", "w", strides=[2, 2], auto_pad="SAME_LOWER"), {"w": numbers(3, 4, 3, 4)})
    case("conv_pad_before", x, [node("Pad", "x", "p", out="a"), node("Conv", "a", "w", pads=[0, 1, 0, 1])],
         {"p": whole(0, 0, 1, 0, 0, 0, 1, 0), "w": numbers(3, 4, 3, 3)}, opset=13)
    case("conv_pad_before_opset_7", x, [node("Pad", "x", out="a", pads=[0, 0, 2, 1, 0, 0, 2, 1], mode="constant"),
                                        node("Conv", "a", "w")], {"w": numbers(3, 4, 3, 3)}, opset=7)
    case("conv_transpose", x, node("ConvTranspose", "x", "w", "b", group=2, strides=[2, 3], pads=[1, 0, 1, 0], dilations=[2, 1]),
         {"w": numbers(4, 3, 3, 4), "b": numbers(6)})
    v = numbers(3, 5)
    case("gemm", v, node("Gemm", "x", "fc.weight", "fc.bias", name="fc", transB=1),
         {"fc.weight": numbers(4, 5), "fc.bias": numbers(4)})
    case("gemm_factors", v, node("Gemm", "x", "w", "b", alpha=0.5, beta=2.0), {"w": numbers(5, 4), "b": numbers(1, 4)})
    case("gemm_scalar_bias", v, node("Gemm", "x", "w", "b", transB=1), {"w": numbers(4, 5), "b": numbers(1)})
    case("mat_mul", v, node("MatMul", "x", "w"), {"w": numbers(5, 4)})
    case("mat_mul_add", numbers(2, 3, 5), [node("MatMul", "x", "w", out="a"), node("Add", "b", "a")],
         {"w": numbers(5, 4), "b": numbers(4)})
    norm = {"n.weight": numbers(4), "n.bias": numbers(4), "n.running_mean": numbers(4), "n.running_var": positive(4)}
    for opset in [9, 15]:
        case(f"batch_norm_opset_{opset}", x, node("BatchNormalization", "x", *norm, name="n", epsilon=1e-3, momentum=0.8), norm, opset=opset)
    case("prelu", x, node("PRelu", "x", "s"), {"s": numbers(4, 1, 1)})
    case("prelu_shared", x, node("PRelu", "x", "s"), {"s": numbers(1)})
    case("lrn", numbers(2, 8, 3, 3), node("LRN", "x", size=5, alpha=0.2, beta=0.7, bias=1.5))
    case("embed", random.integers(0, 6, (2, 5)), node("Gather", "e.weight", "x", name="e"), {"e.weight": numbers(6, 3)}, kind=TensorProto.INT64)


def pointwise():
    x = numbers(2, 3, 4, 5)
    for op, attributes in [("Relu", {}), ("LeakyRelu", {"alpha": 0.2}), ("Elu", {"alpha": 0.7}), ("Sigmoid", {}), ("Tanh", {}),
                           ("Softplus", {}), ("Abs", {}), ("Exp", {}), ("Neg", {}), ("Identity", {}), ("HardSigmoid", {"alpha": 0.3}), ("HardSwish", {})]:
        case(op.lower(), x, [node(op, "x", out="a", **attributes), node("Relu", "a")] if op == "Identity" else node(op, "x", **attributes))
    for op in ["Log", "Sqrt", "Reciprocal"]:
        case(op.lower(), positive(2, 3, 4), node(op, "x"))
    case("clip_opset_6", x, node("Clip", "x", min=0.0, max=0.6), opset=7)
    case("clip", x, node("Clip", "x", "low", "high"), {"low": np.float32(-0.5), "high": np.float32(0.7)})
    case("clip_above", x, node("Clip", "x", "", "high"), {"high": np.float32(0.7)})
    case("softmax", x, node("Softmax", "x", axis=1))
    case("softmax_opset_11", numbers(3, 5), node("Softmax", "x"), opset=11)
    case("softmax_turned", numbers(2, 3, 4), [node("Transpose", "x", out="a", perm=[0, 2, 1]), node("Softmax", "a", out="b", axis=-1),
                                              node("Transpose", "b", perm=[0, 2, 1])])
    case("log_softmax", numbers(3, 5), node("LogSoftmax", "x", axis=-1))
    case("pow", positive(2, 3), node("Pow", "x", "p"), {"p": np.float32(2.5)})
    case("threshold", x, [node("Greater", "x", "t", out="a"), node("Cast", "a", to=1)], {"t": np.float32(0.3)})
    case("dropout_opset_7", x, [node("Dropout", "x", out="a", ratio=0.3), node("Relu", "a")], opset=7)
    case("dropout", x, [node("Dropout", "x", "r", out="a"), node("Relu", "a")], {"r": np.float32(0.3)})


def arithmetic():
    x = numbers(2, 3, 4, 5)
    two = [node("Relu", "x", out="a"), node("Tanh", "x", out="b")]
    for op in ["Add", "Sub", "Mul", "Max", "Sum", "Mean"]:
        case(op.lower(), x, [*two, node(op, "a", "b")])
    case("div", x, [node("Relu", "x", out="a"), node("Exp", "x", out="b"), node("Div", "a", "b")])
    case("sum_3", x, [*two, node("Sum", "a", "b", "x")])
    number = {"k": np.float32(1.7)}
    for op in ["Add", "Sub", "Mul", "Div", "Max", "Min"]:
        case(f"{op.lower()}_number", x, node(op, "x", "k"), number)
    case("number_sub", x, node("Sub", "k", "x"), number)
    case("line", x, [node("Mul", "x", "k", out="a"), node("Add", "a", "k", out="b"), node("Pow", "b", "two")], {**number, "two": np.float32(2)})
    channels = {"k": numbers(3, 1, 1), "m": numbers(3, 1, 1)}
    for op in ["Add", "Sub", "Mul", "Div"]:
        case(f"{op.lower()}_channels", x, node(op, "x", "k"), channels)
    case("scale", x, [node("Mul", "x", "k", out="a"), node("Add", "a", "m")], channels)
    case("gate", x, [node("GlobalAveragePool", "x", out="a"), node("Sigmoid", "a", out="b"), node("Mul", "b", "x")])


def pooling():
    x = numbers(2, 3, 7, 10)
    case("max_pool", x, node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 0]))
    case("max_pool_ceil", x, node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1))
    case("max_pool_hangs", x, node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 1]))
    case("average_pool", x, node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1))
    case("average_pool_hangs", x, node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 1]))
    case("average_pool_padded", x, [node("Pad", "x", "p", out="a"), node("AveragePool", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 1])],
         {"p": whole(0, 0, 1, 1, 0, 0, 1, 1)})
    case("max_pool_padded_relu", x, [node("Relu", "x", out="r"), node("Pad", "r", "p", out="a"), node("MaxPool", "a", kernel_shape=[3, 3], strides=[2, 2])],
         {"p": whole(0, 0, 1, 1, 0, 0, 1, 1)})
    case("global_average_pool", x, [node("GlobalAveragePool", "x", out="a"), node("Flatten", "a")])
    case("global_max_pool", x, node("GlobalMaxPool", "x"))
    case("reduce_mean", x, node("ReduceMean", "x", axes=[2, 3], keepdims=0))
    case("reduce_mean_kept", x, node("ReduceMean", "x", axes=[-1, -2]))
    case("reduce_mean_opset_18", x, node("ReduceMean", "x", "axes", keepdims=0), {"axes": whole(2, 3)}, opset=18)
    case("reduce_sum", x, node("ReduceSum", "x", "axes"), {"axes": whole(-1)})
    case("reduce_l1", x, node("ReduceL1", "x", axes=[1, 2, 3], keepdims=0))
    case("reduce_sum_square", x, node("ReduceSumSquare", "x", axes=[3], keepdims=0))
    case("upsample_opset_9", x, node("Upsample", "x", "s", mode="nearest"), {"s": np.float32([1, 1, 2, 2])}, opset=9)
    case("resize_opset_10", x, node("Resize", "x", "s", mode="nearest"), {"s": np.float32([1, 1, 3, 3])}, opset=10)
    case("resize_nearest", x, node("Resize", "x", "", "s", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
         {"s": np.float32([1, 1, 2, 3])}, opset=13)
    case("resize_usual", x, node("Resize", "x", "", "s"), {"s": np.float32([1, 1, 2, 2])}, opset=19)
    case("resize_half_pixel", x, node("Resize", "x", "roi", "s", mode="linear", coordinate_transformation_mode="half_pixel"),
         {"s": np.float32([1, 1, 2, 2]), "roi": np.float32([])}, opset=11)
    case("resize_corners", x, [node("Shape", "x", out="a"), node("Slice", "a", "zero", "two", out="b"), node("Concat", "b", "hw", out="c", axis=0),
                               node("Resize", "x", "", "", "c", mode="linear", coordinate_transformation_mode="align_corners")],
         {"zero": whole(0), "two": whole(2), "hw": whole(13, 15)}, opset=13)
    case("resize_pytorch_sizes", x, [node("Shape", "x", out="a"), node("Slice", "a", "zero", "two", out="b"), node("Concat", "b", "hw", out="c", axis=0),
                                     node("Resize", "x", "", "", "c", mode="linear", coordinate_transformation_mode="pytorch_half_pixel")],
         {"zero": whole(0), "two": whole(2), "hw": whole(11, 4)}, opset=13)


def shapes():
    x = numbers(2, 4, 3, 5)
    case("flatten", x, node("Flatten", "x"))
    case("reshape", x, node("Reshape", "x", "s"), {"s": whole(0, 2, 2, -1)})
    case("reshape_by_shape", x, [node("Shape", "x", out="a"), node("Gather", "a", "zero", out="b", axis=0), node("Unsqueeze", "b", "axis", out="c"),
                                 node("Concat", "c", "rest", out="d", axis=0), node("Reshape", "x", "d")],
         {"zero": np.int64(0), "axis": whole(0), "rest": whole(-1)})
    case("reshape_by_numbers", x, [node("Shape", "x", out="a"), node("Gather", "a", "one", out="b"), node("Mul", "b", "fifteen", out="c"),
                                   node("Cast", "c", out="d", to=1), node("Floor", "d", out="e"), node("Cast", "e", out="f", to=7),
                                   node("Unsqueeze", "f", "axis", out="g"), node("Concat", "minus", "g", out="h", axis=0), node("Reshape", "x", "h")],
         {"one": np.int64(1), "fifteen": np.int64(15), "axis": whole(0), "minus": whole(-1)})
    case("channels_last", numbers(2, 5, 6, 3), [node("Transpose", "x", out="a", perm=[0, 3, 1, 2]), node("Conv", "a", "w")], {"w": numbers(4, 3, 3, 3)})
    case("squeeze_opset_11", numbers(2, 4, 1, 1), [node("Squeeze", "x", out="a", axes=[2, 3]), node("Gemm", "a", "w", transB=1)], {"w": numbers(3, 4)}, opset=11)
    case("squeeze", numbers(2, 4, 1, 1), [node("Squeeze", "x", "axes", out="a"), node("Relu", "a")], {"axes": whole(-1, -2)})
    case("unsqueeze", numbers(2, 4, 5), [node("Unsqueeze", "x", "axes", out="a"), node("Conv", "a", "w")], {"axes": whole(1), "w": numbers(3, 1, 2, 2)})
    case("unsqueeze_opset_11", numbers(2, 4, 5), [node("Unsqueeze", "x", out="a", axes=[-3]), node("Conv", "a", "w")], {"w": numbers(3, 1, 2, 2)}, opset=11)
    case("concat", x, [node("Relu", "x", out="a"), node("Concat", "x", "a", "x", axis=1)])
    case("concat_last", x, [node("Relu", "x", out="a"), node("Concat", "a", "x", axis=-1)])
    case("tile", x, node("Tile", "x", "t"), {"t": whole(1, 2, 1, 3)})
    case("expand_nothing", x, [node("Expand", "x", "s", out="a"), node("Relu", "a")], {"s": whole(1, 4, 3, 5)})
    case("slice_opset_9", x, node("Slice", "x", starts=[1, 0], ends=[3, -1], axes=[1, 3]), opset=9)
    case("slice", x, node("Slice", "x", "s", "e", "a"), {"s": whole(-2, 1), "e": whole(2**63 - 1, 3), "a": whole(1, 2)})
    case("split_opset_11", x, [node("Split", "x", outs=["a", "b"], axis=1, split=[1, 3]), node("Relu", "b")], opset=11)
    case("split", x, [node("Split", "x", "s", outs=["a", "b", "c"], axis=1), node("Add", "a", "c")], {"s": whole(1, 2, 1)})
    case("split_even_opset_18", x, [node("Split", "x", outs=["a", "b"], axis=1, num_outputs=2), node("Mul", "a", "b")], opset=18)
    case("gather_one", x, [node("Gather", "x", "i", out="a", axis=1), node("Unsqueeze", "a", "axis", out="b"), node("Mul", "b", "k")],
         {"i": np.int64(2), "axis": whole(1), "k": np.float32(3)})
    case("gather_range", x, node("Gather", "x", "i", axis=1), {"i": whole(1, 2)})
    case("arg_max", x, [node("ArgMax", "x", out="a", axis=1, keepdims=0), node("Cast", "a", to=1)])


def recurrent():
    torch.manual_seed(4)
    x = numbers(2, 6, 5)

    def weights(kind, layer=0):
        rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * 3
        return {f"{kind}.W{layer}": numbers(1, rows, 3 if layer else 5), f"{kind}.R{layer}": numbers(1, rows, 3), f"{kind}.B{layer}": numbers(1, 2 * rows)}

    more = {"LSTM": {}, "GRU": {"linear_before_reset": 1}, "RNN": {"activations": ["Tanh"]}}
    for kind, attributes in more.items():
        turn = node("Transpose", "x", out="t", perm=[1, 0, 2])
        w = weights(kind)
        cell = node(kind, "t", *w, outs=["y", "h"], hidden_size=3, **attributes)
        case(f"{kind.lower()}_steps", x, [turn, cell, node("Squeeze", "y", "one", out="s"), node("Transpose", "s", perm=[1, 0, 2])], {**w, "one": whole(1)})
        case(f"{kind.lower()}_last", x, [turn, cell, node("Squeeze", "h", "zero")], {**w, "zero": whole(0)})
        case(f"{kind.lower()}_both", x, [turn, cell, node("Squeeze", "h", "zero", out="a"), node("Squeeze", "y", "one", out="s"),
                                         node("Transpose", "s", out="u", perm=[1, 0, 2]), node("Gather", "u", "last", out="b", axis=1), node("Add", "a", "b")],
             {**w, "zero": whole(0), "one": whole(1), "last": np.int64(2)})
        begin = [node("Shape", "t", out="a"), node("Gather", "a", "i", out="b"), node("Unsqueeze", "b", "zero", out="c"),
                 node("Concat", "first", "c", "units", out="d", axis=0), node("ConstantOfShape", "d", out="begin")]
        states = ["begin", "begin"] if kind == "LSTM" else ["begin"]
        first = node(kind, "t", *w, "", *states, outs=["y0", "h0"], hidden_size=3, name=f"/rnn/{kind}", **attributes)
        v = weights(kind, 1)
        second = node(kind, "m", *v, "", *states, outs=["y1", "h1"], hidden_size=3, name=f"/rnn/{kind}_1", **attributes)
        case(f"{kind.lower()}_stacked", x, [turn, *begin, first, node("Squeeze", "y0", "one", out="m"), second, node("Squeeze", "y1", "one", out="s"),
                                            node("Transpose", "s", out="u", perm=[1, 0, 2]), node("Gather", "u", "last", axis=1)],
             {**w, **v, "one": whole(1), "zero": whole(0), "i": np.int64(1), "first": whole(1), "units": whole(3), "last": np.int64(-1)})


def forms():
    """The same numbers in each of the ways in which a file can hold them."""
    x, w = numbers(2, 4), numbers(3, 4)
    layer = node("Gemm", "x", "w", transB=1)
    case("typed_floats", x, layer, {"w": helper.make_tensor("w", TensorProto.FLOAT, [3, 4], w.ravel().tolist())})

    def kept(kind, values):
        nodes = [node("Cast", "v", out="w", to=1), layer]
        return nodes, {"v": values if isinstance(values, TensorProto) else numpy_helper.from_array(values.astype(kind), "v")}

    for name, kind in [("half", np.float16), ("double", np.float64)]:
        nodes, weights = kept(kind, w)
        case(f"{name}_weights", x, nodes, weights)
    half = helper.make_tensor("v", TensorProto.FLOAT16, [3, 4], w.ravel().tolist())
    case("typed_half_weights", x, [node("Cast", "v", out="w", to=1), layer], {"v": half})
    brain = helper.make_tensor("v", TensorProto.BFLOAT16, [3, 4], w.ravel().tolist())
    case("brain_weights", x, [node("Cast", "v", out="w", to=1), layer], {"v": brain})
    case("constant", x, [helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(w)),
                         helper.make_node("Constant", [], ["k"], value_float=2.0), node("Gemm", "x", "w", out="a", transB=1), node("Mul", "a", "k")])
    case("int32_shape", numbers(2, 4, 3), [node("Cast", "s", out="t", to=7), node("Reshape", "x", "t")],
         {"s": helper.make_tensor("s", TensorProto.INT32, [2], [-1, 12])})

    def outside(model):
        onnx.external_data_helper.convert_model_to_external_data(model, location="beside.onnx.data", size_threshold=0, convert_attribute=False)

    case("beside", x, layer, {"w": w}, edit=outside)
    case("inputs_list_weights", x, layer, {"w": w}, edit=lambda model: model.graph.input.append(
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 4])))
    case("unknown", numbers(2, 3), [node("Relu", "x", out="a"), node("Erf", "a", name="odd"), ], runs=False)
    case("unknown_among_known", numbers(2, 3, 4, 4), [node("Conv", "x", "w", out="a"), node("DepthToSpace", "a", out="b", name="deep", blocksize=2),
                                                      node("Conv", "b", "v", out="c"), node("Flatten", "c")],
         {"w": numbers(4, 3, 1, 1), "v": numbers(2, 1, 3, 3)}, runs=False)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for family in [filters, pointwise, arithmetic, pooling, shapes, recurrent, forms]:
        family()
    safetensors.numpy.save_file(golden, FOLDER / "golden.safetensors")
    print(len(list(FOLDER.glob("*.onnx"))), "models,", sum(p.stat().st_size for p in FOLDER.iterdir()), "bytes")
