# SPDX-License-Identifier: Apache-2.0
# The library in its three shapes: shared, static, and libfxjit_rt.a, all that threaded ahead-of-time programs need.
set(fx_folders runtime ref ir passes codegen frontend)
foreach(folder IN LISTS fx_folders)
  list(APPEND fx_objects $<TARGET_OBJECTS:fx_${folder}>)
endforeach()
set(fx_libraries OpenMP::OpenMP_C PkgConfig::ffi PkgConfig::jansson fx_llvm m)

add_library(fxjit_static STATIC ${fx_objects})
set_target_properties(fxjit_static PROPERTIES OUTPUT_NAME fxjit)
target_include_directories(fxjit_static PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
target_link_libraries(fxjit_static PUBLIC fx_sanitize ${fx_libraries})

add_dependencies(fxjit_static fx_ops)

add_library(fxjit SHARED ${fx_objects})
add_dependencies(fxjit fx_ops)
set_target_properties(fxjit PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_include_directories(fxjit PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>
                                        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(fxjit PRIVATE fx_sanitize ${fx_libraries})
if(NOT FXJIT_SANITIZE)
  target_link_options(fxjit PRIVATE -Wl,--no-undefined)
endif()

add_library(fxjit_rt STATIC runtime/parallel.c)
target_include_directories(fxjit_rt PUBLIC ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(fxjit_rt PRIVATE _GNU_SOURCE)
target_link_libraries(fxjit_rt PRIVATE fx_warnings OpenMP::OpenMP_C)

include(CMakePackageConfigHelpers)
set(fx_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fxjit)
install(TARGETS fxjit EXPORT fxjitTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS fxjit_static fxjit_rt ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/fxjit ${CMAKE_BINARY_DIR}/include/fxjit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT fxjitTargets NAMESPACE fxjit:: DESTINATION ${fx_package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/fxjitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/fxjitConfig.cmake ${CMAKE_BINARY_DIR}/fxjitConfigVersion.cmake DESTINATION ${fx_package_dir})
file(RELATIVE_PATH fx_prefix_from_pc /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/fxjit.pc.in ${CMAKE_BINARY_DIR}/fxjit.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/fxjit.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
