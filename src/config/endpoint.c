/*
 * Cut the text into scheme, host, port and name, then parse each. No scheme
 * but tls:// is taken, unless the role says so: what is asked for is never made
 * weaker or different.
 */
#include "config/endpoint.h"

#include "base/err.h"
#include "config/diag.h"
#include "config/value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 128 };

#define SAY(why, ...) ((void)snprintf((why), HOST_WHY_MAX, __VA_ARGS__))

/* The pieces, cut but not understood. */
struct pieces {
    char host[HOST_MAX];
    const char *port; /* NULL: none given; ends where name_len begins */
    size_t port_len;
    const char *name; /* NULL: no '#' */
};

static bool is_listening(enum endpoint_role role)
{
    return role == ENDPOINT_LISTEN || role == ENDPOINT_ADMIN;
}

/* udp://, tcp:// and what people call it else. */
static bool is_clear_text(const char *scheme, size_t len)
{
    return len == 3 && (strncasecmp(scheme, "udp", 3) == 0 ||
                        strncasecmp(scheme, "tcp", 3) == 0 ||
                        strncasecmp(scheme, "dns", 3) == 0);
}

/* A server in clear text where there is none. */
static int refuse_clear_text(const char *text, size_t len, const char *rest,
                             enum endpoint_role role, char why[HOST_WHY_MAX])
{
    if (role == ENDPOINT_ZONE) {
        SAY(why, "%.*s:// is not known here; did you mean udp://%.80s?",
            (int)len, text, rest);
    } else {
        SAY(why,
            "%.*s:// is not encrypted; a server in clear text is possible only "
            "in a zone that names it, such as zones: {cluster.local: "
            "\"udp://%.80s\"}",
            (int)len, text, rest);
    }
    return ERR_INVAL;
}

static int refuse_scheme(const char *text, size_t len, const char *rest,
                         enum endpoint_role role, char why[HOST_WHY_MAX])
{
    static const struct {
        const char *scheme, *words;
    } known[] = {
        {"https", "is DNS over HTTPS; dotstub speaks DNS over TLS only"},
        {"h3", "is DNS over HTTPS; dotstub speaks DNS over TLS only"},
        {"quic", "is DNS over QUIC; dotstub speaks DNS over TLS only"},
        {"doq", "is DNS over QUIC; dotstub speaks DNS over TLS only"},
        {"sdns", "is a DNS stamp, which dotstub does not read"},
    };
    const char *words = "is not known here";

    if (role == ENDPOINT_ADMIN) {
        SAY(why,
            "%.*s:// does not belong here: an address, perhaps with a port, is "
            "needed; did you mean %.80s?",
            len > 20 ? 20 : (int)len, text, rest);
        return ERR_INVAL;
    }
    if (role == ENDPOINT_LISTEN) {
        SAY(why,
            "%.*s:// does not belong here: dotstub listens for plain DNS, "
            "UDP and TCP both; did you mean %.80s?",
            len > 20 ? 20 : (int)len, text, rest);
        return ERR_INVAL;
    }
    if (is_clear_text(text, len)) {
        return refuse_clear_text(text, len, rest, role, why);
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strlen(known[i].scheme) == len &&
            strncasecmp(known[i].scheme, text, len) == 0) {
            words = known[i].words;
        }
    }
    SAY(why, "%.*s:// %s; write ADDRESS#NAME", len > 20 ? 20 : (int)len, text,
        words);
    return ERR_INVAL;
}

/* Step over "tls://", or what else the role takes; any other scheme is
 * refused. */
static int cut_scheme(const char **text, enum endpoint_role role,
                      enum config_transport *transport, char why[HOST_WHY_MAX])
{
    static const struct {
        const char *scheme;
        enum config_transport transport;
    } known[] = {{"tls", CONFIG_TLS}, {"udp", CONFIG_UDP}, {"tcp", CONFIG_TCP}};
    const char *mark = strstr(*text, "://");
    size_t count = is_listening(role) ? 0 : role == ENDPOINT_ZONE ? 3 : 1;

    if (mark == NULL) {
        return 0;
    }
    size_t len = (size_t)(mark - *text);
    for (size_t i = 0; i < count; i++) {
        if (len == 3 && strncasecmp(*text, known[i].scheme, 3) == 0) {
            *text = mark + 3;
            *transport = known[i].transport;
            return 0;
        }
    }
    return refuse_scheme(*text, len, mark + 3, role, why);
}

static int too_long(const char *text, char why[HOST_WHY_MAX])
{
    SAY(why, "\"%s\" is not an IP address", diag_quote(text).text);
    return ERR_INVAL;
}

