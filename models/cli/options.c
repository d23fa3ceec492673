#include "models/cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/messages.h"
#include "models/cli/output.h"
#include "models/cli/terminal.h"

/* What stands before the name: one dash before a single letter. */
static const char *dashes(const option *o)
{
    return o->name[1] ? "--" : "-";
}

/* ---- parsing --------------------------------------------------------------------------------- */

enum { OPTION_LIMIT = 64 };
typedef struct parser {
    const usage *u;
    int count;                  /* of the options, how many may be given */
    const char *file;           /* where the words are from, NULL for the command line */
    bool is_given[OPTION_LIMIT];
    const char *operand;        /* the word that is no option */
} parser;

/* What is wrong with the words. */
static int mistake(const parser *p, const char *format, ...) TG_PRINTF(2, 3);
static int mistake(const parser *p, const char *format, ...)
{
    char what[512];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    if (!p->file)
        return usage_error(p->u->command, "%s", what);
    say("%s: in its settings: %s; expected those of ncf %s", p->file, what, p->u->command);
    return EXIT_FAILED;
}

static bool is_whole(const option *o)
{
    return o->kind == OPTION_INT || o->kind == OPTION_INT_OR_OFF;
}

static bool is_real(const option *o)
{
    return o->kind == OPTION_REAL || o->kind == OPTION_REAL_OR_OFF;
}

static int set_number(const parser *p, const option *o, const char *text)
{
    char *end;
    errno = 0;
    if (is_whole(o)) {
        const long long value = strtoll(text, &end, 10);
        if (end == text || *end || errno || (double)value < o->low || (double)value > o->high)
            return mistake(p, "%s%s '%s': expected a whole number from %.0f to %.0f", dashes(o),
                           o->name, text, o->low, o->high);
        *(int64_t *)o->value = value;
    } else {
        const double value = strtod(text, &end);
        if (end == text || *end || !(value >= o->low && value <= o->high))
            return mistake(p, "%s%s '%s': expected a number from %g to %g", dashes(o), o->name,
                           text, o->low, o->high);
        *(double *)o->value = value;
    }
    return EXIT_DONE;
}

/* The choice equal to `text` among "a|b|c". */
static bool is_one_of(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (length && strncmp(c, text, length) == 0 && (c[length] == '|' || c[length] == '\0'))
            return true;
    return false;
}

static int add_text(const parser *p, const option *o, const char *text)
{
    texts *all = o->value;
    if (all->count == TEXTS_LIMIT)
        return mistake(p, "%s%s %s: given %d times already; expected no more", dashes(o), o->name,
                       text, TEXTS_LIMIT);
    all->text[all->count++] = text;
    return EXIT_DONE;
}

static int set_option(const parser *p, const option *o, const char *text)
{
    if (is_whole(o) || is_real(o))
        return set_number(p, o, text);
    if (o->kind == OPTION_CHOICE && !is_one_of(o->operand, text))
        return mistake(p, "%s%s '%s': expected %s", dashes(o), o->name, text, o->operand);
    if (*text == '\0')
        return mistake(p, "%s%s: expected %s, got nothing", dashes(o), o->name, o->operand);
    if (o->kind == OPTION_TEXTS)
        return add_text(p, o, text);
    *(const char **)o->value = text;
    return EXIT_DONE;
}

/* The number of the option, -1 for none. */
static int find_option(const parser *p, const char *name, size_t length)
{
    for (int i = 0; i < p->count; i++)
        if (strlen(p->u->option[i].name) == length &&
            strncmp(p->u->option[i].name, name, length) == 0)
            return i;
    return -1;
}

static int unknown_option(const parser *p, const char *word)
{
    enum { WORD_LIMIT = 40 };
    char text[OPTION_LIMIT][WORD_LIMIT], typed[WORD_LIMIT], suggestion[SUGGESTION];
    const char *names[OPTION_LIMIT];
    for (int i = 0; i < p->count; i++) {
        snprintf(text[i], sizeof text[i], "%s%s", dashes(&p->u->option[i]), p->u->option[i].name);
        names[i] = text[i];
    }
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(word, "="), word);
    return mistake(p, "unknown option '%s'%s", typed, suggest(typed, names, p->count, suggestion));
}

