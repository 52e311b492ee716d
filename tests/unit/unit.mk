# unit.mk -- unit tests and fuzz targets.  Included by the top Makefile, which defines
# BUILD, CC, WARN, OPT, SAN, CFLAGS_OURS, CPPFLAGS_OURS and the rule for $(BUILD)/src.
#
# UNIT_TESTS and FUZZ_TESTS are for tests/run.sh; UNIT_PROGRAMS is what must be built first.

# What each program is linked with, of src/.  A leaking boundary is a link error.
json_needs := base/span base/err base/xalloc base/arena base/buf base/utf base/json_parse \
	base/json_value base/json_write

test_base_needs := base/span base/err base/xalloc base/arena base/buf base/hash base/log
test_decimal_needs := base/span base/err base/xalloc base/arena base/decimal base/buf
test_json_needs := $(json_needs)
test_json_node_needs := $(json_needs)
fuzz_json_needs := $(json_needs)

unit := test_base test_decimal test_json test_json_node
unit_fuzz := fuzz_json

UNIT_PROGRAMS := $(unit:%=$(BUILD)/tests/unit/%) $(unit_fuzz:%=$(BUILD)/tests/fuzz/%)
UNIT_TESTS := $(unit:%=$(BUILD)/tests/unit/%) tests/unit/layers.sh tests/unit/runner.sh
FUZZ_TESTS := $(foreach f,$(unit_fuzz),\
	"$(BUILD)/tests/fuzz/$(f) tests/fuzz/corpus/$(f:fuzz_%=%)")

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -Itests -MMD -MP -c $< -o $@

# $(call unit_link,TARGET,SOURCES OF src/,MORE OBJECTS AND LIBRARIES)
define unit_link
$(BUILD)/tests/$(1): $(BUILD)/tests/$(1).o $(2:%=$(BUILD)/src/%.o) $(filter %.o,$(3))
	$$(CC) $$(OPT) $$(SAN) $$^ $(filter-out %.o,$(3)) -o $$@
endef

$(foreach t,$(unit),$(eval $(call unit_link,unit/$(t),$($(t)_needs),-lcmocka -lcrypto -lm)))
# Over its corpus, with any compiler.
$(foreach f,$(unit_fuzz),$(eval $(call unit_link,fuzz/$(f),$($(f)_needs),\
	$(BUILD)/tests/fuzz/plain.o -lm)))

-include $(shell find $(BUILD)/tests -name '*.d' 2>/dev/null)
