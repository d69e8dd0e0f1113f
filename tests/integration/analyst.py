#!/usr/bin/python3
"""The analyst's commands of lifecyclectl as processes: fit, score, backtest.

    LC_BIN=build analyst.py

Checks the hard cases of tests/reference through `score` as a user would, bad input by its message, and on a simulated
population that `fit` finds the parameters it was made with. Where CDNOW and Online Retail lie beside the checkout
(../shared/data, or LC_DATA), their published figures and accuracies too.
"""
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.join(os.environ.get("LC_BIN", os.path.join(ROOT, "build")), "lifecyclectl")
DATA = os.environ.get("LC_DATA", os.path.join(os.path.dirname(ROOT), "shared", "data"))


def ctl(*arguments, text=None, code=0):
    run = subprocess.run([BIN, *arguments], input=text, capture_output=True, text=True, timeout=120)
    assert run.returncode == code, (arguments, run.returncode, run.stdout[-400:], run.stderr[-800:])
    return run.stdout if code == 0 else run.stderr


def data(name):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{name} is not here")
    return path


def reference(name):
    with open(os.path.join(ROOT, "tests", "reference", name), encoding="utf-8") as file:
        for line in file:
            if line.startswith("{"):
                cells = line.strip().strip("{},").split(", ")
                yield [cell if cell.startswith("FIT_") else float(cell.replace("INFINITY", "inf")) for cell in cells]


def number(cell):
    return math.inf if cell == "never" else float(cell)


def relative(value, truth):
    return abs(value - truth) / abs(truth) if abs(truth) > 1e-300 else abs(value)


def grouped(rows, key):
    """Rows of one command line together: a process for each case would cost a minute."""
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups.items()


