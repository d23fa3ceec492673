#include "models/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/messages.h"

/* What stands before the name: one dash before a single letter. */
static const char *dashes(const option *o)
{
    return o->name[1] ? "--" : "-";
}

/* ---- parsing --------------------------------------------------------------------------------- */

static bool is_whole(const option *o)
{
    return o->kind == OPTION_INT || o->kind == OPTION_INT_OR_OFF;
}

static bool is_real(const option *o)
{
    return o->kind == OPTION_REAL || o->kind == OPTION_REAL_OR_OFF;
}

static int set_number(const option *o, const char *text)
{
    char *end;
    errno = 0;
    if (is_whole(o)) {
        const long long value = strtoll(text, &end, 10);
        if (end == text || *end || errno || (double)value < o->low || (double)value > o->high)
            return usage_error("%s%s '%s': expected a whole number from %.0f to %.0f", dashes(o),
                               o->name, text, o->low, o->high);
        *(int64_t *)o->value = value;
    } else {
        const double value = strtod(text, &end);
        if (end == text || *end || !(value >= o->low && value <= o->high))
            return usage_error("%s%s '%s': expected a number from %g to %g", dashes(o), o->name,
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

static int add_text(const option *o, const char *text)
{
    texts *all = o->value;
    if (all->count == TEXTS_LIMIT)
        return usage_error("%s%s %s: given %d times already; expected no more", dashes(o), o->name,
                           text, TEXTS_LIMIT);
    all->text[all->count++] = text;
    return EXIT_DONE;
}

static int set_option(const option *o, const char *text)
{
    if (is_whole(o) || is_real(o))
        return set_number(o, text);
    if (o->kind == OPTION_CHOICE && !is_one_of(o->operand, text))
        return usage_error("%s%s '%s': expected %s", dashes(o), o->name, text, o->operand);
    if (*text == '\0')
        return usage_error("%s%s: expected %s, got nothing", dashes(o), o->name, o->operand);
    if (o->kind == OPTION_TEXTS)
        return add_text(o, text);
    *(const char **)o->value = text;
    return EXIT_DONE;
}

static const option *find_option(const usage *u, const char *name, size_t length)
{
    for (int i = 0; i < u->count; i++)
        if (strlen(u->option[i].name) == length && strncmp(u->option[i].name, name, length) == 0)
            return &u->option[i];
    return NULL;
}

static int unknown_option(const usage *u, const char *word)
{
    enum { OPTION_LIMIT = 64, WORD_LIMIT = 40 };
    char text[OPTION_LIMIT][WORD_LIMIT], typed[WORD_LIMIT];
    const char *names[OPTION_LIMIT];
    const int count = u->count < OPTION_LIMIT ? u->count : OPTION_LIMIT;
    for (int i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%s%s", dashes(&u->option[i]), u->option[i].name);
        names[i] = text[i];
    }
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(word, "="), word);
    return usage_error_unknown("option", typed, names, count);
}

/* One option at argv[0]; gives how many words it took, 0 after a mistake. */
static int parse_option(const usage *u, int argc, char **argv)
{
    const bool two = argv[0][1] == '-';
    const char *name = argv[0] + 1 + two;
    const size_t length = strcspn(name, "=");
    const option *o = two == (length > 1) ? find_option(u, name, length) : NULL;
    const char *value = o && name[length] ? name + length + 1 : NULL;
    if (!o)
        unknown_option(u, argv[0]);
    else if (o->kind == OPTION_FLAG && value)
        usage_error("%s%s takes no value", dashes(o), o->name);
    else if (o->kind == OPTION_FLAG)
        return *(bool *)o->value = true, 1;
    else if (!value && argc < 2)
        usage_error("%s%s: expected %s, got nothing", dashes(o), o->name, o->operand);
    else if (set_option(o, value ? value : argv[1]) == EXIT_DONE)
        return value ? 1 : 2;
    return 0;
}

/* False after a mistake. */
static bool parse_words(const usage *u, int argc, char **argv, const char **operand)
{
    for (int i = 0, words; i < argc; i += words) {
        words = 1;
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            words = parse_option(u, argc - i, argv + i);
        } else if (u->operand && !*operand) {
            *operand = argv[i];
        } else {
            usage_error("unexpected word '%s'", argv[i]);
            words = 0;
        }
        if (!words)
            return false;
    }
    return true;
}

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
    const char *word = NULL;
    *status = EXIT_DONE;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return print_help(u), false;
    if (!parse_words(u, argc, argv, &word))
        *status = EXIT_USAGE;
    else if (!has_all(u, needed))
        *status = say_needed(u, needed);
    if (operand)
        *operand = word;
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
    const char *command = u->synopsis + strlen("ncf ");
    char list[4 * LEFT_SIZE] = "", left[LEFT_SIZE];
    for (int i = 0; i < needed; i++) {
        const size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s",
                 i == 0 ? "" : i + 1 < needed ? ", " : " and ", format_left(&u->option[i], left));
    }
    return usage_error("%.*s needs %s", (int)strcspn(command, " "), command, list);
}

