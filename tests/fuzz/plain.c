/* Runs a fuzz target over files and directories, without libFuzzer: the corpus as a test.
 * Linked with one LLVMFuzzerTestOneInput. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs;

static void run_file(const char *path, FILE *f)
{
    size_t n = 0, cap = 1 << 16;
    uint8_t *data = malloc(cap);
    for (size_t got; data != NULL && (got = fread(data + n, 1, cap - n, f)) > 0;) {
        n += got;
        if (n == cap)
            data = realloc(data, cap *= 2);
    }
    /* Exactly as long as it is, for the address sanitizer. */
    uint8_t *exact = data == NULL ? NULL : realloc(data, n == 0 ? 1 : n);
    if (exact == NULL)
        abort();
    fprintf(stderr, "%s\n", path); /* the last line names the input that crashed */
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    inputs++;
}

static int run(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        FILE *f = fopen(path, "rb");
        if (f == NULL) {
            perror(path);
            return -1;
        }
        run_file(path, f);
        fclose(f);
        return 0;
    }
    int rc = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char below[4096];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >=
            (int)sizeof below)
            abort();
        if (run(below) < 0)
            rc = -1;
    }
    closedir(dir);
    return rc;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        if (run(argv[i]) < 0)
            failed++;
    printf("%lu passed, %d failed\n", inputs, failed);
    return failed > 0 || inputs == 0;
}
