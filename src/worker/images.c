#include "worker/images.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "worker/process.h"

enum {
    ENTRIES_MAX = 256, /* each may hold a descriptor */
    /* A draft nobody finished, an hour after its last write: its maker died. */
    DRAFT_STALE_S = 3600,
};

#define DRAFT_PREFIX "draft-"

/* What this process knows of one key.  A descriptor, once there, is of a verified file. */
struct entry {
    struct image_key key;      /* kind empty: free */
    char name[IMAGE_NAME_MAX]; /* in the directory; empty: in memory */
    int fd;                    /* -1: not opened yet */
    unsigned seen;
    bool given_up;
    uint64_t used;             /* tick of the last use; the oldest makes room */
};

struct images {
    char *path; /* NULL: memory only */
    int dir;    /* -1: not there (any more) */
    uint64_t tick;
    uint64_t drafts;
    struct entry entries[ENTRIES_MAX];
};

/* -- the directory ------------------------------------------------------------ */

static int make_directories(const char *path)
{
    char *copy = xstrdup(path);
    for (char *p = copy + 1; *p != '\0'; p++) {
        if (*p != '/') continue;
        *p = '\0';
        (void)mkdir(copy, 0700); /* what matters is whether the last one can be opened */
        *p = '/';
    }
    int result = mkdir(copy, 0700);
    free(copy);
    return result;
}

static int open_directory(const char *path, struct err *e)
{
    (void)make_directories(path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "image directory %s", path);
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid()) {
        (void)close(fd);
        return err_set(e, EXIT_POLICY, "image directory %s belongs to somebody else", path);
    }
    if ((st.st_mode & 077) != 0) {
        log_warn("image directory %s was open to others (mode %03o); made private", path,
                 (unsigned)st.st_mode & 0777);
        if (fchmod(fd, 0700) != 0) {
            (void)err_sys(e, "image directory %s", path);
            (void)close(fd);
            return -1;
        }
    }
    return fd;
}

static DIR *list_directory(const struct images *im)
{
    int fd = im->dir < 0 ? -1 : openat(im->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL && fd >= 0) (void)close(fd);
    return d;
}

static void remove_stale_drafts(const struct images *im)
{
    DIR *d = list_directory(im);
    if (d == NULL) return;
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        struct stat st;
        if (span_starts(span_of(f->d_name), SPAN(DRAFT_PREFIX)) &&
            fstatat(im->dir, f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < time(NULL) - DRAFT_STALE_S) {
            (void)unlinkat(im->dir, f->d_name, 0);
        }
    }
    (void)closedir(d);
}

int images_open(const char *dir, struct images **out, struct err *e)
{
    int fd = -1;
    if (dir != NULL && (fd = open_directory(dir, e)) < 0) return -1;
    struct images *im = xcalloc(1, sizeof *im);
    im->path = dir == NULL ? NULL : xstrdup(dir);
    im->dir = fd;
    for (size_t i = 0; i < ENTRIES_MAX; i++) im->entries[i].fd = -1;
    remove_stale_drafts(im);
    *out = im;
    return 0;
}

void images_close(struct images *im)
{
    if (im == NULL) return;
    for (size_t i = 0; i < ENTRIES_MAX; i++) process_close_fd(&im->entries[i].fd);
    process_close_fd(&im->dir);
    free(im->path);
    free(im);
}

/* -- entries ------------------------------------------------------------------ */

static bool key_eq(const struct image_key *a, const struct image_key *b)
{
    return strcmp(a->hash, b->hash) == 0 && strcmp(a->kind, b->kind) == 0;
}

static void entry_clear(struct entry *en)
{
    process_close_fd(&en->fd);
    *en = (struct entry){ .fd = -1 };
}

/* The entry of a key; a new one takes the place of the one unused for longest. */
static struct entry *entry_of(struct images *im, const struct image_key *key)
{
    struct entry *oldest = &im->entries[0];
    struct entry *found = NULL;
    for (size_t i = 0; i < ENTRIES_MAX && found == NULL; i++) {
        if (key_eq(&im->entries[i].key, key)) found = &im->entries[i];
        if (im->entries[i].used < oldest->used) oldest = &im->entries[i];
    }
    if (found == NULL) {
        entry_clear(oldest);
        oldest->key = *key;
        found = oldest;
    }
    found->used = ++im->tick;
    return found;
}

unsigned images_seen(struct images *im, const struct image_key *key)
{
    return entry_of(im, key)->seen++;
}

void images_give_up(struct images *im, const struct image_key *key)
{
    entry_of(im, key)->given_up = true;
}

bool images_given_up(struct images *im, const struct image_key *key)
{
    return entry_of(im, key)->given_up;
}

/* -- finding ------------------------------------------------------------------ */

/* Open a file of the directory if it is what its name says; NULL, or what is wrong. */
static const char *open_verified(const struct images *im, const char *name,
                                 const char *digest, int *out)
{
    int fd = openat(im->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return "cannot be opened";
    struct stat st;
    char found[SHA256_HEX + 1];
    struct err ignored;
    const char *wrong = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) wrong = "is no file";
    else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) wrong = "is open to others";
    else if (image_digest(fd, found, &ignored) != 0) wrong = "cannot be read";
    else if (strcmp(found, digest) != 0) wrong = "was truncated or edited";
    if (wrong != NULL) (void)close(fd);
    else *out = fd;
    return wrong;
}

