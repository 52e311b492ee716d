/* images.h -- the cache of images: hydrated machines as immutable files.
 *
 * An image is named by what it is a function of (its key) and by what is in it (its
 * digest):  KIND-KEY-DIGEST.image, where KEY and DIGEST are 64 hex digits.  So a file tells
 * by itself whether it is whole, and two processes that make the same image at once do no
 * harm.
 *
 * Images are code: who can write one can run code in every vat.  The directory is private
 * (0700, ours), a file is trusted only if it is ours (0600) and its digest is that of its
 * name.  That is looked at once, when a process first opens it; afterwards the descriptor
 * is kept and the path is never used again.  Deleting all images, at any time, costs
 * nothing but time.
 *
 * Where there is no directory, or it cannot be written, images live in sealed memory files
 * and end with the process.
 *
 * Making one:  images_draft -> (a worker writes to draft.fd, and ends) -> images_publish
 *                                                                      or images_abandon
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"

enum { IMAGE_NAME_MAX = 256 }; /* of any file, the NUL included */

struct images;

struct image_key {
    char kind[8];               /* "base", "snap" */
    char hash[SHA256_HEX + 1];
};

struct image_draft {
    int fd;                     /* read and write; -1: none */
    char name[IMAGE_NAME_MAX];  /* in the directory; empty: in memory */
};

/* `dir` may be NULL: memory only.
 * fails  the directory is not ours, or is not a directory. */
int images_open(const char *dir, struct images **out, struct err *e) MUST_CHECK;
void images_close(struct images *im);

/* A read-only descriptor of the image, borrowed until the next call on `im`; -1 if there is
 * none.  A file that is damaged or not ours is reported, and removed. */
int images_find(struct images *im, const struct image_key *key);

/* An image of the key cannot be made: remembered, so that it is not tried at every start. */
void images_give_up(struct images *im, const struct image_key *key);
bool images_given_up(struct images *im, const struct image_key *key);

/* How often, before this call, has the key been asked about? */
unsigned images_seen(struct images *im, const struct image_key *key);

int images_draft(struct images *im, struct image_draft *out, struct err *e) MUST_CHECK;
/* The draft becomes the image of `key`; it is eaten either way.  Nobody may be able to
 * write to it any more.  Returns as images_find(), -1 with `e` on failure. */
int images_publish(struct images *im, const struct image_key *key, struct image_draft *d,
                   struct err *e) MUST_CHECK;
void images_abandon(struct images *im, struct image_draft *d);

/* The image turned out to be no good: forget and remove it. */
void images_discard(struct images *im, const struct image_key *key, const char *why);

/* Digest of a file's bytes, by pages: where a file system keeps holes does not matter.
 * fails  reading failed. */
int image_digest(int fd, char out[SHA256_HEX + 1], struct err *e) MUST_CHECK;
