/* hash.h -- SHA-256 and SHA-512, whole and streaming, as lowercase hex. */
#pragma once

#include "base/span.h"

enum { SHA256_HEX = 64, SHA512_HEX = 128 };

struct sha256; /* streaming state */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
/* Start over; must be called before the first update. */
void sha256_begin(struct sha256 *h);
void sha256_update(struct sha256 *h, struct span s);
/* Digest so far as hex with a NUL; the state goes on and may be updated further. */
void sha256_peek_hex(const struct sha256 *h, char out[SHA256_HEX + 1]);

void sha256_hex(struct span s, char out[SHA256_HEX + 1]);
void sha512_hex(struct span s, char out[SHA512_HEX + 1]);
