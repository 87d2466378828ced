/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python_pytree.c: functions whose inputs and outputs are nested: torch.fx takes the nested arguments apart in the first line,
 * and puts the result together in the last. How they are nested stands in the graph as checked JSON (docs/FORMAT.md). */
#include "ir/python.h"
#include <string.h>

/* Leaves of the SPEC at `at`, which ends behind it: braces balance, and no other text holds "leaf":true. */
static int32_t count_leaves(const char **at)
{
    int32_t depth = 0, leaves = 0;
    do {
        if (**at == '"') { /* a key; whatever it escapes */
            const char *key = ++*at;
            while (**at && **at != '"') *at += **at == '\\' ? 2 : 1;
            leaves += strncmp(key, "leaf\":true", 10) == 0;
        }
        depth += (**at == '{') - (**at == '}');
        ++*at;
    } while (**at && depth);
    return leaves;
}

static const fx_node *next_input(const fx_node *node)
{
    while (node && node->opcode != FX_PLACEHOLDER) node = node->next;
    return node;
}

/* The placeholders of argument d are d_1, d_2, ... */
static void put_argument(fx_text *text, const fx_node *input)
{
    size_t bytes = strlen(input->target);
    while (bytes && input->target[bytes - 1] >= '0' && input->target[bytes - 1] <= '9') bytes--;
    bool numbered = bytes > 1 && input->target[bytes] && input->target[bytes - 1] == '_';
    fx__text_append(text, "%.*s", (int)(numbered ? bytes - 1 : strlen(input->target)), input->target);
}

void fx__python_arguments(fx_text *text, const fx_graph *graph)
{
    const char *at = strchr(graph->in_spec, '[');
    const fx_node *input = next_input(graph->first);
    const char *comma = "";
    int32_t inputs = 0, leaves = 0;
    const char *all = graph->in_spec;
    for (const fx_node *node = input; node; node = next_input(node->next)) inputs++;
    leaves = count_leaves(&all);
    for (bool is_self = leaves > inputs; at && at[1] == '{'; is_self = false, comma = ", ") {
        at++;
        int32_t n = count_leaves(&at);
        fx__text_append(text, "%s", comma);
        if (is_self || !input) {
            fx__text_append(text, "self");
            continue;
        }
        put_argument(text, input);
        while (n-- > 0 && input) input = next_input(input->next);
    }
}
