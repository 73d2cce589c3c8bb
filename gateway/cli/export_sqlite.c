/* SPDX-License-Identifier: Apache-2.0 */
/* An SQLite database for auditors: `records` has a row a record, `messages` a row a message with what became of
 * it, and views answer the usual questions. The only user of SQLite. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/export_out.h"

static sqlite3 *database;
static sqlite3_stmt *insert;

/* Whole before it is looked at: nothing is kept of one that was interrupted. */
static const char settings[] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;";

static const char ending[] =
    "CREATE TABLE messages(\n"
    "  id INTEGER PRIMARY KEY, accepted TEXT NOT NULL, client TEXT, reference TEXT, program TEXT, "
    "class TEXT,\n"
    "  sender TEXT, number TEXT, text TEXT, carrier TEXT, attempts INTEGER NOT NULL, parts_sent "
    "INTEGER NOT NULL,\n"
    "  outcome TEXT, reason TEXT, ended TEXT);\n"
    "INSERT INTO messages\n"
    "  SELECT a.sequence, a.time, a.client, a.reference, a.program, a.class, a.sender, a.number, "
    "a.text, a.carrier,\n"
    "    (SELECT count(*) FROM records r WHERE r.message = a.sequence AND r.kind = 'attempt'),\n"
    "    (SELECT count(*) FROM records r WHERE r.message = a.sequence AND r.kind = 'sent'),\n"
    "    NULL, NULL, NULL\n"
    "  FROM records a WHERE a.kind = 'accepted';\n"
    "UPDATE messages SET (outcome, reason, ended) =\n"
    "  (SELECT r.outcome, r.reason, r.time FROM records r WHERE r.message = messages.id AND "
    "r.outcome <> ''\n"
    "   ORDER BY r.sequence DESC LIMIT 1);\n"
    "CREATE INDEX messages_by_number ON messages(number);\n"
    "CREATE INDEX messages_by_reference ON messages(client, reference);\n"
    "CREATE INDEX records_by_number ON records(number) WHERE number IS NOT NULL;\n"
    "CREATE INDEX records_by_kind ON records(kind, time);\n"
    "CREATE VIEW consent AS SELECT sequence, time, kind, program, number, source, rule, language, "
    "text, evidence,\n"
    "  details FROM records WHERE kind IN ('opt_in_requested', 'opt_in_confirmed', "
    "'opt_in_recorded',\n"
    "  'opt_in_declined', 'opted_out', 'opted_in_again', 'inbound') ORDER BY sequence;\n"
    "CREATE VIEW opt_outs AS SELECT sequence, time, program, number, source, rule, language, text, "
    "carrier,\n"
    "  details FROM records WHERE kind = 'opted_out' ORDER BY sequence;\n"
    "CREATE VIEW refused AS SELECT m.id, m.number, m.program, m.class, r.time, r.reason, r.details "
    "FROM records r\n"
    "  JOIN messages m ON m.id = r.message WHERE r.kind = 'ended' AND r.outcome = 'suppressed'\n"
    "  ORDER BY r.sequence;\n"
    "CREATE VIEW sent AS SELECT m.id, m.number, m.program, m.class, m.sender, r.time, r.part, "
    "r.carrier,\n"
    "  r.carrier_message_id, json_extract(r.details, '$.gates') AS gates, m.outcome FROM records "
    "r\n"
    "  JOIN messages m ON m.id = r.message WHERE r.kind = 'sent' ORDER BY r.sequence;\n"
    "COMMIT;";

static bool check(int result)
{
    if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW)
        return true;
    complain("the database cannot be written: %s", sqlite3_errmsg(database));
    return false;
}

static bool run(const char *statements)
{
    return check(sqlite3_exec(database, statements, NULL, NULL, NULL));
}

static bool create_records(void)
{
    char table[2048] = "CREATE TABLE records(", values[256] = "INSERT INTO records VALUES(";
    for (int i = 0; i < COLUMN_COUNT; i++) {
        size_t used = strlen(table);
        snprintf(table + used, sizeof table - used, "%s%s %s%s", i ? ", " : "",
                 column_name((enum column)i),
                 column_is_integer((enum column)i) ? "INTEGER" : "TEXT",
                 i == COLUMN_SEQUENCE ? " PRIMARY KEY" : "");
        strcat(values, i ? ",?" : "?");
    }
    strcat(table,
           "); CREATE INDEX records_by_message ON records(message) WHERE message IS NOT NULL;");
    strcat(values, ")");
    return run(table) && check(sqlite3_prepare_v2(database, values, -1, &insert, NULL));
}

static bool begin(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        complain("%s: %s", path,
                 errno == EEXIST ? "is there already; nothing is overwritten" : strerror(errno));
        return false;
    }
    close(fd);
    return check(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL)) && run(settings) &&
           create_records();
}

static sqlite3_int64 integer_of(const struct cell *cell)
{
    uint64_t value = 0;
    for (size_t i = 0; i < cell->length; i++)
        value = 10 * value + (uint64_t)(cell->text[i] - '0');
    return (sqlite3_int64)value;
}

static bool row(const struct cell *cells)
{
    bool good = true;
    for (int i = 0; i < COLUMN_COUNT && good; i++) {
        if (cells[i].length == 0)
            good = check(sqlite3_bind_null(insert, i + 1));
        else if (cells[i].is_integer)
            good = check(sqlite3_bind_int64(insert, i + 1, integer_of(&cells[i])));
        else
            good = check(sqlite3_bind_text(insert, i + 1, cells[i].text, (int)cells[i].length,
                                           SQLITE_STATIC));
    }
    return good && check(sqlite3_step(insert)) && check(sqlite3_reset(insert));
}

static bool end(void)
{
    sqlite3_finalize(insert);
    bool good = run(ending);
    return check(sqlite3_close(database)) && good;
}

const struct export_out export_sqlite = {"sqlite", true, begin, row, end};
