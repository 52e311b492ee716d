# marshal.mk -- tests of kernel/{ids,capdata,marshal*}.  Included by the top Makefile after
# tests/unit/unit.mk, which has the rules for $(BUILD)/tests objects, unit_link.
#
# MARSHAL_TESTS and MARSHAL_FUZZ_TESTS are for tests/run.sh; MARSHAL_PROGRAMS is what must
# be built first.

ids_needs := base/span base/err kernel/ids
marshal_needs := $(json_needs) kernel/ids kernel/capdata kernel/marshal kernel/marshal_js \
	kernel/marshal_decode kernel/marshal_smallcaps kernel/marshal_qclass \
	kernel/marshal_encode

MARSHAL_TESTS := $(BUILD)/tests/kernel/test_ids $(BUILD)/tests/kernel/test_marshal \
	$(BUILD)/tests/kernel/test_marshal_node
MARSHAL_FUZZ_TESTS := "$(BUILD)/tests/fuzz/fuzz_marshal tests/fuzz/corpus/marshal"
MARSHAL_PROGRAMS := $(MARSHAL_TESTS) $(BUILD)/tests/fuzz/fuzz_marshal

$(eval $(call unit_link,kernel/test_ids,$(ids_needs),-lcmocka))
$(eval $(call unit_link,kernel/test_marshal,$(marshal_needs),-lcmocka -lm))
$(eval $(call unit_link,kernel/test_marshal_node,$(marshal_needs),\
	$(BUILD)/tests/kernel/marshal_gen.o -lcmocka -lm))
$(eval $(call unit_link,fuzz/fuzz_marshal,$(marshal_needs),$(BUILD)/tests/fuzz/plain.o -lm))
