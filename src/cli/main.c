/*
 * dotstub: the table of its commands, and which one a command line means.
 */
#include "cli/cli.h"
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

const struct command cli_commands[] = {
    {"run", "serve DNS, until SIGTERM or SIGINT (the default)",
     "usage: dotstub [run] [-c FILE]\n"
     "\n"
     "Take DNS queries over UDP and TCP, and forward them over verified\n"
     "TLS. Runs in the foreground and logs to standard error.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE ";\n"
     "                     - is standard input)\n",
     cmd_run},
    {"check", "read the configuration, and say all that is wrong with it",
     "usage: dotstub check [-c FILE]\n"
     "\n"
     "Exit code 0 when dotstub can run with it, 2 when it cannot.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE ";\n"
     "                     - is standard input)\n",
     cmd_check},
    {"health", "ask the dotstub that runs whether it answers",
     "usage: dotstub health [-c FILE] [--ready]\n"
     "\n"
     "Ask the addresses of listen, over UDP, for localhost, which dotstub\n"
     "knows itself; where nobody listens there, ask over the control socket.\n"
     "Exit code 0 when it answers within two seconds, else 1: for the health\n"
     "check of a container. Other faults of the configuration do not count.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which says where it listens\n"
     "      --ready        ask for what only a server knows, the root's name\n"
     "                     servers (. NS): 0 when it can be resolved\n",
     cmd_health},
    {"query", "ask one question the way the daemon would, without one",
     "usage: dotstub query NAME [TYPE] [-c FILE] [--server SERVER] [--tcp]\n"
     "                     [--dnssec] [--cd] [--short] [--trace]\n"
     "\n"
     "Resolve NAME (TYPE: A unless given) in this process, by the rules and\n"
     "servers of the configuration, and print the answer as dig does. Exit\n"
     "code 9 when no server gave one.\n"
     "\n"
     "  -c, --config FILE    configuration (default " CLI_CONFIG_FILE ")\n"
     "      --server SERVER  this server in place of the file's, such as\n"
     "                       9.9.9.9#dns.quad9.net or quad9\n"
     "      --tcp            as a client over TCP: the answer is not cut\n"
     "      --dnssec         ask for signatures (DO)\n"
     "      --cd             ask without checking (CD)\n"
     "      --short          print the answers' data alone\n"
     "      --trace          print what was decided on the way\n",
     cmd_query},
    {"bench", "measure servers, and print the list to use, fastest first",
     "usage: dotstub bench [SERVER]... [-c FILE] [--queries N]\n"
     "                     [--idle SECONDS]\n"
     "\n"
     "Measure the servers of the configuration, or these: handshakes,\n"
     "latency over a warm connection, how they behave. Asks each for the\n"
     "root's name servers, over two connections. Exit code 1 when no server\n"
     "answers.\n"
     "\n"
     "  -c, --config FILE   configuration (default " CLI_CONFIG_FILE ")\n"
     "      --queries N     queries to measure by, 1 to 100 (20)\n"
     "      --idle SECONDS  wait up to so long, 1 to 300, to see when servers\n"
     "                      close idle connections\n",
     cmd_bench},
    {"pin", "show the keys of a server, as pins for the configuration",
     "usage: dotstub pin HOST[:PORT][#NAME] [--ca-file FILE]\n"
     "\n"
     "Connect to a DNS over TLS server, show its certificates and their\n"
     "pins, and say whether it proves who it is without them. HOST is an\n"
     "address, a name or a word such as quad9. Exit code 1 when it does not\n"
     "prove it, 2 when the authorities cannot be read, 9 when it cannot be\n"
     "reached.\n"
     "\n"
     "      --ca-file FILE  trust these authorities, not the system's\n",
     cmd_pin},
    {"stats", "what the daemon counts",
     "usage: dotstub stats [--json] [-c FILE] [--socket PATH]\n"
     "\n"
     "Ask the dotstub that runs for its counters.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which names the socket\n"
     "      --socket PATH  the socket, without the configuration\n"
     "      --json         one JSON object\n",
     cmd_stats},
    {"top", "watch the daemon at work",
     "usage: dotstub top [--once] [-c FILE] [--socket PATH]\n"
     "\n"
     "Queries, hits, latencies and servers, each second; q quits. Without a\n"
     "terminal, or with TERM=dumb, frames follow each other as text. The\n"
     "variable NO_COLOR turns colours off. Of a server: con: connections, "
     "fly:\n"
     "queries on their way, res.: handshakes that resumed a session.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which names the socket\n"
     "      --socket PATH  the socket, without the configuration\n"
     "      --once         one frame, over one second\n",
     cmd_top},
    {"explain", "see why a query is slow, or answered as it is",
     "usage: dotstub explain NAME [TYPE] [-c FILE] [--socket PATH]\n"
     "\n"
     "Send one query (TYPE: A unless given) through the dotstub that runs,\n"
     "and print each step with its time, then the answer.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which names the socket\n"
     "      --socket PATH  the socket, without the configuration\n",
     cmd_explain},
    {"flush", "forget answers",
     "usage: dotstub flush [NAME [TYPE]] [--subtree] [-c FILE] "
     "[--socket PATH]\n"
     "\n"
     "Remove answers from the cache of the dotstub that runs: of NAME, of\n"
     "TYPE alone if given; all of them without NAME.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which names the socket\n"
     "      --socket PATH  the socket, without the configuration\n"
     "      --subtree      the names below NAME too\n",
     cmd_flush},
    {"reload", "have the daemon read its configuration again",
     "usage: dotstub reload [-c FILE] [--socket PATH]\n"
     "\n"
     "Exit code 0 when the new configuration is in use, 1 when the one before\n"
     "stays; the line printed says why.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which names the socket\n"
     "      --socket PATH  the socket, without the configuration\n",
     cmd_reload},
    {"log-level", "have the daemon say more, or less",
     "usage: dotstub log-level error|warning|notice|info|debug [-c FILE]\n"
     "                         [--socket PATH]\n"
     "\n"
     "Holds until the next reload.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE "),\n"
     "                     which names the socket\n"
     "      --socket PATH  the socket, without the configuration\n",
     cmd_log_level},
    {"privacy", "show that nothing but TLS to the servers leaves",
     "usage: dotstub privacy [NAME]... [-c FILE] [--no-namespace]\n"
     "\n"
     "Look names up (example.com and others, or these) in a network\n"
     "namespace of its own, where every packet is seen, and list what left.\n"
     "Exit code 1 when it was more than TLS to servers of the configuration.\n"
     "\n"
     "  -c, --config FILE   configuration (default " CLI_CONFIG_FILE ")\n"
     "      --no-namespace  look at the program's sockets instead, as where\n"
     "                      namespaces are not allowed\n",
     cmd_privacy},
    {"import", "turn another program's configuration into one of dotstub's",
     "usage: dotstub import FILE [--from KIND]\n"
     "\n"
     "Read the configuration of another DNS program (- is standard input)\n"
     "and print dotstub's, with comments on what has no equal. Exit code 1\n"
     "when the file cannot be read, 2 when the result must be mended or lacks\n"
     "something.\n"
     "\n"
     "      --from KIND  stubby, unbound, resolved, dnsdist, dnsdist-lua or\n"
     "                   proxy (YAML with DNS_SERVERS, SOCKET_ADDRESS); found "
     "by\n"
     "                   itself as a rule\n",
     cmd_import},
    {"version", "print the versions of dotstub and its libraries",
     "usage: dotstub version\n", cmd_version},
    {"help", "print this, or how a command is used",
     "usage: dotstub help [COMMAND]\n", cmd_help},
    {"keys", "print the keys of the configuration, for scripts",
     "usage: dotstub keys\n"
     "\n"
     "Print all keys of the configuration: name, kind, default, bounds.\n",
     cmd_keys},
};

