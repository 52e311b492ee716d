# tests.mk -- which tests there are, and what runs them.  Included by the top Makefile.
#
# Each part lists its own programs and tests; tests/run.sh runs them and counts cases.

include tests/unit/unit.mk
include tests/kernel/marshal.mk
include tests/kernel/kernel.mk
include tests/coverage.mk
include tests/store/tests.mk
include tests/worker/tests.mk
include tests/engine/tests.mk
include tests/conformance/conformance.mk
include tests/fork/fork.mk
include tests/e2e/e2e.mk
include tests/demo/demo.mk
include tests/fuzz/fuzz.mk
include tests/host/host.mk

CHECK_PROGRAMS := $(UNIT_PROGRAMS) $(MARSHAL_PROGRAMS) $(KERNEL_PROGRAMS) $(STORE_PROGRAMS) \
	$(worker_test_programs) $(ENGINE_PROGRAMS) $(CONFORMANCE_PROGRAMS) $(FORK_PROGRAMS) \
	$(E2E_PROGRAMS) $(DEMO_PROGRAMS) $(HOST_PROGRAMS)

# Longest first, so that two jobs end together.
CHECK_TESTS := $(FORK_TESTS) $(ENGINE_TESTS) $(CONFORMANCE_TESTS) $(STORE_TESTS) \
	$(worker_tests) $(KERNEL_TESTS) $(HOST_TESTS) $(E2E_TESTS) $(DEMO_TESTS) $(UNIT_TESTS) $(MARSHAL_TESTS) \
	$(FUZZ_TESTS) $(MARSHAL_FUZZ_TESTS) tests/js/test_vat_admin.mjs

# Those that need no worker process: what the sanitizers run over.
SAN_TESTS := $(STORE_TESTS) $(KERNEL_TESTS) $(UNIT_TESTS) $(MARSHAL_TESTS) $(FUZZ_TESTS) \
	$(MARSHAL_FUZZ_TESTS)
SAN_PROGRAMS := $(STORE_PROGRAMS) $(KERNEL_PROGRAMS) $(UNIT_PROGRAMS) $(MARSHAL_PROGRAMS)

.PHONY: check check-programs check-long asan san-run
check-programs: all $(CHECK_PROGRAMS)

check: check-programs
	@BUILD=$(BUILD) tests/run.sh -j $(JOBS) $(CHECK_TESTS)

check-long: check-programs
	@sh tests/oracle/setup.sh
	@BUILD=$(BUILD) tests/run.sh -j $(JOBS) -t 3000 $(FORK_TESTS_LONG) $(STORE_TESTS_LONG) \
		$(ENGINE_TESTS_LONG) $(CONFORMANCE_TESTS_LONG) $(KERNEL_TESTS_LONG) \
		$(E2E_TESTS_LONG)

san-run: $(SAN_PROGRAMS)
	@BUILD=$(BUILD) tests/run.sh -j $(JOBS) $(SAN_TESTS)

asan: all
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan OPT='-O1 -g' \
		SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' san-run

# What check has no time for, and a slice of check-long, for CI: seeded by ZYGOTE_SEED, one scenario through upstream anew and
# with the workers exchanged, kernels that change over, five new seeds, each fuzz target for a moment.
.PHONY: check-slice
SLICE := $(word $(shell expr 1 + $${ZYGOTE_SEED:-0} % $(words $(SCENARIOS))),$(SCENARIOS))
check-slice: check-programs
	@sh tests/oracle/setup.sh
	@ZYGOTE_TEXTS=40000 ZYGOTE_SEEDS=5 BUILD=$(BUILD) tests/run.sh -j $(JOBS) -t 1000 \
		$(CONFORMANCE_TESTS_MORE) $(FORK_TESTS_MORE) $(E2E_TESTS_MORE) "tests/conformance/scenario.sh $(SLICE) --anew" \
		"tests/conformance/scenario.sh $(SLICE) --stock" \
		"tests/conformance/scenario.sh $(SLICE) --our-worker" \
		"tests/conformance/swap.mjs puppet-tour" "tests/conformance/seeds.mjs --anew" \
		$(BUILD)/tests/kernel/test_programs $(BUILD)/tests/store/test_store_ops $(MARSHAL_TESTS) $(BUILD)/tests/unit/test_json_node
	@$(MAKE) --no-print-directory fuzz SECONDS=5
