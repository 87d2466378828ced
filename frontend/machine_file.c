/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/machine_file.c: keeps a machine's measurement as a small text file in the user's cache, one for each kind of machine and
 * version of the library. What does not belong to this machine, or was damaged, is as good as nothing. */
#include "codegen/codegen.h"
#include "frontend/machine.h"
#include "ir/diag.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 256 };

/* ---- Where -------------------------------------------------------------------------------------------------------------- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

/* The folder, and in it a file named after all that makes a measurement another one's. */
static bool find_path(const fx_machine *machine, char folder[PATH_BYTES], char path[PATH_BYTES])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char key[FX_MACHINE_NAME + 64];
    if (!(cache && *cache == '/') && !(home && *home)) return false;
    int n = cache && *cache == '/' ? snprintf(folder, PATH_BYTES, "%s/fxjit", cache)
                                   : snprintf(folder, PATH_BYTES, "%s/.cache/fxjit", home);
    if (n < 0 || n >= PATH_BYTES - 64) return false;
    snprintf(key, sizeof key, "%s|%d|%s", machine->cpu, (int)machine->threads, FXJIT_VERSION);
    snprintf(path, PATH_BYTES, "%.4000s/machine-%016" PRIx64 ".txt", folder, hash_text(UINT64_C(0xcbf29ce484222325), key));
    return true;
}

static fx_status identify(fx_context *context, fx_machine *out)
{
    fx_target target;
    *out = (fx_machine){.threads = 0};
    FX_TRY(fx__session_target(context, NULL, NULL, NULL, &target));
    fx__machine_identify(&target, out);
    return FX_OK;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------ */

static bool has_text(FILE *in, const char *name, const char *value)
{
    char line[LINE_BYTES], expected[LINE_BYTES];
    snprintf(expected, sizeof expected, "%s %s\n", name, value);
    return fgets(line, sizeof line, in) && strcmp(line, expected) == 0;
}

static bool is_speed(double value)
{
    return value > 0 && value < 1e9;
}

static bool read_numbers(FILE *in, fx_machine *machine)
{
    long long when;
    if (fscanf(in, "measured %lld clock %lf gflops %lf %lf", &when, &machine->clock_ghz, &machine->gflops[0],
               &machine->gflops[1]) != 4)
        return false;
    machine->measured = when;
    if (!is_speed(machine->clock_ghz) || !is_speed(machine->gflops[0]) || !is_speed(machine->gflops[1])) return false;
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) {
        char name[8];
        double *gbps = machine->level[i].read_gbps;
        if (fscanf(in, " %7s %lf %lf", name, &gbps[0], &gbps[1]) != 3 || strcmp(name, machine->level[i].name) != 0) return false;
        if (machine->level[i].bytes > 0 && !(is_speed(gbps[0]) && is_speed(gbps[1]))) return false;
    }
    return true;
}

fx_status fx_machine_read(fx_context *context, fx_machine *out)
{
    char folder[PATH_BYTES], path[PATH_BYTES], threads[16];
    FX_TRY(identify(context, out));
    FILE *in = find_path(out, folder, path) ? fopen(path, "r") : NULL;
    if (!in) return FX_E_NOT_FOUND;
    snprintf(threads, sizeof threads, "%d", (int)out->threads);
    bool good = has_text(in, "fxjit", FXJIT_VERSION) && has_text(in, "cpu", out->cpu) && has_text(in, "threads", threads) &&
                read_numbers(in, out);
    fclose(in);
    return good ? FX_OK : FX_E_NOT_FOUND;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------ */

static bool write_text(FILE *out, const fx_machine *machine)
{
    fprintf(out, "fxjit %s\ncpu %s\nthreads %d\n", FXJIT_VERSION, machine->cpu, (int)machine->threads);
    fprintf(out, "measured %lld clock %.17g gflops %.17g %.17g\n", (long long)machine->measured, machine->clock_ghz,
            machine->gflops[0], machine->gflops[1]);
    for (int i = 0; i < FX_MACHINE_LEVELS; i++)
        fprintf(out, "%s %.17g %.17g\n", machine->level[i].name, machine->level[i].read_gbps[0], machine->level[i].read_gbps[1]);
    return !ferror(out);
}

static bool make_folder(char *folder)
{
    for (char *at = folder + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        bool good = mkdir(folder, 0777) == 0 || errno == EEXIST;
        *at = '/';
        if (!good) return false;
    }
    return mkdir(folder, 0777) == 0 || errno == EEXIST;
}

static bool write_file(const fx_machine *machine, const char *path)
{
    char temporary[PATH_BYTES + 8];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int file = mkstemp(temporary);
    FILE *out = file < 0 ? NULL : fdopen(file, "w");
    if (file >= 0 && !out) close(file);
    bool good = out && write_text(out, machine);
    if (out && fclose(out) != 0) good = false;
    good = good && rename(temporary, path) == 0;
    if (!good && file >= 0) unlink(temporary);
    return good;
}

fx_status fx_machine_write(fx_context *context, const fx_machine *machine)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    if (!find_path(machine, folder, path))
        return fx__diag(context, FX_E_IO, NULL, "neither XDG_CACHE_HOME nor HOME says where to keep a measurement");
    if (make_folder(folder) && write_file(machine, path)) return FX_OK;
    return fx__diag(context, FX_E_IO, NULL, "cannot write %s: %s", path, strerror(errno));
}
