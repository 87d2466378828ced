/* SPDX-License-Identifier: Apache-2.0 */
/* complete.c: what the shells' completions ask the program, so that they never know less than it does: `fxjit --list-verbs`,
 * `fxjit VERB --list-options`, and `fxjit VERB --OPTION '?'` for values (tool_choice). Not for people, so not in --help. */
#include "tool.h"
#include <string.h>

/* "--name<TAB>ARGUMENT<TAB>documentation", its line ends and tabs as spaces. */
static void list_option(const struct argp_option *option)
{
    printf("--%s\t%s\t", option->name, option->arg ? option->arg : "");
    for (const char *at = option->doc ? option->doc : ""; *at; at++) putchar(*at == '\n' || *at == '\t' ? ' ' : *at);
    putchar('\n');
}

void tool_list_options(const struct argp *argp)
{
    for (const struct argp_option *option = argp->options; option && (option->name || option->key || option->doc); option++)
        if (option->name && !(option->flags & OPTION_HIDDEN)) list_option(option);
    for (const struct argp_child *child = argp->children; child && child->argp; child++) tool_list_options(child->argp);
}

void tool_list_values(const char *const *words)
{
    for (; *words; words++) puts(*words);
}
