/* gamma: Stirling's series (Abramowitz & Stegun 6.1.40) from STIRLING_MIN on, where four terms
 * leave less than 2e-14; the C library below. */
#include "model/gamma.h"

#include <math.h>

#define STIRLING_MIN 16

double gamma_ln(double z)
{
    int sign;
    return lgamma_r(z, &sign);
}

/* ln Γ(z) − [(z − ½) ln z − z + ½ ln 2π], z ≥ STIRLING_MIN. */
static double stirling_rest(double z)
{
    const double u = 1 / (z * z);
    return (1.0 / 12 - u * (1.0 / 360 - u * (1.0 / 1260 - u * (1.0 / 1680)))) / z;
}

double gamma_ln_rise(double z, double d)
{
    if (z < STIRLING_MIN) {
        return gamma_ln(z + d) - gamma_ln(z);
    }
    return (z + d - 0.5) * log1p(d / z) + d * (log(z) - 1) + stirling_rest(z + d) -
           stirling_rest(z);
}

double gamma_ln_scaled(double z, double s)
{
    if (z < STIRLING_MIN) {
        return gamma_ln(z) - z * log(s);
    }
    return z * (log(z / s) - 1) + 0.5 * (log(2 * M_PI) - log(z)) + stirling_rest(z);
}

double gamma_psi(double z)
{
    /* ψ(z) = ψ(z + 1) − 1/z until the asymptotic series (Abramowitz & Stegun 6.3.18) is exact. */
    double above = 0, below = 1; /* Σ 1/z as one fraction: divisions are what takes the time */
    while (z < STIRLING_MIN) {
        above = above * z + below;
        below *= z;
        z += 1;
    }
    const double u = 1 / (z * z);
    const double rest = u * (1.0 / 12 - u * (1.0 / 120 - u * (1.0 / 252 - u * (1.0 / 240))));
    return log(z) - 0.5 / z - rest - above / below;
}
