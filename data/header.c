/* Columns by the names in a header. */
#include <string.h>

#include "data/lines.h"

const char tg_item_names[] =
    " item i movie film book isbn product asin parentasin sku artist album song track music anime "
    "manga game app show series episode video article news story paper course joke recipe dish "
    "food beer wine restaurant business place poi venue hotel ";
static const char *const id_endings[] = {"id", "idx", "index", "key", "code", "no", "number"};

static bool is_in_list(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; length && (at = strstr(at, word)); at++)
        if (at > list && at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

/* "userid" of "User_ID:token"; "" for what is no plain name. */
enum { NAME = 32 };
static void simplify(const char *field, char name[NAME])
{
    size_t n = 0;
    for (; *field && *field != ':' && n + 1 < NAME; field++) {
        const char c = (char)(*field >= 'A' && *field <= 'Z' ? *field + ('a' - 'A') : *field);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            name[n++] = c;
        else if (c != '_' && c != '-' && c != ' ' && c != '.')
            n = NAME;
    }
    name[n < NAME ? n : 0] = '\0';
}

/* 2 where the field is called so, as an id; 1 without that; 0 where it is not. */
static int claim(const char *names, const char *field)
{
    char name[NAME];
    simplify(field, name);
    const size_t length = strlen(name);
    if (is_in_list(names, name))
        return 1;
    for (size_t e = 0; e < sizeof id_endings / sizeof *id_endings; e++) {
        const size_t ending = strlen(id_endings[e]);
        if (length <= ending || strcmp(name + length - ending, id_endings[e]) != 0)
            continue;
        char stem[NAME] = "";
        memcpy(stem, name, length - ending);
        if (is_in_list(names, stem))
            return 2;
    }
    return 0;
}

int tg_header_find(const char *names, char *const *field, int fields, int *again)
{
    int found = -1, best = 0;
    *again = -1;
    for (int i = 0; i < fields; i++) {
        const int mine = claim(names, field[i]);
        if (mine > best) {
            best = mine;
            found = i;
            *again = -1;
        } else if (mine && mine == best && *again < 0) {
            *again = i;
        }
    }
    return found;
}
