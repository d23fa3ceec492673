#include "models/cli/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* How many bytes of UTF-8 the character at s has, and which it is; 0: none that is valid (RFC 3629:
 * no surrogates, nothing above U+10FFFF, no longer form than needed). */
static int decode(const unsigned char *s, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const int size = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
    if (size <= 1)
        return *code = *s, size;
    *code = *s & (0x7fu >> size);
    for (int i = 1; i < size; i++) {
        if (s[i] >> 6 != 2) /* the end of the text as well */
            return 0;
        *code = *code << 6 | (s[i] & 0x3f);
    }
    const bool is_surrogate = *code >> 11 == 0x1b;
    return *code < least[size] || *code > 0x10ffff || is_surrogate ? 0 : size;
}

static bool is_utf8(const unsigned char *s)
{
    uint32_t code;
    for (int size = 1; *s; s += size) {
        size = decode(s, &code);
        if (!size)
            return false;
    }
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void encode(FILE *file, uint32_t code)
{
    if (code < 0x80) {
        putc((int)code, file);
        return;
    }
    const int size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    putc((int)((0xf00u >> size & 0xff) | code >> 6 * (size - 1)), file);
    for (int i = size - 2; i >= 0; i--)
        putc((int)(0x80 | (code >> 6 * i & 0x3f)), file);
}

/* Write text; `escape` gives what to write for a character in place of itself, or NULL. */
static void write_text(FILE *file, const char *text, const char *(*escape)(uint32_t code))
{
    const unsigned char *s = (const unsigned char *)text;
    const bool utf8 = is_utf8(s);
    uint32_t code;
    for (int size = 1; *s; s += size) {
        code = *s;
        if (utf8)
            size = decode(s, &code);
        if (code >= '\t' && code <= '\r')
            code = ' ';
        else if (code < ' ' || (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff)
            code = 0xfffd;
        const char *escaped = escape(code);
        if (escaped)
            fputs(escaped, file);
        else
            encode(file, code);
    }
}

static const char *escape_xml(uint32_t code)
{
    switch (code) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

static const char *escape_json(uint32_t code)
{
    switch (code) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '<': return "\\u003c";
    case '>': return "\\u003e";
    default: return NULL;
    }
}

void text_write_xml(FILE *file, const char *text)
{
    write_text(file, text, escape_xml);
}

void text_write_json(FILE *file, const char *text)
{
    putc('"', file);
    write_text(file, text, escape_json);
    putc('"', file);
}

int text_finish(FILE *file)
{
    if (fflush(file) == 0 && !ferror(file))
        return 0;
    return errno ? errno : EIO;
}
