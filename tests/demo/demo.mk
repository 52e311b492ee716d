# demo.mk -- tests of the demo and of the benchmark.  Included by tests/tests.mk.

DEMO_PROGRAMS := $(BUILD)/zygote-demo $(BUILD)/zygote-bench
DEMO_TESTS := tests/demo/check_demo.mjs tests/demo/check_bench.mjs
