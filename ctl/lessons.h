/* lessons: what the daemon's learned layer (model/belief.h) would have learned by a day from a
 * file of transactions, and what it would have said then.
 *
 * As in the daemon, customers are looked at once a horizon each, on days spread by a hash, and a
 * lesson is taken when its horizon is over. A file of purchases shows no engagement and no warning
 * signs: only what follows from purchases is learned here. */
#ifndef LC_CTL_LESSONS_H
#define LC_CTL_LESSONS_H

#include "ctl/accuracy.h"
#include "ctl/transactions.h"
#include "model/belief.h"
#include "model/predict.h"

struct lessons {
    struct belief belief;
    size_t taken; /* lessons that had matured by the day */
    /* On these, each tested before it was taken, when somebody bought and somebody did not. */
    bool measured;
    struct accuracy plain, learned;
};

/* Lessons matured at the end of day `until`. FATAL without memory. */
enum status lessons_learn(const struct transactions *transactions,
                          const struct predictor *predictor, int32_t until, int32_t horizon,
                          struct lessons *ret_lessons) LC_CHECKED;
/* ret_forecasts: those of the model with the weights learned by then in P(buys), if they are worth
 * publishing. */
void lessons_forecast(const struct lessons *lessons, const struct predictor *predictor,
                      const struct buyer buyers[], size_t count, int32_t horizon,
                      const struct forecast model[], struct forecast ret_forecasts[]);
/* The same, but each customer's outcome is learned after its own forecast, in an order by hash.
 * FATAL without memory. */
enum status lessons_forecast_going_on(const struct lessons *lessons,
                                      const struct predictor *predictor,
                                      const struct buyer buyers[], size_t count, int32_t horizon,
                                      const struct forecast model[],
                                      struct forecast ret_forecasts[]) LC_CHECKED;

#endif
