/*
 * What is made as root, before the program becomes config->user, is given to
 * that user: or it could not open, remove or be reached by it later.
 */
#ifndef SERVER_GIVE_H
#define SERVER_GIVE_H

#include "admin/control.h"
#include "config/config.h"

/* Make the query log where it is missing and the user could not, if no link is
 * on the way to its folder. Nothing without a user, or without root; what fails
 * shows when the log is opened. */
void give_query_log(const struct config *config);

/* The control socket (NULL: none). The same; failure is logged. */
void give_control(const struct config *config, struct control *control);

#endif
