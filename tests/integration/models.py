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
