/* memvfs.h -- a disk in memory that can lose power.
 *
 * Registered as SQLite's default VFS under the name "mem".  Files are named by their
 * path; nothing touches the real disk.  A write that was not followed by a sync of its
 * file is kept, dropped or garbled by memvfs_power_cut(), sector by sector, as the seed
 * says.  One process, one connection at a time.
 *
 *     memvfs_install();
 *     … a store is open …
 *     memvfs_freeze();          nothing written from here on counts
 *     store_close(s);
 *     memvfs_power_cut(seed);   what the disk holds now
 *     store_open(…)
 *
 * memvfs_countdown(n) makes the n-th write or sync from now fail with an I/O error, and
 * every one after it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void memvfs_install(void);
void memvfs_uninstall(void);
/* Delete all files. */
void memvfs_clear(void);
void memvfs_freeze(void);
void memvfs_power_cut(uint64_t seed);
/* 0: never. */
void memvfs_countdown(unsigned n);
/* Writes and syncs so far. */
unsigned memvfs_steps(void);
