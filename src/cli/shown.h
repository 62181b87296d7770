/*
 * shown.h - text as it is shown: UTF-8 in, the character set of the user's locale (LC_CTYPE) out, measured in columns.
 *
 * Scopes and files may be named by anybody, so that nothing but what fills columns gets to a terminal.
 */
#ifndef LLIM_CLI_SHOWN_H
#define LLIM_CLI_SHOWN_H

#include <stddef.h>
#include <stdint.h>

/* How many columns a UTF-8 text takes when it is shown. A question mark is shown for each control character, invisible character
   (those that order text among them), byte that is no UTF-8, and character that the locale has not. */
int cli_columns(const char *text);

/* How many bytes of the text, whole characters with what combines with them, fit into so many columns. */
size_t cli_fitting(const char *text, int columns);

/* Writes the text as it is shown into out, no more than fits into so many columns and cap bytes, with the ending zero. */
void cli_show(const char *text, int columns, char *out, size_t cap);

/* Writes a character as UTF-8, with an ending zero: the number of its bytes. */
size_t cli_utf8(uint32_t point, char out[5]);

/* The bytes of a UTF-8 character by its first one; 1 too for what begins none. */
size_t cli_utf8_bytes(unsigned char first);

/* The character of so many bytes, which are UTF-8. */
uint32_t cli_utf8_point(const char *text, size_t bytes);

#endif