class Score(unittest.TestCase):
    def check(self, model, cases):
        """Rows of four parameters, x, t_x, T, H, ln L and the figures after it."""
        for (params, H), rows in grouped(cases, lambda case: (",".join(map(repr, case[:4])), case[7])):
            text = "x,t_x,T\n" + "".join("{!r},{!r},{!r}\n".format(*row[4:7]) for row in rows)
            out = ctl("score", "-", "--model", model, "--params", params, "--horizon", repr(H), text=text).splitlines()
            self.assertEqual(out[0], "loglik,p_alive,p_buy_H,expected_H,clv_12")
            self.assertEqual(len(out), 1 + len(rows))
            for line, row in zip(out[1:], rows):
                loglik, *values = map(float, line.split(","))
                self.assertTrue(all(math.isfinite(value) for value in (loglik, *values)))
                self.assertLessEqual(abs(loglik - row[8]) / max(1, abs(row[8])), 1e-11, row)
                for value, truth in zip(values, row[9:]):
                    self.assertLessEqual(relative(value, truth), 1e-11, row)

    def test_mbg_agrees_with_160_digits(self):
        cases = [case[:13] for case in reference("churn_cases.inc")]
        self.assertGreaterEqual(len(cases), 400)
        self.check("mbg", cases)

    def test_the_others_agree_with_50_digits(self):
        for name, rows in grouped(reference("rival_cases.inc"), lambda case: case[0]):
            self.check(name[4:].lower(), [row[1:] for row in rows])

    def test_timers_agree_in_log_time(self):
        for column, at in ((1, 13), (0, 15)):
            key = lambda case: (",".join(map(repr, case[:4])), repr(case[7]), repr(case[at]))
            for (params, H, theta), rows in grouped(list(reference("churn_cases.inc"))[column::3], key):
                text = "".join("{!r},{!r},{!r}\n".format(*row[4:7]) for row in rows)
                out = ctl("score", "-", "--params", params, "--horizon", H, "--timer", theta, text=text).splitlines()
                self.assertEqual(out[0], "T_alive,T_buy")
                for line, row in zip(out[1:], rows):
                    value, truth, alpha = number(line.split(",")[column]), row[at + 1], row[1]
                    if math.isinf(truth) or math.isinf(value):
                        self.assertEqual(value, truth, row)
                    else:
                        self.assertLessEqual(abs(math.log(alpha + value) - math.log(alpha + truth)), 1e-11, row)

    def test_extremes_are_finite(self):
        text = "x,t_x,T,mean_amount\n0,0,0,\n0,0,36525,0\n100000,36525,36525,0.01\n100000,1,36525,1e6\n1,36525,36525,5\n"
        for model in ("mbg", "bg", "pareto"):
            for params in ("0.5,40,1,2", "0.5,40,0.2,0.3", "0.001,1000000,0.0001,1000", "1000,0.001,1000,0.0001",
                           "1,1,1,1", "0.7,10,0.4,0.6"):
                out = ctl("score", "-", "--model", model, "--params", params, "--gamma-gamma", "6.25,3.74,15.44", text=text)
                for line in out.splitlines()[1:]:
                    values = [float(cell) for cell in line.split(",")]
                    self.assertTrue(all(math.isfinite(value) for value in values), (model, params, line))
                    self.assertTrue(0 <= values[1] <= 1 and 0 <= values[2] <= 1 and values[3] >= 0 and values[4] >= 0)

    def test_the_value_is_spend_times_discounted_purchases(self):
        text = "2,30,39,22.35\n"
        plain = float(ctl("score", "-", "--params", ".525,43.281,.891,1.614", text=text).splitlines()[1].split(",")[4])
        value = float(ctl("score", "-", "--params", ".525,43.281,.891,1.614", "--gamma-gamma", "6.25,3.74,15.44",
                          text=text).splitlines()[1].split(",")[4])
        self.assertLess(abs(value / plain - 24.66), 0.01)  # Hardie's note 025

    def test_transactions_score_as_their_histories(self):
        rows = 'customer,date,amount\nb,2025-01-01,5\n"a,1",2025-01-05,7\nb,2025-01-11,4\nb,2025-01-11,4\nb,2025-02-01,9\n'
        options = ("--params", ".525,43.281,.891,1.614", "--gamma-gamma", "6.25,3.74,15.44")
        out = ctl("score", "-", "--until", "2025-01-31", *options, text=rows).splitlines()
        self.assertEqual(out[0], "customer,x,t_x,T,mean_amount,loglik,p_alive,p_buy_H,expected_H,clv_12")
        self.assertTrue(out[1].startswith('"a,1",0,0,26,0,'))
        self.assertTrue(out[2].startswith("b,1,10,30,8,"))
        alone = ctl("score", "-", *options, text="1,10,30,8\n").splitlines()
        self.assertEqual(out[2].split(",")[5:], alone[1].split(","))

    def test_json_says_the_same(self):
        rows = 'customer,date,amount\nb,2025-01-01,5\n"a ""1",2025-01-05,7\nb,2025-01-11,4\nb,2025-02-01,9\n'
        for text in (rows, "2,30,39,22.35\n0,0,0,\n100000,36500,36525,1\n"):
            for more in ((), ("--timer", "0.9")):
                options = ("score", "-", "--params", ".525,43.281,.891,1.614", *more)
                header, *lines = csv.reader(ctl(*options, text=text).splitlines())
                objects = [json.loads(line) for line in ctl(*options, "--json", text=text).splitlines()]
                self.assertEqual(len(objects), len(lines))
                for line, told in zip(lines, objects):
                    self.assertEqual(list(told), header)
                    for cell, value in zip(line, told.values()):
                        if isinstance(value, str):
                            self.assertEqual(cell, value)
                        else:
                            self.assertEqual(cell if cell == "never" else float(cell), "never" if value is None else value)

    def test_bad_rows_are_told_and_counted(self):
        options = ("score", "-", "--params", "0.5,40,1,2")
        for row, words in (("1.5,2,3", "'1.5'"), ("-1,0,3", "'-1'"), ("1,x,3", "'x'"), ("1,5,3", "'3'"), ("0,2,3", "'2'"),
                           ("1,2,3,-4", "'-4'"), ("1,2,nan", "'nan'"), ("1,2", "''")):
            error = ctl(*options, text=f"x,t_x,T,mean_amount\n1,2,3,4\n{row}\n", code=65)
            self.assertIn("-:3: ", error)
            self.assertIn(words, error)
            out = ctl(*options, "--skip-bad", text=f"x,t_x,T,mean_amount\n{row}\n1,2,3,4\n")
            self.assertEqual(len(out.splitlines()), 2)

    def test_bad_options(self):
        for options, words in ((("--params", "1,2,3"), "four numbers"), (("--params", "1,2,3,0"), "four numbers"),
                               (("--params", "1,2,3,nan"), "four numbers"), ((), "four numbers"),
                               (("--params", "1,2,3,4,5"), "four numbers"),
                               (("--params", "1,1,1,1", "--gamma-gamma", "6,1,15"), "q above 1"),
                               (("--params", "1,1,1,1", "--timer", "1"), "between 0 and 1"),
                               (("--params", "1,1,1,1", "--model", "mgb"), "'mgb'"),
                               (("--params", "1,1,1,1", "--horizon", "-1"), "above 0")):
            self.assertIn(words, ctl("score", "-", *options, text="0,0,1\n", code=64))


