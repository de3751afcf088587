/*
 * Numbers and texts for people. Those for numbers write into text (FORMAT_LEN
 * octets) and return it.
 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { FORMAT_LEN = 32 };

/* "3d 04:05:06", "04:05:06". */
const char *format_duration(uint64_t s, char text[FORMAT_LEN]);

/* "512 B", "12.3 KiB", "4.0 MiB". */
const char *format_octets(uint64_t octets, char text[FORMAT_LEN]);

/* Microseconds as milliseconds without their unit: "0.123", "4.56", "78.9",
 * "1234"; "-" for 0, which is no measurement. */
const char *format_ms(uint64_t us, char text[FORMAT_LEN]);

/* "0.5", "99.9", "1234", "56.7k". */
const char *format_rate(double per_s, char text[FORMAT_LEN]);

/* part of whole: "87.3 %"; "-" when whole is 0. */
const char *format_share(uint64_t part, uint64_t whole, char text[FORMAT_LEN]);

/* A text of the daemon's, which may have it from servers, without what a
 * terminal would obey: control characters become '?'. Cut to cap. Returns out.
 */
char *format_clean(const char *text, char *out, size_t cap);

/* The same, printed. */
void format_print(FILE *out, const char *text);

#endif
