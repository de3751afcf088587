/*
 * dotstub privacy: what does the stack send when it resolves names? It runs
 * alone in a network namespace, where each packet is seen; where that is not
 * allowed, the sockets it opens are looked at instead, which shows less, and
 * the report says so.
 */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/load_with.h"
#include "cli/print_message.h"
#include "cli/privacy.h"
#include "cli/stack.h"
#include "config/host.h"
#include "dns/message.h"
#include "dns/name.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NO_SPACE = 40, NAMES_MAX = 16, DESCRIPTORS_SEEN = 256 };

static const char *const default_names[] = {"example.com", "example.net",
                                            "example.org"};

struct privacy {
    struct config *config;
    const char *const *names;
    size_t name_count;
    bool may_use_space;
    struct privacy_places places;
    struct privacy_tap tap;
    char *dnstap;         /* where `run` sends copies; NULL: nowhere */
    bool is_dnstap_clear; /* … over a network */
};

/* ---- looking names up ---- */

static void print_lookup(const struct stack *s, const char *name)
{
    struct span answer = span_of(s->answer, s->answer_len);
    struct dns_response r;

    printf("  %s A: ", name);
    print_message_why(stdout, answer);
    if (dns_response_parse(answer, &r) == 0 && r.rcode == DNS_RCODE_NOERROR) {
        printf(", %u record%s", r.answer_count, r.answer_count == 1 ? "" : "s");
    }
    putchar('\n');
}

/* Takes the configuration. Returns an exit code of cli.h. */
static int look_up(struct privacy *p, void (*on_turn)(void *arg))
{
    struct stack s;
    int code = stack_open(&s, p->config);

    p->config = NULL;
    s.on_turn = on_turn;
    s.arg = p;
    if (code == CLI_OK) {
        puts("looked up:");
    }
    for (size_t i = 0; code == CLI_OK && i < p->name_count; i++) {
        const struct stack_question q = {
            .name = p->names[i], .type = DNS_TYPE_A, .is_tcp = true};
        int err = stack_ask(&s, &q);
        assert(err == 0); /* the name was read before */
        (void)err;
        print_lookup(&s, q.name);
    }
    stack_close(&s);
    (void)fflush(stdout);
    return code;
}

/* ---- the report ---- */

static const char *protocol_text(uint8_t protocol, char text[24])
{
    switch (protocol) {
    case IPPROTO_TCP:
        return "TCP";
    case IPPROTO_UDP:
        return "UDP";
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        return "ICMP";
    default:
        (void)snprintf(text, 24, "protocol %u", protocol);
        return text;
    }
}

static bool is_private(const struct privacy_flow *f)
{
    return f->protocol == IPPROTO_TCP && f->place != NULL &&
           !f->place->is_plain && f->is_all_tls;
}

static void print_flow(const struct privacy_flow *f, bool has_content)
{
    char text[ADDR_TEXT_MAX];
    char protocol[24];

    printf("  %s to %s, %llu %s", protocol_text(f->protocol, protocol),
           f->to.port != 0 ? addr_text(&f->to, text)
                           : addr_ip_text(&f->to, text),
           (unsigned long long)f->packets,
           has_content       ? "packets"
           : f->packets == 1 ? "socket"
                             : "sockets");
    if (has_content) {
        printf(", %llu octets", (unsigned long long)f->octets);
    }
    if (f->place == NULL) {
        puts(": NOT IN THE CONFIGURATION");
    } else if (f->place->is_plain) {
        printf(": CLEAR TEXT, as the configuration has it (%s)\n",
               f->place->label);
    } else if (f->protocol != IPPROTO_TCP) {
        printf(": NOT TLS (%s)\n", f->place->label);
    } else if (!has_content) {
        printf(": %s\n", f->place->label);
    } else if (f->is_all_tls) {
        printf(": %llu TLS records and nothing else (%s)\n",
               (unsigned long long)f->records, f->place->label);
    } else {
        printf(": NOT ALL OF IT TLS (%s)\n", f->place->label);
    }
}

