/*
 * The terminal of a command that fills it: what it can do, and giving it back
 * as it was.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool is_live;    /* a terminal that can be written on anywhere */
    bool has_colour; /* and NO_COLOR does not forbid it */
    bool is_utf8;
    int keys; /* descriptor of what is typed; -1: nothing is */
    bool is_entered;
    bool has_before;
    struct termios before;
};

/* Look at standard output and the environment. */
void terminal_init(struct terminal *t);

/* Take the screen, and give it back; nothing on one that is not live. */
void terminal_enter(struct terminal *t);
void terminal_leave(struct terminal *t);

/* Leave, and close what was opened. */
void terminal_finish(struct terminal *t);

/* At least 1 each; 80 and 24 when it is not known. */
void terminal_size(unsigned *columns, unsigned *rows);

#endif
