#!/usr/bin/env python3
"""The shape of the code, held by a test (docs/DESIGN.md, docs/HACKING.md).

    tidy.py ROOT [--library FOLDER=ARCHIVE]...

Reads the sources under ROOT and, where given, the symbols of the static libraries. Every breach is one line,
`path:line: rule: words`; the exit code is 1 when there is one. self_test.py shows that every rule can fail.
"""

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys

FOLDERS = ("base", "model", "config", "state", "insight", "pipeline", "daemon", "ctl")

# Includes point left only: base <- model <- state <- pipeline <- daemon; state <- insight <- daemon, ctl;
# model <- config <- daemon, ctl.
MAY_INCLUDE = {
    "base": {"base"},
    "model": {"base", "model"},
    "config": {"base", "model", "config"},
    "state": {"base", "model", "state"},
    "insight": {"base", "model", "state", "insight"},
    "pipeline": {"base", "model", "state", "pipeline"},
    "daemon": {"base", "model", "config", "state", "insight", "pipeline", "daemon"},
    "ctl": {"base", "model", "config", "state", "insight", "pipeline", "ctl"},
}

# A third party's types stay in its adapter.
ADAPTERS = (
    (r"hiredis/", "hiredis", ("state/redis_*.c",)),
    (r"yaml\.h", "libyaml", ("config/yaml.c",)),
    (r"librdkafka/", "librdkafka",
     ("pipeline/kafka_*.[ch]", "ctl/kafka_*.[ch]", "daemon/kafka_*.[ch]", "daemon/embedded.c",
      "daemon/main.c")),
    (r"xxhash\.h", "xxHash", ("base/hash.c",)),
    (r"microhttpd\.h", "libmicrohttpd", ("daemon/*.c",)),
    (r"systemd/", "libsystemd", ("daemon/*.c",)),
    (r"csv\.h", "libcsv", ("ctl/*.c",)),
    (r"lbfgs\.h", "liblbfgs", ("insight/optimum.c",)),
)

FUNCTION_LINES_MAX = 80
CLANG_FORMAT_MAJOR = 14  # other versions lay out differently

# The core is a function of its arguments: no clock, no malloc, no stdio, no randomness, no environment.
MODEL_IMPORTS = re.compile(
    r"^(?:"
    # mathematics, without lgamma, which writes the global signgam
    r"(?:exp|exp2|expm1|log|log2|log10|log1p|pow|sqrt|cbrt|hypot|lgamma_r|tgamma|erf|erfc|fabs|floor|ceil|trunc|round"
    r"|lround|llround|rint|lrint|llrint|nearbyint|fmod|fmin|fmax|frexp|ldexp|scalbn|copysign|nextafter|sinh|cosh|tanh"
    r"|sin|cos|atan|atan2|modf)"
    r"|__(?:exp|log|pow|sqrt|lgamma_r)_finite"
    # memory and strings of known length
    r"|mem(?:cpy|set|cmp|move|chr)|strlen|strcmp|strncmp"
    r"|__mem(?:cpy|set|move)_chk"
    # base
    r"|must_fail|status_name|(?:text|hash|heap)_[a-z0-9_]+"
    # the compiler's own
    r"|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__u?(?:div|mod|mul|divmod)ti[34]|__(?:float|fix)[a-z]*ti[a-z]*"
    r"|__(?:asan|ubsan|tsan|sanitizer|sanitizer_cov|odr_asan)_?[A-Za-z0-9_.]*"
    r"|__start___sancov_[a-z0-9_]+|__stop___sancov_[a-z0-9_]+|__sancov_[a-z0-9_]+|__llvm_[a-z0-9_]+|__gcov_[a-z0-9_]+"
    r")$")

# Only daemon/ and ctl/ print or log; must_fail has the last word of a dying process.
PRINTING = re.compile(r"^(?:stdout|stderr|v?printf|__v?printf_chk|puts|putchar|perror|syslog|sd_journal_[a-z_]+)$")
SILENT_FOLDERS = ("base", "model", "config", "state", "insight", "pipeline")
MAY_PRINT = {("base", "must")}

# The alternation keeps this file from matching itself.
UNFINISHED = re.compile(r"\b(?:T(?:ODO)|F(?:IXME)|H(?:ACK))\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}>*-])/(?:work|home|root|Users)/\w")
UNSAFE_CALL = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|setlocale|rand|srand|"
                         r"gmtime|localtime|ctime|asctime)\s*\(")
STRUCT_TYPEDEF = re.compile(r"^\s*typedef\s+(?:struct|union|enum)\b[^(]*$")  # a function's type may return one
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

TEXT_SUFFIXES = (".c", ".h", ".def", ".py", ".sh", ".cmake", ".md", ".txt", ".yaml", ".yml", ".json", ".service",
                 ".conf", ".lua", ".in", ".awk")
SKIPPED = {".git", "build", ".cache", "__pycache__", "node_modules"}


