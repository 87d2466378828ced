module "torch_jit"
parameter "a.weight" : f32[512, 784]
parameter "a.bias" : f32[512]
parameter "b.weight" : f32[512, 512]
parameter "b.bias" : f32[512]
parameter "c.weight" : f32[10, 512]
parameter "c.bias" : f32[10]
output_name 0 "output0"
graph {
  symbol batch [0, 2147483647] hint 16 multiple 1
  %input0 = placeholder "input0" : f32[batch, 784]
  %a_weight = get_attr "a.weight" : f32[512, 784] @ "mlp.onnx" in "a.weight"
  %a_bias = get_attr "a.bias" : f32[512] @ "mlp.onnx" in "a.bias"
  %_a_Gemm_output_0 = call_function "torch.ops.aten.linear.default"(%input0, %a_weight, %a_bias) : f32[batch, 512] @ "mlp.onnx" in "/a/Gemm"
  %_Relu_output_0 = call_function "torch.ops.aten.relu.default"(%_a_Gemm_output_0) : f32[batch, 512] @ "mlp.onnx" in "/Relu"
  %b_weight = get_attr "b.weight" : f32[512, 512] @ "mlp.onnx" in "b.weight"
  %b_bias = get_attr "b.bias" : f32[512] @ "mlp.onnx" in "b.bias"
  %_b_Gemm_output_0 = call_function "torch.ops.aten.linear.default"(%_Relu_output_0, %b_weight, %b_bias) : f32[batch, 512] @ "mlp.onnx" in "/b/Gemm"
  %_Relu_1_output_0 = call_function "torch.ops.aten.relu.default"(%_b_Gemm_output_0) : f32[batch, 512] @ "mlp.onnx" in "/Relu_1"
  %c_weight = get_attr "c.weight" : f32[10, 512] @ "mlp.onnx" in "c.weight"
  %c_bias = get_attr "c.bias" : f32[10] @ "mlp.onnx" in "c.bias"
  %_c_Gemm_output_0 = call_function "torch.ops.aten.linear.default"(%_Relu_1_output_0, %c_weight, %c_bias) : f32[batch, 10] @ "mlp.onnx" in "/c/Gemm"
  %output0 = call_function "torch.ops.aten.softmax.int"(%_c_Gemm_output_0, 1, None) : f32[batch, 10] @ "mlp.onnx" in "/Softmax"
  %output = output((%output0,))
}

