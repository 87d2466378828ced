# SPDX-License-Identifier: Apache-2.0
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ffi REQUIRED IMPORTED_TARGET libffi)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib) # the program's pages
find_program(LLVM_CONFIG NAMES llvm-config-19 REQUIRED)
execute_process(COMMAND ${LLVM_CONFIG} --includedir OUTPUT_VARIABLE llvm_include OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${LLVM_CONFIG} --libdir OUTPUT_VARIABLE llvm_lib OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
add_library(fx_llvm INTERFACE)
target_include_directories(fx_llvm SYSTEM INTERFACE ${llvm_include})
find_library(LLVM_LIBRARY NAMES LLVM-19 PATHS ${llvm_lib} NO_DEFAULT_PATH REQUIRED)
target_link_libraries(fx_llvm INTERFACE ${LLVM_LIBRARY})
