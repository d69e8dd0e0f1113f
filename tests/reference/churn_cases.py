#!/usr/bin/python3
"""Writes churn_cases.inc: hard cases of MBG/NBD with their values to 60 digits and more, rounded to binary64 at the end.

The values come from the papers' forms (likelihood as a sum of two Beta-Gamma terms, expectation with 2F1), not from the
stable forms in model/churn*.c, in arithmetic wide enough to survive their cancellations. Every tenth expectation is also
integrated numerically. Needs python3-mpmath. Deterministic: the seed is fixed.

    /usr/bin/python3 churn_cases.py > churn_cases.inc
"""
import random
import sys

from mpmath import mp, mpf, beta, exp, expm1, hyp2f1, inf, log, log1p, loggamma, quad

mp.dps = 160
DAYS_MAX = mpf("73050")
MONTH = mpf(365) / 12
DISCOUNT = mpf("0.01")


def terms(r, alpha, a, b, x, t_x, T):
    """ln of the likelihood's two terms: gone right after the last purchase, and still alive."""
    lb = lambda p, q: loggamma(p) + loggamma(q) - loggamma(p + q)
    common = loggamma(r + x) - loggamma(r) + r * log(alpha) - lb(a, b)
    gone = common + lb(a + 1, b + x) - (r + x) * log(alpha + t_x)
    alive = common + lb(a, b + x + 1) - (r + x) * log(alpha + T)
    return gone, alive


def p_alive(r, alpha, a, b, x, t_x, T):
    gone, alive = terms(r, alpha, a, b, x, t_x, T)
    return 1 / (1 + exp(gone - alive))


def p_buy(r, alpha, a, b, x, t_x, T, horizon):
    return p_alive(r, alpha, a, b, x, t_x, T) * (1 - ((alpha + T) / (alpha + T + horizon)) ** (r + x))


def expected(r, alpha, a, b, x, t_x, T, t):
    """Batislam, Denizel, Filiztekin 2007; a nudged off the removable singularity at 1."""
    if a == 1:
        a = a + mpf(10) ** -70
    z = t / (alpha + T + t)
    published = lambda: (1 - z) ** (r + x) * hyp2f1(r + x, b + x + 1, a + b + x, z)
    euler = lambda: (1 - z) ** (a - 1) * hyp2f1(a + b - r, a - 1, a + b + x, z)
    # Euler's transformation of the same: for many purchases the published one would need some 1e5 terms.
    for g in (published, euler) if x < 300 else (euler, published):
        try:
            return (a + b + x) / (a - 1) * (1 - g()) * p_alive(r, alpha, a, b, x, t_x, T)
        except mp.NoConvergence:
            pass
    return expected_by_integral(r, alpha, a, b, x, t_x, T, t) if a > 0.05 else None


def expected_by_integral(r, alpha, a, b, x, t_x, T, t):
    """E[(1 − (1 + p w)^−c)/p] over p ~ Beta(a, b + x + 1), by quadrature over logit p."""
    w, c, q = t / (alpha + T), r + x, b + x + 1

    scale = log(beta(a, q))  # inside, since quad() looks at the absolute error

    def weight(u):
        return exp(a * (u - log(1 + exp(u))) - q * log(1 + exp(u)) - scale)

    def rate(u):
        p = 1 / (1 + exp(-u))
        return -expm1(-c * log1p(p * w)) / p

    mp.dps = 40
    middle = log(a / q)
    spread = (1 / a + 1 / q) ** 0.5
    width = min(8, 4 * spread)
    left, right = (int((60 / tail + 16 * spread) / width) + 1 for tail in (a, q))
    sides = [middle + width * k for k in range(-left, right + 1)]
    value = quad(lambda u: weight(u) * rate(u), sides)
    mp.dps = 160
    return value * p_alive(r, alpha, a, b, x, t_x, T)


def solve(falls_to, start, alpha, theta):
    """Root of a falling function in ln(alpha + T) by bisection, T within 200 years."""
    if falls_to(start) <= theta:
        return start
    if start >= DAYS_MAX or falls_to(DAYS_MAX) > theta:
        return inf
    low, high = log(alpha + start), log(alpha + DAYS_MAX)
    for _ in range(110):
        middle = (low + high) / 2
        if falls_to(exp(middle) - alpha) > theta:
            low = middle
        else:
            high = middle
    return exp(high) - alpha


