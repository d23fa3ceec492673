/* The fields of a line, and the numbers in them. */
#include <stdlib.h>
#include <string.h>

#include "data/lines.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char *skip_blanks(char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

/* Each of the following ends the field at `s` with a zero and gives the place where the next one
 * begins, NULL where none does. */

static char *end_at_blanks(char *s)
{
    while (*s && !is_blank(*s))
        s++;
    char *next = skip_blanks(s);
    *s = '\0';
    return *next ? next : NULL;
}

/* At a mark of one byte, or of the same byte twice. */
static char *end_at_mark(char *s, char mark, int length)
{
    char *end = s;
    while (*end && !(*end == mark && (length == 1 || end[1] == mark)))
        end++;
    char *next = *end ? end + length : NULL;
    while (end > s && is_blank(end[-1]))
        end--;
    *end = '\0';
    return next;
}

/* Take the quotes off the field at `s`, which begins with one; *wrong where its end, or the mark
 * behind it, is missing. */
static char *end_at_quote(char *s, char mark, bool *wrong)
{
    char *to = s, *from = s + 1;
    for (; *from && !(from[0] == '"' && from[1] != '"'); from++) {
        from += *from == '"';
        *to++ = *from;
    }
    char *next = *from ? skip_blanks(from + 1) : from;
    *wrong = !*from || (*next && *next != mark);
    *to = '\0';
    return *next == mark ? next + 1 : NULL;
}

static char *end_at_mark_or_quote(char *s, char mark, bool *wrong)
{
    return *s == '"' ? end_at_quote(s, mark, wrong) : end_at_mark(s, mark, 1);
}

int tg_fields(tg_separator kind, char *line, char **field, int room)
{
    int count = 0;
    bool wrong = false;
    for (char *s = line; s && !wrong; count++) {
        s = kind == TG_TABS ? s + strspn(s, " ") : skip_blanks(s);
        if (count == room)
            return count + 1;
        field[count] = s;
        s = kind == TG_BLANKS                ? end_at_blanks(s)
            : kind == TG_TABS                ? end_at_mark(s, '\t', 1)
            : kind == TG_COLONS              ? end_at_mark(s, ':', 2)
            : kind == TG_BARS                ? end_at_mark(s, '|', 1)
            : kind == TG_SEMICOLONS          ? end_at_mark_or_quote(s, ';', &wrong)
                                             : end_at_mark_or_quote(s, ',', &wrong);
    }
    return wrong ? 0 : count;
}

bool tg_field_number(const char *field, double *value)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char *s = field + (*field == '-' || *field == '+'), *point = NULL;
    int64_t digits = 0;
    int count = 0;
    for (; count < 16 && (is_digit(*s) || (*s == '.' && !point)); s++) {
        point = *s == '.' ? s + 1 : point;
        if (*s != '.') {
            digits = 10 * digits + (*s - '0');
            count++;
        }
    }
    /* Both are exact in a double, so that their quotient is the nearest one to the number. */
    if (!*s && count > 0 && count < 16) {
        const double size = (double)digits / power[point ? s - point : 0];
        *value = *field == '-' ? -size : size;
        return true;
    }
    char *end;
    *value = strtod(field, &end);
    return end != field && *end == '\0' && !strpbrk(field, "xX");
}