class Tidy:
    def __init__(self, root):
        self.root = root
        self.breaches = []

    def breach(self, path, line, rule, words):
        self.breaches.append(f"{path}:{line}: {rule}: {words}")

    def files(self, suffixes):
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("build"))
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(folder, name), self.root)

    def lines(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read().split("\n")

    # --- sources

    def check_include(self, path, number, quoted, target):
        folder = path.split("/", 1)[0]
        for pattern, name, owners in ADAPTERS:
            if re.match(pattern, target) and folder in FOLDERS:
                if not any(fnmatch.fnmatch(path, owner) for owner in owners):
                    self.breach(path, number, "adapter", f"{name} is for {', '.join(owners)} only")
        if folder not in FOLDERS or not quoted:
            return
        there = target.split("/", 1)[0]
        if "/" not in target:
            self.breach(path, number, "include", f'"{target}" names no folder')
        elif there not in MAY_INCLUDE[folder]:
            self.breach(path, number, "include", f"{folder}/ may not include {there}/")

    def check_functions(self, path, lines):
        """A function's braces stand in the first column (Linux style); its signature is the lines above."""
        begin = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                begin = number
                while begin > 1 and re.match(r"[^#}/]", lines[begin - 2]) and not lines[begin - 2].endswith((";", "*/")):
                    begin -= 1
            elif line == "}" and begin is not None:
                count = number - begin + 1
                if count > FUNCTION_LINES_MAX:
                    self.breach(path, begin, "function-length", f"{count} lines, at most {FUNCTION_LINES_MAX}")
                begin = None

    def check_c(self, path):
        lines = self.lines(path)
        self.check_functions(path, lines)
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            if include:
                self.check_include(path, number, include[1] == '"', include[2])
            if STRUCT_TYPEDEF.match(line):
                self.breach(path, number, "typedef", "a struct, union or enum keeps its keyword")
            call = UNSAFE_CALL.search(line)
            if call and path.split("/", 1)[0] in FOLDERS:
                self.breach(path, number, "unsafe-call", f"{call[1]} is not used here")

    def check_sources(self):
        for path in self.files((".c", ".h", ".def")):
            self.check_c(path)
        for path in list(self.files(TEXT_SUFFIXES)):
            for number, line in enumerate(self.lines(path), 1):
                if UNFINISHED.search(line):
                    self.breach(path, number, "unfinished", "finish it or leave it out")
                if MACHINE_PATH.search(line):
                    self.breach(path, number, "machine-path", "a path of somebody's machine")

    def check_format(self):
        tool = shutil.which("clang-format")
        if not tool or not os.path.exists(os.path.join(self.root, ".clang-format")):
            print("tidy: no clang-format here: the layout is not checked")
            return
        version = re.search(r"version (\d+)", subprocess.run([tool, "--version"], capture_output=True, text=True).stdout)
        if not version or int(version[1]) != CLANG_FORMAT_MAJOR:
            print(f"tidy: clang-format is not version {CLANG_FORMAT_MAJOR}: the layout is not checked")
            return
        paths = list(self.files((".c", ".h")))
        if not paths:
            return
        run = subprocess.run([tool, "--dry-run", "--style=file"] + paths, cwd=self.root, capture_output=True, text=True)
        seen = set()
        for path, line in re.findall(r"^(\S+?):(\d+):\d+: warning", run.stderr, re.M):
            if path not in seen:
                seen.add(path)
                self.breach(path, line, "clang-format", "run clang-format -i on it")

    # --- symbols

    @staticmethod
    def symbols(archive, *options):
        """(file stem, symbol) of every line that nm prints."""
        run = subprocess.run(["nm", "-A", *options, archive], capture_output=True, text=True, check=True)
        for line in run.stdout.splitlines():
            match = re.match(r"[^:]*:(?:[^:]*/)?([^:/]+?)\.c\.o(?:bj)?:\s*[0-9a-f]*\s+[A-Za-z]\s+(\S+)$", line)
            if match:
                yield match[1], match[2].split("@", 1)[0]

    def check_library(self, folder, archive):
        exported = set()
        for stem, symbol in self.symbols(archive, "-g", "--defined-only"):
            exported.add(symbol)
            first = stem.split("_", 1)[0]
            if first.endswith("s") and symbol.startswith(first[:-1] + "_"):
                continue  # rules.c holds many of rule_*
            if symbol != stem and not symbol.startswith((first + "_", "__")):
                self.breach(f"{folder}/{stem}.c", 1, "prefix", f"exports {symbol}, not {first}_*")
        for stem, symbol in self.symbols(archive, "-u"):
            if symbol in exported:
                continue
            if folder == "model" and not MODEL_IMPORTS.match(symbol):
                self.breach(f"{folder}/{stem}.c", 1, "pure-model", f"imports {symbol}")
            if folder in SILENT_FOLDERS and PRINTING.match(symbol) and (folder, stem) not in MAY_PRINT:
                self.breach(f"{folder}/{stem}.c", 1, "silent", f"imports {symbol}; only daemon/ and ctl/ print")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--library", action="append", default=[], metavar="FOLDER=ARCHIVE")
    options = parser.parse_args()
    tidy = Tidy(options.root)
    tidy.check_sources()
    tidy.check_format()
    for library in options.library:
        folder, archive = library.split("=", 1)
        if not os.path.exists(archive):
            tidy.breach(archive, 1, "library", f"lc_{folder} is not built")
            continue
        tidy.check_library(folder, archive)
    for breach in tidy.breaches:
        print(breach)
    print(f"tidy: {len(tidy.breaches)} breaches")
    return 1 if tidy.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
