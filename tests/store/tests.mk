# tests.mk -- tests of src/store.  Included by the top Makefile, which defines BUILD, OPT,
# SAN, LIBS, base_o, store_o; tests/unit/unit.mk has the rule for $(BUILD)/tests/%.o.
#
# STORE_TESTS and STORE_TESTS_LONG are for tests/run.sh; STORE_PROGRAMS must be built first.
# bench_store is run by hand.

store_unit := test_store_open test_store_rows test_store_bundle test_store_transfer
store_model := test_store_ops test_store_crash
store_tools := make_store store_script bench_store
store_model_o := $(BUILD)/tests/store/model.o $(BUILD)/tests/store/memvfs.o

store_programs := $(store_unit) $(store_model) $(store_tools)
STORE_PROGRAMS := $(store_programs:%=$(BUILD)/tests/store/%)
STORE_TESTS := $(patsubst %,$(BUILD)/tests/store/%,$(store_model) $(store_unit))
# With npm's swing-store (tests/oracle/setup.sh compiles its SQLite); more random scripts.
STORE_TESTS_LONG := "tests/store/interop.mjs $(BUILD)/tests/store/make_store" \
	"tests/store/retain.mjs $(BUILD)/tests/store/store_script" \
	"tests/store/transfer.mjs $(BUILD)" \
	"$(BUILD)/tests/store/test_store_ops --random 20000"

$(STORE_PROGRAMS): $(BUILD)/tests/store/%: $(BUILD)/tests/store/%.o $(store_o) $(base_o)
	$(CC) $(OPT) $(SAN) $^ -lcmocka $(LIBS) -o $@

$(patsubst %,$(BUILD)/tests/store/%,$(store_model)): $(store_model_o)

# The bundle reader, over its corpus (`make fuzz` goes on from there).
bundle_needs := $(json_needs) base/hash store/map store/zip store/compartments \
	store/bundle_check
STORE_PROGRAMS += $(BUILD)/tests/fuzz/fuzz_bundle
STORE_TESTS += "$(BUILD)/tests/fuzz/fuzz_bundle tests/fuzz/corpus/bundle"
$(eval $(call unit_link,fuzz/fuzz_bundle,$(bundle_needs),\
	$(BUILD)/tests/fuzz/plain.o -lcrypto -lz -lm))

# The importer, likewise.
import_needs := $(BASE:%=base/%) $(STORE:%=store/%)
STORE_PROGRAMS += $(BUILD)/tests/fuzz/fuzz_import
STORE_TESTS += "$(BUILD)/tests/fuzz/fuzz_import tests/fuzz/corpus/import"
$(eval $(call unit_link,fuzz/fuzz_import,$(import_needs),$(BUILD)/tests/fuzz/plain.o $(LIBS)))
$(eval $(call unit_fuzzer,fuzz_import,$(import_needs),$(LIBS)))

-include $(wildcard $(BUILD)/tests/store/*.d)
