/* lifecycled: the daemon. Arguments, configuration, log, embedded cluster, wiring; then the loop.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "daemon/health.h"
#include "daemon/kafka_embedded.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/wiring.h"
#include "pipeline/kafka_conf.h"

#define DEFAULT_PATH "/etc/lifecycled/lifecycled.yaml"
#define STOP_MS      15000 /* TimeoutStopSec of the unit is above */

enum task { TASK_RUN, TASK_CHECK };

struct arguments {
    enum task task;
    const char *config_path; /* NULL: the default one if it exists */
    bool embedded;
    const char *embedded_address; /* NULL, or the file to write host:port into */
};

static void print_help(void)
{
    char *settings = config_print_help();

    printf("lifecycled %s: stage, value and churn risk of every customer, from Kafka, in real "
           "time, exactly once.\n\n"
           "  lifecycled [--config FILE]    run (default " DEFAULT_PATH " when it exists)\n"
           "  lifecycled --check FILE       say everything that is wrong with FILE; exit 78, or 0\n"
           "  lifecycled --print-config     the commented example of a configuration\n"
           "  lifecycled --embedded         with a Kafka cluster inside the process: for trying "
           "out; at least once,\n"
           "                                nothing is kept; --embedded-address FILE receives its "
           "host:port\n"
           "  lifecycled --version, --help\n\n"
           "Signals: TERM drains and leaves; HUP reads the secrets again.\n"
           "Exit: 0 asked to stop, 76 the operator must decide, 77 another process of the same "
           "name took over,\n"
           "      78 bad configuration. docs/OPERATIONS.md says what to do.\n\n"
           "Settings (the file is YAML; see --print-config):\n%s",
           LC_VERSION, settings ? settings : "");
    free(settings);
}

static int print_config(void)
{
    char *text = config_print_example();

    if (!text)
        return EXIT_FAILURE;
    (void)fputs(text, stdout);
    free(text);
    return EXIT_SUCCESS;
}

/* −1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    enum { CONFIG = 256, CHECK, PRINT_CONFIG, EMBEDDED, EMBEDDED_ADDRESS, VERSION, HELP };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG},
        {"check", required_argument, NULL, CHECK},
        {"print-config", no_argument, NULL, PRINT_CONFIG},
        {"embedded", no_argument, NULL, EMBEDDED},
        {"embedded-address", required_argument, NULL, EMBEDDED_ADDRESS},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };

    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case CONFIG:
        case CHECK:
            arguments->config_path = optarg;
            arguments->task = option == CHECK ? TASK_CHECK : TASK_RUN;
            break;
        case PRINT_CONFIG:
            return print_config();
        case EMBEDDED:
            arguments->embedded = true;
            break;
        case EMBEDDED_ADDRESS:
            arguments->embedded_address = optarg;
            break;
        case VERSION:
            printf("lifecycled %s (fold level %d, librdkafka %s)\n", LC_VERSION, FOLD_LEVEL,
                   kafka_conf_library());
            return EXIT_SUCCESS;
        case HELP:
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        default:
            fputs("lifecycled --help lists the options\n", stderr);
            return EXIT_CONFIG;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "lifecycled: what is \"%s\"? lifecycled --help lists the options\n",
                argv[optind]);
        return EXIT_CONFIG;
    }
    return -1;
}

static bool load_config(const char *path, struct config *ret_config)
{
    static struct config_errors errors;

    if (!path) {
        if (access(DEFAULT_PATH, F_OK) != 0) {
            config_default(ret_config);
            return true;
        }
        path = DEFAULT_PATH;
    }
    if (config_load(path, kafka_conf_reserved, ret_config, &errors) == STATUS_OK)
        return true;
    for (size_t i = 0; i < errors.count; i++) {
        char line[CONFIG_ERROR_TEXT_MAX + 512];

        config_error_format(&errors.errors[i], path, line, sizeof line);
        fprintf(stderr, "%s\n", line);
    }
    if (errors.dropped > 0)
        fprintf(stderr, "%s: and %zu more\n", path, errors.dropped);
    return false;
}

static void open_log(const struct config *config)
{
    struct log_options options = {.level = (enum log_level)config->log_level, .fd = STDERR_FILENO};

    options.journald = config->log_format == CONFIG_LOG_JOURNALD ||
                       (config->log_format == CONFIG_LOG_AUTO && log_under_journald());
    log_open(&options);
}

/* Written whole or not at all: somebody waits for the file to appear. */
static bool write_address(const char *path, const char *address)
{
    char temporary[4096];
    FILE *file;
    bool well;

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return false;
    file = fopen(temporary, "we");
    if (!file)
        return false;
    well = fprintf(file, "%s\n", address) > 0;
    return fclose(file) == 0 && well && rename(temporary, path) == 0;
}