def simulated(customers, seed, r, alpha, a, b, days):
    """Transactions of an MBG/NBD population: who buys when, and leaves after which purchase."""
    chance = random.Random(seed)
    rows = ["customer,date,amount"]
    for customer in range(customers):
        rate, leaves = chance.gammavariate(r, 1 / alpha), chance.betavariate(a, b)
        day = first = chance.uniform(0, days / 3)
        mean = 15.44 / chance.gammavariate(3.74, 1)
        while day < days:
            date = (10957 + int(day)) * 86400
            rows.append(f"c{customer},{iso(date)},{max(0.01, chance.gammavariate(6.25, mean)):.2f}")
            if chance.random() < leaves or rate <= 0:
                break
            day += chance.expovariate(rate)
        assert first < days
    return "\n".join(rows) + "\n"


def iso(seconds):
    import datetime
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")


# --- standard errors, anew: the papers' own likelihoods, and a Hessian by second differences ---

def histories(text, until, unit):
    """Counts of (x, t_x, T), and of (paid repeat days, their mean)."""
    import collections
    import datetime
    days = collections.defaultdict(lambda: collections.defaultdict(float))
    end = datetime.date.fromisoformat(until).toordinal()
    for line in text.splitlines()[1:]:
        customer, date, amount = line.split(",")
        day = datetime.date.fromisoformat(date).toordinal()
        if day <= end:
            days[customer][day] += float(amount)
    buying, spend = collections.Counter(), collections.Counter()
    for bought in days.values():
        first, last = min(bought), max(bought)
        buying[len(bought) - 1, (last - first) / unit, (end - first) / unit] += 1
        paid = [amount for day, amount in bought.items() if day > first and amount > 0]
        if paid:
            spend[len(paid), sum(paid) / len(paid)] += 1
    return buying, spend


def legendre(n):
    """Nodes and weights of Gauss and Legendre on (0, 1)."""
    for i in range(n):
        x = math.cos(math.pi * (i + .75) / (n + .5))
        for _ in range(30):
            p, q = 1.0, 0.0
            for k in range(n):
                p, q = ((2 * k + 1) * x * p - k * q) / (k + 1), p
            slope = n * (x * p - q) / (x * x - 1)
            x -= p / slope
        yield (1 + x) / 2, 1 / ((1 - x * x) * slope * slope)


NODES = list(legendre(32))
lb = lambda p, q: math.lgamma(p) + math.lgamma(q) - math.lgamma(p + q)


def ln_mbg(theta, cell):
    (r, alpha, a, b), (x, t_x, T) = theta, cell
    common = math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha) - lb(a, b)
    gone = lb(a + 1, b + x) - (r + x) * math.log(alpha + t_x)
    alive = lb(a, b + x + 1) - (r + x) * math.log(alpha + T)
    return common + alive + math.log1p(math.exp(gone - alive))


def ln_bg(theta, cell):
    (r, alpha, a, b), (x, t_x, T) = theta, cell
    common = math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha) - lb(a, b)
    alive = lb(a, b + x) - (r + x) * math.log(alpha + T)
    if x == 0:
        return common + alive
    gone = lb(a + 1, b + x - 1) - (r + x) * math.log(alpha + t_x)
    return common + alive + math.log1p(math.exp(gone - alive))


def ln_pareto(theta, cell):
    (r, alpha, s, beta), (x, t_x, T) = theta, cell
    alive = (alpha + T) ** -(r + x) * (beta + T) ** -s
    low, high, gone = math.log(alpha + t_x), math.log(alpha + T), 0.0
    for node, weight in NODES:
        at = math.exp(low + node * (high - low))  # alpha + the time of leaving
        gone += weight * (high - low) * at * at ** -(r + x) * (beta - alpha + at) ** -(s + 1)
    return (math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha) + s * math.log(beta) + math.log(alive + s * gone))


