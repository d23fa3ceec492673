#include "nn/json-internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- failure --------------------------------------------------------------------------------- */

bool tg_json_fail(tg_json *j, const char *format, ...)
{
    char reason[256];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    j->status = tg_failure(TG_EFORMAT, "%s: %s", j->path, reason);
    return false;
}

bool tg_json_no_memory(tg_json *j)
{
    j->status = tg_failure(TG_ENOMEM, "%s: no memory for its header", j->path);
    return false;
}

/* The text does not go on as it should at its next byte. */
static bool reject(tg_json *j, const char *expected)
{
    char found[16] = "the end";
    if (j->at < j->size) {
        const unsigned char c = (unsigned char)j->text[j->at];
        snprintf(found, sizeof found, c > ' ' && c < 0x7F ? "'%c'" : "byte 0x%02x", c);
    }
    return tg_json_fail(j, "header byte %zu: found %s; expected %s", j->at, found, expected);
}

/* ---- reading: structure ---------------------------------------------------------------------- */

static void skip_space(tg_json *j)
{
    while (j->at < j->size && j->text[j->at] && strchr(" \t\r\n", j->text[j->at]))
        j->at++;
}

/* Step over `c` if it comes next. */
static bool take(tg_json *j, char c)
{
    skip_space(j);
    if (j->at == j->size || j->text[j->at] != c)
        return false;
    j->at++;
    return true;
}

bool tg_json_end(tg_json *j)
{
    skip_space(j);
    return j->at == j->size || reject(j, "nothing but spaces after the last '}'");
}

bool tg_json_object(tg_json *j, tg_json_member member, void *context)
{
    if (!take(j, '{'))
        return reject(j, "'{'");
    if (take(j, '}'))
        return true;
    do {
        char *key = tg_json_string(j);
        const bool ok = key && (take(j, ':') || reject(j, "':'")) && member(j, key, context);
        free(key);
        if (!ok)
            return false;
    } while (take(j, ','));
    return take(j, '}') || reject(j, "',' or '}'");
}

static bool integer(tg_json *j, int64_t *value)
{
    skip_space(j);
    const size_t start = j->at;
    *value = 0;
    while (j->at < j->size && j->text[j->at] >= '0' && j->text[j->at] <= '9') {
        const int digit = j->text[j->at] - '0';
        if (*value > (INT64_MAX - digit) / 10)
            return reject(j, "a number below 2^63");
        if (j->at > start && *value == 0)
            return reject(j, "no digit after a leading 0");
        *value = 10 * *value + digit;
        j->at++;
    }
    return j->at > start || reject(j, "a whole number from 0 on");
}

bool tg_json_integers(tg_json *j, int64_t *value, int room, int *count)
{
    *count = 0;
    if (!take(j, '['))
        return reject(j, "'['");
    if (take(j, ']'))
        return true;
    do {
        int64_t v;
        if (!integer(j, &v))
            return false;
        if (*count < room)
            value[*count] = v;
        ++*count;
    } while (take(j, ','));
    return take(j, ']') || reject(j, "',' or ']'");
}

/* ---- reading: strings ------------------------------------------------------------------------ */

/* The length of the UTF-8 character at s, of which `size` bytes are there; 0 where it is none:
 * a wrong or missing byte, a longer form than needed, a surrogate, above U+10FFFF. */
static size_t utf8_length(const char *s, size_t size)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t length = 0;
    if (u[0] < 0x80)
        length = 1;
    else if (u[0] >= 0xC2 && u[0] <= 0xF4)
        length = u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : 4;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((u[i] & 0xC0) != 0x80)
            return 0;
    if ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) ||
        (u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F))
        return 0;
    return length;
}

/* Append a code point as UTF-8. */
static void utf8_put(char **out, uint32_t code)
{
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *(*out)++ = (char)(lead[more] | code >> 6 * more);
    for (int i = more - 1; i >= 0; i--)
        *(*out)++ = (char)(0x80 | (code >> 6 * i & 0x3F));
}

