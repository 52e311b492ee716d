# conformance.mk -- scenarios, in our kernel beside upstream's recorded run.  Included by
# tests/tests.mk.
#
# A new scenario is a new folder of tests/scenarios with config.json and script.json; then
#   node tests/oracle/record.mjs NAME
# runs it in upstream's kernel and keeps that run there.  tests/conformance/README.md has it all.

SCENARIOS := $(patsubst tests/scenarios/%/config.json,%,$(wildcard tests/scenarios/*/config.json))

CONFORMANCE_PROGRAMS := $(BUILD)/tests/conformance/run_scenario
# All of them, in so many parts: two jobs that end together.
CONFORMANCE_TESTS := "tests/conformance/scenarios.mjs --part 1/4" \
	"tests/conformance/scenarios.mjs --part 2/4" "tests/conformance/scenarios.mjs --part 3/4" \
	"tests/conformance/scenarios.mjs --part 4/4"
CONFORMANCE_TESTS += "tests/conformance/seeds.mjs --part 1/2" "tests/conformance/seeds.mjs --part 2/2"

# ZYGOTE_SEEDS seeds (1000) under upstream anew, workers exchanged, kernels changed in mid-run.
# About six seconds a seed.
CONFORMANCE_TESTS_LONG := $(foreach part,1 2 3 4,"tests/conformance/seeds.mjs --anew --part $(part)/4") \
	tests/conformance/swap.mjs \
	$(foreach mode,anew stock our-worker, "tests/conformance/scenarios.mjs --$(mode) --part 1/2" \
		"tests/conformance/scenarios.mjs --$(mode) --part 2/2")

conformance_o := $(patsubst %,$(BUILD)/tests/conformance/%.o,run_scenario ops devices policy dump)
$(conformance_o): CPPFLAGS_OURS += -Itests
$(BUILD)/tests/conformance/run_scenario: $(conformance_o) $(zygote_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@