const size_t cli_command_count = COUNT_OF(cli_commands);

const struct command *cli_find(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].name, name) == 0) {
            return &cli_commands[i];
        }
    }
    return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Before any command --version is one more. */
static const char *const first_options[] = {"--config", "--help", "--version"};

static bool is_nearly_version(const char *word)
{
    struct suggest s;

    suggest_init(&s, word);
    for (size_t i = 0; i < COUNT_OF(first_options); i++) {
        suggest_offer(&s, first_options[i]);
    }
    return s.best != NULL && strcmp(s.best, "--version") == 0;
}

/* How many words of "-c FILE" stand before the command. */
static int count_config(int argc, char **argv)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        if (is_one_of(argv[at], "-c", "--config")) {
            at += 2;
        } else if (strncmp(argv[at], "--config=", 9) == 0 ||
                   strncmp(argv[at], "-c", 2) == 0) {
            at++;
        } else {
            break;
        }
    }
    return at - 1;
}

/* Options come first: "-c FILE check" is "check -c FILE". Those without a
 * command are run's. */
static int run_options(int argc, char **argv)
{
    static char name[] = "run";
    int count = count_config(argc, argv);
    int at = count + 1;

    if (at >= argc || argv[at][0] == '-') {
        argv[0] = name;
        return cmd_run(argc, argv);
    }
    const struct command *command = cli_find(argv[at]);
    if (command == NULL) {
        return cli_unknown_command(argv[at]);
    }
    argv[0] = argv[at];
    memmove(argv + at, argv + at + 1, (size_t)(argc - at) * sizeof(*argv));
    return command->run(argc - 1, argv);
}

int cli_unknown_command(const char *word)
{
    const char *names[COUNT_OF(cli_commands)];

    for (size_t i = 0; i < cli_command_count; i++) {
        names[i] = cli_commands[i].name;
    }
    return cli_usage_error("unknown command", word, names, cli_command_count);
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        return run_options(argc, argv);
    }
    if (is_one_of(argv[1], "-h", "--help")) {
        return cmd_help(argc - 1, argv + 1);
    }
    if (is_one_of(argv[1], "-V", "--version")) {
        return cmd_version(argc - 1, argv + 1);
    }
    if (strncmp(argv[1], "--", 2) == 0 && is_nearly_version(argv[1])) {
        return cli_usage_error("unknown option", argv[1], first_options,
                               COUNT_OF(first_options));
    }
    if (argv[1][0] == '-') {
        return run_options(argc, argv);
    }
    command = cli_find(argv[1]);
    if (command == NULL) {
        return cli_unknown_command(argv[1]);
    }
    return command->run(argc - 1, argv + 1);
}
