# SPDX-License-Identifier: Apache-2.0
# README.md is true: its C program is docs/examples/quickstart.c to the letter, and its command-line session runs. So is the program
# of docs/REWRITING.md, that of docs/TRACING.md, and the sessions of docs/DEBUGGING.md.
# Run: cmake -DFXJIT=PROGRAM -DWORK=DIR -P readme.cmake
get_filename_component(root ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
file(READ ${root}/README.md readme)
file(READ ${root}/docs/examples/quickstart.c program)
string(FIND "${readme}" "```c\n${program}```" at)
if(at EQUAL -1)
  message(SEND_ERROR "the C program of README.md is not docs/examples/quickstart.c")
endif()

file(READ ${root}/docs/REWRITING.md rewriting)
file(READ ${root}/docs/examples/relu_to_gelu.c program)
string(FIND "${rewriting}" "```c\n${program}```" at)
if(at EQUAL -1)
  message(SEND_ERROR "the C program of docs/REWRITING.md is not docs/examples/relu_to_gelu.c")
endif()

file(READ ${root}/docs/TRACING.md tracing)
file(READ ${root}/docs/examples/trace_detector.c program)
string(FIND "${tracing}" "```c\n${program}```" at)
if(at EQUAL -1)
  message(SEND_ERROR "the C program of docs/TRACING.md is not docs/examples/trace_detector.c")
endif()

file(MAKE_DIRECTORY ${WORK}/out)
file(CREATE_LINK ${root}/test ${WORK}/test SYMBOLIC)
string(REGEX MATCH "```sh\n(.*)\n```" session "${readme}")
string(REPLACE "\n" ";" lines "${CMAKE_MATCH_1}")
foreach(line IN LISTS lines)
  string(REGEX REPLACE " *#.*" "" line "${line}")
  string(REGEX REPLACE "^fxjit " "${FXJIT} " command "${line}")
  separate_arguments(command)
  execute_process(COMMAND ${command} WORKING_DIRECTORY ${WORK} OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(SEND_ERROR "`${line}` of README.md ended with ${result}:\n${out}${err}")
  endif()
endforeach()

file(REMOVE_RECURSE ${WORK}/out/dump)
file(READ ${root}/docs/DEBUGGING.md debugging)
string(REPLACE ";" "@semicolon@" debugging "${debugging}") # it would part elements of the list
string(REGEX MATCHALL "```sh\n[^`]*\n```" sessions "${debugging}")
list(JOIN sessions "\n" session)
string(REGEX REPLACE "```(sh\n)?" "" session "${session}")
string(REPLACE "@semicolon@" ";" session "${session}")
cmake_path(GET FXJIT PARENT_PATH folder)
execute_process(COMMAND sh -ec "PATH=${folder}:$PATH\n${session}" WORKING_DIRECTORY ${WORK} OUTPUT_VARIABLE out ERROR_VARIABLE err
                RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(SEND_ERROR "the sessions of docs/DEBUGGING.md ended with ${result}:\n${out}${err}")
endif()
