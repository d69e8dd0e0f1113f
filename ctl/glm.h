/* glm: small generalised linear models by iteratively reweighted least squares (McCullagh and
 * Nelder 1989): the baselines that a model of customers has to beat. */
#ifndef LC_CTL_GLM_H
#define LC_CTL_GLM_H

#include <stddef.h>

#include "base/status.h"

#define GLM_FEATURES_MAX 8

enum glm_family {
    GLM_LOGISTIC, /* y is 0 or 1; the mean is a probability */
    GLM_POISSON   /* y is a count */
};

struct glm {
    enum glm_family family;
    int features;
    double weight[GLM_FEATURES_MAX];
};

/* x: `count` rows of `features` numbers of order 1, the constant 1 among them. A ridge of 1e-6 a
 * row keeps the weights finite when the features separate or repeat one another. REJECT when the
 * rows say nothing: none of them, or all y alike. */
enum status glm_fit(enum glm_family family, int features, size_t count, const double x[],
                    const double y[], struct glm *ret_glm) LC_CHECKED;
double glm_mean(const struct glm *glm, const double x[]);

#endif