/* "[host]" with perhaps a port behind it. */
static int cut_bracketed(const char *text, size_t len, struct pieces *out,
                         char why[HOST_WHY_MAX])
{
    const char *end = memchr(text, ']', len);

    if (end == NULL) {
        SAY(why, "\"%s\" has no ']'", diag_quote(text).text);
        return ERR_INVAL;
    }
    size_t host_len = (size_t)(end - text) - 1;
    size_t rest_len = len - host_len - 2;
    if (host_len >= HOST_MAX) {
        return too_long(text, why);
    }
    memcpy(out->host, text + 1, host_len);
    out->host[host_len] = '\0';
    if (host_len > 0 && strchr(out->host, ':') == NULL) {
        SAY(why, "brackets are for IPv6; did you mean %.*s%.*s?", (int)host_len,
            out->host, rest_len > 40 ? 40 : (int)rest_len, end + 1);
        return ERR_INVAL;
    }
    if (rest_len > 0 && end[1] != ':' && end[1] != '@') {
        SAY(why,
            "\"%.*s\" behind ']' is not a port; did you mean "
            "[%s]:853?",
            rest_len > 40 ? 40 : (int)rest_len, end + 1,
            diag_quote(out->host).text);
        return ERR_INVAL;
    }
    if (rest_len > 0) {
        out->port = end + 2;
        out->port_len = rest_len - 1;
    }
    return 0;
}

/* Host and port of the first len octets of text. */
static int cut_host(const char *text, size_t len, struct pieces *out,
                    char why[HOST_WHY_MAX])
{
    if (len > 0 && *text == '[') {
        return cut_bracketed(text, len, out, why);
    }
    const char *at = memchr(text, '@', len);
    const char *colon = memchr(text, ':', len);
    /* One colon parts a port; two make an IPv6 address. */
    if (at == NULL && colon != NULL &&
        memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) == NULL) {
        at = colon;
    }
    size_t host_len = at == NULL ? len : (size_t)(at - text);
    if (host_len >= HOST_MAX) {
        return too_long(text, why);
    }
    memcpy(out->host, text, host_len);
    out->host[host_len] = '\0';
    if (at != NULL) {
        out->port = at + 1;
        out->port_len = len - host_len - 1;
    }
    return 0;
}

static int parse_port(const struct pieces *p, struct addr *a,
                      char why[HOST_WHY_MAX])
{
    char text[16];
    char hint[VALUE_TEXT_MAX];
    uint64_t port = 0;

    if (p->port == NULL) {
        return 0;
    }
    int shown = p->port_len > 15 ? 15 : (int)p->port_len;
    snprintf(text, sizeof(text), "%.*s", shown, p->port);
    if (value_parse(VALUE_COUNT, text, &port, hint) != VALUE_OK) {
        SAY(why, "\"%s\" is not a port%s%s%s", text,
            *hint == '\0' ? "" : "; did you mean ", hint,
            *hint == '\0' ? "" : "?");
        return ERR_INVAL;
    }
    if (port < 1 || port > UINT16_MAX) {
        SAY(why, "port %s is out of range: 1 to 65535", text);
        return ERR_INVAL;
    }
    a->port = (uint16_t)port;
    return 0;
}

/* What stands in the address's place and has an answer of its own. */
static bool explain_word(const struct pieces *p, enum endpoint_role role,
                         char why[HOST_WHY_MAX])
{
    const char *colon = p->port == NULL ? "" : ":";
    int port_len = p->port_len > 15 ? 15 : (int)p->port_len;
    const char *port = p->port == NULL ? "" : p->port;
    size_t digits = strspn(p->host, "0123456789");

    if (strcasecmp(p->host, "localhost") == 0) {
        SAY(why, "\"localhost\" is a name; did you mean 127.0.0.1%s%.*s?",
            colon, port_len, port);
    } else if (is_listening(role) && (strcmp(p->host, "*") == 0 ||
                                      (*p->host == '\0' && p->port != NULL))) {
        SAY(why,
            "no address; did you mean 0.0.0.0%s%.*s, all IPv4 addresses "
            "of this machine (\"[::]%s%.*s\" for IPv6)?",
            colon, port_len, port, colon, port_len, port);
    } else if (is_listening(role) && p->port == NULL && digits > 0 &&
               digits <= 5 && p->host[digits] == '\0') {
        SAY(why,
            "\"%s\" is a port without an address; did you mean "
            "127.0.0.1:%s?",
            p->host, p->host);
    } else if (p->host[0] == '-') {
        SAY(why, "a space is needed behind the '-' of a list item");
    } else {
        return false;
    }
    return true;
}

static int parse_host(const struct pieces *p, enum endpoint_role role,
                      struct addr *a, char why[HOST_WHY_MAX])
{
    if (explain_word(p, role, why) || host_parse_ip(p->host, a, why) != 0) {
        return ERR_INVAL;
    }
    if (host_is_multicast(a) || (!is_listening(role) && host_is_any(a))) {
        SAY(why, "%s is not the address of a machine", p->host);
        return ERR_INVAL;
    }
    return 0;
}

