/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas, maps, interned strings, the context's allocator and its diagnostics. */
#include "harness.h"
#include "fxjit/graph.h"
#include "ir/arena.h"
#include "ir/diag.h"
#include <stdlib.h>
#include <string.h>

/* Counts what is out, and fails from the n-th request on. */
typedef struct counter {
    int64_t blocks, bytes, requests, fail_at;
} counter;

static void *count_alloc(void *user, size_t bytes)
{
    counter *c = user;
    if (c->requests++ >= c->fail_at) return NULL;
    c->blocks++;
    c->bytes += (int64_t)bytes;
    return malloc(bytes);
}

static void count_free(void *user, void *memory, size_t bytes)
{
    counter *c = user;
    c->blocks--;
    c->bytes -= (int64_t)bytes;
    free(memory);
}

START_TEST(arena_memory_is_zero_and_aligned)
{
    fx_context *context = fx_context_new();
    fx_arena *arena = fx__arena_new(context);
    for (size_t i = 1; i < 3000; i++) {
        unsigned char *memory = fx__arena_alloc(arena, i, 3);
        ck_assert_uint_eq((uintptr_t)memory % 16, 0);
        size_t zeros = 0; /* one assertion for all bytes: each is a message to Check */
        while (zeros < i * 3 && memory[zeros] == 0) zeros++;
        ck_assert_uint_eq(zeros, i * 3);
        memset(memory, 0xff, i * 3);
    }
    ck_assert_ptr_nonnull(fx__arena_alloc(arena, 0, 8));
    ck_assert_str_eq(fx__arena_format(arena, "%d-%s", 7, "x"), "7-x");
    fx__arena_free(arena);
    fx__arena_free(NULL);
    fx_context_free(context);
}
END_TEST

START_TEST(sizes_that_overflow_give_null)
{
    fx_context *context = fx_context_new();
    fx_arena *arena = fx__arena_new(context);
    ck_assert_ptr_null(fx__arena_alloc(arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(fx__arena_alloc(arena, SIZE_MAX, 1));
    ck_assert_ptr_null(fx__alloc(context, SIZE_MAX - 3));
    ck_assert_int_eq(fx_context_status(context), FX_E_OOM);
    ck_assert_int_eq(fx_context_diag_count(context), 1);
    fx__arena_free(arena);
    fx_context_free(context);
}
END_TEST

START_TEST(arrays_grow)
{
    fx_context *context = fx_context_new();
    fx_arena *arena = fx__arena_new(context);
    int32_t *items = NULL, capacity = 0;
    for (int32_t i = 0; i < 5000; i++) {
        items = fx__arena_grow(arena, items, &capacity, i, sizeof *items);
        items[i] = i;
    }
    for (int32_t i = 0; i < 5000; i++) ck_assert_int_eq(items[i], i);
    fx__arena_free(arena);
    fx_context_free(context);
}
END_TEST

START_TEST(maps_find_what_was_put)
{
    fx_context *context = fx_context_new();
    fx_arena *arena = fx__arena_new(context);
    fx_map map = {0};
    ck_assert_ptr_null(fx__map_get(&map, "x"));
    fx__map_init(&map, arena);
    static int keys[1000], values[1000];
    for (int i = 0; i < 1000; i++) ck_assert(fx__map_put(&map, &keys[i], &values[i]));
    for (int i = 0; i < 1000; i++) ck_assert_ptr_eq(fx__map_get(&map, &keys[i]), &values[i]);
    ck_assert(fx__map_put(&map, &keys[3], &values[4]));
    ck_assert_ptr_eq(fx__map_get(&map, &keys[3]), &values[4]);
    ck_assert_int_eq(map.count, 1000);
    ck_assert_ptr_null(fx__map_get(&map, &map));
    fx__arena_free(arena);
    fx_context_free(context);
}
END_TEST

START_TEST(equal_texts_are_one)
{
    fx_context *context = fx_context_new();
    char text[32];
    const char *first[2000];
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "name_%d", i);
        first[i] = fx__intern(context, text);
        ck_assert_str_eq(first[i], text);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "name_%d", i);
        ck_assert_ptr_eq(fx__intern(context, text), first[i]);
    }
    ck_assert_ptr_eq(fx__intern_n(context, "name_77", 6), first[7]);
    ck_assert_ptr_eq(fx__intern_n(context, "name_7\0x", 8), first[7]);
    ck_assert_ptr_null(fx__intern(context, NULL));
    fx_context_free(context);
}
END_TEST