/* Does the name belong to the key?  Then where its digest begins, else NULL. */
static const char *name_digest(const char *name, const char *prefix, char out[SHA256_HEX + 1])
{
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0 || strlen(name) != n + SHA256_HEX + 6) return NULL;
    if (strcmp(name + n + SHA256_HEX, ".image") != 0) return NULL;
    memcpy(out, name + n, SHA256_HEX);
    out[SHA256_HEX] = '\0';
    return out;
}

static void key_prefix(const struct image_key *key, char out[IMAGE_NAME_MAX])
{
    (void)snprintf(out, IMAGE_NAME_MAX, "%s-%s-", key->kind, key->hash);
}

static void look_in_directory(const struct images *im, struct entry *en)
{
    char prefix[IMAGE_NAME_MAX], digest[SHA256_HEX + 1];
    key_prefix(&en->key, prefix);
    DIR *d = list_directory(im);
    if (d == NULL) return;
    for (struct dirent *f; en->fd < 0 && (f = readdir(d)) != NULL;) {
        if (name_digest(f->d_name, prefix, digest) == NULL) continue;
        const char *wrong = open_verified(im, f->d_name, digest, &en->fd);
        if (wrong == NULL) {
            (void)snprintf(en->name, sizeof en->name, "%s", f->d_name);
        } else {
            log_warn("image %s/%s %s; it is removed and made again", im->path, f->d_name,
                     wrong);
            (void)unlinkat(im->dir, f->d_name, 0);
        }
    }
    (void)closedir(d);
}

int images_find(struct images *im, const struct image_key *key)
{
    struct entry *en = entry_of(im, key);
    if (en->fd < 0) look_in_directory(im, en);
    return en->fd;
}

void images_discard(struct images *im, const struct image_key *key, const char *why)
{
    struct entry *en = entry_of(im, key);
    if (en->name[0] != '\0') {
        log_warn("image %s/%s %s; it is removed and made again", im->path, en->name, why);
        (void)unlinkat(im->dir, en->name, 0);
    } else {
        log_warn("image %s-%s (in memory) %s; it is made again", key->kind, key->hash, why);
    }
    process_close_fd(&en->fd);
    en->name[0] = '\0';
}

/* -- making ------------------------------------------------------------------- */

static int draft_in_directory(struct images *im, struct image_draft *d)
{
    struct stat st;
    /* The directory may have been deleted while we ran. */
    if (im->dir >= 0 && (fstat(im->dir, &st) != 0 || st.st_nlink == 0)) {
        process_close_fd(&im->dir);
    }
    struct err ignored;
    if (im->dir < 0 && (im->dir = open_directory(im->path, &ignored)) < 0) return -1;
    (void)snprintf(d->name, sizeof d->name, DRAFT_PREFIX "%d-%llu", (int)getpid(),
                   (unsigned long long)++im->drafts);
    (void)unlinkat(im->dir, d->name, 0); /* of a dead process that had our number */
    d->fd = openat(im->dir, d->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                   0600);
    if (d->fd < 0) d->name[0] = '\0';
    return d->fd;
}

int images_draft(struct images *im, struct image_draft *out, struct err *e)
{
    struct image_draft d = { .fd = -1 };
    if (im->path != NULL && draft_in_directory(im, &d) < 0) {
        log_warn("image directory %s cannot be written (%s); keeping the image in memory",
                 im->path, strerror(errno));
    }
    if (d.fd < 0) d.fd = memfd_create("zygote-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (d.fd < 0) return err_sys(e, "cannot make an image file");
    *out = d;
    return 0;
}

void images_abandon(struct images *im, struct image_draft *d)
{
    process_close_fd(&d->fd);
    if (d->name[0] != '\0' && im->dir >= 0) (void)unlinkat(im->dir, d->name, 0);
    d->name[0] = '\0';
}

/* A read-only descriptor of the very file that was drafted. */
static int reopen_read_only(const struct images *im, const struct image_draft *d)
{
    struct stat made, opened;
    int fd = openat(im->dir, d->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    if (fstat(d->fd, &made) == 0 && fstat(fd, &opened) == 0 &&
        made.st_dev == opened.st_dev && made.st_ino == opened.st_ino) {
        return fd;
    }
    (void)close(fd);
    errno = ESTALE;
    return -1;
}

static int publish_file(const struct images *im, const struct image_draft *d,
                        const char *name, struct err *e)
{
    int fd = reopen_read_only(im, d);
    if (fd < 0) return err_sys(e, "image %s/%s", im->path, d->name);
    if (renameat(im->dir, d->name, im->dir, name) != 0) {
        (void)err_sys(e, "image %s/%s", im->path, name);
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int publish_memory(const struct image_draft *d, struct err *e)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (fcntl(d->fd, F_ADD_SEALS, seals) != 0) return err_sys(e, "image in memory");
    int fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? err_sys(e, "image in memory") : fd;
}

int images_publish(struct images *im, const struct image_key *key, struct image_draft *d,
                   struct err *e)
{
    char digest[SHA256_HEX + 1];
    char name[IMAGE_NAME_MAX] = "";
    int fd = -1;
    if (image_digest(d->fd, digest, e) == 0) {
        if (d->name[0] == '\0') {
            fd = publish_memory(d, e);
        } else {
            (void)snprintf(name, sizeof name, "%s-%s-%s.image", key->kind, key->hash, digest);
            fd = publish_file(im, d, name, e);
        }
    }
    if (fd < 0) {
        images_abandon(im, d);
        return -1;
    }
    process_close_fd(&d->fd);
    d->name[0] = '\0';
    struct entry *en = entry_of(im, key);
    process_close_fd(&en->fd);
    en->fd = fd;
    memcpy(en->name, name, sizeof en->name);
    return fd;
}
