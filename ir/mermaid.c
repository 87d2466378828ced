/* SPDX-License-Identifier: Apache-2.0 */
/* ir/mermaid.c: the graph as a flowchart of Mermaid, which GitHub and many editors draw: as ir/dot.c, with fewer words per box. */
#include "ir/draw.h"
#include <string.h>

/* Inside a quoted label, which Mermaid reads as HTML with entities of its own ("#quot;"); a backtick would begin markdown. */
static void put_escaped(fx_text *text, const char *value)
{
    for (const char *at = value; *at; at++) {
        if ((unsigned char)*at < 0x20)
            fx__text_append(text, " ");
        else if (strchr("\"#<>&`;\\[]{}|", *at))
            fx__text_append(text, "#%d;", *at);
        else
            fx__text_put(text, at, 1);
    }
}

static void open_group(fx_drawing *d, int32_t group, int depth)
{
    fx__text_append(&d->text, "%*ssubgraph g%d[\"", 2 * depth, "", (int)group);
    put_escaped(&d->text, fx_groups_name(d->groups, group));
    fx__text_append(&d->text, "\"]\n");
}

static void close_group(fx_drawing *d, int depth)
{
    fx__text_append(&d->text, "%*send\n", 2 * depth, "");
}

static void put_node(fx_drawing *d, const fx_node *node, int depth)
{
    static const char *const open[FX_OPCODE_COUNT] = {"([\"", "[/\"", "[\"", "[\"", "[[\"", "([\""};
    static const char *const close[FX_OPCODE_COUNT] = {"\"])", "\"/]", "\"]", "\"]", "\"]]", "\"])"};
    const char *module = fx__drawing_module(d, node);
    char time[32];
    fx__text_append(&d->text, "%*sn%d%s", 2 * depth, "", (int)node->id, open[node->opcode]);
    put_escaped(&d->text, node->name);
    if (strcmp(node->name, node->target) != 0) {
        fx__text_append(&d->text, "<br>");
        put_escaped(&d->text, node->target);
    }
    if (module) {
        fx__text_append(&d->text, "<br>in ");
        put_escaped(&d->text, module);
    }
    if (fx__drawing_time(d, node, time)) fx__text_append(&d->text, "<br>%s", time);
    fx__text_append(&d->text, "%s\n", close[node->opcode]);
}

static void put_edge(fx_drawing *d, const fx_node *from, const fx_node *to)
{
    fx_text types;
    fx__text_init(&types, d->graph->context);
    fx__drawing_types(&types, from);
    char *label = fx__text_finish(&types);
    fx__text_append(&d->text, "  n%d -->", (int)from->id);
    if (label && *label) {
        fx__text_append(&d->text, "|\"");
        put_escaped(&d->text, label);
        fx__text_append(&d->text, "\"|");
    }
    fx__text_append(&d->text, " n%d\n", (int)to->id);
    d->text.failed = d->text.failed || !label;
    fx_text_free(label);
}

char *fx_graph_to_mermaid(const fx_graph *graph, const fx_draw_options *options)
{
    static const fx_drawing_words words = {"flowchart TB\n", "", open_group, close_group, put_node, put_edge};
    return fx__drawing_make(graph, options, &words);
}
