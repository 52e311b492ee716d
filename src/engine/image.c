#include "engine/image.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t image_checksum(const struct image_header *h)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    const unsigned char *p = (const unsigned char *)h;
    for (size_t i = 0; i < offsetof(struct image_header, checksum); i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* -- writing ------------------------------------------------------------------ */

static bool page_is_zero(uint64_t address)
{
    const uint64_t *p = (const uint64_t *)address;
    uint64_t any = 0;
    for (size_t i = 0; i < MEMORY_PAGE / sizeof *p; i += 8) {
        for (size_t j = 0; j < 8; j++) any |= p[i + j];
        if (any != 0) return false;
    }
    return true;
}

/* Find the extents, ended by `gap` zero pages; false if they are more than a header holds. */
static bool scan_part(struct image_header *h, uint64_t from, uint64_t to, uint64_t gap)
{
    struct image_extent *open = NULL;
    for (uint64_t at = from; at < to; at += MEMORY_PAGE) {
        if (page_is_zero(at)) continue;
        if (open != NULL && at - (open->address + open->bytes) < gap * MEMORY_PAGE) {
            open->bytes = at + MEMORY_PAGE - open->address;
            continue;
        }
        if (h->extent_count == IMAGE_EXTENTS_MAX) return false;
        open = &h->extents[h->extent_count++];
        *open = (struct image_extent){ .address = at, .bytes = MEMORY_PAGE };
    }
    return true;
}

static uint64_t page_up(uint64_t address)
{
    return (address + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE;
}

static bool scan_arena(struct image_header *h, uint64_t gap)
{
    const struct memory_control *a = memory_control();
    h->extent_count = 0;
    memset(h->extents, 0, sizeof h->extents);
    return scan_part(h, MEMORY_BASE, page_up(a->small_next), gap) &&
           scan_part(h, MEMORY_CHUNKS, page_up(a->chunks_next), gap) &&
           scan_part(h, MEMORY_SLOTS, page_up(a->slots_next), gap);
}

static int fill_header(struct image_header *h, const struct image_params *params,
                       struct err *e)
{
    *h = (struct image_header){
        .magic = IMAGE_MAGIC,
        .version = IMAGE_VERSION,
        .header_bytes = sizeof *h,
        .arena_base = MEMORY_BASE,
        .arena_bytes = MEMORY_BYTES,
        .machine = memory_control()->machine,
        .params = *params,
    };
    if (!build_id_get(h->build_id)) return err_set(e, EXIT_FAILED, "program has no build id");
    uint64_t gap = IMAGE_GAP_PAGES;
    while (!scan_arena(h, gap)) gap *= 2;
    uint64_t offset = h->header_bytes;
    for (uint32_t i = 0; i < h->extent_count; i++) {
        h->extents[i].offset = offset;
        offset += h->extents[i].bytes;
    }
    h->file_bytes = offset;
    h->checksum = image_checksum(h);
    return 0;
}

static int write_at(int fd, uint64_t from, size_t n, uint64_t offset, struct err *e)
{
    while (n > 0) {
        ssize_t wrote = pwrite(fd, (const void *)from, n, (off_t)offset);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return err_sys(e, "write");
        from += (uint64_t)wrote;
        offset += (uint64_t)wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

/* Write the runs of pages that are not zero. */
static int write_extent(int fd, const struct image_extent *x, struct err *e)
{
    uint64_t end = x->address + x->bytes;
    for (uint64_t at = x->address; at < end;) {
        uint64_t run = at;
        while (run < end && !page_is_zero(run)) run += MEMORY_PAGE;
        if (write_at(fd, at, run - at, x->offset + (at - x->address), e)) return -1;
        at = run + MEMORY_PAGE;
    }
    return 0;
}

static int check_empty(int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return err_sys(e, "stat");
    if (!S_ISREG(st.st_mode)) return err_set(e, EXIT_FAILED, "not a regular file");
    if (st.st_size != 0) return err_set(e, EXIT_FAILED, "file is not empty");
    return 0;
}

int image_write(int fd, const struct image_params *params, uint64_t *bytes, struct err *e)
{
    struct image_header h;
    if (check_empty(fd, e) || fill_header(&h, params, e)) return -1;
    if (ftruncate(fd, (off_t)h.file_bytes) != 0) return err_sys(e, "set length");
    for (uint32_t i = 0; i < h.extent_count; i++)
        if (write_extent(fd, &h.extents[i], e)) return -1;
    if (write_at(fd, (uint64_t)&h, sizeof h, 0, e)) return -1;
    *bytes = h.file_bytes;
    return 0;
}

/* -- reading ------------------------------------------------------------------ */

static int refuse(struct err *e, const char *why)
{
    return err_set(e, EXIT_INCOMPATIBLE, "%s", why);
}

/* I2.  Sums cannot wrap: every term was bounded before it is added. */
static int check_extents(const struct image_header *h, struct err *e)
{
    if (h->extent_count == 0 || h->extent_count > IMAGE_EXTENTS_MAX)
        return refuse(e, "bad number of extents");
    uint64_t free_from = MEMORY_BASE;
    uint64_t offset = sizeof *h;
    for (uint32_t i = 0; i < h->extent_count; i++) {
        const struct image_extent *x = &h->extents[i];
        if (x->address % MEMORY_PAGE != 0 || x->bytes % MEMORY_PAGE != 0 || x->bytes == 0)
            return refuse(e, "extent is not whole pages");
        if (x->address < free_from || x->address >= MEMORY_END ||
            x->bytes > MEMORY_END - x->address)
            return refuse(e, "extent outside the arena or out of order");
        if (x->offset != offset) return refuse(e, "extent at a wrong offset");
        free_from = x->address + x->bytes;
        offset += x->bytes;
    }
    if (h->extents[0].address != MEMORY_BASE) return refuse(e, "no control page");
    if (h->file_bytes != offset) return refuse(e, "lengths disagree");
    return 0;
}

static bool all_zero(const void *p, size_t n)
{
    const unsigned char *byte = p;
    for (size_t i = 0; i < n; i++)
        if (byte[i] != 0) return false;
    return true;
}

int image_check(const struct image_header *h, const struct image_params *params,
                uint64_t file_bytes, struct err *e)
{
    uint8_t build_id[BUILD_ID_BYTES];
    if (h->magic != IMAGE_MAGIC) return refuse(e, "not an image");
    if (h->version != IMAGE_VERSION) return refuse(e, "image of another format version");
    if (h->header_bytes != sizeof *h) return refuse(e, "bad header size");
    if (h->checksum != image_checksum(h)) return refuse(e, "damaged header");
    if (!build_id_get(build_id) || memcmp(build_id, h->build_id, sizeof build_id) != 0)
        return refuse(e, "image of another build of the worker");
    if (h->arena_base != MEMORY_BASE || h->arena_bytes != MEMORY_BYTES)
        return refuse(e, "image of another address");
    if (memcmp(&h->params, params, sizeof *params) != 0)
        return refuse(e, "image of another engine");
    if (check_extents(h, e)) return -1;
    size_t left = IMAGE_EXTENTS_MAX - h->extent_count;
    if (!all_zero(h->extents + h->extent_count, left * sizeof h->extents[0]) ||
        !all_zero(h->zero, sizeof h->zero))
        return refuse(e, "bytes behind the extents");
    if (file_bytes != h->file_bytes) return refuse(e, "truncated or grown file");
    if (h->machine < MEMORY_SMALL || h->machine % 16 != 0 ||
        h->machine > MEMORY_CHUNKS - params->machine_bytes)
        return refuse(e, "machine outside the arena");
    return 0;
}

static int read_header(int fd, struct image_header *h, uint64_t *file_bytes, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return err_sys(e, "stat");
    if (!S_ISREG(st.st_mode)) return refuse(e, "not a regular file");
    ssize_t n = pread(fd, h, sizeof *h, 0);
    if (n < 0) return err_sys(e, "read");
    if (n != sizeof *h) return refuse(e, "shorter than a header");
    *file_bytes = (uint64_t)st.st_size;
    return 0;
}

static int map_extents(int fd, const struct image_header *h, struct err *e)
{
    for (uint32_t i = 0; i < h->extent_count; i++) {
        const struct image_extent *x = &h->extents[i];
        void *at = mmap((void *)x->address, x->bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, (off_t)x->offset);
        if (at == MAP_FAILED) return err_sys(e, "map extent %u", i);
    }
    return 0;
}

int image_map(int fd, const struct image_params *params, struct err *e)
{
    struct image_header h;
    uint64_t file_bytes = 0;
    if (read_header(fd, &h, &file_bytes, e)) return -1;
    if (image_check(&h, params, file_bytes, e)) return -1;
    if (memory_reserve() != 0) return err_sys(e, "reserve the arena");
    if (map_extents(fd, &h, e)) return -1;
    if (!memory_check(memory_control()) || memory_control()->machine != h.machine)
        return refuse(e, "bad control page");
    return 0;
}