/* What left in this run, and what would with clients. */
static const char *verdict(bool is_good, bool is_dnstap_clear)
{
    if (!is_good) {
        return "MORE than TLS to the servers of the configuration left.";
    }
    return is_dnstap_clear
               ? "MORE than TLS leaves: dnstap sends copies in clear text."
               : "Nothing but TLS to the servers of the configuration left.";
}

static int report(const struct privacy *p, bool has_content)
{
    const struct privacy_tap *t = &p->tap;
    bool is_good = t->unseen == 0;

    puts(has_content ? "left the program, every packet seen:"
                     : "sockets of the program, as they were seen:");
    for (size_t i = 0; i < t->flow_count; i++) {
        print_flow(&t->flows[i], has_content);
        is_good = is_good && is_private(&t->flows[i]);
    }
    if (t->flow_count == 0) {
        puts("  nothing");
    }
    if (t->unseen > 0) {
        printf("  %llu packets that could not be looked at\n",
               (unsigned long long)t->unseen);
    }
    if (p->is_dnstap_clear) {
        printf("  to %s with clients: CLEAR TEXT, as the configuration has it "
               "(dnstap)\n",
               p->dnstap);
    }
    puts(verdict(is_good, p->is_dnstap_clear));
    return is_good && !p->is_dnstap_clear ? CLI_OK : CLI_FAILURE;
}

static bool has_plain(const struct privacy *p)
{
    for (size_t i = 0; i < p->places.count; i++) {
        if (p->places.all[i].is_plain) {
            return true;
        }
    }
    return false;
}

static void print_limits(const struct privacy *p, bool has_content)
{
    puts("\nWhat this does not show:");
    if (!has_content) {
        printf("  - what the packets hold: %s,\n    so the sockets were looked "
               "at, every millisecond; one that lived shorter, or\n    that "
               "sent without being connected, was not seen\n",
               p->may_use_space ? "network namespaces are not allowed here"
                                : "they were not looked at (--no-namespace)");
    }
    if (has_content && has_plain(p)) {
        puts("  - answers of servers in clear text, which are out of reach of "
             "the namespace:\n    what would leave for them is listed all the "
             "same");
    }
    if (p->places.left_out > 0) {
        printf("  - %zu addresses of servers beyond the first %d\n",
               p->places.left_out, PRIVACY_PLACES_MAX);
    }
    if (p->dnstap != NULL) {
        printf("  - dnstap: copies of clients' queries and answers, whole, "
               "which go to\n    %s when clients ask%s\n",
               p->dnstap, p->is_dnstap_clear ? ", in clear text" : "");
    }
    puts("  - other programs: one that asks servers by itself goes past "
         "dotstub\n"
         "  - what a network sees in any case: the servers' addresses, their "
         "names in the\n    TLS handshake (SNI), when and how much is sent\n"
         "  - what the servers do with the queries");
}

/* ---- with a namespace ---- */

static _Noreturn void run_child(struct privacy *p, int channel)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (privacy_space_enter(&p->places, channel) != 0) {
        config_destroy(p->config);
        _exit(EXIT_NO_SPACE);
    }
    int code = look_up(p, NULL);
    (void)fflush(stdout);
    _exit(code);
}

/* Returns an exit code of cli.h, or EXIT_NO_SPACE. */
static int watch_packets(struct privacy *p)
{
    int fds[1 + PRIVACY_PLACES_MAX];
    int channel[2];
    int status = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) {
        return EXIT_NO_SPACE;
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)close(channel[0]);
        run_child(p, channel[1]);
    }
    (void)close(channel[1]);
    if (child > 0 && privacy_space_receive(&p->places, channel[0], fds) == 0) {
        privacy_relay_run(&p->places, fds, channel[0], &p->tap);
    }
    (void)close(channel[0]);
    if (child < 0 || waitpid(child, &status, 0) != child ||
        !WIFEXITED(status)) {
        return EXIT_NO_SPACE;
    }
    return WEXITSTATUS(status);
}

/* ---- without ---- */

