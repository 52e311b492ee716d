# tests.mk -- tests of src/worker.  Included by the top Makefile.
#
# worker_tests: what `make check` runs.

ifndef WORKER
include src/worker/worker.mk
endif

worker_test_dir := $(BUILD)/tests/worker
worker_test_o := $(base_o) $(BUILD)/src/kernel/ids.o $(worker_o)
WORKER_TEST_FLAGS := $(CFLAGS_OURS) -Itests -Itests/worker

$(worker_test_dir)/%.o: tests/worker/%.c
	@mkdir -p $(@D)
	$(CC) $(WORKER_TEST_FLAGS) -MMD -MP -c $< -o $@

$(worker_test_dir)/fake_worker: $(worker_test_dir)/fake_worker.o $(base_o)
	$(CC) $(OPT) $(SAN) $^ -lcrypto -lm -o $@

$(worker_test_dir)/test_%: $(worker_test_dir)/test_%.o $(worker_test_dir)/fixture.o \
		$(worker_test_o) $(worker_test_dir)/fake_worker
	$(CC) $(OPT) $(SAN) $(filter %.o,$^) -lcmocka -lcrypto -lm -o $@

# The real engine: what it needs beyond the objects.
$(worker_test_dir)/test_engine_worker: $(BUILD)/zygote-worker

worker_tests := $(worker_test_dir)/test_hostile $(worker_test_dir)/test_images \
	$(worker_test_dir)/test_engine_worker

# The reply parser: the corpus as a test (`make fuzz` goes on from there).
$(BUILD)/tests/fuzz/fuzz_frame: tests/fuzz/fuzz_frame.c tests/fuzz/plain.c \
		$(BUILD)/src/worker/frames.o $(base_o)
	@mkdir -p $(@D)
	$(CC) $(WORKER_TEST_FLAGS) $^ -lcrypto -lm -o $@

worker_tests += "$(BUILD)/tests/fuzz/fuzz_frame tests/fuzz/corpus/frame"
worker_test_programs := $(filter $(worker_test_dir)/%,$(worker_tests)) \
	$(BUILD)/tests/fuzz/fuzz_frame

-include $(wildcard $(worker_test_dir)/*.d)
