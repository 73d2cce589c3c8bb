/* SPDX-License-Identifier: Apache-2.0 */
/* What a record says in plain words. `assent` is a program and no library, so the source is taken in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/cli/event_text.c"
#include "gateway/cli/when.c"

static bool is_for_snapshots(const char *name)
{
    return strncmp(name, "seen_", 5) == 0 || strncmp(name, "snapshot_", 9) == 0;
}

static void every_kind_of_record_has_words(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *kinds = &assent__v1__event__descriptor;
    unsigned said = 0;
    for (unsigned i = 0; i < kinds->n_fields; i++) {
        const ProtobufCFieldDescriptor *kind = &kinds->fields[i];
        if ((kind->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 || is_for_snapshots(kind->name))
            continue;
        const ProtobufCMessageDescriptor *form = kind->descriptor;
        ProtobufCMessage *body = calloc(1, form->sizeof_message);
        assert_non_null(body);
        protobuf_c_message_init(form, body);
        Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
        event.body_case = (Assent__V1__Event__BodyCase)kind->id;
        memcpy((char *)&event + kind->offset, &body, sizeof body);
        char text[EVENT_TEXT_SIZE];
        event_text(&event, NULL, text);
        if (text[0] == '\0' || strcmp(text, kind->name) == 0)
            fail_msg("%s has no words", kind->name);
        free(body);
        said++;
    }
    assert_true(said > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_of_record_has_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
