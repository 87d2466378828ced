# SPDX-License-Identifier: Apache-2.0
# find_package(fxjit) gives the imported target fxjit::fxjit.
include(${CMAKE_CURRENT_LIST_DIR}/fxjitTargets.cmake)