/* One option at argv[0]; gives how many words it took, 0 after a mistake. */
static int parse_option(parser *p, int argc, char **argv)
{
    const bool two = argv[0][1] == '-';
    const char *name = argv[0] + 1 + two;
    const size_t length = strcspn(name, "=");
    const int number = two == (length > 1) ? find_option(p, name, length) : -1;
    if (number < 0)
        return unknown_option(p, argv[0]), 0;
    const option *o = &p->u->option[number];
    const char *value = name[length] ? name + length + 1 : NULL;
    if (p->is_given[number] && o->kind != OPTION_TEXTS)
        return mistake(p, "%s%s is given twice; expected it once", dashes(o), o->name), 0;
    p->is_given[number] = true;
    if (o->kind == OPTION_FLAG && value)
        mistake(p, "%s%s takes no value", dashes(o), o->name);
    else if (o->kind == OPTION_FLAG)
        return *(bool *)o->value = true, 1;
    else if (!value && argc < 2)
        mistake(p, "%s%s: expected %s, got nothing", dashes(o), o->name, o->operand);
    else if (set_option(p, o, value ? value : argv[1]) == EXIT_DONE)
        return value ? 1 : 2;
    return 0;
}

/* False after a mistake. */
static bool parse_words(parser *p, int argc, char **argv)
{
    for (int i = 0, words; i < argc; i += words) {
        words = 1;
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            words = parse_option(p, argc - i, argv + i);
        } else if (p->u->operand && !p->operand) {
            p->operand = argv[i];
        } else {
            mistake(p, "unexpected word '%s'", argv[i]);
            words = 0;
        }
        if (!words)
            return false;
    }
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The name of a file that is read or written, or NULL; standard input may be a file as well. */
static const char *file_of(const option *o, option_kind kind)
{
    const char *name = o->kind == kind ? *(const char **)o->value : NULL;
    const bool is_standard = name && strcmp(name, "-") == 0;
    return !is_standard ? name : kind == OPTION_INPUT ? "/dev/stdin" : NULL;
}

/* An output that is another file of the command as well would end that one. An exit status. */
static int check_output(const parser *p, const option *out)
{
    const char *path = file_of(out, OPTION_OUTPUT);
    for (int i = 0; path && i < p->count; i++) {
        const option *o = &p->u->option[i];
        const char *input = file_of(o, OPTION_INPUT), *output = file_of(o, OPTION_OUTPUT);
        if ((input && output_is_same(path, input)) ||
            (output && o < out && output_is_same(path, output)))
            return mistake(p, "%s%s %s: the file of %s%s; expected another one", dashes(out),
                           out->name, path, dashes(o), o->name);
    }
    return path ? output_check(path) : EXIT_DONE;
}

static int check_files(const parser *p)
{
    int status = EXIT_DONE;
    for (int i = 0; i < p->count && status == EXIT_DONE; i++)
        status = check_output(p, &p->u->option[i]);
    return status;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int say_needed(const usage *u, int needed);
static void print_help(const usage *u);

static bool has_all(const usage *u, int needed)
{
    while (needed > 0 && *(const char **)u->option[needed - 1].value)
        needed--;
    return needed == 0;
}

bool parse_options(const usage *u, int needed, int argc, char **argv, const char **operand,
                   int *status)
{
    parser p = {.u = u, .count = u->count};
    *status = EXIT_DONE;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return print_help(u), false;
    if (!parse_words(&p, argc, argv))
        *status = EXIT_USAGE;
    else if (!has_all(u, needed))
        *status = say_needed(u, needed);
    else
        *status = check_files(&p);
    if (operand)
        *operand = p.operand;
    return *status == EXIT_DONE;
}

/* ---- help and settings ----------------------------------------------------------------------- */

/* With as few digits as give the number back. */
static const char *format_real(double value, char *text, size_t size)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

/* The value as one would type it; "" for a text that is not given. */
static const char *format_value(const option *o, char *text, size_t size)
{
    if (o->kind == OPTION_FLAG || o->kind == OPTION_TEXTS)
        return "";
    if (is_real(o))
        return format_real(*(double *)o->value, text, size);
    if (is_whole(o)) {
        snprintf(text, size, "%lld", (long long)*(int64_t *)o->value);
        return text;
    }
    return *(const char **)o->value ? *(const char **)o->value : "";
}

/* "--model NAME" */
enum { LEFT_SIZE = 64 };
static const char *format_left(const option *o, char text[LEFT_SIZE])
{
    const char *operand = o->kind == OPTION_CHOICE ? "NAME" : o->operand ? o->operand : "";
    snprintf(text, LEFT_SIZE, "%s%s%s%s", dashes(o), o->name, *operand ? " " : "", operand);
    return text;
}

/* "explain needs --load FILE, --user ID and --item ID|TITLE" */
static int say_needed(const usage *u, int needed)
{
    char list[4 * LEFT_SIZE] = "", left[LEFT_SIZE];
    for (int i = 0; i < needed; i++) {
        const size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s",
                 i == 0 ? "" : i + 1 < needed ? ", " : " and ", format_left(&u->option[i], left));
    }
    return usage_error(u->command, "%s needs %s", u->command, list);
}

