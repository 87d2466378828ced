/* SPDX-License-Identifier: Apache-2.0 */
/* tools/page_files.h: the files of tools/report/ as bytes; cmake/PageFiles.cmake writes what is declared here. */
#ifndef FX_TOOLS_PAGE_FILES_H
#define FX_TOOLS_PAGE_FILES_H

#include <stddef.h>

typedef struct page_file {
    const unsigned char *bytes;
    size_t n;
} page_file;
extern const page_file page_html, page_css;
extern const page_file page_scripts[]; /* in the order in which they need each other */
extern const int page_n_scripts;

#endif
