/*
 * The texts and identifiers of the error table in err.h, made from the same
 * list, so that neither can miss a code.
 */
#include "base/err.h"

const char *err_text(int err)
{
    switch (err) {
    case 0:
        return "success";
#define ERR_CASE(name, value, text) \
    case name: \
        return text;
        ERR_LIST(ERR_CASE)
#undef ERR_CASE
    default:
        return "unknown error";
    }
}

const char *err_name(int err)
{
    switch (err) {
    case 0:
        return "OK";
#define ERR_CASE(name, value, text) \
    case name: \
        return #name;
        ERR_LIST(ERR_CASE)
#undef ERR_CASE
    default:
        return "ERR_UNKNOWN";
    }
}
