/*
 * libyaml's errors of syntax in plain words.
 */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "config/diag.h"
#include "config/source.h"

#include <yaml.h>

/* Say what parser stumbled over, where, and what was probably meant. */
void syntax_explain(const yaml_parser_t *parser, const struct source *s,
                    struct diag *d);

#endif
