# conformance.mk -- scenarios, in our kernel beside upstream's recorded run.  Included by
# tests/tests.mk.
#
# A new scenario is a new folder of tests/scenarios with config.json and script.json; then
#   node tests/oracle/record.mjs NAME
# runs it in upstream's kernel and keeps that run there.  tests/conformance/README.md has it all.

SCENARIOS := $(patsubst tests/scenarios/%/config.json,%,$(wildcard tests/scenarios/*/config.json))

CONFORMANCE_PROGRAMS := $(BUILD)/tests/conformance/run_scenario
# Against kept runs: one in five of them in check, the rest in check-slice and check-long.
scenario_parts = $(foreach part,$(1),"tests/conformance/scenarios.mjs --part $(part)/5")
CONFORMANCE_TESTS := $(call scenario_parts,1)
CONFORMANCE_TESTS_MORE := $(call scenario_parts,2 3 4 5)
CONFORMANCE_TESTS += "tests/conformance/seeds.mjs --part 1/2" "tests/conformance/seeds.mjs --part 2/2"

# ZYGOTE_SEEDS seeds (1000) under upstream anew, workers exchanged, kernels changed in mid-run.
# About six seconds a seed.
CONFORMANCE_TESTS_LONG := $(CONFORMANCE_TESTS_MORE) $(foreach part,1 2 3 4,"tests/conformance/seeds.mjs --anew --part $(part)/4") \
	tests/conformance/swap.mjs \
	$(foreach mode,anew stock our-worker, "tests/conformance/scenarios.mjs --$(mode) --part 1/2" \
		"tests/conformance/scenarios.mjs --$(mode) --part 2/2")

conformance_o := $(patsubst %,$(BUILD)/tests/conformance/%.o,run_scenario ops devices policy dump)
$(conformance_o): CPPFLAGS_OURS += -Itests
$(BUILD)/tests/conformance/run_scenario: $(conformance_o) $(zygote_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@
