# tests.mk -- engine tests.  Included by the top Makefile behind the rules for src/.
#
# ENGINE_TESTS (fast) and ENGINE_TESTS_LONG are programs that run alone, from the top
# directory.  make engine-golden STOCK_WORKER=PATH remakes tests/engine/golden/ with a stock
# xsnap-worker.

ENGINE_TEST_BASE := arena buf err hash json_parse json_value json_write netstring span utf xalloc
ENGINE_TEST_LIB := driver flows golden probes setup testkernel
ENGINE_TEST_NAMES := boot messages parity images forkserver limits

engine_test_base_o := $(ENGINE_TEST_BASE:%=$(BUILD)/src/base/%.o)
engine_test_lib_o := $(ENGINE_TEST_LIB:%=$(BUILD)/tests/engine/%.o)
ENGINE_TESTS := $(ENGINE_TEST_NAMES:%=$(BUILD)/tests/engine/test_%)

$(BUILD)/tests/engine/%.o: tests/engine/%.c tests/engine/tests.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -Itests -MMD -MP -c $< -o $@

$(BUILD)/tests/engine/test_%: $(BUILD)/tests/engine/test_%.o $(engine_test_lib_o) \
		$(engine_test_base_o)
	$(CC) $(OPT) $(SAN) $^ -lcmocka -lcrypto -lm -o $@

-include $(wildcard $(BUILD)/tests/engine/*.d)

.PHONY: engine-golden
engine-golden: $(BUILD)/tests/engine/make_golden $(BUILD)/zygote-worker
	@mkdir -p tests/engine/golden
	STOCK_WORKER=$(STOCK_WORKER) $<

$(BUILD)/tests/engine/make_golden: $(BUILD)/tests/engine/make_golden.o $(engine_test_lib_o) \
		$(engine_test_base_o)
	$(CC) $(OPT) $(SAN) $^ -lcrypto -lm -o $@
