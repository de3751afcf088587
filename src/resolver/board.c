/*
 * The board is a small hash table of entries, one for each question that a
 * worker leads, each with the seats that follow it, under one mutex: it is
 * held for some hundred nanoseconds once a question that no cache could
 * answer. A letter is copied once for each follower, into the list of its
 * seat; one post wakes the seat's loop for all letters in it.
 */
#include "resolver/board.h"

#include "base/err.h"
#include "base/list.h"
#include "base/slab.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 256, SEATS_MAX = 64, ENTRIES_MAX = 1 << 20 };

struct board {
    pthread_mutex_t lock;
    struct list buckets[BUCKETS]; /* struct entry */
    struct slab entries;
    struct board_seat *seats[SEATS_MAX];
};

struct board_seat {
    struct board *board;
    struct net_loop *loop;
    board_letter_fn *fn;
    void *arg;
    unsigned number;
    struct list letters;
    bool is_posted;
};

/* A question: its wire form, and what else makes it. */
struct subject {
    uint64_t hash;
    uint16_t len;
    bool has_do, has_cd;
    uint8_t wire[DNS_NAME_MAX + 4];
};

struct entry {
    struct list node;
    uint64_t followers; /* bit n: the seat of that number */
    unsigned leader;
    struct subject subject;
};

struct letter {
    struct list node;
    struct subject subject;
    size_t len;
    uint8_t message[];
};

int board_create(struct board **out)
{
    struct board *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        return ERR_NOMEM;
    }
    if (pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        list_init(&b->buckets[i]);
    }
    slab_init(&b->entries, sizeof(struct entry), ENTRIES_MAX);
    *out = b;
    return 0;
}

void board_destroy(struct board *b)
{
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < SEATS_MAX; i++) {
        assert(b->seats[i] == NULL);
    }
    slab_finish(&b->entries);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}

int board_sit(struct board *b, struct net_loop *loop, board_letter_fn *fn,
              void *arg, struct board_seat **out)
{
    struct board_seat *seat = calloc(1, sizeof(*seat));
    int err = ERR_LIMIT;

    if (seat == NULL) {
        return ERR_NOMEM;
    }
    *seat = (struct board_seat){.board = b, .loop = loop, .fn = fn, .arg = arg};
    list_init(&seat->letters);
    pthread_mutex_lock(&b->lock);
    for (unsigned i = 0; i < SEATS_MAX && err != 0; i++) {
        if (b->seats[i] == NULL) {
            b->seats[i] = seat;
            seat->number = i;
            err = 0;
        }
    }
    pthread_mutex_unlock(&b->lock);
    if (err != 0) {
        free(seat);
        return err;
    }
    *out = seat;
    return 0;
}

/* ---- entries, with the lock held ---- */

static void subject_init(struct subject *s, const struct dns_question *q,
                         bool has_do, bool has_cd, uint64_t hash)
{
    s->hash = hash;
    s->has_do = has_do;
    s->has_cd = has_cd;
    s->len = (uint16_t)dns_question_len(q);
    memcpy(s->wire, q->name, s->len);
}

static struct dns_question subject_question(const struct subject *s)
{
    return (struct dns_question){
        .name = s->wire,
        .name_len = (uint16_t)(s->len - 4),
        .type = dns_get16(s->wire + s->len - 4),
        .klass = dns_get16(s->wire + s->len - 2),
    };
}

static struct entry *find(struct board *b, const struct subject *wanted)
{
    struct dns_question a = subject_question(wanted);

    LIST_EACH (node, &b->buckets[wanted->hash % BUCKETS]) {
        struct entry *e = CONTAINER_OF(node, struct entry, node);
        struct dns_question other = subject_question(&e->subject);
        if (e->subject.hash == wanted->hash &&
            e->subject.has_do == wanted->has_do &&
            e->subject.has_cd == wanted->has_cd &&
            dns_question_equal(&a, &other)) {
            return e;
        }
    }
    return NULL;
}