def ln_gg(theta, cell):
    (p, q, gamma), (x, mean) = theta, cell
    return (math.lgamma(p * x + q) - math.lgamma(p * x) - math.lgamma(q) + q * math.log(gamma) + (p * x - 1) * math.log(mean)
            + p * x * math.log(x) - (p * x + q) * math.log(gamma + mean * x))


def standard_errors(density, theta, cells):
    step, n = 1e-3, len(theta)

    def at(*moves):
        u = [math.log(value) for value in theta]
        for i, move in moves:
            u[i] += move
        moved = [math.exp(value) for value in u]
        return sum(count * density(moved, cell) for cell, count in cells.items())

    middle = at()
    rows = [[0.0] * n + [float(i == j) for j in range(n)] for i in range(n)]
    for i in range(n):
        rows[i][i] = -(at((i, step)) - 2 * middle + at((i, -step))) / step ** 2
        for j in range(i):
            rows[i][j] = rows[j][i] = -sum(a * b * at((i, a * step), (j, b * step)) for a in (1, -1) for b in (1, -1)
                                           ) / (4 * step * step)
    for i in range(n):  # Gauss and Jordan
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(n):
            if j != i:
                rows[j] = [left - rows[j][i] * right for left, right in zip(rows[j], rows[i])]
    return middle, [theta[i] * math.sqrt(rows[i][n + i]) for i in range(n)]


