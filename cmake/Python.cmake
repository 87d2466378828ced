# SPDX-License-Identifier: Apache-2.0
# The Python package: a link to it beside the library, so that PYTHONPATH=build/release/python works, and its installation into the
# system Python's dist-packages below the prefix (FXJIT_PYTHON_DIR chooses another folder).
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/python)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/python/fxjit ${CMAKE_BINARY_DIR}/python/fxjit SYMBOLIC)
find_program(system_python python3 PATHS /usr/bin NO_DEFAULT_PATH)
set(fx_python_folder python3)
if(system_python AND NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  execute_process(COMMAND ${system_python} -c "import sys; print('python%d.%d' % sys.version_info[:2])"
                  OUTPUT_VARIABLE fx_python_folder OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
set(FXJIT_PYTHON_DIR lib/${fx_python_folder}/dist-packages CACHE STRING "Where the Python package is installed, below the prefix")
install(DIRECTORY python/fxjit DESTINATION ${FXJIT_PYTHON_DIR} PATTERN "__pycache__" EXCLUDE)
