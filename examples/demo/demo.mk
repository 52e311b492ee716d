# demo.mk -- build/zygote-demo, and `demo-run` which runs it.  Included by the top Makefile.

# What host programs share: the demo, the benchmarks.
KIT := kit figures
kit_o := $(KIT:%=$(BUILD)/examples/kit/%.o)

DEMO := main story zoe counter report
demo_o := $(DEMO:%=$(BUILD)/examples/demo/%.o)

$(BUILD)/examples/%.o: examples/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -Iexamples -MMD -MP -c $< -o $@

$(BUILD)/zygote-demo: $(demo_o) $(kit_o) $(zygote_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@

.PHONY: demo-run
demo-run: $(BUILD)/zygote-demo
	@$(BUILD)/zygote-demo

-include $(demo_o:.o=.d) $(kit_o:.o=.d)
