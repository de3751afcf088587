/*
 * Walking, hashing, and the table. Slots are probed linearly; nothing is ever
 * taken out. Nodes and records lie in chunks that are freed together.
 */
#include "policy/names.h"

#include "base/err.h"
#include "dns/name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_AT_FIRST = 64, CHUNK_LEN = 16384, RECORD_FIXED_LEN = 12 };

/* Memory for nodes and records. */
struct names_chunk {
    struct names_chunk *next;
    size_t used, len; /* octets of data */
    _Alignas(8) uint8_t data[];
};

/* ---- hashing ---- */

/* Eight octets with their ASCII letters lowered. Without their highest bits
 * the octets cannot carry into one another: adding 0x3f sets the highest bit
 * of those from 'A' on, adding 0x25 of those above 'Z'. */
static inline uint64_t lowered(uint64_t word)
{
    uint64_t low = word & UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t from_a = low + UINT64_C(0x3f3f3f3f3f3f3f3f);
    uint64_t above_z = low + UINT64_C(0x2525252525252525);
    uint64_t upper = from_a & ~above_z & ~word & UINT64_C(0x8080808080808080);

    return word | upper >> 2;
}

/* The last count octets (1 to 7) before end, of which before lie in the name:
 * reading on behind them might leave it, so the word ends with them. */
static inline uint64_t word_before(const uint8_t *end, size_t before,
                                   unsigned count)
{
    uint64_t word = 0;

    if (before >= 8) {
        return sip_word_at(end - 8) >> (64 - 8 * count);
    }
    for (unsigned i = 1; i <= count; i++) {
        word = word << 8 | end[-(int)i];
    }
    return word;
}

/* The label at offset at of the name. */
static inline void sip_take_label(struct sip *s, const uint8_t *name, size_t at)
{
    uint64_t len = name[at];
    uint64_t last = len << 56;
    const uint8_t *p = name + at + 1;
    unsigned left = (unsigned)len;

    for (; left >= 8; left -= 8) {
        sip_take(s, lowered(sip_word_at(p)), 1);
        p += 8;
    }
    if (left > 0) {
        p += left;
        last |= lowered(word_before(p, (size_t)(p - name), left));
    }
    sip_take(s, last, 1);
}

void names_walk_init(struct names_walk *w, const struct sip *k,
                     const uint8_t *name, size_t len)
{
    size_t at = 0;

    assert(len > 0 && len <= DNS_NAME_MAX);
    w->name = name;
    w->len = len;
    w->labels = 0;
    while (at + 1 < len && w->labels < NAMES_LABELS_MAX) {
        w->at[w->labels++] = (uint8_t)at;
        at += 1u + name[at];
    }
    assert(at + 1 == len); /* the parser let no other pass */
    w->at[w->labels] = (uint8_t)at;
    w->state = *k;
    w->hashed = 0;
    w->hash[0] = 0; /* of the root; no other name's by intent */
}

void names_walk_to(struct names_walk *w, unsigned labels)
{
    struct sip state = w->state;

    if (w->hashed >= labels) {
        return;
    }
    do {
        w->hashed++;
        sip_take_label(&state, w->name, names_suffix_at(w, w->hashed));
        w->hash[w->hashed] = sip_end(state, 3);
    } while (w->hashed < labels);
    w->state = state;
}

/* ---- memory ---- */

static void *names_alloc(struct names *t, size_t len)
{
    struct names_chunk *chunk = t->chunks;
    size_t at;

    len = (len + 7) & ~(size_t)7;
    if (chunk == NULL || chunk->len - chunk->used < len) {
        assert(len <= CHUNK_LEN);
        chunk = malloc(sizeof(*chunk) + CHUNK_LEN);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (struct names_chunk){.next = t->chunks, .len = CHUNK_LEN};
        t->chunks = chunk;
        t->memory_len += sizeof(*chunk) + CHUNK_LEN;
    }
    at = chunk->used;
    chunk->used += len;
    return chunk->data + at;
}

int names_init(struct names *t, const uint8_t hash_key[16])
{
    *t = (struct names){.cap = SLOTS_AT_FIRST};
    sip_init(&t->key, hash_key);
    t->slots = calloc(t->cap, sizeof(*t->slots));
    t->memory_len = t->cap * sizeof(*t->slots);
    return t->slots == NULL ? ERR_NOMEM : 0;
}

void names_finish(struct names *t)
{
    while (t->chunks != NULL) {
        struct names_chunk *chunk = t->chunks;

        t->chunks = chunk->next;
        free(chunk);
    }
    free(t->slots);
    t->slots = NULL;
}

/* ---- the table ---- */

/* The node with this hash and name (len octets, without the root label). */
static struct names_node *seek(const struct names *t, uint64_t hash,
                               const uint8_t *name, size_t len)
{
    size_t at = hash & (t->cap - 1);

    for (; t->slots[at].node != NULL; at = (at + 1) & (t->cap - 1)) {
        struct names_node *node = t->slots[at].node;

        if (t->slots[at].hash == hash && node->len == len + 1 &&
            dns_name_equal(span_of(node->name, len), span_of(name, len))) {
            return node;
        }
    }
    return NULL;
}

const struct names_node *names_at(const struct names *t, struct names_walk *w,
                                  unsigned labels)
{
    size_t at = names_suffix_at(w, labels);

    if ((t->depths & names_depth_bit(labels)) == 0) {
        return NULL;
    }
    names_walk_to(w, labels);
    return seek(t, w->hash[labels], w->name + at, w->len - 1 - at);
}

