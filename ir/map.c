/* SPDX-License-Identifier: Apache-2.0 */
/* ir/map.c: a map from pointers (interned texts among them) to pointers. Open addressing, linear probing, at most half full. */
#include "ir/arena.h"
#include <string.h>

struct fx_map_slot {
    const void *key; /* NULL: free */
    void *value;
};

void fx__map_init(fx_map *map, fx_arena *arena)
{
    *map = (fx_map){.arena = arena};
}

static struct fx_map_slot *find_slot(const fx_map *map, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    size_t mask = (size_t)map->capacity - 1, at = (size_t)(hash >> 32) & mask;
    while (map->slots[at].key && map->slots[at].key != key) at = (at + 1) & mask;
    return &map->slots[at];
}

static bool grow_table(fx_map *map)
{
    if (map->count < map->capacity / 2) return true;
    if (map->capacity > INT32_MAX / 2) return false;
    fx_map old = *map;
    int32_t capacity = old.capacity ? old.capacity * 2 : 16;
    struct fx_map_slot *slots = fx__arena_alloc(map->arena, (size_t)capacity, sizeof *slots);
    if (!slots) return false;
    map->slots = slots;
    map->capacity = capacity;
    for (int32_t i = 0; i < old.capacity; i++)
        if (old.slots[i].key) *find_slot(map, old.slots[i].key) = old.slots[i];
    return true;
}

void *fx__map_get(const fx_map *map, const void *key)
{
    return map->capacity && key ? find_slot(map, key)->value : NULL;
}

bool fx__map_put(fx_map *map, const void *key, void *value)
{
    if (!key || !grow_table(map)) return false;
    struct fx_map_slot *slot = find_slot(map, key);
    if (!slot->key) map->count++;
    *slot = (struct fx_map_slot){.key = key, .value = value};
    return true;
}

bool fx__map_copy(fx_map *to, const fx_map *from)
{
    for (int32_t i = 0; i < from->capacity; i++)
        if (from->slots[i].key && !fx__map_put(to, from->slots[i].key, from->slots[i].value)) return false;
    return true;
}
