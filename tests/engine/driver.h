/* driver.h -- a worker as its kernel sees it: start one, send commands, answer upcalls.
 *
 * Works with our worker in every start mode and with the stock binary.  Test code: what
 * cannot fail in a sane world ends the test program (xalloc style); what a worker may do,
 * die for instance, is a return value.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/forkserver.h"
#include "base/netstring.h"

/* Answer one upcall: append what goes behind the '/'. */
typedef void driver_upcall(void *context, struct span question, struct buf *answer);

struct driver {
    pid_t pid;
    int fd; /* both directions; -1 once closed */
    driver_upcall *upcall; /* NULL answers "null" */
    void *context;

    struct netstring_reader reader;
    size_t at, end;
    char bytes[65536];
};

enum { DRIVER_IMAGE_FD = 9, DRIVER_ARGS_MAX = 8 };

/* Start `binary` with fds 3 and 4 connected, stdout and stderr to /dev/null.
 * in  args      up to DRIVER_ARGS_MAX, NULL behind.
 *     image_fd  becomes fd DRIVER_IMAGE_FD there; -1 for none. */
void driver_start(struct driver *d, const char *binary, const char *const *args, int image_fd);
/* The same with stderr going to `stderr_fd`. */
void driver_start_stderr(struct driver *d, const char *binary, const char *const *args,
                         int image_fd, int stderr_fd);

/* Send one command and answer upcalls until its reply comes.
 * out     *reply  the frame, with its first byte; freed by the caller.
 * returns false if the worker is gone. */
bool driver_command(struct driver *d, struct span command, struct buf *reply);
/* The same for text, with a one-letter command in front.  The reply must be '.'. */
void driver_ok(struct driver *d, char command, struct span text, struct buf *reply);

bool driver_send(struct driver *d, struct span frame);
bool driver_read(struct driver *d, struct buf *frame);

/* Behind the \1 of a '.' reply; all behind the first byte if there is none. */
struct span driver_result(const struct buf *reply);
/* A number of the meter in a '.' reply: "compute", "allocate", "currentHeapCount". */
uint64_t driver_meter(const struct buf *reply, const char *name);

/* Close the connection, wait: the exit code, or -signal. */
int driver_stop(struct driver *d);
/* Wait without closing first. */
int driver_wait(struct driver *d);

/* -- fork server -------------------------------------------------------------- */

struct forks {
    pid_t pid;
    int control;
};

void forks_start(struct forks *f, const char *binary);
/* One packet with descriptors; returns the reply's result, or -EPIPE if the server is gone. */
int forks_packet(struct forks *f, const void *bytes, size_t n, const int *fds, int fd_count);
/* A good request.  Returns the result; on success `d` is connected to the new worker. */
int forks_spawn(struct forks *f, struct driver *d, const char *name, int image_fd,
                uint32_t meter_limit);
/* The same with `save_fd` as the worker's fd 7, where `w@7` writes. */
int forks_spawn_save(struct forks *f, struct driver *d, const char *name, int image_fd,
                     int save_fd, uint32_t meter_limit);
int forks_stop(struct forks *f);
