# e2e.mk -- the command line, end to end.  Included by tests/tests.mk.

E2E_PROGRAMS := $(BUILD)/tests/e2e/sql
E2E_TESTS := tests/e2e/cli.sh tests/e2e/config.sh tests/e2e/store.sh tests/e2e/transfer.sh tests/e2e/genesis.mjs tests/e2e/bundles.mjs tests/e2e/readme.sh \
	tests/e2e/slog.sh tests/e2e/replay.sh tests/e2e/family.sh tests/e2e/rom.mjs
E2E_TESTS_MORE := tests/e2e/enable.mjs # in check-slice
E2E_TESTS_LONG := "tests/e2e/genesis.mjs --long" "tests/e2e/rom.mjs --long" \
	"tests/e2e/enable.mjs long" "tests/e2e/enable.mjs upstream long" tests/e2e/leave.mjs

$(BUILD)/tests/e2e/sql: tests/e2e/sql.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) $< -lsqlite3 -o $@
