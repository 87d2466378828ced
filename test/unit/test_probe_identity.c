/* SPDX-License-Identifier: Apache-2.0 */
/* Probe of identities: chains of moves that undo each other are inserted behind random nodes of random graphs. The outputs stay
 * within the interpreter's bound, and the chains melt into their neighbours: kernels hardly grow in number. */
#include "probe.h"
#include "ir/op.h"
#include <stdlib.h>
#include <string.h>

/* Each appends nodes at the graph's insertion point and returns the last, NULL when the type does not suit. */
typedef fx_node *(*identity)(fx_graph *graph, fx_node *node, const fx_type *type, uint64_t *seed);

static fx_node *call(fx_graph *graph, const char *target, fx_node *self, fx_attr arg)
{
    return self ? fx_graph_call(graph, target, (fx_attr[]){fx_node_attr(self), arg}, 2) : NULL;
}

static fx_node *permuted_twice(fx_graph *graph, fx_node *node, const fx_type *type, uint64_t *seed)
{
    int64_t order[FX_RANK], back[FX_RANK];
    int64_t shift = type->rank ? (int64_t)(fx_test_random(seed) % (uint64_t)type->rank) : 0;
    for (int32_t d = 0; d < type->rank; d++) {
        order[d] = (d + shift) % type->rank;
        back[order[d]] = d;
    }
    fx_node *there = call(graph, "torch.ops.aten.permute.default", node, fx_ints(graph, order, type->rank));
    return call(graph, "torch.ops.aten.permute.default", there, fx_ints(graph, back, type->rank));
}

static fx_node *reshaped_twice(fx_graph *graph, fx_node *node, const fx_type *type, uint64_t *seed)
{
    (void)seed;
    fx_node *flat = call(graph, "torch.ops.aten.reshape.default", node, fx_ints(graph, (int64_t[]){-1}, 1));
    return call(graph, "torch.ops.aten.reshape.default", flat, fx_ints(graph, type->dim, type->rank));
}

static fx_node *part(fx_graph *graph, fx_node *node, int64_t axis, int64_t from, int64_t to)
{
    const fx_attr args[] = {fx_node_attr(node), fx_int(axis), fx_int(from), fx_int(to), fx_int(1)};
    return fx_graph_call(graph, "torch.ops.aten.slice.Tensor", args, 5);
}

static fx_node *split_and_joined(fx_graph *graph, fx_node *node, const fx_type *type, uint64_t *seed)
{
    if (type->rank == 0) return NULL;
    int64_t axis = (int64_t)(fx_test_random(seed) % (uint64_t)type->rank), n = type->dim[axis];
    int64_t at = (int64_t)(fx_test_random(seed) % (uint64_t)(n + 1));
    fx_node *low = part(graph, node, axis, 0, at), *high = part(graph, node, axis, at, n);
    if (!low || !high) return NULL;
    fx_attr both = fx_list(graph, (fx_attr[]){fx_node_attr(low), fx_node_attr(high)}, 2);
    return fx_graph_call(graph, "torch.ops.aten.cat.default", (fx_attr[]){both, fx_int(axis)}, 2);
}

static fx_node *expanded_and_selected(fx_graph *graph, fx_node *node, const fx_type *type, uint64_t *seed)
{
    (void)seed;
    if (type->rank == FX_RANK) return NULL;
    int64_t dim[FX_RANK] = {3};
    memcpy(dim + 1, type->dim, (size_t)type->rank * sizeof *dim);
    fx_node *wide = call(graph, "torch.ops.aten.unsqueeze.default", node, fx_int(0));
    wide = call(graph, "torch.ops.aten.expand.default", wide, fx_ints(graph, dim, type->rank + 1));
    if (!wide) return NULL;
    return fx_graph_call(graph, "torch.ops.aten.select.int", (fx_attr[]){fx_node_attr(wide), fx_int(0), fx_int(1)}, 3);
}

/* Back one dim at a time: the same dims at once would be simplified away before anything is made of them. */
static fx_node *flipped_twice(fx_graph *graph, fx_node *node, const fx_type *type, uint64_t *seed)
{
    int64_t axes[FX_RANK] = {0}, n = 0;
    for (int32_t d = 0; d < type->rank; d++)
        if (fx_test_random(seed) % 4) axes[n++] = d;
    fx_node *there = call(graph, "torch.ops.aten.flip.default", node, fx_ints(graph, axes, (int32_t)n));
    for (int32_t i = 0; i < n; i++) there = call(graph, "torch.ops.aten.flip.default", there, fx_ints(graph, &axes[i], 1));
    return there;
}

