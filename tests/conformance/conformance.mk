# conformance.mk -- scenarios, in our kernel beside upstream's recorded run.  Included by
# tests/tests.mk.
#
# A new scenario is a new folder of tests/scenarios with config.json, script.json and
# upstream.json.gz, which only upstream makes:
#   node tests/oracle/run-upstream.mjs tests/scenarios/NAME tests/scenarios/NAME/upstream.json.gz

SCENARIOS := $(patsubst tests/scenarios/%/config.json,%,$(wildcard tests/scenarios/*/config.json))

CONFORMANCE_PROGRAMS := $(BUILD)/tests/conformance/run_scenario
CONFORMANCE_TESTS := $(SCENARIOS:%="tests/conformance/scenario.sh %")
CONFORMANCE_TESTS_LONG := $(SCENARIOS:%="tests/conformance/scenario.sh % --anew") \
	$(SCENARIOS:%="tests/conformance/scenario.sh % --stock")

$(BUILD)/tests/conformance/run_scenario: $(BUILD)/tests/conformance/run_scenario.o $(zygote_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@
