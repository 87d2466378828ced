module "g"
parameter "constant_0" : f32[1, 1, 5, 5]
output_name 0 "y"
graph {
  %x = placeholder "x" : f32[1, 3, 5, 5]
  %constant_pad_nd_default = call_function "torch.ops.aten.constant_pad_nd.default"(%x, [0, 1, 1, 0], -inf) : f32[1, 3, 6, 6] @ "pool.onnx" in "p"
  %p = call_function "torch.ops.aten.max_pool2d.default"(%constant_pad_nd_default, [3, 3], [1, 1], [0, 0], [1, 1], False) : f32[1, 3, 4, 4] @ "pool.onnx" in "p"
  %constant_0 = get_attr "constant_0" : f32[1, 1, 5, 5] @ "pool.onnx" in "q"
  %constant_pad_nd_default_1 = call_function "torch.ops.aten.constant_pad_nd.default"(%p, [1, 0, 1, 0], 0) : f32[1, 3, 5, 5] @ "pool.onnx" in "q"
  %avg_pool2d_default = call_function "torch.ops.aten.avg_pool2d.default"(%constant_pad_nd_default_1, [2, 2], [1, 1], [0, 0], False, True) : f32[1, 3, 4, 4] @ "pool.onnx" in "q"
  %avg_pool2d_default_1 = call_function "torch.ops.aten.avg_pool2d.default"(%constant_0, [2, 2], [1, 1], [0, 0], False, True) : f32[1, 1, 4, 4] @ "pool.onnx" in "q"
  %q = call_function "torch.ops.aten.div.Tensor"(%avg_pool2d_default, %avg_pool2d_default_1) : f32[1, 3, 4, 4] @ "pool.onnx" in "q"
  %g = call_function "torch.ops.aten.mean.dim"(%q, [2, 3], True) : f32[1, 3, 1, 1] @ "pool.onnx" in "g"
  %y = call_function "torch.ops.aten.flatten.using_ints"(%g, 1, -1) : f32[1, 3] @ "pool.onnx" in "y"
  %output = output((%y,))
}

