# tests.mk -- engine tests.  Included by the top Makefile behind the rules for src/.
#
# ENGINE_PROGRAMS are what is built; ENGINE_TESTS (fast) and ENGINE_TESTS_LONG run alone, from
# the top directory.  They need build/zygote-worker and the bundle test-engine-parity.
#
#   make engine-measure                          figures: start, memory, sizes
#   make engine-golden STOCK_WORKER=PATH         remake tests/engine/golden/ with a stock
#                                                xsnap-worker (see make_golden.c)

ENGINE_TEST_BASE := arena buf err hash json_parse json_value json_write netstring span utf xalloc
ENGINE_TEST_LIB := driver flows golden probes setup testkernel
ENGINE_TEST_NAMES := netstring boot messages images forkserver limits parity

engine_test_base_o := $(ENGINE_TEST_BASE:%=$(BUILD)/src/base/%.o)
engine_test_lib_o := $(ENGINE_TEST_LIB:%=$(BUILD)/tests/engine/%.o)
ENGINE_PROGRAMS := $(ENGINE_TEST_NAMES:%=$(BUILD)/tests/engine/test_%)
ENGINE_TESTS := $(ENGINE_PROGRAMS) tests/engine/test_dropin.mjs
ENGINE_TESTS_LONG := "$(BUILD)/tests/engine/test_parity long"

$(BUILD)/tests/engine/%.o: tests/engine/%.c tests/engine/tests.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -Itests -MMD -MP -c $< -o $@

$(BUILD)/tests/engine/test_%: $(BUILD)/tests/engine/test_%.o $(engine_test_lib_o) \
		$(engine_test_base_o)
	$(CC) $(OPT) $(SAN) $^ -lcmocka -lcrypto -lm -o $@

-include $(wildcard $(BUILD)/tests/engine/*.d)

.PHONY: engine-golden engine-measure
engine-measure: $(BUILD)/tests/engine/measure $(BUILD)/zygote-worker
	$<

engine-golden: $(BUILD)/tests/engine/make_golden $(BUILD)/zygote-worker
	@mkdir -p tests/engine/golden
	STOCK_WORKER=$(STOCK_WORKER) $<

$(BUILD)/tests/engine/make_golden $(BUILD)/tests/engine/measure: %: %.o $(engine_test_lib_o) \
		$(engine_test_base_o)
	$(CC) $(OPT) $(SAN) $^ -lcrypto -lm -o $@
