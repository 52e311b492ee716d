# Zygote: one Makefile, sources listed, everything built goes to build/.
#
#   make            the two programs: build/zygote and build/zygote-worker
#   make demo       build and run the main job
#   make check      build and run the tests        (make check-long: what takes longer)
#   make asan       the tests with address and undefined-behaviour sanitizers on our code
#   make bench      measure, into build/bench.json
#   make setup      fetch what the build needs (Debian packages, npm packages, bundles)

BUILD ?= build
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
WARN := -std=c17 -Wall -Wextra -Werror -Wconversion -Wno-sign-conversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -fno-common
OPT ?= -O2 -g
SAN ?=
CPPFLAGS_OURS := -D_GNU_SOURCE -Isrc
CFLAGS_OURS := $(WARN) $(OPT) $(SAN) $(CPPFLAGS_OURS)
LIBS := -lsqlite3 -lcrypto -lz -lm

.DEFAULT_GOAL := all

# -- sources -------------------------------------------------------------------

BASE := span err xalloc arena buf hash log utf json_parse json_value json_write netstring
STORE := store open sql kv map transcript snapshot share bundle zip
KERNEL := ids capdata marshal marshal_js marshal_decode marshal_smallcaps marshal_qclass \
	marshal_encode state stats queue object promise clist gc vats reap delivery syscall \
	device vat_admin_device warehouse lifecycle fork crank external genesis kernel look audit
include src/worker/worker.mk
include src/host/host.mk
include src/cli/cli.mk

base_o := $(BASE:%=$(BUILD)/src/base/%.o)
store_o := $(STORE:%=$(BUILD)/src/store/%.o)
kernel_o := $(KERNEL:%=$(BUILD)/src/kernel/%.o)
host_o := $(HOST:%=$(BUILD)/src/host/%.o)
cli_o := $(CLI:%=$(BUILD)/src/cli/%.o)

.PHONY: all programs
all: programs bundles
programs: $(BUILD)/zygote $(BUILD)/zygote-worker

$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -MMD -MP -c $< -o $@

$(BUILD)/zygote: $(cli_o) $(host_o) $(worker_o) $(kernel_o) $(store_o) $(base_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@

include src/engine/engine.mk

-include $(patsubst %.o,%.d,$(cli_o) $(host_o) $(worker_o) $(kernel_o) $(store_o) $(base_o))

# -- what vats are made of: bundles, made by Node from npm packages ----------------

.PHONY: bundles
bundles:
	@node js/build-bundles.mjs $(BUILD)/bundles
