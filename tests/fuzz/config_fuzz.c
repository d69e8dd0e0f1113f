/* A configuration file: refused with at least one error, each with its words, or accepted with
 * nothing to complain about; the same both times. */
#include "base/must.h"
#include "config/config.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct config_errors errors[2];
    enum status status[2];

    for (int i = 0; i < 2; i++) {
        static struct config config;

        config_default(&config);
        errors[i].count = errors[i].dropped = 0;
        status[i] =
            config_parse((struct span){(const char *)bytes, len}, NULL, &config, &errors[i]);
        MUST(status[i] == STATUS_OK || status[i] == STATUS_REJECT);
        MUST((status[i] == STATUS_REJECT) == (errors[i].count > 0));
        MUST(errors[i].count <= CONFIG_ERRORS_MAX);
        if (status[i] == STATUS_OK) {
            MUST(!params_contradiction(&config.params));
            config_fini(&config);
        }
    }
    MUST(status[0] == status[1]);
    MUST(errors[0].count == errors[1].count);
    for (size_t i = 0; i < errors[0].count; i++) {
        MUST(errors[0].errors[i].text[0] != '\0');
        MUST(errors[0].errors[i].line >= 0);
        MUST(errors[0].errors[i].line == errors[1].errors[i].line);
    }
    return 0;
}
