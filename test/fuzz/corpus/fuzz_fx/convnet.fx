module "g"
parameter "k" : f32[2, 2, 1, 1]
output_name 0 "y"
graph {
  symbol batch [0, 2147483647] hint 16 multiple 1
  %x = placeholder "x" : f32[batch, 2, 4, 4]
  %k = get_attr "k" : f32[2, 2, 1, 1] @ "convnet.onnx" in "k"
  %c = call_function "torch.ops.aten.conv2d.default"(%x, %k, None, [2, 2], [0, 0], [1, 1], 1) : f32[batch, 2, 2, 2] @ "convnet.onnx" in "c"
  %r = call_function "torch.ops.aten.relu.default"(%c) : f32[batch, 2, 2, 2] @ "convnet.onnx" in "r"
  %flat = call_function "torch.ops.aten.reshape.default"(%r, [dim(batch), -1]) : f32[batch, 8] @ "convnet.onnx" in "flat"
  %y = call_function "torch.ops.aten.softmax.int"(%flat, 1, None) : f32[batch, 8] @ "convnet.onnx" in "y"
  %output = output((%y,))
}