static enum board_role ask(struct board *b, unsigned seat,
                           const struct subject *subject)
{
    struct entry *e = find(b, subject);

    if (e != NULL && e->leader == seat) {
        return BOARD_ALONE;
    }
    if (e != NULL) {
        e->followers |= UINT64_C(1) << seat;
        return BOARD_FOLLOWS;
    }
    e = slab_take(&b->entries);
    if (e == NULL) {
        return BOARD_ALONE;
    }
    e->subject = *subject;
    e->followers = 0;
    e->leader = seat;
    list_push_back(&b->buckets[subject->hash % BUCKETS], &e->node);
    return BOARD_LEADS;
}

enum board_role board_ask(struct board_seat *seat,
                          const struct dns_question *question, bool has_do,
                          bool has_cd, uint64_t hash)
{
    struct board *b = seat->board;
    struct subject subject;

    subject_init(&subject, question, has_do, has_cd, hash);
    pthread_mutex_lock(&b->lock);
    enum board_role role = ask(b, seat->number, &subject);
    pthread_mutex_unlock(&b->lock);
    return role;
}

/* ---- letters ---- */

static void read_letters(void *arg)
{
    struct board_seat *seat = arg;
    struct list letters;

    list_init(&letters);
    pthread_mutex_lock(&seat->board->lock);
    list_splice(&letters, &seat->letters);
    seat->is_posted = false;
    pthread_mutex_unlock(&seat->board->lock);
    while (!list_is_empty(&letters)) {
        struct letter *l = LIST_FIRST(&letters, struct letter, node);
        struct dns_question question = subject_question(&l->subject);
        list_remove(&l->node);
        seat->fn(seat->arg, &question, l->subject.has_do, l->subject.has_cd,
                 span_of(l->message, l->len));
        free(l);
    }
}

/* With the lock held: a seat that is posted to stays until it has risen. A
 * letter that cannot be written is not missed: its flight has a deadline. */
static void send_letter(struct board_seat *to, const struct subject *subject,
                        struct span message)
{
    struct letter *l = malloc(sizeof(*l) + message.len);

    if (l == NULL) {
        return;
    }
    l->subject = *subject;
    l->len = message.len;
    if (message.len > 0) {
        memcpy(l->message, message.ptr, message.len);
    }
    list_push_back(&to->letters, &l->node);
    if (!to->is_posted && net_loop_post(to->loop, read_letters, to) == 0) {
        to->is_posted = true;
    }
}

static void send_letters(struct board *b, struct entry *e, struct span message)
{
    for (unsigned i = 0; i < SEATS_MAX; i++) {
        if ((e->followers >> i & 1) != 0 && b->seats[i] != NULL) {
            send_letter(b->seats[i], &e->subject, message);
        }
    }
}

void board_finish(struct board_seat *seat, const struct dns_question *question,
                  bool has_do, bool has_cd, uint64_t hash, struct span message)
{
    struct board *b = seat->board;
    struct subject subject;

    subject_init(&subject, question, has_do, has_cd, hash);
    pthread_mutex_lock(&b->lock);
    struct entry *e = find(b, &subject);
    if (e != NULL && e->leader == seat->number) {
        list_remove(&e->node);
        send_letters(b, e, message);
        slab_give(&b->entries, e);
    }
    pthread_mutex_unlock(&b->lock);
}

/* ---- leaving ---- */

/* What the seat led ends without an answer; what it followed goes on. */
static void leave_entries(struct board *b, const struct board_seat *seat)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        LIST_EACH (node, &b->buckets[i]) {
            struct entry *e = CONTAINER_OF(node, struct entry, node);
            e->followers &= ~(UINT64_C(1) << seat->number);
            if (e->leader == seat->number) {
                list_remove(&e->node);
                send_letters(b, e, span_of(NULL, 0));
                slab_give(&b->entries, e);
            }
        }
    }
}

void board_rise(struct board_seat *seat)
{
    if (seat == NULL) {
        return;
    }
    struct board *b = seat->board;
    pthread_mutex_lock(&b->lock);
    b->seats[seat->number] = NULL;
    leave_entries(b, seat);
    LIST_EACH (node, &seat->letters) {
        free(CONTAINER_OF(node, struct letter, node));
    }
    pthread_mutex_unlock(&b->lock);
    free(seat);
}
