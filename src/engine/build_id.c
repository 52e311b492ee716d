#include "engine/build_id.h"

#include <link.h>
#include <string.h>

static size_t align4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* Look through one note segment of our own program. */
static bool find_in_notes(const char *p, size_t n, unsigned char *id)
{
    while (n >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, p, sizeof note);
        size_t name_at = sizeof note;
        size_t desc_at = name_at + align4(note.n_namesz);
        size_t end = desc_at + align4(note.n_descsz);
        if (end > n) return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz == BUILD_ID_BYTES &&
            note.n_namesz == 4 && memcmp(p + name_at, "GNU", 4) == 0) {
            memcpy(id, p + desc_at, BUILD_ID_BYTES);
            return true;
        }
        p += end;
        n -= end;
    }
    return false;
}

/* The first object dl_iterate_phdr() shows is the program itself. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *id)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_NOTE) continue;
        if (find_in_notes((const char *)(info->dlpi_addr + ph->p_vaddr), ph->p_memsz, id))
            return 1;
    }
    return -1;
}

bool build_id_get(unsigned char id[BUILD_ID_BYTES])
{
    return dl_iterate_phdr(look_at_program, id) == 1;
}
