/*
 * Faults of a server's manners: how it ends connections, what it answers and
 * when, and who it says it is.
 */
#include "faults.h"

static uint32_t between(struct sim_run *r, uint32_t low, uint32_t high)
{
    return sim_between(r->world, low, high);
}

/* All, or some, of the answers. */
static unsigned share(struct sim_run *r)
{
    return sim_chance(r->world, 50) ? 100 : between(r, 5, 80);
}

/* ---- connections that end ---- */

/* Some tell it (RFC 7828). */
BEGIN(idle_close)
{
    s->manners.idle_close_ms = sim_chance(r->world, 30)
                                   ? between(r, 200, 2000)
                                   : between(r, 2000, 10000);
    s->manners.tells_idle = sim_chance(r->world, 50);
    sim_run_surprise(r, s);
}

END(idle_close)
{
    (void)r;
    s->manners.idle_close_ms = 0;
    s->manners.tells_idle = false;
}

/* Not fewer than a healthy program can live with: between two connections is
 * a handshake, and in a storm more is asked meanwhile. */
BEGIN(close_after)
{
    s->manners.close_after = r->clients.burst > 3 ? 120 : between(r, 30, 120);
    sim_run_surprise(r, s);
}

END(close_after)
{
    (void)r;
    s->manners.close_after = 0;
}

BEGIN(age_close)
{
    s->manners.age_close_ms = between(r, 1000, 10000);
    sim_run_surprise(r, s);
}

END(age_close)
{
    (void)r;
    s->manners.age_close_ms = 0;
}

/* A load balancer whose servers are gone: there is time for an answer or two,
 * if the path is short. */
BEGIN(hang_up)
{
    s->manners.hang_up_ms = between(r, 20, 100);
}

END(hang_up)
{
    (void)r;
    s->manners.hang_up_ms = 0;
}

BEGIN(die_anywhere)
{
    s->manners.die_after = between(r, 0, 2500);
    s->manners.dies_by_reset = sim_chance(r->world, 50);
}

END(die_anywhere)
{
    (void)r;
    s->manners.die_after = 0;
}

/* ---- silence and slowness ---- */

BEGIN(mute)
{
    (void)r;
    s->manners.is_mute = true;
}

/* Connections that it took in silence it does not know any more. */
END(mute)
{
    (void)r;
    s->manners.is_mute = false;
    sim_server_close_all(s, true);
}

BEGIN(deaf)
{
    (void)r;
    s->manners.is_deaf = true;
}

END(deaf)
{
    (void)r;
    s->manners.is_deaf = false;
}

BEGIN(slow_start)
{
    s->manners.handshake_us = between(r, 50000, 5000000);
    sim_server_close_all(s, false);
}

END(slow_start)
{
    (void)r;
    s->manners.handshake_us = 0;
}

BEGIN(slow_answers)
{
    s->manners.slow = share(r);
    s->manners.slow_us = between(r, 100000, 6000000);
}

END(slow_answers)
{
    (void)r;
    s->manners.slow = 0;
}

BEGIN(dropped_answers)
{
    s->manners.dropped = share(r);
}

END(dropped_answers)
{
    (void)r;
    s->manners.dropped = 0;
}

BEGIN(dribble)
{
    s->manners.dribble = between(r, 1, 60);
}

END(dribble)
{
    (void)r;
    s->manners.dribble = 0;
}

/* ---- wrong answers ---- */

#define ANSWERS(name, member) \
    BEGIN(name) \
    { \
        s->manners.member = share(r); \
    } \
    END(name) \
    { \
        (void)r; \
        s->manners.member = 0; \
    }

ANSWERS(duplicates, duplicated)
ANSWERS(unasked, unasked)
ANSWERS(wrong_id, wrong_id)
ANSWERS(wrong_question, wrong_question)
ANSWERS(garbage, garbage)
ANSWERS(cut_frames, cut)

BEGIN(error_answers)
{
    static const uint8_t rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED,
                                     DNS_RCODE_NOTIMP, DNS_RCODE_FORMERR};
    s->manners.refused = share(r);
    s->manners.rcode = rcodes[between(r, 0, 3)];
    r->ledger.may_relay = true;
}

END(error_answers)
{
    (void)r;
    s->manners.refused = 0;
}

/* ---- who it says it is ---- */

enum { WRONG_LETTER = 'X' /* that no name begins with */ };

static void look_at_identity(struct sim_server *s)
{
    const struct tls_certificate *c = &s->identity.certificate;
    s->is_impostor =
        c->is_expired || c->is_untrusted || c->name[0] == WRONG_LETTER;
}

/* A certificate is read when the process starts. */
static void change_identity(struct sim_run *r, struct sim_server *s)
{
    if (sim_server_is_running(s)) {
        sim_server_stop(s, (enum sim_stop)between(r, 0, 1));
        sim_server_start(s);
    }
    look_at_identity(s);
}

static void restore_identity(struct sim_server *s)
{
    look_at_identity(s);
    sim_server_close_all(s, false);
}

BEGIN(expired)
{
    s->identity.certificate.is_expired = true;
    change_identity(r, s);
}

END(expired)
{
    (void)r;
    s->identity.certificate.is_expired = false;
    restore_identity(s);
}

BEGIN(untrusted)
{
    s->identity.certificate.is_untrusted = true;
    change_identity(r, s);
}

END(untrusted)
{
    (void)r;
    s->identity.certificate.is_untrusted = false;
    restore_identity(s);
}

BEGIN(wrong_name)
{
    s->identity.certificate.name[0] = WRONG_LETTER;
    change_identity(r, s);
}

END(wrong_name)
{
    (void)r;
    s->identity.certificate.name[0] = SIM_NAME_LETTER;
    restore_identity(s);
}

BEGIN(version_12)
{
    sim_run_surprise(r, s);
    s->identity.version = 12;
    sim_server_close_all(s, false);
}

END(version_12)
{
    (void)r;
    s->identity.version = 13;
}

BEGIN(no_tickets)
{
    sim_run_surprise(r, s);
    s->identity.tickets = 0;
    sim_server_close_all(s, false);
}

END(no_tickets)
{
    (void)r;
    s->identity.tickets = 2;
}

/* ---- the table ---- */

const struct fault faults_manners[] = {
    ROW(idle_close, FAULT_HARMLESS),   ROW(close_after, FAULT_HARMLESS),
    ROW(age_close, FAULT_HARMLESS),    ROW(hang_up, FAULT_SERVER),
    ROW(die_anywhere, FAULT_SERVER),   ROW(mute, FAULT_SERVER),
    ROW(deaf, FAULT_SERVER),           ROW(slow_start, FAULT_SERVER),
    ROW(slow_answers, FAULT_SERVER),   ROW(dropped_answers, FAULT_SERVER),
    ROW(dribble, FAULT_SERVER),        ROW(duplicates, FAULT_SERVER),
    ROW(unasked, FAULT_SERVER),        ROW(wrong_id, FAULT_SERVER),
    ROW(wrong_question, FAULT_SERVER), ROW(garbage, FAULT_SERVER),
    ROW(cut_frames, FAULT_SERVER),     ROW(error_answers, FAULT_SERVER),
    ROW(expired, FAULT_SERVER),        ROW(untrusted, FAULT_SERVER),
    ROW(wrong_name, FAULT_SERVER),     ROW(version_12, FAULT_HARMLESS),
    ROW(no_tickets, FAULT_HARMLESS),
};

const size_t faults_manners_count = COUNT_OF(faults_manners);
