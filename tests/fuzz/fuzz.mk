# fuzz.mk -- `make fuzz`: every fuzz target for a while, beyond its corpus.  Included by
# tests.mk, after the parts whose corpus tests name the targets.
#
#   make fuzz                     each target for 60 s with libFuzzer and the sanitizers
#   make fuzz SECONDS=5           for less
#   make fuzz FUZZ="json import"  some of them
#
# A target is tests/fuzz/fuzz_X.c, its corpus tests/fuzz/corpus/X, its dictionary (if any)
# tests/fuzz/X.dict.  What libFuzzer finds new goes to $(BUILD)/fuzz/X; an input that
# crashes to $(BUILD)/fuzz/crash-X-….  Without clang the programs that `make check` runs over
# the corpora go on with inputs changed by chance (plain.c).

SECONDS ?= 60
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CLANG ?= $(shell command -v clang)

fuzz_san := -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz_o := $(patsubst %,$(BUILD)/fuzz/obj/%.o,$(BASE:%=src/base/%) $(STORE:%=src/store/%) \
	$(KERNEL:%=src/kernel/%) src/worker/frames tests/kernel/world tests/kernel/scripted)

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	clang $(WARN) -O1 -g $(CPPFLAGS_OURS) -Itests $(fuzz_san) -fsanitize=fuzzer-no-link -MMD -MP \
		-c $< -o $@

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(fuzz_o)
	clang $(fuzz_san) -fsanitize=fuzzer $^ -lcmocka $(LIBS) -o $@

.PRECIOUS: $(BUILD)/fuzz/obj/%.o $(BUILD)/fuzz/fuzz_%

.PHONY: fuzz
ifneq ($(FUZZ_CLANG),)
fuzz: $(FUZZ:%=$(BUILD)/fuzz/fuzz_%)
else
fuzz: $(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%)
endif
	@BUILD=$(BUILD) sh tests/fuzz/run.sh "$(if $(FUZZ_CLANG),libfuzzer,plain)" $(SECONDS) $(FUZZ)

-include $(shell find $(BUILD)/fuzz/obj -name '*.d' 2>/dev/null)