/* The 4 hexadecimal digits of \uXXXX. */
static bool hex4(tg_json *j, uint32_t *code)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    *code = 0;
    for (int i = 0; i < 4; i++, j->at++) {
        const char c = j->at < j->size ? j->text[j->at] : '\0';
        const char *digit = c ? strchr(digits, c) : NULL;
        if (!digit)
            return reject(j, "4 hexadecimal digits after \\u");
        *code = *code << 4 | (uint32_t)((digit - digits) & 15);
    }
    return true;
}

/* The rest of \uXXXX, or of \uXXXX\uXXXX for what lies above U+FFFF. */
static bool unicode_escape(tg_json *j, char **out)
{
    const size_t start = j->at - 2;
    uint32_t code, low = 0;
    if (!hex4(j, &code))
        return false;
    const bool high = code >= 0xD800 && code <= 0xDBFF;
    if (high && j->size - j->at >= 2 && memcmp(j->text + j->at, "\\u", 2) == 0) {
        j->at += 2;
        if (!hex4(j, &low))
            return false;
    }
    if (code == 0 || (high && (low < 0xDC00 || low > 0xDFFF)) || (code >= 0xDC00 && code <= 0xDFFF))
        return tg_json_fail(j, "header byte %zu: \\u%04x; expected no NUL and no half of a pair",
                            start, code);
    utf8_put(out, high ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : code);
    return true;
}

/* Append one character of a string, as it stands or escaped. */
static bool character(tg_json *j, char **out)
{
    static const char escape[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *s = j->text + j->at;
    if (*s == '\\') {
        const char c = s[1]; /* there is one: see tg_json_string */
        const char *known = c ? strchr(escape, c) : NULL;
        if (c != 'u' && !known)
            return reject(j, "an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
        j->at += 2;
        if (c == 'u')
            return unicode_escape(j, out);
        *(*out)++ = meaning[known - escape];
        return true;
    }
    const size_t length = (unsigned char)*s < ' ' ? 0 : utf8_length(s, j->size - j->at);
    if (length == 0)
        return reject(j, "UTF-8 text without control characters");
    memcpy(*out, s, length);
    *out += length;
    j->at += length;
    return true;
}

char *tg_json_string(tg_json *j)
{
    if (!take(j, '"')) {
        reject(j, "a string");
        return NULL;
    }
    size_t end = j->at; /* of the text between the quotes; it means no more bytes than it has */
    while (end < j->size && j->text[end] != '"')
        end += j->text[end] == '\\' ? 2 : 1;
    if (end >= j->size) {
        tg_json_fail(j, "header byte %zu: the string has no end; expected '\"'", j->at);
        return NULL;
    }
    char *string = malloc(end - j->at + 1), *out = string;
    if (!string) {
        tg_json_no_memory(j);
        return NULL;
    }
    while (j->at < end)
        if (!character(j, &out)) {
            free(string);
            return NULL;
        }
    *out = '\0';
    j->at = end + 1;
    return string;
}

/* ---- writing --------------------------------------------------------------------------------- */

void tg_json_write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

bool tg_json_is_utf8(const char *text)
{
    for (size_t left = strlen(text), length; left > 0; text += length, left -= length) {
        length = utf8_length(text, left);
        if (length == 0)
            return false;
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

tg_status tg_json_check_keys(const char *path, const void *structs, int64_t count, size_t size)
{
    if (count == 0)
        return TG_OK;
    const char **key = malloc((size_t)count * sizeof *key);
    if (!key)
        return tg_failure(TG_ENOMEM, "%s: no memory for its header", path);
    for (int64_t i = 0; i < count; i++)
        memcpy(&key[i], (const char *)structs + (size_t)i * size, sizeof *key);
    qsort(key, (size_t)count, sizeof *key, compare_strings);
    tg_status status = TG_OK;
    for (int64_t i = 0; i < count && status == TG_OK; i++) {
        if (!tg_json_is_utf8(key[i]))
            status = tg_failure(TG_EFORMAT, "%s: the name \"%.80s\" is not UTF-8", path, key[i]);
        else if (i > 0 && strcmp(key[i - 1], key[i]) == 0)
            status = tg_failure(TG_EFORMAT, "%s: the name \"%.80s\" occurs twice; expected once",
                                path, key[i]);
    }
    free(key);
    return status;
}
