#!/usr/bin/env python3
"""Shows that every rule of tidy.py can fail: one small tree a rule, with one planted breach, beside its lawful twin.

    self_test.py [CC]
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Put together here, so that tidy.py does not find them in this file.
UNFINISHED = "TO" + "DO"
MACHINE = "/ho" + "me/somebody/tree"


def function(lines):
    """A function of so many lines, its signature and braces counted."""
    return "\nstatic int long_one(void)\n{\n" + "    ;\n" * (lines - 4) + "    return 1;\n}\n"


# rule, path, text that breaches it, lawful text (None: the breach is the path, not the text)
SOURCES = (
    ("include", "base/a.c", '#include "model/event.h"\n', '#include "base/b.h"\n'),
    ("include", "model/a.c", '#include "state/store.h"\n', '#include "base/b.h"\n'),
    ("include", "state/a.c", '#include "pipeline/batch.h"\n', '#include "model/event.h"\n'),
    ("include", "state/a.c", '#include "config/config.h"\n', '#include "state/store.h"\n'),
    ("include", "config/a.c", '#include "state/store.h"\n', '#include "model/params.h"\n'),
    ("include", "pipeline/a.c", '#include "config/config.h"\n', '#include "state/store.h"\n'),
    ("include", "pipeline/a.c", '#include "daemon/log.h"\n', '#include "pipeline/batch.h"\n'),
    ("include", "daemon/a.c", '#include "ctl/table.h"\n', '#include "config/config.h"\n'),
    ("include", "ctl/a.c", '#include "daemon/log.h"\n', '#include "pipeline/batch.h"\n'),
    ("include", "base/a.c", '#include "b.h"\n', '#include "base/b.h"\n'),
    ("adapter", "state/store.c", "#include <hiredis/hiredis.h>\n", "#include <string.h>\n"),
    ("adapter", "config/config.c", "#include <yaml.h>\n", "#include <string.h>\n"),
    ("adapter", "pipeline/worker.c", "#include <librdkafka/rdkafka.h>\n", "#include <string.h>\n"),
    ("adapter", "daemon/loop.c", "#include <librdkafka/rdkafka.h>\n", "#include <string.h>\n"),
    ("adapter", "pipeline/worker.h", "#include <librdkafka/rdkafka.h>\n", "#include <string.h>\n"),
    ("function-length", "base/a.c", function(81), function(80)),
    ("unfinished", "base/a.c", f"/* {UNFINISHED}: the rest */\n", "/* the rest */\n"),
    ("unfinished", "docs/a.md", f"{UNFINISHED} write this\n", "A todo list of the user is fine.\n"),
    ("machine-path", "deploy/a.sh", f"cd {MACHINE}\n", "cd /usr/lib/lifecycled https://example.org/home/page\n"),
    ("typedef", "base/a.h", "typedef struct point point;\n", "struct point;\ntypedef int number;\n"),
    ("unsafe-call", "base/a.c", "    strcpy(to, from);\n", "    strncpy_of(to, from);\n"),
)

# rule, folder, file, code that breaches it, lawful code
SYMBOLS = (
    ("prefix", "state", "cache", "int store_size(void) { return 1; }", "int cache_size(void) { return 1; }"),
    ("prefix", "state", "cache_index", "int index_size(void) { return 1; }", "int cache_size(void) { return 1; }"),
    ("pure-model", "model", "stage", "long time(long *); long stage_of(void) { return time(0); }",
     "double exp(double); double stage_of(double x) { return exp(x); }"),
    ("pure-model", "model", "stage", "void *malloc(unsigned long); void *stage_new(void) { return malloc(9); }",
     "void must_fail(void); void stage_new(void) { must_fail(); }"),
    ("pure-model", "model", "stage", "int rand(void); int stage_any(void) { return rand(); }",
     "int text_any(void); int stage_any(void) { return text_any(); }"),
    ("silent", "pipeline", "batch", "int puts(const char *); int batch_say(void) { return puts(\"a\"); }",
     "int snprintf(char *, unsigned long, const char *, ...);"
     " int batch_say(char *a) { return snprintf(a, 2, \"%d\", 1); }"),
)


def tidy(root, *options):
    run = subprocess.run([sys.executable, os.path.join(HERE, "tidy.py"), root, *options], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def expect(rule, root, breached, *options):
    code, words = tidy(root, *options)
    if code != (1 if breached else 0) or breached != (f": {rule}: " in words):
        sys.exit(f"self-test: {rule} was {'missed' if breached else 'seen where it is kept'}\n{words}")


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
        file.write(text)


def archive_of(root, compiler, stem, code):
    source = os.path.join(root, "objects", stem + ".c")
    member, archive = source + ".o", os.path.join(root, "objects", "lib.a")
    write(root, os.path.relpath(source, root), code + "\n")
    subprocess.run([compiler, "-w", "-fno-builtin", "-c", source, "-o", member], check=True)
    subprocess.run(["ar", "rcs", archive, member], check=True)
    os.unlink(source)
    return archive


def main():
    compiler = sys.argv[1] if len(sys.argv) > 1 else "cc"
    for rule, path, bad, good in SOURCES:
        for text in (bad, good):
            with tempfile.TemporaryDirectory() as root:
                write(root, path, text)
                expect(rule, root, text is bad)
    for rule, folder, stem, bad, good in SYMBOLS:
        for code in (bad, good):
            with tempfile.TemporaryDirectory() as root:
                archive = archive_of(root, compiler, stem, code)
                expect(rule, root, code is bad, "--library", f"{folder}={archive}")
    with tempfile.TemporaryDirectory() as root:
        expect("library", root, True, "--library", f"base={root}/none.a")
        write(root, ".clang-format", "BasedOnStyle: LLVM\n")
        write(root, "base/a.c", "int a ;\n")
        code, words = tidy(root)
        if "the layout is not checked" not in words:
            expect("clang-format", root, True)
            write(root, "base/a.c", "int a;\n")
            expect("clang-format", root, False)
    print(f"self-test: {len(SOURCES) + len(SYMBOLS) + 2} planted breaches were seen, and none in their lawful twins")


if __name__ == "__main__":
    main()
