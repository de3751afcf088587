/*
 * dotstub version: of itself, of the libraries it runs with, and of those that
 * only some of it needs: loaded when a configuration asks for them, or used
 * when it was built.
 */
#include "admin/http.h"
#include "admin/json_report.h"
#include "cli/cli.h"
#include "dnstap/dnstap.h"
#include "net/loop.h"
#include "server/sandbox.h"
#include "server/server.h"
#include "tls/trust.h"

#include <stdio.h>

int cmd_version(int argc, char **argv)
{
    struct cli_args args = {0};
    char name[] = "version";
    int code;

    argv[0] = name; /* also called as --version */
    code = cli_parse(argc, argv, &args);
    if (code != -1) {
        return code;
    }
    printf("dotstub %s (libuv %s, Mbed TLS %s, libcyaml %s, libyaml %s, "
           "Jansson %s)\n",
           server_version(), net_library_version(), tls_library_version(),
           config_cyaml_version(), config_yaml_version(),
           json_library_version());
    printf("admin: %s\ndnstap: %s\nsandbox: %s\n", admin_http_library(),
           dnstap_library(), sandbox_library());
    return cli_end_output();
}
