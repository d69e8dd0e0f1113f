#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/backup_watch.h"

static void what_a_backup_is_still_good_for(void **state)
{
    static const struct {
        const char *name;
        int64_t backup, low, end;
        enum backup_use use;
    } rows[] = {
        {"nothing was deleted yet: any will do", 0, 0, 1000, BACKUP_FRESH},
        {"a backup of the end", 1000, 500, 1000, BACKUP_FRESH},
        {"a fifth of the log is behind it", 600, 500, 1000, BACKUP_FRESH},
        {"less than a fifth", 599, 500, 1000, BACKUP_NEAR},
        {"the log begins with what came after it", 500, 500, 1000, BACKUP_NEAR},
        {"the log begins later", 499, 500, 1000, BACKUP_PASSED},
        {"an empty log whose start is the backup", 500, 500, 500, BACKUP_FRESH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (backup_use_of(rows[i].backup, rows[i].low, rows[i].end) != rows[i].use)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_backup_is_still_good_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
