/* pareto: Pareto/NBD (Schmittlein, Morrison, Colombo 1987; Fader and Hardie's note 009), for
 * comparison with the models of churn.h: while alive a customer buys at a Poisson rate λ ~
 * Gamma(r, α) and leaves at a rate μ ~ Gamma(s, β), between purchases as well. Time in the unit of
 * α and β. Every function is finite for every valid input. */
#ifndef LC_MODEL_PARETO_H
#define LC_MODEL_PARETO_H

#include "model/customer.h"

struct pareto {
    double r, alpha, s, beta;
};

/* ln L(r, α, s, β | x, t_x, T). */
double pareto_loglik(struct pareto m, struct history h);
/* The same with its derivatives in r, α, s, β. */
double pareto_loglik_gradient(struct pareto m, struct history h, double ret_gradient[4]);
double pareto_alive(struct pareto m, struct history h);
/* P(buys within the horizon), alive now or not. */
double pareto_buy(struct pareto m, struct history h, double horizon);
/* Expected purchases in the next `time`. */
double pareto_expected(struct pareto m, struct history h, double time);
/* T* ≥ t_x at which P(alive) falls to theta; infinity when never reached in 200 years of days, t_x
 * when below at once. By bisection in ln(α + T). */
double pareto_alive_timer(struct pareto m, double x, double t_x, double theta);
/* T* ≥ from_T at which P(buys within the horizon) falls to theta, alike. */
double pareto_buy_timer(struct pareto m, double x, double t_x, double from_T, double horizon,
                        double theta);

#endif
