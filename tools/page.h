/* SPDX-License-Identifier: Apache-2.0 */
/* tools/page.h: the page of `fxjit report` and `fxjit show --format html`: data as JSON, and the HTML file around it. The files of
 * the page (tools/report/) are part of the program. */
#ifndef FX_TOOLS_PAGE_H
#define FX_TOOLS_PAGE_H

#include "fxjit/inspect.h"
#include "fxjit/profile.h"
#include "tool.h"

/* Nodes as the page numbers them: those of one graph in order, then those of the graphs inside it (bodies of control flow). */
typedef struct page_nodes {
    const fx_graph **graph;
    int32_t *first;  /* by graph: index of its first node; one more at the end */
    int32_t **index; /* by graph, by fx_node_id: the node's number; -1: none */
    int32_t n_graph;
} page_nodes;
page_nodes page_nodes_new(void);
void page_nodes_free(page_nodes *nodes);
void page_nodes_add(page_nodes *nodes, const fx_graph *graph);         /* nothing when it is there */
int32_t page_nodes_find(const page_nodes *nodes, const fx_node *node); /* -1: not among them */

/* Text as JSON; bytes that are no UTF-8 become question marks. */
json_t *page_text(const char *text);
/* A page with the model's name and file. */
json_t *page_begin(const char *model_path);
/* "nodes" and "groups" of the page. */
void page_add_graphs(json_t *page, const page_nodes *nodes);
/* Model, nodes, groups, units, kernels, pairs and buffers of compiled code. */
void page_add_code(json_t *page, page_nodes *nodes, const fx_explanation *code);
/* Times of units, and what the machine could do at best with one thread or all. */
void page_add_times(json_t *page, const fx_profile *profile);
void page_add_machine(json_t *page, const fx_machine *machine, bool all_threads);
/* Raw RFC 1951 in base64, freed by free; NULL: out of memory. */
char *tool_deflate(const char *text, size_t bytes);
/* Writes the page; texts: JSON of the kernels' texts, may be NULL. path "-": standard output. TOOL_OK, or TOOL_FAILED after a
 * message. */
int page_write(const char *path, const json_t *page, const json_t *texts);

#endif