/* How many kernels an insertion may cost on average. Joining two parts copies, unless the parts are stored where the whole will be;
 * everything else is nothing but another index. */
static const struct {
    const char *name;
    identity insert;
    double kernels;
} kinds[] = {
    {"permute", permuted_twice, 0.1},       {"reshape", reshaped_twice, 0.1},
    {"slice and cat", split_and_joined, 1}, {"expand and select", expanded_and_selected, 0.1},
    {"flip", flipped_twice, 0.1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], GRAPHS = 24, INSERTIONS = 2 };

static fx_node *random_node(fx_graph *graph, uint64_t *seed)
{
    int32_t at = (int32_t)(fx_test_random(seed) % (uint64_t)fx_graph_size(graph));
    fx_node *node = fx_graph_first(graph);
    while (at-- > 0) node = fx_node_next(node);
    const fx_op *op = fx_node_op(node);
    bool is_tuple = op && fx__op_schema_results(op) != 1;
    bool has_value = fx_node_opcode(node) != FX_OUTPUT && fx_node_user_count(node) > 0 && !is_tuple;
    return has_value ? node : NULL;
}

/* All users of the node read the end of a chain instead; false when the kind does not suit. */
static bool insert(fx_graph *graph, fx_node *node, int kind, uint64_t *seed)
{
    fx_node *after = fx_node_next(node);
    while (fx_node_opcode(after) == FX_PLACEHOLDER) after = fx_node_next(after);
    fx_point before = fx_graph_insert_before(graph, after);
    fx_attr self = fx_node_attr(node), args = fx_tuple(graph, &self, 1);
    fx_node *users =
        fx_graph_call(graph, "torch.ops.aten.alias.default", &self, 1); /* stands for the node while the chain is made */
    ck_assert_int_ge(fx_node_replace_all_uses(node, users), 1);
    ck_assert_int_eq(fx_node_set_args(users, args, fx_node_kwargs(users)), FX_OK);
    fx_node *last = kinds[kind].insert(graph, node, fx_node_type(node, 0), seed);
    fx_graph_set_point(graph, before);
    ck_assert_int_ge(fx_node_replace_all_uses(users, last ? last : node), 1);
    ck_assert_int_eq(fx_graph_erase(graph, users), FX_OK);
    return last != NULL;
}

static int32_t run(fx_probe *p, bool apart, const char *what)
{
    fx_tensor out[FX_PROBE_TENSORS] = {0};
    fx_compiled *compiled = fx_probe_compile(p, &(fx_compile_options){.threads = 1, .no_in_place = apart});
    int32_t kernels = fx_compiled_kernel_count(compiled);
    CHECK_OK(p->context, fx_run(compiled, p->context, p->in, p->n_in, out, p->n_out));
    fx_probe_expect(p, what, p->expected, out, true);
    fx_probe_release(out, p->n_out);
    fx_compiled_free(compiled);
    return kernels;
}

static void check_kind(int kind)
{
    int32_t inserted = 0, more = 0;
    for (uint64_t seed = 4000; seed < 4000 + GRAPHS; seed++) {
        uint64_t random = seed * 31 + (uint64_t)kind;
        fx_probe p = fx_probe_random(seed, false, 10, 25);
        int32_t before = run(&p, seed % 2, "as drawn");
        for (int i = 0, tries = 0; i < INSERTIONS && tries < 20; tries++) {
            fx_node *node = random_node(fx_module_graph(p.module), &random);
            bool done = node && insert(fx_module_graph(p.module), node, kind, &random);
            i += done;
            inserted += done;
            CHECK_OK(p.context, fx_graph_propagate(fx_module_graph(p.module)));
        }
        more += run(&p, seed % 2, kinds[kind].name) - before;
        fx_probe_free(&p);
    }
    printf("%s: %d insertions, %d more kernels\n", kinds[kind].name, (int)inserted, (int)more);
    ck_assert_int_ge(inserted, GRAPHS);
    ck_assert_msg(more <= kinds[kind].kernels * inserted, "%s costs %d kernels in %d insertions", kinds[kind].name, (int)more,
                  (int)inserted);
}

START_TEST(moves_that_undo_each_other_change_nothing)
{
    for (int kind = 0; kind < KINDS; kind++) check_kind(kind);
}
END_TEST

FX_TESTS("probe_identity", moves_that_undo_each_other_change_nothing)
