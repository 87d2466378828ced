# SPDX-License-Identifier: Apache-2.0
# fxjit/ops.h and its bodies are generated from the schemas of the operator table.