/* A text whose further lines begin at the column `indent`. */
static void print_indented(const char *text, int indent)
{
    size_t length = strcspn(text, "\n");
    printf("%.*s", (int)length, text);
    while (text[length]) {
        text += length + 1;
        text += strspn(text, " ");
        length = strcspn(text, "\n");
        printf("\n%*s%.*s", indent, "", (int)length, text);
    }
}

static void print_help(const usage *u)
{
    char left[LEFT_SIZE], text[32];
    int width = (int)strlen("--help");
    for (int i = 0; i < u->count; i++) {
        const int length = (int)strlen(format_left(&u->option[i], left));
        width = length > width ? length : width;
    }
    printf("usage: %s\n\n%s\n\n", u->synopsis, u->summary);
    for (int i = 0; i < u->count; i++) {
        const option *o = &u->option[i];
        const bool is_choice = o->kind == OPTION_CHOICE;
        const char *value = format_value(o, text, sizeof text);
        printf("  %-*s  %s%s", width, format_left(o, left), is_choice ? o->operand : "",
               is_choice && *o->help ? "; " : "");
        print_indented(o->help, width + 4);
        printf("%s%s%s\n", *value ? " [" : "", value, *value ? "]" : "");
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
    case OPTION_CHOICE: return !*(const char **)o->value;
    case OPTION_INT:
    case OPTION_REAL: break;
    }
    return false;
}

/* " --name value"; nothing for an option that is off. Gives the length, as snprintf does. */
static size_t format_option(const option *o, char *text, size_t size)
{
    char number[32];
    if (is_off(o))
        return 0;
    if (o->kind == OPTION_FLAG)
        return (size_t)snprintf(text, size, " %s%s", dashes(o), o->name);
    const char *value = format_value(o, number, sizeof number);
    const char *quote = is_plain(value) ? "" : strchr(value, '\'') ? "\"" : "'";
    return (size_t)snprintf(text, size, " %s%s %s%s%s", dashes(o), o->name, quote, value, quote);
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

char *settings_next(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    if (!*word)
        return NULL;
    const char quote[] = {*word, '\0'};
    const bool is_quoted = *word == '\'' || *word == '"';
    word += is_quoted;
    *rest = word + strcspn(word, is_quoted ? quote : " ");
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

bool parse_settings(const usage *u, char *words)
{
    enum { WORDS = 128 };
    char *word[WORDS];
    int count = 0;
    while (count < WORDS && (word[count] = settings_next(&words)))
        count++;
    const char *operand = NULL;
    return parse_words(u, count, word, &operand);
}

void print_settings(const usage *u, const char *command)
{
    enum { WIDTH = 90 };
    int column = fprintf(stderr, "%s", command);
    for (int i = 0; i < u->count; i++) {
        char text[4096];
        const size_t length = format_option(&u->option[i], text, sizeof text);
        if (length == 0)
            continue;
        if (column + (int)length > WIDTH)
            column = fprintf(stderr, " \\\n   ") - 3;
        column += fprintf(stderr, "%s", text);
    }
    fputc('\n', stderr);
}
