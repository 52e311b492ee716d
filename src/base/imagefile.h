/* imagefile.h -- the header of an image file, which the engine writes (engine/image.h says
 * what it means) and the kernel's side reads to compare the pages of two.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

enum {
    IMAGE_VERSION = 1,
    IMAGE_PAGE = 4096,
    IMAGE_BUILD_BYTES = 20,
    IMAGE_EXTENTS_MAX = 160,
    /* fewer zero pages than this between two others do not end an extent */
    IMAGE_GAP_PAGES = 16,
};

#define IMAGE_MAGIC UINT64_C(0x474d494554475a5a) /* "ZZGTEIMG" */

/* What must be equal in the program that wrote an image and the one that maps it. */
struct image_params {
    uint32_t slot_bytes;     /* sizeof an XS slot */
    uint32_t machine_bytes;  /* sizeof an XS machine */
    uint32_t callbacks;      /* rows of the host function table */
    uint8_t xs_version[4];   /* major, minor, patch, 0 */
    char signature[16];      /* of XS snapshots: "xsnap 1" */
};
static_assert(sizeof(struct image_params) == 32, "image format");

struct image_extent {
    uint64_t address;
    uint64_t offset; /* in the file */
    uint64_t bytes;
};
static_assert(sizeof(struct image_extent) == 24, "image format");

struct image_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes; /* sizeof this */
    uint8_t build_id[IMAGE_BUILD_BYTES];
    uint32_t extent_count;
    uint64_t arena_base;
    uint64_t arena_bytes;
    uint64_t file_bytes;
    uint64_t machine; /* address of the XS machine */
    struct image_params params;
    struct image_extent extents[IMAGE_EXTENTS_MAX];
    uint8_t zero[144];
    uint64_t checksum; /* FNV-1a of all before: finds accidents, not attackers */
};
static_assert(sizeof(struct image_header) == IMAGE_PAGE, "image format");
