/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels against PyTorch: every case of test/data/torch_cases.txt, which make_torch_cases.py wrote. */
#include "op_run.h"

/* f32 sums of PyTorch may round; everything here stays below 100 terms of magnitude 4. */
static const double tolerance = 1e-5;

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    char *text = malloc((size_t)bytes + 1);
    ck_assert_uint_eq(fread(text, 1, (size_t)bytes, file), (size_t)bytes);
    text[bytes] = 0;
    fclose(file);
    return text;
}

typedef struct torch_case {
    char *target, *args;
    const char *in[OP_INPUTS], *out[OP_OUTPUTS];
    int32_t n_in, n_out;
} torch_case;

static void run_case(const torch_case *c)
{
    op_run run;
    char what[200];
    snprintf(what, sizeof what, "%s %s", c->target, c->args);
    fx_status status = op_start(&run, c->target, c->args, c->in, c->n_in, c->n_out);
    CHECK_OK(run.context, status);
    for (int32_t i = 0; i < c->n_out; i++) op_compare(&run.out[i], c->out[i], tolerance, what);
    op_check_program(&run, tolerance, what);
    op_done(&run);
}

static void read_line(torch_case *c, char *line, int *cases)
{
    char *rest = strchr(line, ' ');
    ck_assert_ptr_nonnull(rest);
    *rest++ = 0;
    if (strcmp(line, "in") == 0) {
        c->in[c->n_in++] = rest;
    } else if (strcmp(line, "out") == 0) {
        c->out[c->n_out++] = rest;
    } else {
        if (c->target) run_case(c);
        *c = (torch_case){.target = rest, .args = strchr(rest, ' ') + 1};
        c->args[-1] = 0;
        ++*cases;
    }
}

START_TEST(references_agree_with_pytorch)
{
    char *text = read_file(FX_SOURCE_DIR "/test/data/torch_cases.txt"), *next = NULL;
    torch_case c = {0};
    int cases = 0;
    for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) read_line(&c, line, &cases);
    run_case(&c);
    ck_assert_int_ge(cases, 150);
    free(text);
}
END_TEST

FX_TESTS("ops_torch", references_agree_with_pytorch)
