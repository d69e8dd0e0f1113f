"""An independent computation of what the daemon must answer for a transaction log: plain Python from the papers' formulas, sharing
no code with the product."""
import csv
import math
from collections import defaultdict
from datetime import date
from decimal import Decimal

R, ALPHA, A, B = 0.525, 43.281, 0.891, 1.614  # shipped priors, days
HORIZON = 90.0


def transactions(path, refunds=False):
    """customer -> {day: [amounts]}; a sign is dropped in a file of refunds."""
    out = defaultdict(lambda: defaultdict(list))
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            amount = Decimal(row["amount"])
            out[row["customer"]][date.fromisoformat(row["date"])].append(abs(amount) if refunds else amount)
    return out


def figures(days, at):
    """x, t_x, T (days), P(alive), churn risk of a customer with these purchase days, by MBG/NBD (Batislam et al. 2007)."""
    ordered = sorted(days)
    x, t_x, T = len(ordered) - 1, (ordered[-1] - ordered[0]).days, (at - ordered[0]).days
    odds = A / (B + x) * ((ALPHA + T) / (ALPHA + t_x)) ** (R + x)
    alive = 1 / (1 + odds)
    buy = alive * (1 - ((ALPHA + T) / (ALPHA + T + HORIZON)) ** (R + x))
    return x, t_x, T, alive, 1 - buy


def spend(days):
    return sum((sum(amounts) for amounts in days.values()), Decimal(0))


def close(got, want, relative=1e-9):
    return math.isclose(float(got), want, rel_tol=relative, abs_tol=1e-12)


# --- value: MBG/NBD's expected purchases (Batislam et al. 2007, eq. 13 in Hardie's form) times Gamma-Gamma spend (H025) ---

MONTHS, MONTH = 12, 365.0 / 12


def hyp2f1(a, b, c, z):
    """By its series; 0 <= z < 0.95 here."""
    term = total = 1.0
    for n in range(4000):
        term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z
        total += term
        if abs(term) < 1e-17 * abs(total):
            return total
    raise ArithmeticError("no convergence")


def expected(mbg, x, t_x, T, t):
    """Purchase days expected in the next t days."""
    r, alpha, a, b = mbg
    odds = a / (b + x) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    z = t / (alpha + T + t)
    grown = 1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * hyp2f1(r + x, b + x + 1, a + b + x, z)
    return (a + b + x) / (a - 1) * grown / (1 + odds)


def value_minor(mbg, gg, days, at_days, discount=0.01):
    """Expected 12-month value in minor units; at_days: days since 1970, with their fraction."""
    ordered = sorted(days)
    first = (ordered[0] - date(1970, 1, 1)).days
    x, t_x = len(ordered) - 1, (ordered[-1] - ordered[0]).days
    T = max(at_days - first, t_x)
    repeats = [float(sum(days[d])) for d in ordered[1:] if sum(days[d]) > 0]
    p, q, gamma = gg
    n = len(repeats)
    spend = p * (gamma + sum(repeats)) / (p * n + q - 1)
    before = total = 0.0
    for i in range(1, MONTHS + 1):
        now = expected(mbg, x, t_x, T, i * MONTH)
        total += (now - before) / (1 + discount) ** i
        before = now
    return 100 * spend * total


def lorenz(amounts, share):
    """Part of the sum that the poorest `share` hold; amounts below zero hold nothing."""
    ordered = sorted(max(0, a) for a in amounts)
    people, held = share * len(ordered), 0.0
    for amount in ordered:
        if people <= 0:
            break
        held += amount * min(1.0, people)
        people -= 1
    return held / sum(ordered)


def gini(amounts):
    ordered = sorted(max(0, a) for a in amounts)
    n, whole = len(ordered), sum(ordered)
    return sum((2 * i - n - 1) * amount for i, amount in enumerate(ordered, 1)) / (n * whole)
