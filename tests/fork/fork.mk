# fork.mk -- tests of forks with real worker processes.  Included by the top Makefile after
# tests/unit/unit.mk, which has the rule for $(BUILD)/tests objects.
#
# FORK_TESTS, FORK_TESTS_MORE (check-slice and check-long) and FORK_TESTS_LONG are for
# tests/run.sh; FORK_PROGRAMS is what must be built first.

fork_test_o := $(host_o) $(worker_o) $(kernel_o) $(store_o) $(base_o)
fork_tests := test_crash test_points test_moves test_transparency test_isolation test_share test_death test_genesis test_limits

FORK_PROGRAMS := $(fork_tests:%=$(BUILD)/tests/fork/%)
fork_more := test_transparency test_share test_genesis test_limits
FORK_TESTS := $(filter-out $(BUILD)/tests/fork/test_moves $(fork_more:%=$(BUILD)/tests/fork/%),$(FORK_PROGRAMS)) tests/fork/images.sh \
	"$(BUILD)/tests/fork/test_moves 200 1 2" "$(BUILD)/tests/fork/test_moves 200 2 2"
FORK_TESTS_MORE := $(fork_more:%=$(BUILD)/tests/fork/%) "$(BUILD)/tests/fork/test_crash forks"
FORK_TESTS_LONG := $(BUILD)/tests/fork/test_genesis "$(BUILD)/tests/fork/test_crash long" "$(BUILD)/tests/fork/test_crash cranks" \
	"$(BUILD)/tests/fork/test_crash messages" \
	"$(BUILD)/tests/fork/test_points long" "$(BUILD)/tests/fork/test_transparency long" \
	"$(BUILD)/tests/fork/test_moves 10000 1 2 heaps" "$(BUILD)/tests/fork/test_moves 10000 2 2 heaps" \
	"$(BUILD)/tests/fork/test_share long" "$(BUILD)/tests/fork/test_limits long" tests/fork/upstream.mjs

$(FORK_PROGRAMS): $(BUILD)/tests/fork/%: $(BUILD)/tests/fork/%.o $(BUILD)/tests/fork/lab.o \
		$(fork_test_o) | $(BUILD)/zygote-worker
	$(CC) $(OPT) $(SAN) $(filter %.o,$^) -lcmocka $(LIBS) -o $@
