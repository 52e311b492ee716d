/* What workers weigh, as the system counts it (worker.h). */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/port.h"

static bool read_memory(pid_t pid, struct worker_memory *out)
{
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return false;
    struct worker_memory memory = { .pid = pid };
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long long kib;
        if (sscanf(line, "Rss: %llu kB", &kib) == 1) memory.rss_kib = kib;
        else if (sscanf(line, "Pss: %llu kB", &kib) == 1) memory.pss_kib = kib;
        else if (sscanf(line, "Private_Clean: %llu kB", &kib) == 1) memory.private_kib += kib;
        else if (sscanf(line, "Private_Dirty: %llu kB", &kib) == 1) memory.private_kib += kib;
        else if (sscanf(line, "Shared_Clean: %llu kB", &kib) == 1) memory.shared_kib += kib;
        else if (sscanf(line, "Shared_Dirty: %llu kB", &kib) == 1) memory.shared_kib += kib;
    }
    (void)fclose(f);
    if (memory.rss_kib == 0) return false; /* it has ended */
    *out = memory;
    return true;
}

bool worker_port_memory(const struct vat_port *port, const struct vat_machine *m,
                        struct worker_memory *out)
{
    (void)port;
    return m->pid != 0 && read_memory(m->pid, out);
}

/* -- somebody else's ----------------------------------------------------------- */

/* The first bytes of a file of /proc; the NULs in them, and the one behind, are the caller's. */
static size_t read_start(pid_t pid, const char *name, char *out, size_t room)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *f = fopen(path, "re");
    size_t n = f == NULL ? 0 : fread(out, 1, room - 1, f);
    if (f != NULL) (void)fclose(f);
    out[n] = '\0';
    return n;
}

/* A worker's name begins with its vat's ID (spawn_name): "v7:bank".  Where its title could not
 * be set it is an argument. */
static bool is_worker(pid_t pid, vat_id *vat)
{
    char line[4096], name[64];
    size_t n = read_start(pid, "cmdline", line, sizeof line);
    if (memmem(line, n, "zygote-worker", 13) == NULL ||
        read_start(pid, "comm", name, sizeof name) == 0) {
        return false;
    }
    name[strcspn(name, ":\n")] = '\0';
    return vat_id_parse(span_of(name), vat);
}

static void visit_children(const char *path, worker_visit *visit, void *ctx)
{
    FILE *f = fopen(path, "re");
    int pid;
    while (f != NULL && fscanf(f, "%d", &pid) == 1) {
        struct worker_memory memory;
        vat_id vat;
        if (is_worker(pid, &vat) && read_memory(pid, &memory)) visit(ctx, vat, &memory);
    }
    if (f != NULL) (void)fclose(f);
}

void worker_processes(pid_t kernel, worker_visit *visit, void *ctx)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)kernel);
    DIR *d = opendir(path);
    if (d == NULL) return;
    for (struct dirent *t; (t = readdir(d)) != NULL;) {
        int thread = atoi(t->d_name);
        if (thread <= 0) continue;
        (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)kernel, thread);
        visit_children(path, visit, ctx);
    }
    (void)closedir(d);
}
