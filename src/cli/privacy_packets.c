/*
 * Reads IP, TCP and UDP headers, and follows the TLS records in each TCP
 * connection out, so that not an octet of it is taken on trust: RFC 8446
 * section 5.1, type 20 to 23, version 3.x, a length, and as many octets.
 */
#include "cli/privacy.h"

#include "dns/wire.h"

#include <netinet/in.h>
#include <string.h>

enum { TLS_TYPE_MIN = 20, TLS_HANDSHAKE = 22, TLS_TYPE_MAX = 23 };

/* What is known of a packet. */
struct packet {
    uint8_t protocol;
    struct addr from, to;
    const uint8_t *payload; /* behind IP's header, then behind TCP's or UDP's */
    size_t len;
    uint32_t seq;
    bool is_syn;
};

void privacy_tap_init(struct privacy_tap *t,
                      const struct privacy_places *places)
{
    *t = (struct privacy_tap){.places = places};
}

/* ---- headers ---- */

static bool read_v4(const uint8_t *data, size_t len, struct packet *p)
{
    size_t head = (data[0] & 15u) * 4u;
    size_t total = len < 20 ? 0 : dns_get16(data + 2);

    if (len < 20 || head < 20 || total < head || total > len) {
        return false;
    }
    p->from.family = p->to.family = 4;
    memcpy(p->from.ip, data + 12, 4);
    memcpy(p->to.ip, data + 16, 4);
    p->protocol = data[9];
    /* The rest of a packet in pieces has no ports: it is counted as it is. */
    if ((dns_get16(data + 6) & 0x1fffu) != 0) {
        p->protocol = IPPROTO_RAW;
    }
    p->payload = data + head;
    p->len = total - head;
    return true;
}

static bool read_v6(const uint8_t *data, size_t len, struct packet *p)
{
    if (len < 40) {
        return false;
    }
    p->from.family = p->to.family = 6;
    memcpy(p->from.ip, data + 8, 16);
    memcpy(p->to.ip, data + 24, 16);
    p->protocol = data[6];
    p->payload = data + 40;
    p->len = len - 40;
    return true;
}

/* Step over the header of TCP or UDP. */
static void read_ports(struct packet *p)
{
    size_t head = 8;

    if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) ||
        p->len < 8) {
        return;
    }
    p->from.port = dns_get16(p->payload);
    p->to.port = dns_get16(p->payload + 2);
    if (p->protocol == IPPROTO_TCP && p->len >= 20) {
        p->seq = dns_get32(p->payload + 4);
        head = (size_t)(p->payload[12] >> 4) * 4;
        p->is_syn = (p->payload[13] & 2) != 0;
    }
    head = head < p->len ? head : p->len;
    p->payload += head;
    p->len -= head;
}

/* ---- tables ---- */

static struct privacy_flow *flow_of(struct privacy_tap *t,
                                    const struct packet *p)
{
    for (size_t i = 0; i < t->flow_count; i++) {
        struct privacy_flow *f = &t->flows[i];
        if (f->protocol == p->protocol && addr_equal(&f->to, &p->to)) {
            return f;
        }
    }
    if (t->flow_count == PRIVACY_FLOWS_MAX) {
        return NULL;
    }
    struct privacy_flow *f = &t->flows[t->flow_count++];
    *f = (struct privacy_flow){
        .protocol = p->protocol,
        .to = p->to,
        .place = privacy_places_find(t->places, &p->to),
        .is_all_tls = p->protocol == IPPROTO_TCP,
    };
    return f;
}

static struct privacy_conn *conn_of(struct privacy_tap *t,
                                    const struct packet *p)
{
    for (size_t i = 0; i < t->conn_count; i++) {
        struct privacy_conn *c = &t->conns[i];
        if (c->from_port == p->from.port && addr_equal(&c->to, &p->to)) {
            return c;
        }
    }
    if (t->conn_count == PRIVACY_CONNS_MAX) {
        return NULL;
    }
    struct privacy_conn *c = &t->conns[t->conn_count++];
    *c = (struct privacy_conn){
        .to = p->to, .from_port = p->from.port, .is_first = true};
    return c;
}

/* ---- TLS ---- */

/* Is the record's head, which is whole, one of TLS? */
static bool begin_record(struct privacy_conn *c)
{
    bool is_tls = c->head[0] >= TLS_TYPE_MIN && c->head[0] <= TLS_TYPE_MAX &&
                  c->head[1] == 3 &&
                  (!c->is_first || c->head[0] == TLS_HANDSHAKE);

    c->left = dns_get16(c->head + 3);
    c->head_len = 0;
    c->is_first = false;
    return is_tls;
}

static void follow_records(struct privacy_flow *f, struct privacy_conn *c,
                           const uint8_t *data, size_t len)
{
    while (len > 0 && f->is_all_tls) {
        if (c->left > 0) {
            size_t step = len < c->left ? len : c->left;
            c->left -= (uint32_t)step;
            data += step;
            len -= step;
            continue;
        }
        c->head[c->head_len++] = *data++;
        len--;
        if (c->head_len == sizeof(c->head)) {
            f->is_all_tls = begin_record(c);
            f->records += f->is_all_tls;
        }
    }
}

static void follow(struct privacy_tap *t, struct privacy_flow *f,
                   const struct packet *p)
{
    struct privacy_conn *c = conn_of(t, p);

    if (c == NULL) {
        t->unseen++;
        return;
    }
    if (p->is_syn) {
        c->next_seq = p->seq + 1;
        c->has_seq = true;
        return;
    }
    if (p->len == 0 || (c->has_seq && (int32_t)(p->seq - c->next_seq) < 0)) {
        return; /* nothing, or sent again */
    }
    if (!c->has_seq || p->seq != c->next_seq) {
        t->unseen++;
        f->is_all_tls = false;
        return;
    }
    c->next_seq += (uint32_t)p->len;
    follow_records(f, c, p->payload, p->len);
}

/* The kernel says that nobody is there: the namespace's own answer to a packet
 * that was counted. */
static bool is_unreachable(const struct packet *p)
{
    return p->len > 0 &&
           ((p->protocol == IPPROTO_ICMP && p->payload[0] == 3) ||
            (p->protocol == IPPROTO_ICMPV6 && p->payload[0] == 1));
}

/* A server's answer: from a place, by TCP. */
static bool is_answer(const struct privacy_tap *t, const struct packet *p)
{
    return p->protocol == IPPROTO_TCP &&
           privacy_places_find(t->places, &p->from) != NULL;
}

void privacy_tap_packet(struct privacy_tap *t, const uint8_t *data, size_t len)
{
    struct packet p = {.payload = NULL};
    bool is_read = len > 0 && (data[0] >> 4 == 4   ? read_v4(data, len, &p)
                               : data[0] >> 4 == 6 ? read_v6(data, len, &p)
                                                   : false);

    if (!is_read) {
        t->unseen++;
        return;
    }
    read_ports(&p);
    if (is_answer(t, &p) || is_unreachable(&p)) {
        return;
    }
    struct privacy_flow *f = flow_of(t, &p);
    if (f == NULL) {
        t->unseen++;
        return;
    }
    f->packets++;
    f->octets += p.len;
    if (p.protocol == IPPROTO_TCP) {
        follow(t, f, &p);
    }
}