class Fit(unittest.TestCase):
    def check_errors(self, text, until, unit, models):
        cells, spend = histories(text, until, 7 if unit == "week" else 1)
        for model, density in models:
            fitted = json.loads(ctl("fit", "-", "--until", until, "--unit", unit, "--model", model, "--json", text=text))
            for result, how, data_cells in ((fitted, density, cells), (fitted["gamma_gamma"], ln_gg, spend)):
                loglik, errors = standard_errors(how, list(result["parameters"].values()), data_cells)
                self.assertLess(abs(result["loglik"] / loglik - 1), 1e-9, model)
                for got, truth in zip(result["standard_errors"].values(), errors):
                    self.assertLess(abs(got / truth - 1), 2e-3, (model, result["standard_errors"], errors))

    def test_standard_errors_are_those_of_an_independent_hessian(self):
        self.check_errors(simulated(1500, 3, 0.8, 60.0, 0.9, 2.0, 700), "2001-11-30", "day", (("mbg", ln_mbg),))

    def test_cdnow_standard_errors_are_those_of_an_independent_hessian(self):
        with open(data("cdnow_sample.csv"), encoding="utf-8") as file:
            self.check_errors(file.read(), "1997-09-30", "week", (("mbg", ln_mbg), ("bg", ln_bg), ("pareto", ln_pareto)))

    def test_a_simulated_population_gives_its_parameters_back(self):
        truth = {"r": 0.8, "alpha": 60.0, "a": 0.9, "b": 2.0}
        fitted = json.loads(ctl("fit", "-", "--until", "2003-12-31", "--json",
                                text=simulated(4000, 7, *truth.values(), 1460)))
        self.assertEqual(fitted["verdict"], "ok")
        for name, value in truth.items():  # days are whole and same-day purchases one: a little bias is theirs
            self.assertLess(abs(math.log(fitted["parameters"][name] / value)),
                            4 * fitted["standard_errors"][name] / value + 0.05, name)
        for name, value in (("p", 6.25), ("q", 3.74), ("gamma", 15.44)):
            got = fitted["gamma_gamma"]
            self.assertLess(abs(got["parameters"][name] - value), 4 * got["standard_errors"][name], name)
        self.assertEqual(fitted["configuration"]["mbg_alpha"], fitted["parameters"]["alpha"])
        self.assertIs(fitted["configuration"]["calibrated"], True)

    def test_weeks_are_days_by_seven(self):
        text = simulated(1500, 3, 0.8, 60.0, 0.9, 2.0, 700)
        day, week = (json.loads(ctl("fit", "-", "--unit", unit, "--json", text=text)) for unit in ("day", "week"))
        self.assertLess(abs(week["parameters"]["alpha"] * 7 / day["parameters"]["alpha"] - 1), 1e-4)
        self.assertLess(abs(week["configuration"]["mbg_alpha"] / day["configuration"]["mbg_alpha"] - 1), 1e-4)

    def test_a_prior_pulls_to_the_defaults(self):
        text = simulated(1500, 3, 0.8, 60.0, 0.9, 2.0, 700)
        free = json.loads(ctl("fit", "-", "--json", text=text))
        before = free["parameters"]["r"]
        for deviation in (10, 0.5, 0.05, 0.002):
            told = json.loads(ctl("fit", "-", "--json", "--prior", repr(deviation), text=text))
            self.assertEqual(told["prior_deviation"], deviation)
            self.assertLessEqual(told["loglik"], free["loglik"] + 1e-6)  # told without the prior
            self.assertLessEqual(told["parameters"]["r"], before + 1e-4)
            before = told["parameters"]["r"]
        for name, default in (("r", 0.525), ("alpha", 43.281), ("a", 0.891), ("b", 1.614)):
            self.assertLess(abs(told["parameters"][name] / default - 1), 0.02)
        week = json.loads(ctl("fit", "-", "--json", "--unit", "week", "--prior", "0.002", text=text))
        self.assertLess(abs(week["parameters"]["alpha"] * 7 / 43.281 - 1), 0.02)
        cohort = "".join(f"{n}\n" for n in (1000, 869, 743, 653, 593, 551, 517, 491))
        told = json.loads(ctl("fit", "-", "--model", "sbg", "--prior", "0.001", "--json", text=cohort))
        self.assertLess(abs(told["parameters"]["alpha"] / 0.704 - 1), 0.01)
        self.assertIn("--prior", ctl("fit", "-", "--prior", "-1", text=text, code=64))

    def test_too_few_repeat_buyers_are_refused(self):
        rows = "".join(f"c{i},2025-01-0{1 + i % 9},5\nc{i},2025-03-{10 + i % 9},5\n" for i in range(99))
        out = json.loads(subprocess.run([BIN, "fit", "-", "--json"], input=rows, capture_output=True, text=True).stdout)
        self.assertEqual(out["verdict"], "too-few")
        self.assertTrue(out["reason"] and out["help"])
        self.assertEqual(out["configuration"], {})

    def test_a_population_that_never_leaves_is_refused(self):
        text = simulated(3000, 5, 0.8, 60.0, 1e-9, 1e3, 700)
        run = subprocess.run([BIN, "fit", "-", "--json"], input=text, capture_output=True, text=True)
        self.assertEqual(run.returncode, 65)
        self.assertEqual(json.loads(run.stdout)["verdict"], "dropout-not-identified")

    def test_cohorts_give_the_published_sbg(self):
        for left, alpha, beta in (((1000, 869, 743, 653, 593, 551, 517, 491), .668, 3.806),
                                  ((1000, 631, 468, 382, 326, 289, 262, 241), .704, 1.182)):
            text = "year,survivors\n" + "".join(f"{year},{n}\n" for year, n in enumerate(left))
            fitted = json.loads(ctl("fit", "-", "--model", "sbg", "--json", text=text))["parameters"]
            self.assertEqual((round(fitted["alpha"], 3), round(fitted["beta"], 3)), (alpha, beta))
        self.assertIn("--skip-bad does not go with", ctl("fit", "-", "--model", "sbg", "--skip-bad", text="9\n8\n", code=64))
        self.assertIn("-:3: a cohort cannot grow", ctl("fit", "-", "--model", "sbg", text="9\n8\n10\n", code=65))

    def test_bad_rows_are_told_and_counted(self):
        good = "".join(f"c{i},2025-01-{1 + i % 9:02},5\nc{i},2025-0{3 + i % 3}-{10 + i % 9},5\n" for i in range(120))
        for row, words in (("a,2025-02-30,5", "'2025-02-30'"), ("a,2025-01-01,five", "'five'"), (",2025-01-01,5", "''"),
                           ("a,2025-01-01,-5", "'-5'"), ("a", "''")):
            error = ctl("fit", "-", text="customer,date,amount\n" + row + "\n" + good, code=65)
            self.assertIn("-:2: ", error)
            self.assertIn(words, error)
            run = subprocess.run([BIN, "fit", "-", "--json", "--skip-bad"], text=True, capture_output=True,
                                 input="customer,date,amount\n" + row + "\n" + good)
            self.assertEqual(json.loads(run.stdout)["bad_rows"], 1)
        self.assertIn("no transactions", ctl("fit", "-", text="customer,date\n", code=65))
        self.assertIn("nobody bought", ctl("fit", "-", "--until", "2001-01-01", text="a,2025-01-01,1\n", code=65))

    def test_cdnow_gives_the_published_figures(self):
        for model, figures, loglik in (("bg", (.243, 4.414, .793, 2.426), -9582.4),
                                       ("mbg", (.525, 6.183, .891, 1.614), -9582.1),
                                       ("pareto", (.553, 10.578, .606, 11.669), -9595.0)):
            fitted = json.loads(ctl("fit", data("cdnow_sample.csv"), "--until", "1997-09-30", "--unit", "week", "--model",
                                    model, "--json"))
            self.assertEqual(tuple(round(value, 3) for value in fitted["parameters"].values()), figures)
            self.assertEqual(round(fitted["loglik"], 1), loglik)
            spend = fitted["gamma_gamma"]["parameters"].values()
            self.assertEqual(tuple(round(value, 2) for value in spend), (6.25, 3.74, 15.44))


