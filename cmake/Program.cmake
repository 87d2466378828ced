# SPDX-License-Identifier: Apache-2.0
file(GLOB tools_sources CONFIGURE_DEPENDS tools/*.c)
if(tools_sources)
  add_executable(fxjit_program ${tools_sources})
  set_target_properties(fxjit_program PROPERTIES OUTPUT_NAME fxjit)
  target_compile_definitions(fxjit_program PRIVATE _GNU_SOURCE)
  target_link_libraries(fxjit_program PRIVATE fxjit_static fx_warnings PkgConfig::jansson)
endif()
