/* SPDX-License-Identifier: Apache-2.0 */
/* verify_recipe.c: reproducer.json: the options with which a reproducer shows its mismatch. What the command line says of options
 * is not asked then. */
#include "verify.h"
#include <string.h>
#include <sys/stat.h>

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static fx_compile_options options_of(const subject *s, const json_t *object)
{
    static const char *const precisions[] = {"default", "strict", "fast"};
    fx_compile_options o = s->compile;
    const char *precision = text_of(object, "precision");
    o.threads = (int32_t)json_integer_value(json_object_get(object, "threads"));
    for (int i = 0; i < 3; i++)
        if (precision && strcmp(precision, precisions[i]) == 0) o.precision = (fx_precision)i;
    o.no_fusion = json_is_false(json_object_get(object, "fusion"));
    o.no_in_place = json_is_false(json_object_get(object, "in_place"));
    o.target_triple = text_of(object, "target");
    o.target_cpu = text_of(object, "cpu");
    o.target_features = text_of(object, "features");
    return o;
}

bool verify_read_recipe(subject *s, const char *folder)
{
    char path[4096];
    struct stat info;
    json_error_t error;
    snprintf(path, sizeof path, "%s/reproducer.json", folder);
    if (stat(path, &info) != 0) return true;
    s->recipe = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!s->recipe) return verify_fault(s, "%s:%d: %s", path, error.line, error.text);
    const json_t *options = json_object_get(s->recipe, "options");
    if (!json_is_object(options)) return verify_fault(s, "%s: no options", path);
    s->compile = options_of(s, options);
    return true;
}

bool verify_recipe_pair(const subject *s, fx_compile_options *against, double *ulp)
{
    const json_t *other = json_object_get(s->recipe, "against");
    if (!json_is_object(other)) return false;
    *against = options_of(s, other);
    *ulp = json_number_value(json_object_get(s->recipe, "ulp"));
    return true;
}