START_TEST(diagnostics_are_kept_in_order)
{
    fx_context *context = fx_context_new();
    fx_severity severity;
    fx__diag_warn(context, NULL, "careful");
    ck_assert_int_eq(fx_context_status(context), FX_OK);
    fx__diag(context, FX_E_SHAPE, &(fx_loc){"m.py", 12, NULL}, "bad %d", 3);
    fx__diag(context, FX_E_TYPE, NULL, "second");
    fx__diag_note(context, NULL, "see there");
    ck_assert_int_eq(fx_context_status(context), FX_E_SHAPE);
    ck_assert_int_eq(fx_context_diag_count(context), 4);
    ck_assert_str_eq(fx_context_diag(context, 1, &severity), "m.py:12: bad 3");
    ck_assert_int_eq(severity, FX_ERROR);
    ck_assert_ptr_null(fx_context_diag(context, 4, NULL));
    fx_context_clear(context);
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    ck_assert_int_eq(fx_context_status(context), FX_OK);
    for (int i = 0; i < 5000; i++) fx__diag(context, FX_E_ARG, NULL, "problem %d", i);
    ck_assert_int_eq(fx_context_diag_count(context), 1001);
    ck_assert_str_eq(fx_context_diag(context, 1000, &severity), "further messages are not kept");
    fx_context_free(context);
}
END_TEST

/* Builds, prints, reads and clones a small graph; every request of it fails once. */
static fx_status build_something(fx_context *context)
{
    fx_module *module = fx_module_new(context, "m");
    if (!module) return FX_E_OOM;
    static float data[6];
    fx_tensor tensor = fx_tensor_view(data, FX_F32, 2, (const int64_t[]){2, 3});
    fx_status status = fx_module_add_tensor(module, "w", &tensor, false, NULL, NULL);
    fx_graph *graph = fx_module_graph(module), *copy = NULL, *parsed = NULL;
    fx_type type = {FX_F32, 2, {fx_graph_symbol(graph, "n", 1, 8, 4, 1), 3}};
    fx_node *x = status == FX_OK ? fx_graph_placeholder(graph, "x", &type) : NULL;
    fx_node *w = x ? fx_graph_get_attr(graph, "w") : NULL;
    fx_attr args[2] = {fx_node_attr(x), fx_node_attr(w)};
    fx_node *sum = w ? fx_graph_call(graph, "some.function", args, 2) : NULL;
    fx_node *output = sum ? fx_graph_output(graph, fx_node_attr(sum)) : NULL;
    char *text = output ? fx_graph_to_fx(graph) : NULL;
    status = text ? fx_graph_parse(context, "t", text, strlen(text), &parsed) : FX_E_OOM;
    if (status == FX_OK && !(copy = fx_graph_clone(graph))) status = FX_E_OOM;
    fx_text_free(text);
    fx_graph_free(copy);
    fx_graph_free(parsed);
    fx_module_free(module);
    return status;
}

START_TEST(every_failing_allocation_is_survived)
{
    counter c = {.fail_at = INT64_MAX};
    fx_allocator hooks = {count_alloc, count_free, &c};
    fx_context *context = fx_context_new_with(&hooks);
    CHECK_OK(context, build_something(context));
    fx_context_free(context);
    ck_assert_int_eq(c.blocks, 0);
    ck_assert_int_eq(c.bytes, 0);
    int64_t total = c.requests;
    for (int64_t n = 0; n < total; n++) {
        c = (counter){.fail_at = n};
        context = fx_context_new_with(&hooks);
        if (context) {
            ck_assert_int_ne(build_something(context), FX_OK);
            ck_assert_int_eq(fx_context_status(context), FX_E_OOM);
        }
        fx_context_free(context);
        ck_assert_int_eq(c.blocks, 0);
    }
}
END_TEST

FX_TESTS("arena", arena_memory_is_zero_and_aligned, sizes_that_overflow_give_null, arrays_grow, maps_find_what_was_put,
         equal_texts_are_one, diagnostics_are_kept_in_order, every_failing_allocation_is_survived)