static bool peer_of(int fd, struct addr *out, int *type)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t len = sizeof(peer);
    socklen_t type_len = sizeof(*type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &type_len) != 0 ||
        getpeername(fd, &peer.any, &len) != 0) {
        return false;
    }
    *out = (struct addr){.family = 0};
    if (peer.any.sa_family == AF_INET) {
        out->family = 4;
        out->port = ntohs(peer.v4.sin_port);
        memcpy(out->ip, &peer.v4.sin_addr, 4);
    } else if (peer.any.sa_family == AF_INET6) {
        out->family = 6;
        out->port = ntohs(peer.v6.sin6_port);
        out->scope_id = peer.v6.sin6_scope_id;
        memcpy(out->ip, &peer.v6.sin6_addr, 16);
    }
    return out->family != 0;
}

static void note_socket(struct privacy *p, const struct addr *to, int type)
{
    struct privacy_tap *t = &p->tap;
    uint8_t protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;

    for (size_t i = 0; i < t->flow_count; i++) {
        if (t->flows[i].protocol == protocol &&
            addr_equal(&t->flows[i].to, to)) {
            return;
        }
    }
    if (t->flow_count == PRIVACY_FLOWS_MAX) {
        t->unseen++;
        return;
    }
    t->flows[t->flow_count++] = (struct privacy_flow){
        .protocol = protocol,
        .to = *to,
        .place = privacy_places_find(&p->places, to),
        .packets = 1,
        .is_all_tls = type == SOCK_STREAM,
    };
}

static void look_at_sockets(void *arg)
{
    struct privacy *p = arg;

    for (int fd = 3; fd < DESCRIPTORS_SEEN; fd++) {
        struct addr to;
        int type;

        if (peer_of(fd, &to, &type)) {
            note_socket(p, &to, type);
        }
    }
}

/* ---- the command ---- */

static int run(struct privacy *p)
{
    bool has_content = true;
    int code = p->may_use_space ? watch_packets(p) : EXIT_NO_SPACE;

    if (code == EXIT_NO_SPACE) {
        has_content = false;
        code = look_up(p, look_at_sockets);
    }
    if (code == CLI_OK) {
        code = report(p, has_content);
        print_limits(p, has_content);
        int written = cli_end_output();
        code = written != CLI_OK ? written : code;
    }
    config_destroy(p->config);
    return code;
}

/* The configuration is given away before the report. */
static int keep_dnstap(struct privacy *p)
{
    const struct config *c = p->config;

    if (c->dnstap == NULL) {
        return CLI_OK;
    }
    p->is_dnstap_clear =
        c->tap.kind == CONFIG_TAP_TCP && !host_is_loopback(&c->tap.addr);
    p->dnstap = strdup(c->dnstap);
    return p->dnstap == NULL ? CLI_FAILURE : CLI_OK;
}

static int check_names(const struct privacy *p)
{
    uint8_t name[DNS_NAME_MAX];

    for (size_t i = 0; i < p->name_count; i++) {
        if (dns_name_from_text(p->names[i], strlen(p->names[i]), name) < 0) {
            return cli_usage_error("not a domain name:", p->names[i], NULL, 0);
        }
    }
    return CLI_OK;
}

int cmd_privacy(int argc, char **argv)
{
    struct privacy *p = calloc(1, sizeof(*p));
    bool is_outside = false;
    const struct cli_option options[] = {{"no-namespace", NULL, &is_outside}};
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = NAMES_MAX,
    };
    int code = cli_parse(argc, argv, &args);

    if (p == NULL || code != -1) {
        free(p);
        return code != -1 ? code : CLI_FAILURE;
    }
    p->names = default_names;
    p->name_count = COUNT_OF(default_names);
    if (args.operand_count > 0) {
        p->names = (const char *const *)args.operands;
        p->name_count = args.operand_count;
    }
    p->may_use_space = !is_outside;
    code = check_names(p);
    if (code == CLI_OK) {
        code = load_with_servers(&args, NULL, 0, NULL, &p->config);
    }
    if (code == CLI_OK) {
        code = keep_dnstap(p);
    }
    if (code == CLI_OK) {
        privacy_places_init(&p->places, p->config);
        privacy_tap_init(&p->tap, &p->places);
        code = run(p);
    } else {
        config_destroy(p->config);
    }
    free(p->dnstap);
    free(p);
    return code;
}
