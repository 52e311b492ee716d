#include "engine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/heap_format.h"
#include "engine/hosts.h"
#include "engine/image.h"

#define SIGNATURE HEAP_SIGNATURE
static_assert(HEAP_XS_MAJOR == XS_MAJOR_VERSION && HEAP_XS_MINOR == XS_MINOR_VERSION &&
                  HEAP_XS_PATCH == XS_PATCH_VERSION && HEAP_SLOT_BYTES == sizeof(txSlot),
              "base/heap_format.h says what this XS writes");
#define NAME      "xsnap"

/* A snapshot shows if a compiler lacks the checked arithmetic builtins. */
#ifndef __has_builtin
#error "a compiler with __has_builtin is needed (gcc 10 or later)"
#endif

/* The stock worker's: part of every snapshot. */
static const xsCreation creation_default = {
    .initialChunkSize = 32 * 1024 * 1024,
    .incrementalChunkSize = 4 * 1024 * 1024,
    .initialHeapCount = 256 * 1024,
    .incrementalHeapCount = 128 * 1024,
    .stackCount = 4096,
    .initialKeyCount = 32000,
    .incrementalKeyCount = 8000,
    .nameModulo = 1993,
    .symbolModulo = 127,
    .parserTableModulo = 1993,
};

struct stream {
    FILE *file;
    int bytes;
};

/* An errno for XS, never 0: a short read at the end of a file sets none. */
static int stream_error(void)
{
    return errno != 0 ? errno : EIO;
}

static int stream_read(void *stream, void *address, size_t size)
{
    struct stream *s = stream;
    errno = 0;
    return size == 0 || fread(address, size, 1, s->file) == 1 ? 0 : stream_error();
}

static int stream_write(void *stream, void *address, size_t size)
{
    struct stream *s = stream;
    errno = 0;
    if (size != 0 && fwrite(address, size, 1, s->file) != 1) return stream_error();
    s->bytes += (int)size;
    return 0;
}

static txSnapshot snapshot_of(struct stream *stream)
{
    return (txSnapshot){
        .signature = (char *)(uintptr_t)SIGNATURE,
        .signatureLength = sizeof SIGNATURE - 1,
        .callbacks = hosts_callbacks,
        .callbacksLength = HOSTS_CALLBACKS,
        .read = stream_read,
        .write = stream_write,
        .stream = stream,
    };
}

/* "@7:note" is a duplicate of descriptor 7, anything else a path. */
static FILE *open_stream(const char *path, const char *fd_mode, const char *path_mode)
{
    if (path[0] != '@') return fopen(path, path_mode);
    int fd = fcntl(atoi(path + 1), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return NULL;
    FILE *file = fdopen(fd, fd_mode);
    if (file == NULL) close(fd);
    return file;
}

static struct image_params params(void)
{
    return (struct image_params){
        .slot_bytes = sizeof(txSlot),
        .machine_bytes = sizeof(txMachine),
        .callbacks = HOSTS_CALLBACKS,
        .xs_version = { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 },
        .signature = SIGNATURE,
    };
}

static int begin_memory(void)
{
    if (memory_reserve() != 0) return -1;
    memory_init();
    return 0;
}

xsMachine *machine_create(int parser_bytes)
{
    if (begin_memory() != 0) return NULL;
    xsCreation creation = creation_default;
    creation.parserBufferSize = parser_bytes;
    fxInitializeSharedCluster();
    xsMachine *the = xsCreateMachine(&creation, (char *)(uintptr_t)NAME, NULL);
    if (the == NULL) return NULL;
    memory_control()->machine = (uint64_t)the;
    hosts_install(the);
    return the;
}

xsMachine *machine_read(const char *path, int *error)
{
    if (begin_memory() != 0) {
        *error = errno;
        return NULL;
    }
    struct stream stream = { .file = open_stream(path, "rb", "rbe") };
    if (stream.file == NULL) {
        *error = errno;
        return NULL;
    }
    txSnapshot snapshot = snapshot_of(&stream);
    fxInitializeSharedCluster();
    xsMachine *the = fxReadSnapshot(&snapshot, (char *)(uintptr_t)NAME, NULL);
    fclose(stream.file);
    *error = snapshot.error != 0 ? snapshot.error : the == NULL ? EINVAL : 0;
    if (*error != 0) return NULL;
    memory_control()->machine = (uint64_t)the;
    return the;
}

int machine_adopt(int fd, xsMachine **machine, struct err *e)
{
    struct image_params expect = params();
    if (image_map(fd, &expect, e)) return -1;
    fxInitializeSharedCluster();
    xsMachine *the = (xsMachine *)memory_control()->machine;
    the->stackLimit = fxCStackLimit();
    *machine = the;
    return 0;
}

int machine_write(xsMachine *the, const char *path, int *bytes)
{
    struct stream stream = { .file = open_stream(path, "ab", "wbe") };
    if (stream.file == NULL) return errno;
    txSnapshot snapshot = snapshot_of(&stream);
    fxWriteSnapshot(the, &snapshot);
    if (fclose(stream.file) != 0 && snapshot.error == 0) snapshot.error = errno;
    *bytes = stream.bytes;
    return snapshot.error;
}

/* The words that depend on the process, see machine.h. */
struct process_words {
    char *stack_limit;
    txJump *first_jump;
    txBoolean (*meter_callback)(txMachine *, txU4);
    txU4 meter_count, meter_index, meter_interval;
};

static void exchange_process_words(xsMachine *the, struct process_words *w)
{
    struct process_words now = {
        the->stackLimit,    the->firstJump,  the->meterCallback,
        the->meterCount,    the->meterIndex, the->meterInterval,
    };
    the->stackLimit = w->stack_limit;
    the->firstJump = w->first_jump;
    the->meterCallback = w->meter_callback;
    the->meterCount = w->meter_count;
    the->meterIndex = w->meter_index;
    the->meterInterval = w->meter_interval;
    *w = now;
}

static int open_image(const char *path, struct err *e)
{
    int fd = path[0] == '@' ? fcntl(atoi(path + 1), F_DUPFD_CLOEXEC, 0)
                            : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(e, "%s", path) : fd;
}

int machine_save(xsMachine *the, const char *path, uint64_t *bytes, struct err *e)
{
    struct image_params own = params();
    struct process_words words = { 0 };
    int fd = open_image(path, e);
    if (fd < 0) return -1;
    exchange_process_words(the, &words);
    int result = image_write(fd, &own, bytes, e);
    exchange_process_words(the, &words);
    if (close(fd) != 0 && result == 0) result = err_sys(e, "%s", path);
    return result == 0 ? 0 : err_while(e, "cannot write image %s", path);
}
