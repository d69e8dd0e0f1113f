/* fit_density: derivatives by hand of the log-likelihoods of churn.h, pareto.h and value.h. With o
 * the log-odds of being gone, d ln(1 + e^−o)/do = −P(alive): every derivative is a sum of ψ and of
 * terms weighted by P(alive). */
#include "model/fit_density.h"

#include <math.h>

#include "model/churn.h"
#include "model/gamma.h"
#include "model/pareto.h"
#include "model/value.h"

static struct mbg mbg_of(const double theta[])
{
    return (struct mbg){.r = theta[0], .alpha = theta[1], .a = theta[2], .b = theta[3]};
}

/* MBG/NBD, and BG/NBD with x > 0; `stayed` = b + the number of purchases survived. */
static void gradient_dropping(struct mbg m, struct history h, double stayed, double alive,
                              double ret_gradient[])
{
    const double c = m.r + h.x, last = m.alpha + h.t_x, now = m.alpha + h.T;
    const double all = gamma_psi(m.a + m.b), ever = gamma_psi(m.a + stayed + 1);
    ret_gradient[0] = gamma_psi(c) - gamma_psi(m.r) - log1p(h.t_x / m.alpha) -
                      alive * log1p((h.T - h.t_x) / last);
    ret_gradient[1] = m.r / m.alpha - c / last + alive * c * ((h.T - h.t_x) / (now * last));
    ret_gradient[2] = (1 - alive) / m.a + all - ever;
    ret_gradient[3] = gamma_psi(stayed) - ever - gamma_psi(m.b) + all + alive / stayed;
}

double fit_mbg(const double theta[], const struct fit_cell *cell, double ret_gradient[])
{
    const struct mbg m = mbg_of(theta);
    gradient_dropping(m, cell->h, m.b + cell->h.x, churn_mbg_alive(m, cell->h), ret_gradient);
    return churn_mbg_loglik(m, cell->h);
}

double fit_bg(const double theta[], const struct fit_cell *cell, double ret_gradient[])
{
    const struct mbg m = mbg_of(theta);
    const struct history h = cell->h;
    if (h.x > 0) {
        gradient_dropping(m, h, m.b + (h.x - 1), churn_bg_alive(m, h), ret_gradient);
    } else {
        ret_gradient[0] = -log1p(h.T / m.alpha);
        ret_gradient[1] = m.r * h.T / (m.alpha * (m.alpha + h.T));
        ret_gradient[2] = ret_gradient[3] = 0;
    }
    return churn_bg_loglik(m, h);
}

double fit_pareto(const double theta[], const struct fit_cell *cell, double ret_gradient[])
{
    const struct pareto m = {.r = theta[0], .alpha = theta[1], .s = theta[2], .beta = theta[3]};
    return pareto_loglik_gradient(m, cell->h, ret_gradient);
}

/* Nobody leaves: the limit of the three above. */
double fit_nbd(const double theta[], const struct fit_cell *cell, double ret_gradient[])
{
    const double r = theta[0], alpha = theta[1];
    const struct history h = cell->h;
    const double c = r + h.x, now = alpha + h.T;
    ret_gradient[0] = gamma_psi(c) - gamma_psi(r) - log1p(h.T / alpha);
    ret_gradient[1] = r / alpha - c / now;
    return gamma_ln_scaled(c, now) - gamma_ln_scaled(r, alpha);
}

double fit_gg(const double theta[], const struct fit_cell *cell, double ret_gradient[])
{
    const double p = theta[0], q = theta[1], gamma = theta[2];
    const double x = cell->h.x, spend = x * cell->mean, shape = p * x + q;
    const double psi = gamma_psi(shape);
    ret_gradient[0] = x * (psi - gamma_psi(p * x) - log1p(gamma / spend));
    ret_gradient[1] = psi - gamma_psi(q) - log1p(spend / gamma);
    ret_gradient[2] = q / gamma - shape / (gamma + spend);
    return value_gg_loglik(p, q, gamma, x, cell->mean);
}

/* FH07: lost at the renewal after x of them, B(α + 1, β + x)/B(α, β); still there, B(α, β + x)/B(α,
 * β). */
double fit_sbg(const double theta[], const struct fit_cell *cell, double ret_gradient[])
{
    const double alpha = theta[0], beta = theta[1], x = cell->h.x;
    const double lost = cell->gone ? 1 : 0;
    const double all = gamma_psi(alpha + beta), ever = gamma_psi(alpha + beta + x + lost);
    ret_gradient[0] = lost / alpha + all - ever;
    ret_gradient[1] = gamma_psi(beta + x) - gamma_psi(beta) + all - ever;
    return lost * log(alpha) + gamma_ln_rise(beta, x) - gamma_ln_rise(alpha + beta, x + lost);
}