static enum status open_embedded(const struct arguments *arguments, const struct config *config,
                                 struct kafka_embedded **ret_embedded, struct report *report)
{
    const char *topics[] = {config->kafka_input_topic, config->kafka_control_topic,
                            config->kafka_alerts_topic, config->kafka_dead_letter_topic};
    enum status status =
        kafka_embedded_open(topics, 4, KAFKA_EMBEDDED_PARTITIONS, ret_embedded, report);

    if (status != STATUS_OK)
        return status;
    log_line(LOG_LEVEL_WARNING, "embedded", -1,
             "embedded Kafka at %s: for trying out; alerts at least once, and nothing of it "
             "outlives this process",
             kafka_embedded_brokers(*ret_embedded));
    if (!arguments->embedded_address ||
        write_address(arguments->embedded_address, kafka_embedded_brokers(*ret_embedded)))
        return STATUS_OK;
    report_set(report, "embedded", "cannot write %s", arguments->embedded_address);
    return STATUS_REJECT;
}

static enum status token_of(void *self, const char **ret_token, struct report *report)
{
    return wiring_token(self, ret_token, report);
}

static int run(const struct arguments *arguments, const struct config *config)
{
    /* Left to the process's end: closing it takes librdkafka three seconds. */
    static struct kafka_embedded *embedded;
    struct wiring *wiring = NULL;
    struct report report = {0};
    int exit_status = EXIT_CONFIG;
    enum status status = STATUS_OK;

    log_line(LOG_LEVEL_NOTICE, "starting", -1,
             "lifecycled %s, librdkafka %s, instance %s of %s, %lld worker(s)", LC_VERSION,
             kafka_conf_library(), config->name, config->app, (long long)config->workers);
    if (arguments->embedded)
        status = open_embedded(arguments, config, &embedded, &report);
    if (status == STATUS_OK)
        status = wiring_open(config, embedded ? kafka_embedded_brokers(embedded) : NULL, &wiring,
                             &report);
    if (status == STATUS_OK) {
        struct loop_options options = {
            .ports = wiring_ports(wiring),
            .workers = (int)config->workers,
            .clock = clock_system(),
            .listen = config->http_listen,
            .kafka_library = kafka_conf_library(),
            .stop_ms = STOP_MS,
            .learner = wiring_learner(wiring),
            .self = wiring,
            .token = token_of,
            .redis = wiring_redis,
            .customer = wiring_customer,
        };

        exit_status = loop_run(&options);
    } else {
        log_report(LOG_LEVEL_ERROR, &report);
    }
    wiring_close(wiring);
    return exit_status;
}

static int check(const struct config *config, const char *path)
{
    struct wiring *wiring = NULL;
    struct report report = {0};

    if (wiring_open(config, NULL, &wiring, &report) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", path, report.text);
        return EXIT_CONFIG;
    }
    wiring_close(wiring);
    printf("%s: well\n", path);
    return EXIT_SUCCESS;
}

/* What a burst needed goes back to the system: glibc raises these two by itself to the size of the
 * largest block ever freed, and keeps as much for good. Blocks of librdkafka's fetches stay below.
 */
static void give_memory_back(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

int main(int argc, char **argv)
{
    static struct config config;
    struct arguments arguments = {0};
    int status = parse_arguments(argc, argv, &arguments);

    if (status >= 0)
        return status;
    give_memory_back();
    loop_block_signals();
    if (!load_config(arguments.config_path, &config))
        return EXIT_CONFIG;
    open_log(&config);
    status = arguments.task == TASK_CHECK ? check(&config, arguments.config_path)
                                          : run(&arguments, &config);
    config_fini(&config);
    return status;
}
