/*
 * Records, one a line. One that is taken alone is answered with its data; all
 * of them together either go together or are refused with a reason.
 */
#include "policy/local.h"

#include "base/err.h"

#include "ask.h"

enum { TEXT_MAX = 8192, RECORDS_MAX = 64 };

static struct policy_options options_of(char **texts, size_t count)
{
    return (struct policy_options){
        .local_ttl_s = 60, .records = texts, .record_count = count};
}

static void try_one(char *text)
{
    struct policy_options o = options_of(&text, 1);
    struct local_record record;
    struct policy *p;
    char why[256] = "";

    if (local_record_parse(span_of(text, strlen(text)), &record, why,
                           sizeof(why)) != 0) {
        REQUIRE(why[0] != '\0');
        return;
    }
    REQUIRE(record.data_len > 0 && record.data_len <= LOCAL_DATA_MAX);
    p = input_policy(&o);
    REQUIRE(ask(p, record.name, record.name_len, record.type) == POLICY_LOCAL);
    policy_release(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static char text[TEXT_MAX + 1];
    char *lines[RECORDS_MAX];
    size_t count = 0;
    struct policy_options o;
    struct policy *p;
    char why[256] = "";
    char *save = NULL;

    len = len < TEXT_MAX ? len : TEXT_MAX;
    memcpy(text, octets, len);
    text[len] = '\0';
    for (char *line = strtok_r(text, "\n", &save);
         line != NULL && count < RECORDS_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        try_one(line);
        lines[count++] = line;
    }
    o = options_of(lines, count);
    if (policy_create(&o, NULL, 0, hash_key, true, &p, why, sizeof(why)) != 0) {
        REQUIRE(why[0] != '\0');
        return 0;
    }
    ask_words(p, octets, len);
    policy_release(p);
    return 0;
}
