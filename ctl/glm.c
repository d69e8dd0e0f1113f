/* glm: Newton's steps on the penalised log-likelihood, halved while they do not improve it. */
#include "ctl/glm.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/must.h"

#define RIDGE       1e-6
#define STEPS_MAX   60
#define HALVES_MAX  30
#define LINK_MAX    30.0 /* e^30 purchases, and P = 1 − 1e-13: beyond both nothing is learned */
#define GAIN_ENOUGH 1e-12

struct sums {
    double value; /* mean penalised ln L */
    double gradient[GLM_FEATURES_MAX];
    double curvature[GLM_FEATURES_MAX][GLM_FEATURES_MAX];
};

static double link_of(const struct glm *glm, const double x[])
{
    double link = 0;
    for (int i = 0; i < glm->features; i++)
        link += glm->weight[i] * x[i];
    return fmax(-LINK_MAX, fmin(LINK_MAX, link));
}

double glm_mean(const struct glm *glm, const double x[])
{
    const double link = link_of(glm, x);
    return glm->family == GLM_LOGISTIC ? 1 / (1 + exp(-link)) : exp(link);
}

static struct sums sums_of(const struct glm *glm, size_t count, const double x[], const double y[])
{
    const int n = glm->features;
    const double each = 1 / (double)count;
    struct sums sums = {.value = 0};
    for (size_t k = 0; k < count; k++, x += n) {
        const double link = link_of(glm, x), mean = glm_mean(glm, x);
        const bool logistic = glm->family == GLM_LOGISTIC;
        sums.value +=
            each * (y[k] * link - (logistic ? fmax(0, link) + log1p(exp(-fabs(link))) : mean));
        for (int i = 0; i < n; i++) {
            sums.gradient[i] += each * (y[k] - mean) * x[i];
            for (int j = 0; j <= i; j++)
                sums.curvature[i][j] += each * (logistic ? mean * (1 - mean) : mean) * x[i] * x[j];
        }
    }
    for (int i = 0; i < n; i++) {
        sums.value -= RIDGE / 2 * glm->weight[i] * glm->weight[i];
        sums.gradient[i] -= RIDGE * glm->weight[i];
        sums.curvature[i][i] += RIDGE;
    }
    return sums;
}

/* Solves curvature·step = gradient by Cholesky; the ridge makes it definite. */
static void newton_step(int n, const struct sums *sums, double ret_step[])
{
    double l[GLM_FEATURES_MAX][GLM_FEATURES_MAX];
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double rest = sums->curvature[i][j];
            for (int k = 0; k < j; k++)
                rest -= l[i][k] * l[j][k];
            l[i][j] = i == j ? sqrt(fmax(RIDGE * 1e-3, rest)) : rest / l[j][j];
        }
    for (int i = 0; i < n; i++) {
        double rest = sums->gradient[i];
        for (int k = 0; k < i; k++)
            rest -= l[i][k] * ret_step[k];
        ret_step[i] = rest / l[i][i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            ret_step[i] -= l[k][i] * ret_step[k];
        ret_step[i] /= l[i][i];
    }
}

enum status glm_fit(enum glm_family family, int features, size_t count, const double x[],
                    const double y[], struct glm *ret_glm)
{
    struct glm glm = {.family = family, .features = features};
    bool alike = true;
    MUST(features > 0);
    MUST(features <= GLM_FEATURES_MAX);
    for (size_t k = 1; k < count; k++)
        alike = alike && y[k] == y[0];
    if (alike)
        return STATUS_REJECT;
    struct sums sums = sums_of(&glm, count, x, y);
    for (int step = 0; step < STEPS_MAX; step++) {
        double move[GLM_FEATURES_MAX], length = 1;
        struct glm next = glm;
        struct sums there;
        newton_step(features, &sums, move);
        for (int half = 0; half < HALVES_MAX; half++, length /= 2) {
            for (int i = 0; i < features; i++)
                next.weight[i] = glm.weight[i] + length * move[i];
            there = sums_of(&next, count, x, y);
            if (there.value >= sums.value)
                break;
        }
        if (!(there.value > sums.value + GAIN_ENOUGH))
            break;
        glm = next;
        sums = there;
    }
    *ret_glm = glm;
    return STATUS_OK;
}
