/*
 * text.h: text of unknown origin, as part of an SVG, HTML or JSON file
 *
 * Titles come from files in UTF-8 or Latin-1. A string that is valid UTF-8 is taken as that, any
 * other as Latin-1; what is written is always valid UTF-8. White space becomes a blank, any other
 * control character the replacement character U+FFFD.
 */
#ifndef NCF_TEXT_H
#define NCF_TEXT_H

#include <stdio.h>

/* With & < > " ' escaped: for an element's text or an attribute in quotes. */
void text_write_xml(FILE *file, const char *text);

/* In quotes, with < and > escaped as well, so that it may stand in an HTML script. */
void text_write_json(FILE *file, const char *text);

/* Flush what was written since errno was set to 0: 0, or the errno of what failed. */
int text_finish(FILE *file);

#endif