/* Blanks and commas: several entries in one, or a slip. */
static int check_single(const char *text, char why[HOST_WHY_MAX])
{
    size_t len = strcspn(text, " \t\n,;");

    if (*text == '\0') {
        SAY(why, "is empty");
        return ERR_INVAL;
    }
    /* "1,1,1,1" has a better explanation. */
    if (text[len] == '\0' || (text[len] == ',' && len < 4)) {
        return 0;
    }
    const char *rest = text + len + strspn(text + len, " \t\n,;");
    if (*rest == '\0' || len == 0) {
        SAY(why, "\"%s\" has blanks or commas around it",
            diag_quote(text).text);
    } else {
        SAY(why,
            "\"%s\" has blanks or commas in it; is this more than one? "
            "Each goes on a line of its own, behind '- '",
            diag_quote(text).text);
    }
    return ERR_INVAL;
}

static uint16_t default_port(enum endpoint_role role,
                             enum config_transport transport)
{
    if (role == ENDPOINT_ADMIN) {
        return ENDPOINT_PORT_ADMIN;
    }
    return is_listening(role) || transport != CONFIG_TLS ? ENDPOINT_PORT_DNS
                                                         : ENDPOINT_PORT_DOT;
}

/* The name behind '#', len octets behind the start of text. */
static int parse_name(const char *text, int len, enum endpoint_role role,
                      struct endpoint *e, char why[HOST_WHY_MAX])
{
    const char *name = text + len + 1;

    len = len > 80 ? 80 : len;
    if (is_listening(role)) {
        SAY(why, "a listen address has no #name; did you mean %.*s?", len,
            text);
        return ERR_INVAL;
    }
    if (e->transport != CONFIG_TLS) {
        SAY(why,
            "a server in clear text has no certificate and no #name; did you "
            "mean %s://%.*s, or tls://%.*s#%.80s?",
            e->transport == CONFIG_UDP ? "udp" : "tcp", len, text, len, text,
            name);
        return ERR_INVAL;
    }
    return host_parse_name(name, e->name, why);
}

static int parse(const char *text, enum endpoint_role role,
                 struct endpoint *out, char why[HOST_WHY_MAX])
{
    struct endpoint e = {.name = "", .transport = CONFIG_TLS};
    struct pieces p = {.port = NULL};

    if (check_single(text, why) != 0 ||
        cut_scheme(&text, role, &e.transport, why) != 0) {
        return ERR_INVAL;
    }
    const char *hash = strchr(text, '#');
    size_t len = hash == NULL ? strlen(text) : (size_t)(hash - text);
    if (cut_host(text, len, &p, why) != 0 ||
        parse_host(&p, role, &e.addr, why) != 0) {
        return ERR_INVAL;
    }
    e.addr.port = default_port(role, e.transport);
    if (parse_port(&p, &e.addr, why) != 0) {
        return ERR_INVAL;
    }
    if (hash != NULL && parse_name(text, (int)len, role, &e, why) != 0) {
        return ERR_INVAL;
    }
    *out = e;
    return 0;
}

/* The pieces are there, in another order: ADDRESS#NAME:PORT, or
 * ADDRESS:PORT:NAME. Only asked when text is not good as it is. */
static void explain_order(const char *text, char why[HOST_WHY_MAX])
{
    char guess[HOST_MAX + HOST_NAME_MAX_LEN];
    char unused[HOST_WHY_MAX];
    char addr[ADDR_TEXT_MAX];
    struct endpoint e;

    text += strncasecmp(text, "tls://", 6) == 0 ? 6 : 0;
    const char *hash = strchr(text, '#');
    const char *first = hash != NULL ? hash : strchr(text, ':');
    const char *second = first != NULL ? strchr(first + 1, ':') : NULL;
    if (second == NULL) {
        return;
    }
    int middle_len = (int)(second - first) - 1;
    const char *name = hash != NULL ? first + 1 : second + 1;
    const char *port = hash != NULL ? second + 1 : first + 1;
    int len =
        snprintf(guess, sizeof(guess), "%.*s@%.*s#%.*s", (int)(first - text),
                 text, hash != NULL ? (int)strlen(port) : middle_len, port,
                 hash != NULL ? middle_len : (int)strlen(name), name);
    if (len < (int)sizeof(guess) &&
        parse(guess, ENDPOINT_SERVER, &e, unused) == 0) {
        SAY(why, "\"%s\" has its parts in another order; did you mean %s#%s?",
            diag_quote(text).text, addr_text(&e.addr, addr),
            diag_quote(e.name).text);
    }
}

int endpoint_parse(const char *text, enum endpoint_role role,
                   struct endpoint *out, char why[HOST_WHY_MAX])
{
    if (parse(text, role, out, why) == 0) {
        return 0;
    }
    if (!is_listening(role)) {
        explain_order(text, why);
    }
    return ERR_INVAL;
}
