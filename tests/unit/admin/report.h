/*
 * A report with something in it, for the tests of this folder.
 */
#ifndef TEST_ADMIN_REPORT_H
#define TEST_ADMIN_REPORT_H

#include "admin/report.h"

#include <stdio.h>
#include <string.h>

struct made_report {
    struct admin_report report;
    struct admin_pool pools[2];
    struct upstream_server_report servers[3];
};

static inline void make_server(struct upstream_server_report *s,
                               const char *label, const char *state)
{
    memset(s, 0, sizeof(*s));
    snprintf(s->label, sizeof(s->label), "%s", label);
    s->state = state;
    s->tls_version = "";
    s->tls_cipher = "";
}

/* Two servers of ".", one plain of "corp.example.". */
static inline void make_report(struct made_report *m)
{
    memset(m, 0, sizeof(*m));
    make_server(&m->servers[0], "192.0.2.1:853#a.example", "up");
    make_server(&m->servers[1], "192.0.2.2:853#b.example", "down");
    make_server(&m->servers[2], "udp://192.0.2.3:53", "idle");
    m->servers[0].tls_version = "TLSv1.3";
    m->servers[0].tls_cipher = "TLS1-3-AES-128-GCM-SHA256";
    m->servers[0].p50_us = 12345;
    m->servers[0].ready = 2;
    m->pools[0] = (struct admin_pool){.zone = ".",
                                      .strategy = "failover",
                                      .servers = m->servers,
                                      .server_count = 2};
    m->pools[1] = (struct admin_pool){.zone = "corp.example.",
                                      .strategy = "failover",
                                      .is_plain = true,
                                      .servers = &m->servers[2],
                                      .server_count = 1};
    m->report.version = "1.2.3";
    m->report.started_at_s = 1700000000;
    m->report.workers = 2;
    m->report.is_ready = true;
    m->report.pools = m->pools;
    m->report.pool_count = 2;
}

#endif
