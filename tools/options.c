/* SPDX-License-Identifier: Apache-2.0 */
/* options.c: the options that verbs share, and how usage errors are answered. */
#include "tool.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Usage errors ------------------------------------------------------------------------------------------------------------ */

void tool_usage(const char *verb, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "fxjit %s: ", verb);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'fxjit %s --help'.\n", verb);
    exit(TOOL_USAGE);
}

enum { LONGEST_WORD = 100, MAX_OPTIONS = 64 };

/* The least number of changes that makes the word a part of the name. */
static int distance_to_part(const char *word, const char *name)
{
    int row[LONGEST_WORD + 1], best;
    size_t n = strlen(word);
    if (n > LONGEST_WORD) return LONGEST_WORD;
    for (size_t i = 0; i <= n; i++) row[i] = (int)i;
    best = row[n];
    for (const char *at = name; *at; at++) {
        int diagonal = row[0]; /* stays 0: a part may begin anywhere */
        for (size_t i = 1; i <= n; i++) {
            int replaced = diagonal + (word[i - 1] != *at), shorter = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
            diagonal = row[i];
            row[i] = replaced < shorter ? replaced : shorter;
        }
        if (row[n] < best) best = row[n];
    }
    return best;
}

const char *tool_nearest_name(const char *word, const char *const *names, int n)
{
    char plain[LONGEST_WORD + 1];
    size_t length = 0;
    const char *best = NULL;
    for (const char *at = word; *at && length < LONGEST_WORD; at++)
        if (*at != '*') plain[length++] = *at;
    plain[length] = 0;
    int least = 1 + (int)length / 3;
    for (int i = 0; i < n; i++) {
        int d = distance_to_part(plain, names[i]);
        if (d > least || (d == least && (!best || strlen(names[i]) >= strlen(best)))) continue;
        least = d;
        best = names[i];
    }
    return best;
}

void tool_complain(const char *what, const char *word, const char *near)
{
    if (near)
        tool_tell("%s '%s'; did you mean '%s'?", what, word, near);
    else
        tool_tell("%s '%s'", what, word);
}

static int collect_names(const struct argp *argp, const char **names, int n)
{
    for (const struct argp_option *option = argp->options; option && (option->name || option->key || option->doc); option++)
        if (option->name && n < MAX_OPTIONS) names[n++] = option->name;
    for (const struct argp_child *child = argp->children; child && child->argp; child++) n = collect_names(child->argp, names, n);
    return n;
}

/* getopt's rule: a prefix is enough. */
static bool is_known(const char *word, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strncmp(word, names[i], strlen(word)) == 0) return true;
    return false;
}

static void check_option(const char *verb, const char *word, const char *const *names, int n)
{
    if (is_known(word, names, n)) return;
    const char *near = fx_nearest_word(word, names, n);
    if (near) tool_usage(verb, "unknown option '--%s'; did you mean '--%s'?", word, near);
    tool_usage(verb, "unknown option '--%s'", word);
}

void tool_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    const char *names[MAX_OPTIONS] = {"help", "usage"};
    int n = collect_names(argp, names, 2);
    const char *verb = strchr(argv[0], ' ') + 1;
    if (argc == 2 && strcmp(argv[1], "--list-options") == 0) {
        tool_list_options(argp);
        exit(TOOL_OK);
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char word[LONGEST_WORD + 1];
        if (strncmp(argv[i], "--", 2) != 0) continue;
        snprintf(word, sizeof word, "%.*s", (int)strcspn(argv[i] + 2, "="), argv[i] + 2);
        check_option(verb, word, names, n);
    }
    if (argp_parse(argp, argc, argv, 0, NULL, input) != 0) exit(TOOL_USAGE);
}

/* ---- Values -------------------------------------------------------------------------------------------------------------------
 */

long tool_number(const char *verb, const char *option, const char *text, long lo, long hi)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < lo || value > hi)
        tool_usage(verb, "--%s: '%s' is no number from %ld to %ld", option, text, lo, hi);
    return value;
}

double tool_duration(const char *verb, const char *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 3600))
        tool_usage(verb, "--%s: '%s' is no number from 0 to 3600", option, text);
    return value;
}

int tool_choice(const char *verb, const char *option, const char *text, const char *const *words)
{
    int n = 0;
    for (; words[n]; n++)
        if (strcmp(words[n], text) == 0) return n;
    if (strcmp(text, "?") == 0) {
        tool_list_values(words);
        exit(TOOL_OK);
    }
    const char *near = fx_nearest_word(text, words, n);
    if (near) tool_usage(verb, "--%s: '%s' is not among its values; did you mean '%s'?", option, text, near);
    tool_usage(verb, "--%s: '%s' is not among its values", option, text);
}

