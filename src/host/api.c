/* api.c -- zygote.h: handles, errors, opening and closing. */
#include "host/api.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "host/paths.h"

_Static_assert(ZYGOTE_FAILED == (int)EXIT_FAILED && ZYGOTE_MISUSE == (int)EXIT_USAGE &&
                   ZYGOTE_NOT_FOUND == (int)EXIT_NOT_FOUND && ZYGOTE_VAT == (int)EXIT_VAT &&
                   ZYGOTE_INTEGRITY == (int)EXIT_INTEGRITY &&
                   ZYGOTE_BUSY == (int)EXIT_BUSY &&
                   ZYGOTE_UNREACHABLE == (int)EXIT_UNREACHABLE &&
                   ZYGOTE_INCOMPATIBLE == (int)EXIT_INCOMPATIBLE &&
                   ZYGOTE_REFUSED == (int)EXIT_POLICY,
               "the kinds of zygote.h are the exit codes");

const char *zygote_version(void)
{
    return ZYGOTE_VERSION;
}

void zygote_free(void *memory)
{
    free(memory);
}

void zygote_set_log(void (*log)(void *self, const char *text, size_t length), void *self)
{
    log_divert(log, self);
}

/* -- a call ------------------------------------------------------------------------ */

static int refuse(struct zygote *z, const char *why)
{
    return err_set(&z->err, EXIT_USAGE, "%s", why);
}

static int check(struct zygote *z, enum api_need need)
{
    if (z->inside)
        return refuse(z, "a callback may not call in with the handle that called it");
    if (z->controller == NULL)
        return refuse(z, "the store is not open");
    if (need == API_LOOK)
        return 0;
    if (z->options.read_only)
        return refuse(z, "the store is open for looking only");
    if (need == API_COMMIT ? z->spoiled : z->ended) {
        z->err = z->why_ended;
        return -1;
    }
    return 0;
}

bool api_enter(struct zygote *z, enum api_need need)
{
    if (z == NULL || !pthread_equal(z->thread, pthread_self()) || check(z, need) != 0)
        return false;
    z->err = (struct err){ 0 };
    z->inside = true;
    return true;
}

int api_refused(const struct zygote *z)
{
    /* Another thread's error is not ours to write down. */
    return z == NULL || !pthread_equal(z->thread, pthread_self()) ? ZYGOTE_MISUSE
                                                                  : (int)z->err.exit;
}

int api_leave(struct zygote *z, int failed)
{
    z->inside = false;
    arena_reset(&z->arena);
    if (z->options.read_only && z->controller != NULL)
        store_forget(controller_store(z->controller));
    if (!failed)
        z->err = (struct err){ 0 }; /* a callback may have been refused meanwhile */
    return (int)z->err.exit;
}

int api_leave_run(struct zygote *z, int failed)
{
    if (failed) {
        z->ended = true;
        z->why_ended = z->err;
    }
    return api_leave(z, failed);
}

const char *zygote_error(const struct zygote *z)
{
    return z == NULL ? "there is no handle" : z->err.text;
}

enum zygote_kind zygote_error_kind(const struct zygote *z)
{
    return z == NULL ? ZYGOTE_MISUSE : (enum zygote_kind)z->err.exit;
}

/* -- opening ----------------------------------------------------------------------- */

static const char *keep(struct zygote *z, const char *text)
{
    return text == NULL ? NULL : arena_copy(&z->kept, span_of(text)).p;
}

static struct zygote *new_handle(const struct zygote_options *given)
{
    struct zygote *z = xcalloc(1, sizeof *z);
    z->thread = pthread_self();
    arena_init(&z->kept);
    arena_init(&z->arena);
    if (given != NULL)
        z->options = *given;
    struct zygote_options *o = &z->options;
    o->worker = keep(z, o->worker);
    o->cache = keep(z, o->cache);
    o->archive_snapshots = keep(z, o->archive_snapshots);
    o->archive_transcripts = keep(z, o->archive_transcripts);
    return z;
}

static int open_store(struct zygote *z, const char *dir)
{
    const struct zygote_options *o = &z->options;
    z->devices = api_devices(z);
    struct controller_options co = {
        .worker = o->worker,
        .cache = o->cache,
        .max_vats_online = o->max_vats_online,
        .store = { .prune_transcripts = o->prune_transcripts,
                   .keep_snapshots = o->keep_snapshots,
                   .archive_snapshots = o->archive_snapshots,
                   .archive_transcripts = o->archive_transcripts,
                   .on_export = o->export_data != NULL ? api_export_data : NULL,
                   .export_ctx = z },
    };
    if (api_open_slog(z) != 0)
        return -1;
    struct controller_sink sink = api_sink(z);
    sink.devices = &z->devices;
    enum controller_mode mode = o->read_only ? CONTROLLER_LOOK : CONTROLLER_WRITE;
    if (z->slogger != NULL)
        slogger_init(z->slogger, false);
    if (controller_open_with(dir, mode, &co, &sink, &z->controller, &z->err) != 0)
        return -1;
    z->kernel = controller_kernel(z->controller);
    if (z->slogger != NULL)
        slogger_init(z->slogger, true);
    return 0;
}

int zygote_open(const char *dir, const struct zygote_options *options, struct zygote **out)
{
    struct zygote *z = *out = new_handle(options);
    z->inside = true;
    int failed = dir == NULL ? refuse(z, "no directory is given") : open_store(z, dir);
    z->options.slog_file = NULL; /* lasted as long as this call */
    return api_leave(z, failed);
}

static int create_store(struct zygote *z, const char *dir, const char *config_file)
{
    const struct zygote_options *o = &z->options;
    struct config_options co = { .bundles_dir = o->bundles, .argc = o->argc,
                                 .argv = o->argv };
    struct config config;
    kref bootstrap;
    if (dir == NULL || config_file == NULL)
        return refuse(z, "no directory or no config file is given");
    if (o->read_only)
        return refuse(z, "a store cannot be made for looking only");
    if ((co.bundles_dir == NULL && paths_bundles(&z->arena, &co.bundles_dir, &z->err) != 0) ||
        config_load(&z->arena, config_file, &co, &config, &z->err) != 0 ||
        controller_create(dir, &config, &bootstrap, &z->err) != 0)
        return -1;
    return open_store(z, dir);
}

int zygote_create(const char *dir, const char *config, const struct zygote_options *options,
                  struct zygote **out)
{
    struct zygote *z = *out = new_handle(options);
    z->inside = true;
    int failed = create_store(z, dir, config);
    z->options.bundles = NULL; /* lasted as long as this call */
    z->options.slog_file = NULL;
    z->options.argv = NULL;
    return api_leave(z, failed);
}

bool zygote_exists(const char *dir)
{
    return dir != NULL && controller_exists(dir);
}

void zygote_close(struct zygote *z)
{
    if (z == NULL)
        return;
    z->inside = true; /* for what a worker's last words call */
    controller_close(z->controller);
    slogger_close(z->slogger);
    api_forget_forks(z);
    arena_fini(&z->kept);
    arena_fini(&z->arena);
    free(z);
}

int zygote_commit(struct zygote *z)
{
    if (!api_enter(z, API_COMMIT))
        return api_refused(z);
    int failed = controller_commit(z->controller, &z->err);
    z->spoiled = z->spoiled || failed != 0;
    if (z->slogger != NULL)
        slogger_flush(z->slogger);
    return api_leave_run(z, failed);
}
