/*
 * json_text.h: JSON for programs that read the results: an object a line
 *
 *     json j = json_begin(stdout);
 *     json_string(&j, "user", "alice");
 *     json_list(&j, "items");
 *     json_integer(&j, NULL, 50);          no key inside a list
 *     json_close(&j);
 *     json_end(&j);                        {"user":"alice","items":[50]}
 *
 * Strings are UTF-8. A number that is not finite is null.
 */
#ifndef NCF_JSON_TEXT_H
#define NCF_JSON_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 8 };

typedef struct json {
    FILE *file;
    int count;              /* members of what is open last */
    int depth;              /* how many are open */
    char close[JSON_DEPTH]; /* their ends */
} json;

json json_begin(FILE *file); /* opens the object */
void json_end(json *j);      /* closes it, and ends the line */

void json_object(json *j, const char *key);
void json_list(json *j, const char *key);
void json_close(json *j); /* the object or list that was opened last */

void json_string(json *j, const char *key, const char *text);
void json_integer(json *j, const char *key, int64_t number);
void json_number(json *j, const char *key, double number);
void json_boolean(json *j, const char *key, bool value);

#endif
