# kernel.mk -- tests of src/kernel over scripted vats: no worker process.  Included by the top
# Makefile after tests/unit/unit.mk, which has the rules for $(BUILD)/tests objects and
# unit_link.
#
# KERNEL_TESTS is for tests/run.sh; KERNEL_PROGRAMS is what must be built first.

kernel_needs := $(BASE:%=base/%) $(STORE:%=store/%) $(KERNEL:%=kernel/%)
kernel_world := $(patsubst %,$(BUILD)/tests/kernel/%.o,world scripted family)
kernel_tests := test_messages test_garbage test_faults test_syscalls test_devices test_upgrade test_meters \
	test_cleanup test_control test_audit test_older test_comms test_values test_replay test_lineage test_diff test_fork test_fork_options test_fork_share test_fork_chat test_fork_rows test_exchange test_rom test_fork_model test_programs test_small test_slog

KERNEL_TESTS := $(kernel_tests:%=$(BUILD)/tests/kernel/%)
KERNEL_PROGRAMS := $(KERNEL_TESTS) $(BUILD)/tests/kernel/upgrade_store $(BUILD)/tests/kernel/device_lines
KERNEL_TESTS_LONG := "tests/kernel/upgrade_store.mjs $(BUILD)" \
	"$(BUILD)/tests/kernel/test_small 6" "$(BUILD)/tests/kernel/test_syscalls large" "$(BUILD)/tests/kernel/test_programs -n 10000" "$(BUILD)/tests/kernel/test_fork_model 8"

$(BUILD)/tests/kernel/test_programs $(BUILD)/tests/kernel/test_fork_model: $(BUILD)/tests/kernel/laws.o
$(foreach t,$(kernel_tests),$(eval $(call unit_link,kernel/$(t),$(kernel_needs),\
	$(kernel_world) -lcmocka $(LIBS))))
# With npm's swing-store, in tests/kernel/upgrade_store.mjs:
$(eval $(call unit_link,kernel/upgrade_store,$(kernel_needs),$(LIBS)))

# Syscalls from anybody: the corpus as a test (`make fuzz` goes on from there).
KERNEL_PROGRAMS += $(BUILD)/tests/fuzz/fuzz_syscall
KERNEL_TESTS += "$(BUILD)/tests/fuzz/fuzz_syscall tests/fuzz/corpus/syscall"
$(eval $(call unit_link,fuzz/fuzz_syscall,$(kernel_needs),$(kernel_world) \
	$(BUILD)/tests/fuzz/plain.o -lcmocka $(LIBS)))

# Devices beside upstream's own code, at random.
KERNEL_TESTS += "tests/kernel/devices.mjs $(BUILD)"
KERNEL_TESTS_LONG += "tests/kernel/devices.mjs $(BUILD) 5000 2"
$(eval $(call unit_link,kernel/device_lines,$(kernel_needs),$(kernel_world) -lcmocka $(LIBS)))

# Zygotes as files, from anybody.
rom_needs := $(json_needs) base/hash store/map store/zip store/zip_write kernel/ids kernel/capdata \
	kernel/rom_file
KERNEL_PROGRAMS += $(BUILD)/tests/fuzz/fuzz_rom
KERNEL_TESTS += "$(BUILD)/tests/fuzz/fuzz_rom tests/fuzz/corpus/rom"
$(eval $(call unit_link,fuzz/fuzz_rom,$(rom_needs),$(BUILD)/tests/fuzz/plain.o -lcrypto -lz -lm))
