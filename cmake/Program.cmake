# SPDX-License-Identifier: Apache-2.0
# The program sees the public headers only.
file(GLOB tools_sources CONFIGURE_DEPENDS tools/*.c)
if(tools_sources)
  add_executable(fxjit_program ${tools_sources})
  set_target_properties(fxjit_program PROPERTIES OUTPUT_NAME fxjit)
  target_include_directories(fxjit_program PRIVATE ${CMAKE_SOURCE_DIR}/tools)
  target_compile_definitions(fxjit_program PRIVATE _GNU_SOURCE)
  target_link_libraries(fxjit_program PRIVATE fxjit fx_sanitize fx_warnings PkgConfig::jansson m)
  set_target_properties(fxjit_program PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS fxjit_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES docs/fxjit.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
endif()
