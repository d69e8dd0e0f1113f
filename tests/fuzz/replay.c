/* replay CORPUS: every file as it is, cut at every byte, with every byte replaced by some that
 * matter to the formats, and with every bit turned. Prints how many inputs ran; an empty or missing
 * corpus is a failure. Inputs lie on the heap in their exact size, so that a sanitizer sees a read
 * past the end. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_BYTES_MAX    65536
#define MUTATION_BYTES_MAX 2048 /* larger files are run as they are: the time is quadratic */

static unsigned long inputs;

static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    MUST(copy);
    memcpy(copy, bytes, len);
    MUST(LLVMFuzzerTestOneInput(copy, len) == 0);
    free(copy);
    inputs++;
}

static void mutate(uint8_t *bytes, size_t len)
{
    static const uint8_t telling[] = {0x00, '"',  '\\', '{',  '}',  '[',  ',',  '0',  '-',
                                      0x80, 0xc0, 0xc1, 0xcb, 0xd9, 0xdb, 0xdd, 0xdf, 0xff};

    for (size_t cut = 0; cut < len; cut++)
        run(bytes, cut);
    for (size_t i = 0; i < len; i++) {
        uint8_t kept = bytes[i];

        for (size_t t = 0; t < sizeof(telling); t++) {
            bytes[i] = telling[t];
            run(bytes, len);
        }
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (uint8_t)(kept ^ 1 << bit);
            run(bytes, len);
        }
        bytes[i] = kept;
    }
}

static void replay(const char *path)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    size_t len;

    MUST(file);
    len = fread(bytes, 1, sizeof(bytes), file);
    MUST(fclose(file) == 0);
    MUST(len < sizeof(bytes));
    run(bytes, len);
    if (len <= MUTATION_BYTES_MAX)
        mutate(bytes, len);
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    int files = 0;
    DIR *corpus;

    if (argc != 2 || !(corpus = opendir(argv[1]))) {
        fprintf(stderr, "usage: %s CORPUS (a folder)\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(corpus))) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        MUST(snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name) < (int)sizeof(path));
        replay(path);
        files++;
    }
    closedir(corpus);
    printf("%d files, %lu inputs\n", files, inputs);
    return files > 0 ? 0 : 1;
}
