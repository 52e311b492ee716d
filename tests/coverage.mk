# coverage.mk -- `make coverage`: how many branches of src/kernel the tests over scripted
# vats take.  Included by the top Makefile's tests.mk after kernel.mk and marshal.mk.
#
#   make coverage                 one line per file, and the total
#   make coverage COVERAGE=-v     and the ways not taken

COVERAGE ?=
COVERAGE_FLOOR := 90

.PHONY: coverage coverage-run
coverage-run: $(KERNEL_PROGRAMS) $(MARSHAL_PROGRAMS)
	@JOBS=$(JOBS) sh tests/coverage.sh $(COVERAGE) $(BUILD) $(COVERAGE_FLOOR) $(KERNEL_TESTS) \
		$(MARSHAL_TESTS)

coverage:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/cov OPT='-O0 -g --coverage' coverage-run
