# SPDX-License-Identifier: Apache-2.0
# Writes the files of the report's page as C: cmake -DFOLDER=tools/report -DOUTPUT=page_files.c -P PageFiles.cmake
cmake_minimum_required(VERSION 3.25)
set(scripts layout.js model.js graph.js views.js details.js main.js) # in the order in which they need each other
set(text "/* Made by cmake/PageFiles.cmake. */\n#include \"page_files.h\"\n")
function(add_bytes name file)
  file(READ ${FOLDER}/${file} hex HEX)
  string(REGEX REPLACE "(................................................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  set(text "${text}static const unsigned char ${name}_bytes[] = {\n${bytes}};\n" PARENT_SCOPE)
endfunction()
add_bytes(html report.html)
add_bytes(css report.css)
set(rows "")
foreach(script IN LISTS scripts)
  string(REPLACE ".js" "" name ${script})
  add_bytes(${name} ${script})
  string(APPEND rows "    {${name}_bytes, sizeof ${name}_bytes},\n")
endforeach()
string(APPEND text "const page_file page_html = {html_bytes, sizeof html_bytes};\nconst page_file page_css = {css_bytes, sizeof css_bytes};\n"
  "const page_file page_scripts[] = {\n${rows}};\nconst int page_n_scripts = sizeof page_scripts / sizeof page_scripts[0];\n")
file(WRITE ${OUTPUT} "${text}")
