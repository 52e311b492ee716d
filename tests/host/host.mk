# host.mk -- the C interface: the library by itself, and an installation.  Included by
# tests/tests.mk.

HOST_PROGRAMS := $(BUILD)/tests/host/test_api
HOST_TESTS := $(HOST_PROGRAMS) tests/host/interface.sh tests/host/install.sh

# Against the library alone: what it lacks, or what collides, is a link error.
$(BUILD)/tests/host/test_api: tests/host/test_api.c include/zygote.h $(BUILD)/libzygote.a \
		| $(BUILD)/zygote-worker
	@mkdir -p $(@D)
	$(CC) $(WARN) $(OPT) $(SAN) -D_GNU_SOURCE -Iinclude $< $(BUILD)/libzygote.a -lcmocka $(LIBS) -o $@
