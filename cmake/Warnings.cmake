# SPDX-License-Identifier: Apache-2.0
add_library(fx_warnings INTERFACE)
target_compile_options(fx_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -fno-math-errno)
option(FXJIT_WERROR "Warnings are errors" ON)
if(FXJIT_WERROR)
  target_compile_options(fx_warnings INTERFACE -Werror)
endif()