class Backtest(unittest.TestCase):
    def test_a_simulated_population_is_forecast_well(self):
        text = simulated(3000, 11, 0.8, 60.0, 0.9, 2.0, 1000)
        with tempfile.TemporaryDirectory() as folder:
            svg = os.path.join(folder, "plot.svg")
            out = json.loads(ctl("backtest", "-", "--calibrate-until", "2002-01-31", "--horizon", "180", "--json", "--svg",
                                 svg, text=text))
            self.assertEqual(len(xml.dom.minidom.parse(svg).getElementsByTagName("circle")), 33)
        self.assertTrue(out["identified"])
        by_name = {contestant["name"]: contestant for contestant in out["contestants"]}
        self.assertEqual(list(by_name), ["model", "learned", "learned-going-on", "recency", "rfm-logistic",
                                         "rfm-logistic-hindsight"])
        self.assertNotIn("rmse", by_name["learned"])
        self.assertGreater(out["learned"]["lessons"], 1000)
        model = by_name["model"]
        self.assertLess(abs(model["ratio_of_sums"] - 1), 0.15)
        self.assertLess(model["log_loss"], by_name["recency"]["log_loss"])
        self.assertEqual(sum(one["customers"] for one in model["calibration"]), out["customers"])
        for one in model["calibration"]:
            self.assertLess(abs(one["forecast"] - one["bought"]), 0.08)

    def test_what_cannot_be_backtested_says_why(self):
        rows = "a,2025-01-01,5\nb,2025-01-02,5\na,2025-02-01,5\n"
        for options, words, code in ((("--calibrate-until", "2025-01-15"), "ends on 2025-02-01, 17 days", 65),
                                     (("--calibrate-until", "2025-01-15", "--horizon", "10"), "0 of 2 customers", 65),
                                     (("--calibrate-until", "2025-01-15", "--horizon", "17"), "too-few", 65),
                                     ((), "--calibrate-until DATE is needed", 64),
                                     (("--calibrate-until", "2025-01-15", "--horizon", "0"), "1 to 36525", 64)):
            self.assertIn(words, ctl("backtest", "-", *options, text=rows, code=code))

    def test_cdnow(self):
        out = json.loads(ctl("backtest", data("cdnow_master.csv"), "--calibrate-until", "1997-09-30", "--horizon", "91",
                             "--json"))
        model, learned, going_on = out["contestants"][:3]
        self.assertGreaterEqual(model["auc"], .7675)
        self.assertLessEqual(model["log_loss"], .3905)
        for one in (learned, going_on):  # of which the second is tested before trained on the very same snapshots
            self.assertGreater(one["auc"], model["auc"])
            self.assertLess(one["log_loss"], model["log_loss"])
        self.assertTrue(out["learned"]["in_force"])
        self.assertGreater(out["learned"]["auc"], out["learned"]["auc_model"])
        self.assertLess(out["learned"]["log_loss"], out["learned"]["log_loss_model"])

    def test_online_retail_is_refused_and_runs_when_allowed(self):
        options = (data("online_retail.csv"), "--calibrate-until", "2011-09-02", "--horizon", "98")
        self.assertIn("dropout not identified", ctl("backtest", *options, code=65))
        self.assertIn("NOT IDENTIFIED", ctl("backtest", *options, "--allow-unidentified"))
        out = json.loads(ctl("backtest", *options, "--allow-unidentified", "--json"))
        self.assertFalse(out["identified"])
        self.assertGreaterEqual(out["contestants"][0]["auc"], .7325)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))
