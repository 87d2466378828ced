# SPDX-License-Identifier: Apache-2.0
# fxjit/ops.h and its bodies are generated from the schemas of the operator table, by a program linked with that table.
add_executable(fx_gen_ops ir/gen/gen_ops.c $<TARGET_OBJECTS:fx_ir> $<TARGET_OBJECTS:fx_ref> $<TARGET_OBJECTS:fx_runtime>)
target_include_directories(fx_gen_ops PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(fx_gen_ops PRIVATE _GNU_SOURCE)
target_link_libraries(fx_gen_ops PRIVATE fx_warnings fx_sanitize OpenMP::OpenMP_C PkgConfig::ffi m)
set(ops_header ${CMAKE_BINARY_DIR}/include/fxjit/ops.h)
set(ops_source ${CMAKE_BINARY_DIR}/frontend/ops.c)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include/fxjit ${CMAKE_BINARY_DIR}/frontend)
add_custom_command(OUTPUT ${ops_header} ${ops_source}
  COMMAND fx_gen_ops ${ops_header} ${ops_source}
  DEPENDS fx_gen_ops
  COMMENT "Generating fxjit/ops.h from the operator table"
  VERBATIM)
add_custom_target(fx_ops DEPENDS ${ops_header} ${ops_source})
target_sources(fx_frontend PRIVATE ${ops_source})
add_dependencies(fx_frontend fx_ops)