def rows():
    random.seed(20251122)
    models = [(0.525, 43.281, 0.891, 1.614), (0.243, 30.898, 0.793, 2.426), (0.1, 1.0, 1.0, 1.0),
              (0.3, 10.0, 0.2, 0.3), (2.0, 7.0, 0.001, 0.002), (5.0, 100.0, 1.0, 0.5), (0.5, 0.001, 0.9, 3.0),
              (12.5, 800.0, 3.0, 0.25), (1.0, 365.0, 1.5, 40.0)]
    histories = [(0, 0, 0), (0, 0, 90), (0, 0, 36525), (1, 1, 1), (1, 30, 395), (2, 700, 36525), (10, 300, 365),
                 (10, 300, 3000), (100, 35000, 36525), (1000, 36525, 36525), (100000, 36500, 36525), (100000, 36525, 36525)]
    for i, model in enumerate(models):
        for j, history in enumerate(histories):
            for horizon in ((90.0, 0.01, 730.0)[(i + j) % 3], (365.0, 36525.0, 7.0)[(i + j) % 3]):
                yield model + history + (horizon,)
    spread = lambda low, high: float("%.4g" % exp(mpf(random.uniform(float(log(low)), float(log(high))))))
    for _ in range(300):
        model = (spread(1e-3, 1e3), spread(1e-3, 1e4), spread(1e-4, 1e3), spread(1e-4, 1e3))
        x = random.choice([0, 0, 1, 2, 3, 7, 30, 300, 5000, 100000])
        T = spread(1e-2, 36525)
        t_x = 0.0 if x == 0 else float("%.6g" % (T * random.choice([0.01, 0.5, 0.9, 0.999, 1])))
        yield model + (x, min(t_x, T), T, spread(1e-2, 36525))


def number(value):
    if value == inf:
        return "INFINITY"
    return repr(float(value))


def main():
    print("/* Generated by churn_cases.py; never edited by hand. Every number is exact or correctly rounded. */")
    kept = 0
    for index, row in enumerate(rows()):
        r, alpha, a, b, x, t_x, T, horizon = exact = [mpf(v) for v in row]
        base = exact[:7]
        gone, alive_term = terms(*base)
        loglik = alive_term + log(1 + exp(gone - alive_term))
        if abs(loglik) < mpf(10) ** -140:
            loglik = mpf(0)  # certainty, but for the last digits
        alive, buy = p_alive(*base), p_buy(*base, horizon)
        if alive < mpf(10) ** -280 or buy < mpf(10) ** -290:
            continue  # below binary64: there is no relative error to speak of
        purchases = expected(*base, horizon)
        months = [mpf(0)] + [expected(*base, i * MONTH) for i in range(1, 13)]
        if purchases is None or None in months:
            continue  # 2F1 does not converge here, and the integral's tail is too long
        if index % 10 == 0 and a > 0.05:
            other = expected_by_integral(*base, horizon)
            assert abs(other / purchases - 1) < 1e-20, (row, purchases, other)
        discounted = sum((months[i] - months[i - 1]) / (1 + DISCOUNT) ** i for i in range(1, 13))
        share = (0.999999, 0.9, 0.5, 0.1, 1e-3)[kept % 5]
        theta = float("%.12g" % float(buy * mpf(share)))
        buy_timer = solve(lambda t: p_buy(*exact[:6], t, horizon), T, alpha, mpf(theta))
        theta_alive = (0.5, 0.9, 0.1, 0.999, 1e-6)[kept % 5]
        alive_timer = solve(lambda t: p_alive(*exact[:6], t), t_x, alpha, mpf(theta_alive))
        fields = list(row) + [loglik, alive, buy, purchases, discounted, theta, buy_timer, theta_alive, alive_timer]
        print("{" + ", ".join(number(v) for v in fields) + "},")
        kept += 1
        if kept % 50 == 0:
            print(kept, file=sys.stderr)
    print(kept, "rows", file=sys.stderr)


main()