static void add_pair(const tool_options *o, const char *option, tool_pair *pairs, int *n, const char *text, bool name_needed)
{
    const char *equals = strchr(text, '=');
    if (!equals && name_needed) tool_usage(o->verb, "--%s: '%s' is not NAME=VALUE", option, text);
    if (*n == TOOL_LIST) tool_usage(o->verb, "more than %d times --%s", TOOL_LIST, option);
    pairs[*n].name = equals ? strndup(text, (size_t)(equals - text)) : strdup("");
    pairs[*n].value = equals ? equals + 1 : text;
    if (!pairs[*n].name) exit(TOOL_FAILED);
    (*n)++;
}

tool_options tool_defaults(const char *verb)
{
    return (tool_options){.verb = verb, .compiled = true, .interpreted = true, .seed = 1};
}

void tool_options_free(tool_options *o)
{
    for (int i = 0; i < o->n_dims; i++) free(o->dims[i].name);
    for (int i = 0; i < o->n_inputs; i++) free(o->inputs[i].name);
    o->n_dims = o->n_inputs = 0;
}

/* ---- Child parsers -------------------------------------------------------------------------------------------------------------
 */

enum { KEY_PRECISION = 256, KEY_TARGET, KEY_CPU, KEY_FEATURES, KEY_CHECK, KEY_DIM, KEY_SEED, KEY_ENGINE, KEY_JSON };

static const struct argp_option compile_options[] = {
    {"threads", 't', "N", 0, "threads to use; 0, the default, is one per core", 0},
    {"precision", KEY_PRECISION, "MODE", 0, "default; strict: every node rounds for itself; fast: today as default", 0},
    {"target", KEY_TARGET, "TRIPLE", 0, "LLVM triple to compile for", 0},
    {"cpu", KEY_CPU, "NAME", 0, "LLVM name of the CPU to compile for", 0},
    {"features", KEY_FEATURES, "LIST", 0, "LLVM features, such as +avx2,-avx512f", 0},
    {"check", KEY_CHECK, NULL, 0, "check every form after every pass", 0},
    {0}};

static error_t parse_compile(int key, char *arg, struct argp_state *state)
{
    static const char *const precisions[] = {"default", "strict", "fast", NULL};
    tool_options *o = state->input;
    switch (key) {
    case 't':
        o->compile.threads = (int32_t)tool_number(o->verb, "threads", arg, 0, 1024);
        return 0;
    case KEY_PRECISION:
        o->compile.precision = (fx_precision)tool_choice(o->verb, "precision", arg, precisions);
        return 0;
    case KEY_TARGET:
        o->compile.target_triple = arg;
        return 0;
    case KEY_CPU:
        o->compile.target_cpu = arg;
        return 0;
    case KEY_FEATURES:
        o->compile.target_features = arg;
        return 0;
    case KEY_CHECK:
        o->compile.verify = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
const struct argp tool_argp_compile = {.options = compile_options, .parser = parse_compile};

static const struct argp_option input_options[] = {
    {"input", 'i', "NAME=FILE", 0, "read an input from a .npy file; NAME= may be left out for an only input. Others are random", 0},
    {"dim", KEY_DIM, "NAME=SIZE", 0, "value of a symbolic size", 0},
    {"seed", KEY_SEED, "N", 0, "seed of random inputs", 0},
    {0}};

static error_t parse_input(int key, char *arg, struct argp_state *state)
{
    tool_options *o = state->input;
    switch (key) {
    case 'i':
        add_pair(o, "input", o->inputs, &o->n_inputs, arg, false);
        return 0;
    case KEY_DIM:
        add_pair(o, "dim", o->dims, &o->n_dims, arg, true);
        (void)tool_number(o->verb, "dim", o->dims[o->n_dims - 1].value, 0, INT32_MAX);
        return 0;
    case KEY_SEED:
        o->seed = (uint64_t)tool_number(o->verb, "seed", arg, 0, INT32_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
const struct argp tool_argp_input = {.options = input_options, .parser = parse_input};

static const struct argp_option engine_options[] = {{"engine", KEY_ENGINE, "NAME", 0, "compiled or interpreter", 0}, {0}};

static error_t parse_engine(int key, char *arg, struct argp_state *state)
{
    static const char *const engines[] = {"compiled", "interpreter", NULL};
    tool_options *o = state->input;
    if (key != KEY_ENGINE) return ARGP_ERR_UNKNOWN;
    o->interpreted = tool_choice(o->verb, "engine", arg, engines) == 1;
    o->compiled = !o->interpreted;
    return 0;
}
const struct argp tool_argp_engine = {.options = engine_options, .parser = parse_engine};

static const struct argp_option json_options[] = {{"json", KEY_JSON, NULL, 0, "print one JSON object", 0}, {0}};

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    tool_options *o = state->input;
    if (key != KEY_JSON) return ARGP_ERR_UNKNOWN;
    o->json = true;
    return 0;
}
const struct argp tool_argp_json = {.options = json_options, .parser = parse_json};

error_t tool_one_model(const char *verb, int key, const char *arg, const char **model)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*model) tool_usage(verb, "one model at a time, not '%s' too", arg);
        *model = arg;
        return 0;
    case ARGP_KEY_END:
        if (!*model) tool_usage(verb, "which model?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
