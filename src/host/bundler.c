/* bundler.c -- bundles made from source, by @endo/bundle-source under Node. */
#include "host/bundler.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "host/bundle_cache.h"
#include "host/file.h"
#include "host/paths.h"
#include "store/bundle.h"

extern char **environ;

void bundler_init(struct bundler *b, struct arena *a, const char *cache)
{
    struct err why;
    const char *user;
    *b = (struct bundler){ .cache = cache, .fd = -1, .err_fd = -1 };
    if (cache == NULL && paths_cache(a, &user, &why) == 0)
        b->cache = file_join(a, user, "bundles");
}

void bundler_fini(struct bundler *b)
{
    if (b->fd >= 0)
        close(b->fd); /* the end of its input ends it */
    while (b->pid > 0 && waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (b->err_fd >= 0)
        close(b->err_fd);
    *b = (struct bundler){ .cache = b->cache, .fd = -1, .err_fd = -1 };
}

/* -- Node ---------------------------------------------------------------------------- */

static int spawn(struct bundler *b, const char *node, const char *script, int theirs,
                 struct err *e)
{
    char *const argv[] = { (char *)node, (char *)script, NULL };
    posix_spawn_file_actions_t actions;
    INVARIANT(posix_spawn_file_actions_init(&actions) == 0);
    int rc = posix_spawn_file_actions_adddup2(&actions, theirs, 0);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&actions, theirs, 1);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&actions, b->err_fd, 2);
    INVARIANT(rc == 0);
    rc = posix_spawnp(&b->pid, node, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == 0)
        return 0;
    b->pid = 0;
    errno = rc;
    if (rc != ENOENT)
        return err_sys(e, "cannot run %s", node);
    return err_set(e, EXIT_NOT_FOUND,
                   "bundling from source needs Node, and there is no program \"%s\": "
                   "install it (nodejs.org) or set ZYGOTE_NODE; or make the bundle where "
                   "there is one (npx @endo/bundle-source MODULE > FILE) and use "
                   "bundleSpec",
                   node);
}

static int start(struct bundler *b, struct arena *a, const char *script, struct err *e)
{
    int pair[2];
    if (b->err_fd < 0)
        b->err_fd = memfd_create("node-stderr", MFD_CLOEXEC);
    if (b->err_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(e, "cannot run node");
    int failed = spawn(b, paths_node(a), script, pair[1], e);
    close(pair[1]);
    if (failed)
        close(pair[0]);
    else
        b->fd = pair[0];
    return failed;
}

static int send_all(int fd, struct span s)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        s = span_from(s, (size_t)n);
    }
    return 0;
}

/* One line, without its end. */
static int receive_line(int fd, struct buf *line)
{
    for (;;) {
        ssize_t n = read(fd, buf_room(line, 1 << 16), 1 << 16);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || line->n + (size_t)n > FILE_BYTES_MAX)
            return -1;
        line->n += (size_t)n;
        if (line->p[line->n - 1] == '\n') { /* nothing follows until we ask again */
            line->n--;
            return 0;
        }
    }
}

/* Text of others, on one line. */
static struct span flat(struct arena *a, struct span text)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < text.n && b.n < 700; i++) {
        bool gap = (unsigned char)text.p[i] <= ' ';
        if (!gap)
            buf_putc(&b, text.p[i]);
        else if (b.n > 0 && b.p[b.n - 1] != ' ')
            buf_putc(&b, ' ');
    }
    struct span out = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return out;
}

/* Node ended, or closed its output. */
static int broken(struct bundler *b, struct arena *a, struct err *e)
{
    char text[4096];
    int status = 0;
    close(b->fd);
    b->fd = -1;
    while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
        ;
    b->pid = 0;
    ssize_t n = pread(b->err_fd, text, sizeof text, 0);
    struct span said = flat(a, (struct span){ text, n > 0 ? (size_t)n : 0 });
    bundler_fini(b);
    return err_set(e, EXIT_FAILED, "node failed (%s %d)%s%.*s",
                   WIFSIGNALED(status) ? "signal" : "exit code",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                   said.n > 0 ? ": " : "", SPAN_ARG(said));
}

static int ask(struct bundler *b, struct arena *a, const char *script, struct span request,
               struct span *answer, struct err *e)
{
    struct buf line = { 0 };
    if (b->pid == 0 && start(b, a, script, e) != 0)
        return -1;
    int failed = send_all(b->fd, request) != 0 || receive_line(b->fd, &line) != 0;
    if (!failed)
        *answer = arena_copy(a, buf_span(&line));
    buf_fini(&line);
    return failed ? broken(b, a, e) : 0;
}

/* -- requests ------------------------------------------------------------------------ */

static struct span request_line(struct arena *a, const struct bundler_request *r)
{
    struct buf b = { 0 };
    buf_puts(&b, "{\"spec\":");
    json_put_string(&b, r->spec);
    buf_puts(&b, ",\"from\":");
    json_put_string(&b, span_of(r->from));
    buf_puts(&b, r->dev ? ",\"dev\":true}\n" : ",\"dev\":false}\n");
    struct span line = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return line;
}

/* By what is asked and by what answers. */
static void request_key(struct span request, struct span script, char key[SHA256_HEX + 1])
{
    struct sha256 *h = sha256_new();
    sha256_begin(h);
    sha256_update(h, request);
    sha256_update(h, script);
    sha256_peek_hex(h, key);
    sha256_free(h);
}

static int read_answer(struct arena *a, struct span text, const struct bundler_request *r,
                       struct span *bundle, struct err *e)
{
    struct jval answer;
    if (json_parse(a, text, &answer, e) != 0) {
        e->exit = EXIT_FAILED;
        return err_while(e, "node's answer");
    }
    struct span wrong = json_str(json_get(answer, "error"), a);
    if (wrong.p == NULL) {
        *bundle = json_raw(json_get(answer, "bundle"));
        return bundle_check(*bundle, false, SPAN_NONE, a, NULL, e) == 0
                   ? 0
                   : err_while(e, "what @endo/bundle-source made of %.*s", SPAN_ARG(r->spec));
    }
    wrong = flat(a, wrong);
    if (json_type(json_get(answer, "absent")) == JSON_TRUE)
        return err_set(e, EXIT_NOT_FOUND, "%.*s", SPAN_ARG(wrong));
    if (json_type(json_get(answer, "missing")) == JSON_TRUE)
        return err_set(e, EXIT_NOT_FOUND,
                       "%.*s: install it (npm install @endo/bundle-source in %s)",
                       SPAN_ARG(wrong), r->from);
    return err_set(e, EXIT_FAILED, "cannot bundle %.*s: %.*s", SPAN_ARG(r->spec),
                   SPAN_ARG(wrong));
}

int bundler_make(struct bundler *b, struct arena *a, const struct bundler_request *r,
                 struct span *bundle, struct err *e)
{
    const char *script;
    struct span text, answer, request = request_line(a, r);
    struct err why;
    char key[SHA256_HEX + 1];
    if (paths_bundler(a, &script, e) != 0 || file_read(a, script, &text, e) != 0)
        return -1;
    request_key(request, text, key);
    if (b->cache != NULL && bundle_cache_find(a, b->cache, key, &answer) &&
        read_answer(a, answer, r, bundle, &why) == 0)
        return 0;
    if (ask(b, a, script, request, &answer, e) != 0 ||
        read_answer(a, answer, r, bundle, e) != 0)
        return -1;
    if (b->cache != NULL && bundle_cache_keep(a, b->cache, key, answer, &why) != 0)
        log_warn("the bundle is not kept: %s", why.text);
    return 0;
}