const struct names_node *names_find(const struct names *t, const uint8_t *name,
                                    size_t len)
{
    struct names_walk w;

    names_walk_init(&w, &t->key, name, len);
    return names_at(t, &w, w.labels);
}

const struct names_node *
names_find_label(const struct names *t, const struct names_walk *w, unsigned i)
{
    struct sip state = t->key;
    const uint8_t *label = w->name + w->at[i];

    sip_take_label(&state, w->name, w->at[i]);
    return seek(t, sip_end(state, 3), label, 1u + *label);
}

static void place(struct names_slot *slots, size_t cap, struct names_slot slot)
{
    size_t at = slot.hash & (cap - 1);

    while (slots[at].node != NULL) {
        at = (at + 1) & (cap - 1);
    }
    slots[at] = slot;
}

static int grow(struct names *t)
{
    size_t cap = t->cap * 2;
    struct names_slot *slots = calloc(cap, sizeof(*slots));

    if (slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].node != NULL) {
            place(slots, cap, t->slots[i]);
        }
    }
    free(t->slots);
    t->memory_len += (cap - t->cap) * sizeof(*slots);
    t->slots = slots;
    t->cap = cap;
    return 0;
}

/* A new node for the whole name of the walk. */
static struct names_node *node_create(struct names *t,
                                      const struct names_walk *w)
{
    struct names_node *node = names_alloc(t, sizeof(*node) + w->len);

    if (node == NULL) {
        return NULL;
    }
    *node = (struct names_node){
        .hash = w->hash[w->labels],
        .labels = (uint8_t)w->labels,
        .len = (uint8_t)w->len,
    };
    dns_name_lower(node->name, w->name, w->len);
    return node;
}

/* The nodes that are to be above a new one. */
static int add_domain(struct names *t, const struct names_walk *w)
{
    unsigned labels =
        w->labels <= NAMES_DOMAIN_LABELS ? w->labels - 1 : NAMES_DOMAIN_LABELS;
    struct names_node *node;
    size_t at;

    if (w->labels < 2) {
        return 0;
    }
    at = names_suffix_at(w, labels);
    return names_add(t, w->name + at, w->len - at, &node);
}

int names_add(struct names *t, const uint8_t *name, size_t len,
              struct names_node **out)
{
    struct names_walk w;
    struct names_node *node;

    names_walk_init(&w, &t->key, name, len);
    names_walk_to(&w, w.labels);
    node = seek(t, w.hash[w.labels], name, len - 1);
    if (node != NULL) {
        *out = node;
        return 0;
    }
    if (add_domain(t, &w) != 0 || (t->count >= t->cap / 2 && grow(t) != 0)) {
        return ERR_NOMEM;
    }
    node = node_create(t, &w);
    if (node == NULL) {
        return ERR_NOMEM;
    }
    place(t->slots, t->cap, (struct names_slot){node->hash, node});
    t->count++;
    t->depths |= names_depth_bit(w.labels);
    *out = node;
    return 0;
}

/* ---- records ---- */

const struct names_record *names_record_of(const struct names_record *r,
                                           uint16_t type)
{
    while (r != NULL && r->type != type && type != DNS_TYPE_ANY) {
        r = r->next;
    }
    return r;
}

/* May a record of this type stand beside those of the node? */
static bool may_join(const struct names_node *node, uint16_t type)
{
    bool has_cname = names_record_of(node->records, DNS_TYPE_CNAME) != NULL;

    return node->records == NULL || (!has_cname && type != DNS_TYPE_CNAME);
}

int names_add_record(struct names *t, struct names_node *node, uint16_t type,
                     uint32_t ttl_s, const uint8_t *data, size_t len)
{
    struct names_record **end = &node->records;
    const struct names_record *like = names_record_of(node->records, type);
    struct names_record *r;

    for (; *end != NULL; end = &(*end)->next) {
        if ((*end)->type == type && (*end)->len == len &&
            memcmp((*end)->data, data, len) == 0) {
            return 0;
        }
    }
    if (!may_join(node, type)) {
        return ERR_CONFIG;
    }
    if (node->records_len + RECORD_FIXED_LEN + len > NAMES_RECORDS_LEN_MAX) {
        return ERR_LIMIT;
    }
    r = names_alloc(t, sizeof(*r) + len);
    if (r == NULL) {
        return ERR_NOMEM;
    }
    *r = (struct names_record){
        .ttl_s = like == NULL ? ttl_s : like->ttl_s, /* RFC 2181 section 5.2 */
        .type = type,
        .len = (uint16_t)len,
    };
    memcpy(r->data, data, len);
    node->records_len += (uint16_t)(RECORD_FIXED_LEN + len);
    *end = r;
    return 0;
}

/* ---- hosts' names ---- */

static bool is_host_octet(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c > 127;
}

int names_from_host(const char *text, size_t len, uint8_t out[DNS_NAME_MAX])
{
    int name_len;

    for (size_t i = 0; i < len; i++) {
        if (!is_host_octet((uint8_t)text[i])) {
            return ERR_INVAL;
        }
    }
    name_len = dns_name_from_text(text, len, out);
    return name_len == 1 ? ERR_INVAL : name_len; /* the root is no host */
}
