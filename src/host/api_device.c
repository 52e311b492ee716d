/* api_device.c -- zygote.h: what the host tells devices. */
#include "host/api.h"

int zygote_timer_poll(struct zygote *z, const char *device, uint64_t now, bool *woke)
{
    bool any = false;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = kernel_timer_poll(z->kernel, api_span(device), now, &any, &z->err);
    if (!failed && woke != NULL)
        *woke = any;
    return api_leave(z, failed);
}

static int deliver(struct zygote *z, const char *device, const char *peer,
                   const char *messages, const char *ack)
{
    const struct pass *all, *number;
    if (peer == NULL)
        return err_set(&z->err, EXIT_USAGE, "no peer");
    if (api_array(z, "messages", messages, &all) != 0 ||
        api_value(z, "ack", ack, &number) != 0)
        return -1;
    return kernel_mailbox_deliver(z->kernel, api_span(device), span_of(peer), all, number,
                                  &z->err);
}

int zygote_mailbox_deliver(struct zygote *z, const char *device, const char *peer,
                           const char *messages, const char *ack)
{
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    return api_leave(z, deliver(z, device, peer, messages, ack));
}

int zygote_mailbox_export(struct zygote *z, const char *device, char **json)
{
    struct buf b = { 0 };
    if (!api_enter(z, API_LOOK))
        return api_refused(z);
    int failed = kernel_mailbox_export(z->kernel, api_span(device), &b, &z->err);
    if (!failed)
        *json = api_text(buf_span(&b));
    buf_fini(&b);
    return api_leave(z, failed);
}

int zygote_bridge_inbound(struct zygote *z, const char *device, const char *args)
{
    struct jval v;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = api_json(z, "args", args, &v) != 0 ||
                 kernel_bridge_inbound(z->kernel, api_span(device), json_raw(v), &z->err) != 0;
    return api_leave(z, failed);
}

int zygote_command_inbound(struct zygote *z, const char *device, const char *json,
                           uint64_t *count)
{
    struct jval v;
    uint64_t number = 0;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = api_json(z, "command", json, &v);
    if (!failed) {
        failed = kernel_command_inbound(z->kernel, api_span(device), json_raw(v), &number,
                                        &z->err);
        if (count != NULL)
            *count = number;
    }
    return api_leave(z, failed);
}

int zygote_loopbox_pass(struct zygote *z, const char *device, bool *passed)
{
    bool any = false;
    if (!api_enter(z, API_WRITE))
        return api_refused(z);
    int failed = kernel_loopbox_pass(z->kernel, api_span(device), &any, &z->err);
    if (!failed && passed != NULL)
        *passed = any;
    return api_leave(z, failed);
}
