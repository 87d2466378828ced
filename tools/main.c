/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: the program fxjit: picks the verb. Exit status: 0, 1 (the model or the data is at fault), 2 (usage). */
#include "tool.h"
#include <string.h>

static const tool_verb verbs[] = {
    {"show", "print a model as graph, program, LLVM IR or machine code", tool_show},
    {"explain", "tell what the compiler made of a model, and why", tool_explain},
    {"report", "write a page about a model and its compiled code", tool_report},
    {"run", "run a model on .npy inputs or on random ones", tool_run},
    {"verify", "compare compiled code, interpreter and expected outputs", tool_verify},
    {"bench", "measure speed, compile time and memory", tool_bench},
    {"profile", "measure where a run's time goes, unit by unit", tool_profile},
    {"compile", "write an object file and its C header", tool_compile},
    {"convert", "write a model in another format: .fxm or .fx", tool_convert},
    {"diff", "tell how the graphs of two models differ", tool_diff},
    {"machine", "show what this machine does at best, measured", tool_machine},
    {"ops", "list the operators and what covers ONNX", tool_ops},
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static void print_help(FILE *out)
{
    fprintf(out, "Usage: fxjit VERB [OPTION...] MODEL\n\nCompiles traced FX graphs and ONNX models to native code.\n\nVerbs:\n");
    for (int i = 0; i < VERBS; i++) fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(out, "\n`fxjit VERB --help` tells the options of a verb and gives examples.\n"
                 "Exit status: 0, 1 (the model or the data is at fault), 2 (usage).\n");
}

static int unknown_verb(const char *word)
{
    const char *names[VERBS];
    for (int i = 0; i < VERBS; i++) names[i] = verbs[i].name;
    const char *near = fx_nearest_word(word, names, VERBS);
    fprintf(stderr, "fxjit: unknown verb '%s'", word);
    if (near) fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\nTry 'fxjit --help'.\n");
    return TOOL_USAGE;
}

static int run_verb(const tool_verb *verb, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof name, "fxjit %s", verb->name);
    argv[0] = name;
    return verb->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, argv[0]) == 0) return run_verb(&verbs[i], argc, argv);
    return unknown_verb(argv[0]);
}

static int help_verb(char *verb)
{
    char help[] = "--help";
    char *args[] = {verb, help, NULL};
    return dispatch(2, args);
}

static bool is_any(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    (void)tool_process_seconds(); /* fixes the start */
    tool_watch_stdout();
    argp_err_exit_status = TOOL_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) return help_verb(argv[2]);
    if (is_any(argv[1], "help", "--help") || is_any(argv[1], "-h", "-?")) {
        print_help(stdout);
        return TOOL_OK;
    }
    if (is_any(argv[1], "--version", "-V")) {
        printf("fxjit %s\n", fx_version());
        return TOOL_OK;
    }
    if (strcmp(argv[1], "--list-verbs") == 0) { /* for the shells: see complete.c */
        for (int i = 0; i < VERBS; i++) printf("%s\t%s\n", verbs[i].name, verbs[i].summary);
        return TOOL_OK;
    }
    return dispatch(argc - 1, argv + 1);
}
