/* gamma: ln Γ and its differences, accurate where two large ones nearly cancel. Thread-safe
 * (lgamma() is not). */
#ifndef LC_MODEL_GAMMA_H
#define LC_MODEL_GAMMA_H

/* ln Γ(z), z > 0. */
double gamma_ln(double z);
/* ln Γ(z + d) − ln Γ(z), z > 0, d ≥ 0: error about 1e-14 of the greater of itself and 1. */
double gamma_ln_rise(double z, double d);
/* ln Γ(z) − z·ln s, z > 0, s > 0: taken together, since both grow like z·ln z. */
double gamma_ln_scaled(double z, double s);
/* ψ(z) = d ln Γ(z)/dz, z > 0; error about 1e-15 of the greater of itself and 1. */
double gamma_psi(double z);

#endif
