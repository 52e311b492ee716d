/* forkserver.h -- the blank process that makes workers (base/forkserver.h is its protocol).
 *
 * It holds nothing but its control socket: no machine, no threads, no database.  Forking it
 * copies a few dozen pages, and each worker is as a fresh process.
 */
#pragma once

/* Serve requests on fd 3 until it ends.  Returns the exit code of the calling process, which
 * is the server's or, after a fork, a worker's. */
int forkserver_run(void);
