#include "base/hash.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "base/xalloc.h"

struct sha256 {
    EVP_MD_CTX *going;
    EVP_MD_CTX *scratch; /* sha256_peek_hex() finishes a copy here */
};

static void hex(const unsigned char *digest, unsigned n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < n; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
}

struct sha256 *sha256_new(void)
{
    struct sha256 *h = xmalloc(sizeof *h);
    h->going = EVP_MD_CTX_new();
    h->scratch = EVP_MD_CTX_new();
    INVARIANT(h->going != NULL && h->scratch != NULL);
    return h;
}

void sha256_free(struct sha256 *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->going);
    EVP_MD_CTX_free(h->scratch);
    free(h);
}

/* OpenSSL looks an algorithm up by name at each use of EVP_sha256(); this does it once. */
static const EVP_MD *fetched(EVP_MD **once, const char *name)
{
    if (*once == NULL) *once = EVP_MD_fetch(NULL, name, NULL);
    INVARIANT(*once != NULL);
    return *once;
}

static const EVP_MD *the_sha256(void)
{
    static EVP_MD *once;
    return fetched(&once, "SHA256");
}

static const EVP_MD *the_sha512(void)
{
    static EVP_MD *once;
    return fetched(&once, "SHA512");
}

void sha256_begin(struct sha256 *h)
{
    INVARIANT(EVP_DigestInit_ex(h->going, the_sha256(), NULL) == 1);
}

void sha256_update(struct sha256 *h, struct span s)
{
    if (s.n > 0)
        INVARIANT(EVP_DigestUpdate(h->going, s.p, s.n) == 1);
}

void sha256_peek_hex(const struct sha256 *h, char out[SHA256_HEX + 1])
{
    unsigned char digest[SHA256_HEX / 2];
    INVARIANT(EVP_MD_CTX_copy_ex(h->scratch, h->going) == 1);
    INVARIANT(EVP_DigestFinal_ex(h->scratch, digest, NULL) == 1);
    hex(digest, sizeof digest, out);
}

void sha256_hex(struct span s, char out[SHA256_HEX + 1])
{
    unsigned char digest[SHA256_HEX / 2];
    INVARIANT(EVP_Digest(s.p, s.n, digest, NULL, the_sha256(), NULL) == 1);
    hex(digest, sizeof digest, out);
}

void sha512_hex(struct span s, char out[SHA512_HEX + 1])
{
    unsigned char digest[SHA512_HEX / 2];
    INVARIANT(EVP_Digest(s.p, s.n, digest, NULL, the_sha512(), NULL) == 1);
    hex(digest, sizeof digest, out);
}
