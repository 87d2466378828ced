/* SPDX-License-Identifier: Apache-2.0 */
/* page.c: the HTML file: the template with its style and scripts, and the data between them. A "<" of the data is written \u003c,
 * so that no text of a model can end the element that it stands in. */
#include "page.h"
#include "page_files.h"
#include <stdlib.h>
#include <string.h>

static void put(FILE *out, const page_file *file)
{
    fwrite(file->bytes, 1, file->n, out);
}

static void put_json(FILE *out, const char *id, const char *text)
{
    fprintf(out, "<script type=\"application/json\" id=\"%s\">", id);
    for (const char *at = text; *at;) {
        size_t plain = strcspn(at, "<");
        fwrite(at, 1, plain, out);
        at += plain;
        if (*at == '<') {
            fputs("\\u003c", out);
            at++;
        }
    }
    fputs("</script>\n", out);
}

/* The texts, packed; false: out of memory. */
static bool put_texts(FILE *out, const json_t *texts)
{
    char *plain = texts ? json_dumps(texts, JSON_COMPACT) : NULL, *packed = plain ? tool_deflate(plain, strlen(plain)) : NULL;
    fprintf(out, "<script type=\"text/plain\" id=\"texts\">%s</script>\n", packed ? packed : "");
    bool whole = !texts || packed;
    free(plain);
    free(packed);
    return whole;
}

/* What stands in the template up to a mark; *at moves behind it. */
static void put_until(FILE *out, const char **at, const char *mark)
{
    const char *end = (const char *)page_html.bytes + page_html.n, *found = *at;
    size_t length = strlen(mark);
    while (found + length <= end && memcmp(found, mark, length) != 0) found++;
    if (found + length > end) found = end;
    fwrite(*at, 1, (size_t)(found - *at), out);
    *at = found < end ? found + length : end;
}

static bool put_page(FILE *out, const json_t *page, const json_t *texts)
{
    const char *at = (const char *)page_html.bytes;
    char *data = json_dumps(page, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (!data) return false;
    put_until(out, &at, "<!--style-->");
    fputs("<style>\n", out);
    put(out, &page_css);
    fputs("</style>", out);
    put_until(out, &at, "<!--data-->");
    put_json(out, "model-data", data);
    bool whole = put_texts(out, texts);
    put_until(out, &at, "<!--script-->");
    fputs("<script>\n", out);
    for (int i = 0; i < page_n_scripts; i++) put(out, &page_scripts[i]);
    fputs("</script>", out);
    put_until(out, &at, "\xff");
    free(data);
    return whole;
}

int page_write(const char *path, const json_t *page, const json_t *texts)
{
    tool_file file;
    if (!tool_file_open(&file, path)) return TOOL_FAILED;
    bool whole = put_page(file.out, page, texts);
    if (!whole) fprintf(stderr, "error: %s: %s\n", path, fx_status_text(FX_E_OOM));
    return tool_file_close(&file, whole);
}
