# SPDX-License-Identifier: Apache-2.0
set(fx_folders runtime ref ir passes codegen frontend)
foreach(folder IN LISTS fx_folders)
  list(APPEND fx_objects $<TARGET_OBJECTS:fx_${folder}>)
endforeach()
add_library(fxjit_static STATIC ${fx_objects})
set_target_properties(fxjit_static PROPERTIES OUTPUT_NAME fxjit)
target_include_directories(fxjit_static PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
target_link_libraries(fxjit_static PUBLIC fx_sanitize OpenMP::OpenMP_C PkgConfig::ffi PkgConfig::jansson PkgConfig::libzip fx_llvm m)
