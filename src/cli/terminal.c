/*
 * Plain ANSI sequences, which every terminal of the last decades knows: the
 * other screen, the cursor hidden, keys as they are typed.
 */
#include "cli/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OTHER_SCREEN "\x1b[?1049h\x1b[?25l"
#define FIRST_SCREEN "\x1b[0m\x1b[?25h\x1b[?1049l"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value == NULL ? "" : value;
}

static bool is_utf8(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = variable(names[i]);
        if (value[0] != '\0') {
            return strcasestr(value, "utf-8") != NULL ||
                   strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

void terminal_init(struct terminal *t)
{
    const char *kind = variable("TERM");

    *t = (struct terminal){.keys = -1};
    t->is_live = isatty(STDOUT_FILENO) == 1 && kind[0] != '\0' &&
                 strcmp(kind, "dumb") != 0;
    t->has_colour = t->is_live && variable("NO_COLOR")[0] == '\0';
    t->is_utf8 = is_utf8();
    if (t->is_live) {
        /* Anew, since it is made not blocking: what the shell gave is shared
         * with the shell. */
        t->keys = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }
}

static void put(const char *text)
{
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

void terminal_enter(struct terminal *t)
{
    if (!t->is_live || t->is_entered) {
        return;
    }
    t->is_entered = true;
    t->has_before = t->keys >= 0 && tcgetattr(t->keys, &t->before) == 0;
    if (t->has_before) {
        struct termios raw = t->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(t->keys, TCSANOW, &raw);
    }
    put(OTHER_SCREEN);
}

void terminal_leave(struct terminal *t)
{
    if (!t->is_entered) {
        return;
    }
    t->is_entered = false;
    put(FIRST_SCREEN);
    if (t->has_before) {
        (void)tcsetattr(t->keys, TCSAFLUSH, &t->before);
    }
}

void terminal_finish(struct terminal *t)
{
    terminal_leave(t);
    if (t->keys >= 0) {
        (void)close(t->keys);
        t->keys = -1;
    }
}

void terminal_size(unsigned *columns, unsigned *rows)
{
    struct winsize size;

    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
        size.ws_row > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}
