/* replay CORPUS DICTIONARY: every file as it is, cut at every byte, with every byte replaced by
 * some that matter to the formats, with every bit turned, and with every word of the dictionary
 * (libFuzzer's format) put in and laid over at PLACES of it. Prints how many inputs ran; an empty
 * or missing corpus is a failure. Inputs lie on the heap in their exact size, so that a sanitizer
 * sees a read past the end. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_BYTES_MAX    65536
#define MUTATION_BYTES_MAX 2048 /* larger files are run as they are: the time is quadratic */

#define WORDS_MAX      256
#define WORD_BYTES_MAX 64
#define PLACES         16

static unsigned long inputs;

static struct word {
    uint8_t bytes[WORD_BYTES_MAX];
    size_t len;
} words[WORDS_MAX];
static size_t word_count;

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

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, digit | 0x20);

    MUST(digit && at);
    return (int)(at - digits);
}

/* name="text", with \\ \" and \xNN; # begins a comment. */
static void read_word(const char *line)
{
    const char *at = strchr(line, '"');
    struct word *word = &words[word_count];

    if (line[0] == '#' || line[0] == '\n')
        return;
    MUST(at && word_count < WORDS_MAX);
    for (at++; *at != '"'; at++) {
        MUST(*at && word->len < WORD_BYTES_MAX);
        if (*at == '\\' && at[1] == 'x') {
            word->bytes[word->len++] = (uint8_t)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
            at += 3;
        } else {
            at += *at == '\\';
            word->bytes[word->len++] = (uint8_t)*at;
        }
    }
    MUST(word->len > 0);
    word_count++;
}

static void read_dictionary(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];

    MUST(file);
    while (fgets(line, sizeof line, file))
        read_word(line);
    MUST(fclose(file) == 0);
    MUST(word_count > 0);
}

static void mutate_by_words(const uint8_t *bytes, size_t len)
{
    static uint8_t mixed[MUTATION_BYTES_MAX + WORD_BYTES_MAX];

    for (size_t w = 0; w < word_count; w++) {
        const struct word *word = &words[w];

        for (size_t p = 0; p <= PLACES; p++) {
            size_t at = len * p / PLACES;

            memcpy(mixed, bytes, at);
            memcpy(mixed + at, word->bytes, word->len);
            memcpy(mixed + at + word->len, bytes + at, len - at);
            run(mixed, len + word->len);
            if (at + word->len > len)
                continue;
            memcpy(mixed, bytes, len);
            memcpy(mixed + at, word->bytes, word->len);
            run(mixed, len);
        }
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
    if (len <= MUTATION_BYTES_MAX) {
        mutate_by_words(bytes, len);
        mutate(bytes, len);
    }
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    int files = 0;
    DIR *corpus;

    if (argc != 3 || !(corpus = opendir(argv[1]))) {
        fprintf(stderr, "usage: %s CORPUS (a folder) DICTIONARY\n", argv[0]);
        return 2;
    }
    read_dictionary(argv[2]);
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
