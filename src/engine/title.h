/* title.h -- what ps shows for a process. */
#pragma once

/* Remember where the argument strings lie.
 * call  first thing in main(); moves the environment, whose room a title may need. */
void title_init(int argc, char **argv);

/* Show "zygote-worker: NAME" as the command line, and the start of NAME as the command.
 * Longer names than the room of the first arguments and environment are cut. */
void title_set(const char *name);
