/* SPDX-License-Identifier: Apache-2.0 */
/* BLOCK: contractions and row stages that a block of rows goes through, against evaluation: rows and columns through residues of
 * the tile and of the vectors, static and symbolic, columns read directly and from panels, any split into tasks. */
#include "native_run.h"

/* Softmax-like rows between two contractions over %ld heads, [rows, features] by [features, keys] by [keys, columns]. */
typedef struct block_case {
    const char *rows, *keys, *columns; /* sizes as text: a number, or s0, s1 */
    int features, mr, nv, grain;
    bool panels;
} block_case;

static const char head[] =
    "program inputs 4 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
    "sym s0 in [0,100] hint 8 multiple 1 from input 0 axis 1\nsym s1 in [0,100] hint 8 multiple 1 from input 3 axis 1\n";

static void block_text(const block_case *c, char *out, size_t size)
{
    const char *t = c->rows, *s = c->keys, *e = c->columns;
    int d = c->features, width = 16 * c->nv;
    char k[64], at[64];
    if (c->panels) {
        snprintf(k, sizeof k, "[2,floordiv(%s + %d, %d),%d,%d]", s, width - 1, width, d, width);
        snprintf(at, sizeof at, "k[b,j/%d,d,j%%%d]", width, width);
    } else {
        snprintf(k, sizeof k, "[2,%d,%s]", d, s);
        snprintf(at, sizeof at, "k[b,d,j]");
    }
    snprintf(out, size,
             "%sbuf %%q: f32[2,%s,%d] input 0\nbuf %%k: f32%s input 1\nbuf %%v: f32[2,%s,%s] input 2\nbuf %%w: f32[2,%s] input 3\n"
             "buf %%y: f32[2,%s,%s] output 0\n"
             "kernel k0(q: f32[2,%s,%d], k: f32%s, v: f32[2,%s,%s], w: f32[2,%s], out y: f32[2,%s,%s], local s: f32[%s]) {\n"
             "  for b:2 t:(%s) ; j:(%s) d:%d i:(%s) e:(%s) n:(%s)\n"
             "  c = dot(q[b,t,d] * %s) over d each j\n  s[j] = c * 0.5 + w[b,j] over j\n  m = max(s[i]) over i\n"
             "  s[i] = exp(s[i] - m) over i\n  l = sum(s[i]) over i\n  s[i] = s[i] * (1.0 / l) over i\n"
             "  o = dot(s[n] * v[b,n,e]) over n each e\n  y[b,t,e] = o + 1.0 over e\n"
             "  sched block vec i*16 unroll 2 row t mr %d nv %d task(b,t) grain %d order(b,t) parallel\n"
             "  cost flop 1 read 1 write 1 cycles 1\n}\nrun k0(%%q, %%k, %%v, %%w, %%y, _)\n",
             head, t, d, k, s, e, s, t, e, t, d, k, s, e, s, t, e, s, t, s, d, s, e, s, at, c->mr, c->nv, c->grain);
}

static void check(const block_case *c, int threads, int64_t rows, int64_t keys)
{
    char text[4096];
    native n;
    block_text(c, text, sizeof text);
    native_open(&n, text, threads);
    n.sym[0] = rows;
    n.sym[1] = keys;
    native_tensors(&n, 7, -1, 1);
    native_check(&n, 0, 2e-5);
    native_close(&n);
}

START_TEST(tiles_and_tails)
{
    static const block_case cases[] = {
        {"13", "32", "16", 5, 13, 2, 1, false}, {"29", "33", "40", 1, 13, 2, 3, false}, {"1", "17", "1", 3, 1, 1, 1, false},
        {"14", "70", "33", 4, 13, 2, 2, false}, {"7", "15", "16", 2, 4, 4, 1, false},   {"12", "64", "32", 8, 5, 1, 100, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        block_case c = cases[i];
        check(&c, 1, 0, 0);
        c.panels = true;
        check(&c, 2, 0, 0);
    }
}
END_TEST

/* Rows in halves of the tile's height, masked columns; no rows, no keys. */
START_TEST(sizes_of_a_run)
{
    static const int64_t rows[] = {0, 1, 5, 8, 15, 23}, keys[] = {0, 1, 16, 33, 47};
    for (int panels = 0; panels < 2; panels++) {
        block_case c = {"s0", "s1", "18", 3, 8, 2, 2, panels};
        char text[4096];
        native n;
        block_text(&c, text, sizeof text);
        native_open(&n, text, 1);
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            n.sym[0] = rows[r];
            n.sym[1] = keys[r % 5];
            native_tensors(&n, 7 + r, -1, 1);
            native_check(&n, 0, 2e-5);
        }
        native_close(&n);
    }
}
END_TEST

/* How rows are shared out shows in no bit. */
START_TEST(tasks_do_not_show)
{
    block_case c = {"29", "70", "33", 4, 13, 2, 1, true};
    char text[4096];
    native n[2];
    for (int i = 0; i < 2; i++) {
        c.grain = i ? 100 : 1;
        block_text(&c, text, sizeof text);
        native_open(&n[i], text, i ? 1 : NATIVE_THREADS);
        native_tensors(&n[i], 7, -1, 1);
        ck_assert_int_eq(native_call(&n[i], 0), FX_OK);
    }
    ck_assert_mem_eq(n[0].out[0].data, n[1].out[0].data, (size_t)fx_tensor_bytes(&n[0].out[0]));
    for (int i = 0; i < 2; i++) native_close(&n[i]);
}
END_TEST

FX_TESTS("codegen_block", tiles_and_tails, sizes_of_a_run, tasks_do_not_show)
