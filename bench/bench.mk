# bench.mk -- build/zygote-bench, and what runs it.  Included by the top Makefile, behind
# examples/demo/demo.mk.

BENCH := main workers vats forks cranks
bench_o := $(BENCH:%=$(BUILD)/bench/%.o)

$(BUILD)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -Iexamples -MMD -MP -c $< -o $@

$(BUILD)/zygote-bench: $(bench_o) $(kit_o) $(zygote_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@

# bench: ours and the peers in turn, some five minutes; bench-quick: ours only.
.PHONY: bench bench-quick
bench: all $(BUILD)/zygote-bench
	@node bench/run.mjs --build $(BUILD)
	@node bench/report.mjs $(BUILD)/bench.json BENCHMARKS.md

bench-quick: all $(BUILD)/zygote-bench
	@node bench/run.mjs --build $(BUILD) --quick

-include $(bench_o:.o=.d)
