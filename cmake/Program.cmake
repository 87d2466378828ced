# SPDX-License-Identifier: Apache-2.0
# The program sees the public headers only.
file(GLOB tools_sources CONFIGURE_DEPENDS tools/*.c)
if(tools_sources)
  # The files of the report's page, as arrays of bytes.
  set(page_files ${CMAKE_BINARY_DIR}/tools/page_files.c)
  file(GLOB page_sources CONFIGURE_DEPENDS tools/report/*)
  add_custom_command(OUTPUT ${page_files}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR}/tools/report -DOUTPUT=${page_files} -P ${CMAKE_SOURCE_DIR}/cmake/PageFiles.cmake
    DEPENDS ${page_sources} cmake/PageFiles.cmake
    COMMENT "Embedding the report's page"
    VERBATIM)
  # As objects, because a test links them with a faulty library.
  add_library(fx_tools OBJECT ${tools_sources} ${page_files})
  target_include_directories(fx_tools PRIVATE ${CMAKE_SOURCE_DIR}/tools)
  target_compile_definitions(fx_tools PRIVATE _GNU_SOURCE)
  target_link_libraries(fx_tools PRIVATE fxjit fx_sanitize fx_warnings PkgConfig::jansson PkgConfig::zlib)
  add_executable(fxjit_program $<TARGET_OBJECTS:fx_tools>)
  set_target_properties(fxjit_program PROPERTIES OUTPUT_NAME fxjit)
  target_link_libraries(fxjit_program PRIVATE fxjit fx_sanitize PkgConfig::jansson PkgConfig::zlib m)
  set_target_properties(fxjit_program PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS fxjit_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES tools/completion/fxjit.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME fxjit)
  install(FILES tools/completion/_fxjit DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES docs/fxjit.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
endif()
