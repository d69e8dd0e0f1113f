/* lifecyclectl: the operator's and analyst's tool. One file a subcommand; this is the table of
 * them. */
#include <string.h>

#include "base/text.h"
#include "ctl/ctl.h"

static const struct ctl_command commands[] = {
    {"explain", "one customer: state, stage, value, churn risk, and what happens next in silence",
     explain_command},
    {"export", "all customers as CSV or JSON lines", export_command},
    {"status", "partitions: delivered, applied, watermark, lag, customers", status_command},
    {"insight", "what was learned of the whole population: tiers, concentration, models",
     insight_command},
    {"report", "the lifecycle report of all customers: a page with pictures, or JSON",
     report_command},
    {"plan", "before a new configuration is deployed: who would move, which alerts would come",
     plan_command},
    {"tail", "alerts as readable lines, or JSON", tail_command},
    {"import", "a CSV of past transactions becomes Order Completed events", import_command},
    {"backup", "the state of each partition at one position, to files", backup_command},
    {"restore", "the state of one partition from its backup", restore_command},
    {"erase", "a customer is erased: Delete, receipt, and what remains where", erase_command},
    {"simulate", "a seeded population of customers, to stdout or Kafka", simulate_command},
    {"fit", "parameters of the models from a CSV of past transactions, with a verdict",
     fit_command},
    {"score", "P(alive), P(buys), expected purchases, value and timers of histories",
     score_command},
    {"backtest", "what a model would have said on a past day, against what then happened",
     backtest_command},
    {"demo", "everything at work on embedded servers", demo_command},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void main_help(FILE *out)
{
    fputs("usage: lifecyclectl COMMAND [OPTIONS]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nlifecyclectl COMMAND --help tells more. Servers are those of --config FILE"
          " (default /etc/lifecycled/lifecycled.yaml).\n",
          out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        main_help(stderr);
        return CTL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        main_help(stdout);
        return CTL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("lifecyclectl " LC_VERSION);
        return CTL_OK;
    }
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    const char *near = text_did_you_mean(span_of(argv[1]), names, COMMANDS);
    fprintf(stderr, "lifecyclectl: no command '%s'%s%s%s\n", argv[1],
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return CTL_USAGE;
}
