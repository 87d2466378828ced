module "g"
output_name 0 "y"
graph {
  symbol batch [0, 2147483647] hint 16 multiple 1
  %x = placeholder "x" : f32[2, batch, 6]
  %flip_default = call_function "torch.ops.aten.flip.default"(%x, [2]) : f32[2, batch, 6] @ "moves.onnx" in "c"
  %slice_tensor = call_function "torch.ops.aten.slice.Tensor"(%flip_default, 2, 0, 6, 2) : f32[2, batch, 3] @ "moves.onnx" in "c"
  %p = call_function "torch.ops.aten.constant_pad_nd.default"(%slice_tensor, [1, 1, 0, 0, 0, 0], 0) : f32[2, batch, 5] @ "moves.onnx" in "p"
  %t = call_function "torch.ops.aten.permute.default"(%p, [2, 0, 1]) : f32[5, 2, batch] @ "moves.onnx" in "t"
  %y = call_function "torch.ops.aten.sum.dim_IntList"(%t, [2], False, dtype=None) : f32[5, 2] @ "moves.onnx" in "y"
  %output = output((%y,))
}