static void print_help(const usage *u)
{
    char left[LEFT_SIZE], number[32], text[512];
    int width = (int)strlen("--help");
    for (int i = 0; i < u->count; i++) {
        const int length = (int)strlen(format_left(&u->option[i], left));
        width = length > width ? length : width;
    }
    printf("usage: %s\n\n", u->synopsis);
    print_wrapped(u->summary, 0, 0);
    putchar('\n');
    for (int i = 0; i < u->count; i++) {
        const option *o = &u->option[i];
        const bool is_choice = o->kind == OPTION_CHOICE;
        const char *value = format_value(o, number, sizeof number);
        snprintf(text, sizeof text, "%s%s%s%s%s%s", is_choice ? o->operand : "",
                 is_choice && *o->help ? "; " : "", o->help, *value ? " [" : "", value,
                 *value ? "]" : "");
        const int column = printf("  %-*s  ", width, format_left(o, left));
        print_wrapped(text, column, column);
    }
    printf("  %-*s  this help\n", width, "--help");
}

/* ---- settings as words ----------------------------------------------------------------------- */

/* Whether a shell would take the word as it is. */
static bool is_plain(const char *word)
{
    return *word && word[strcspn(word, " \t\n\"'\\$`&|;<>()*?[]#~!{}")] == '\0';
}

static bool is_off(const option *o)
{
    switch (o->kind) {
    case OPTION_FLAG: return !*(bool *)o->value;
    case OPTION_INT_OR_OFF: return *(int64_t *)o->value == 0;
    case OPTION_REAL_OR_OFF: return *(double *)o->value == 0;
    case OPTION_TEXTS: return true;
    case OPTION_TEXT:
    case OPTION_INPUT:
    case OPTION_OUTPUT:
    case OPTION_CHOICE: return !*(const char **)o->value;
    case OPTION_INT:
    case OPTION_REAL: break;
    }
    return false;
}

/* The word in quotes in which a shell takes everything as it is; a quote in it stands outside of
 * them, as '\\''. Gives the length, as snprintf does. */
static size_t format_quoted(const char *word, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "'");
    for (; *word; word++)
        n += (size_t)snprintf(n < size ? text + n : NULL, n < size ? size - n : 0,
                              *word == '\'' ? "'\\%c'" : "%c", *word);
    return n + (size_t)snprintf(n < size ? text + n : NULL, n < size ? size - n : 0, "'");
}

/* " --name value"; nothing for an option that is off. Gives the length, as snprintf does. */
static size_t format_option(const option *o, char *text, size_t size)
{
    char number[32];
    if (is_off(o))
        return 0;
    size_t n = (size_t)snprintf(text, size, " %s%s", dashes(o), o->name);
    if (o->kind == OPTION_FLAG)
        return n;
    const char *value = format_value(o, number, sizeof number);
    n += (size_t)snprintf(n < size ? text + n : NULL, n < size ? size - n : 0, " ");
    char *end = n < size ? text + n : NULL;
    const size_t room = n < size ? size - n : 0;
    return n + (is_plain(value) ? (size_t)snprintf(end, room, "%s", value)
                                : format_quoted(value, end, room));
}

char *format_settings(const usage *u, int count)
{
    size_t size = 1;
    for (int i = 0; i < count; i++)
        size += format_option(&u->option[i], NULL, 0);
    char *words = calloc(1, size), *to = words;
    for (int i = 0; i < count && words; i++)
        to += format_option(&u->option[i], to, size - (size_t)(to - words));
    return words;
}

/* As a shell reads them: parts in quotes of either kind, and \\c for any character c, are joined. */
char *settings_next(char **rest)
{
    char *from = *rest + strspn(*rest, " "), *word = from, *to = from, quote = '\0';
    if (!*from)
        return NULL;
    for (; *from && (quote || *from != ' '); from++) {
        if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? '\0' : *from;
        else if (!quote && *from == '\\' && from[1])
            *to++ = *++from;
        else
            *to++ = *from;
    }
    *rest = from + (*from != '\0');
    *to = '\0';
    return word;
}

int parse_settings(const usage *u, int count, const char *file, char *words)
{
    enum { WORDS = 128 };
    char *word[WORDS];
    int n = 0;
    while (n < WORDS && (word[n] = settings_next(&words)))
        n++;
    parser p = {.u = u, .count = count, .file = file};
    return parse_words(&p, n, word) ? EXIT_DONE : EXIT_FAILED;
}

void print_settings(const usage *u, const char *command)
{
    const int most = terminal_columns(), limit = most < TERMINAL_COLUMNS ? most : TERMINAL_COLUMNS;
    int column = fprintf(stderr, "%s", command);
    for (int i = 0; i < u->count; i++) {
        char text[4096];
        const size_t length = format_option(&u->option[i], text, sizeof text);
        if (length == 0)
            continue;
        if (column + (int)length + 2 > limit) /* " \\" */
            column = fprintf(stderr, " \\\n   ") - 3;
        column += fprintf(stderr, "%s", text);
    }
    fputc('\n', stderr);
}
