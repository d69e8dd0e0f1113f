#!/usr/bin/env python3
"""Docs and rules know every fault: no servers.

- docs/OPERATIONS.md has the section each fault names, and it has the words and alarms that the fault has to show;
- every alert rule goes off in a drill or in the tests of the rules (lifecycled.rules.test.yml).
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster  # noqa: E402, F401  (puts tests/lib and tests/integration on the path)
from alarms import RULES  # noqa: E402
from catalogue import FAULTS  # noqa: E402
from harness import ROOT  # noqa: E402


def sections(text):
    """Heading to text, of the third level."""
    parts = re.split(r"^### (.*)$", text, flags=re.M)
    return {h.strip(): re.split(r"^## ", body, flags=re.M)[0] for h, body in zip(parts[1::2], parts[2::2])}


def words_of(fault):
    """The literal codes, metrics and alarms an operator is promised. Of alternatives one has to be named."""
    for pattern in fault.log + fault.ready:
        for codes in re.findall(r"(?:code=|503 )\(?([a-z|-]+)", pattern):
            yield [c.strip("-") for c in codes.split("|") if c.strip("-")]
    for metric in fault.metrics:
        yield [re.sub(r"\{.*", "", metric)]
    for alarm in fault.alarms:
        yield [alarm]


def main():
    with open(os.path.join(ROOT, "docs/OPERATIONS.md")) as f:
        pages = sections(f.read())
    wrong = []
    for fault in FAULTS:
        page = pages.get(fault.page)
        if page is None:
            wrong.append(f"{fault.name}: docs/OPERATIONS.md has no section \"{fault.page}\"")
            continue
        for words in words_of(fault):
            if not any(w in page for w in words):
                wrong.append(f"{fault.name}: \"{fault.page}\" does not name {' or '.join(words)}")
    with open(RULES) as f:
        rules = re.findall(r"- alert: (\w+)", f.read())
    with open(RULES.replace(".yml", ".test.yml")) as f:
        tested = set(re.findall(r"alertname: (\w+)", f.read()))
    drilled = {a for fault in FAULTS for a in fault.alarms}
    wrong += [f"{a}: no fault and no test of the rules raises it" for a in rules if a not in tested | drilled]
    wrong += [f"{a}: is no rule" for a in sorted(tested | drilled) if a not in rules]
    print("\n".join(wrong) or f"{len(FAULTS)} faults, {len(rules)} rules: {len(drilled)} go off in drills, {len(tested)} in tests of the rules")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
