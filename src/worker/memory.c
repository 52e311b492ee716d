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

/* The vat's ID is the first of a worker's name (spawn_name), "v7:bank", which one from the fork
 * server has as its title, "zygote-worker: v7:bank", and another as its first argument. */
static bool is_worker(pid_t pid, vat_id *vat)
{
    static const char program[] = "zygote-worker";
    char path[64], line[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    FILE *f = fopen(path, "re");
    size_t n = f == NULL ? 0 : fread(line, 1, sizeof line - 1, f);
    if (f != NULL) (void)fclose(f);
    line[n] = '\0';
    const char *name = memmem(line, n, program, sizeof program - 1);
    if (name == NULL) return false;
    name += sizeof program - 1;
    name += strncmp(name, ": ", 2) == 0 ? 2 : 1; /* a title, or a NUL and an argument */
    return name < line + n && vat_id_parse((struct span){ name, strcspn(name, ":") }, vat);
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
