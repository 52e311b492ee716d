# host.mk -- the C interface: the library by itself, and an installation.  Included by
# tests/tests.mk.

HOST_PROGRAMS := $(patsubst %,$(BUILD)/tests/host/test_api_%,open messages run vats devices slog)
HOST_TESTS := $(HOST_PROGRAMS) tests/host/interface.sh tests/host/install.sh

# Against the library alone: what it lacks, or what collides, is a link error.
$(BUILD)/tests/host/test_api_%: tests/host/test_api_%.c tests/host/fixture.c tests/host/fixture.h \
		include/zygote.h $(BUILD)/libzygote.a | $(BUILD)/zygote-worker
	@mkdir -p $(@D)
	$(CC) $(WARN) $(OPT) $(SAN) -D_GNU_SOURCE -Iinclude $< tests/host/fixture.c \
		$(BUILD)/libzygote.a -lcmocka $(LIBS) -o $@
