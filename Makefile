# Zygote: one Makefile, sources listed, everything built goes to build/.
#
#   make             the programs and the bundles: build/zygote, build/zygote-worker
#   make demo        build and run the main job
#   make check       build and run the tests, under five minutes after the build
#   make check-long  what takes longer: full sweeps, upstream's kernel run anew
#   make asan        the tests with address and undefined-behaviour sanitizers on our code
#   make coverage    branch coverage of src/kernel by the tests over scripted vats
#   make fuzz        every fuzz target for a minute (SECONDS=60)
#   make bench       measure ours and the peers into build/bench.json, and BENCHMARKS.md
#   make install     into $(DESTDIR)$(PREFIX)
#   make clean
#
# What the build needs (Debian packages, npm packages) is fetched first: tools/setup.sh.

BUILD ?= build
PREFIX ?= /usr/local
CC := gcc
WARN := -std=c17 -Wall -Wextra -Werror -Wconversion -Wno-sign-conversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -fno-common
OPT ?= -O2 -g
SAN ?=
CPPFLAGS_OURS := -D_GNU_SOURCE -Isrc
CFLAGS_OURS := $(WARN) $(OPT) $(SAN) $(CPPFLAGS_OURS)
LIBS := -lsqlite3 -lcrypto -lz -lm
JOBS ?= 2
MAKEFLAGS += --no-builtin-rules

.DEFAULT_GOAL := all

# Remade before anything else: make reads it again once setup.sh has run.
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
include $(BUILD)/setup.mk
endif
$(BUILD)/setup.mk: tools/setup.sh package-lock.json
	@mkdir -p $(@D)
	@sh tools/setup.sh
	@echo "# set up" > $@

# -- sources -----------------------------------------------------------------------

BASE := \
	span \
	err \
	xalloc \
	arena \
	buf \
	decimal \
	hash \
	log \
	utf \
	json_parse \
	json_value \
	json_write \
	netstring
STORE := \
	store \
	open \
	sql \
	kv \
	map \
	transcript \
	snapshot \
	share \
	bundle \
	bundle_check \
	compartments \
	zip \
	gzip \
	file \
	pending \
	archive \
	artifact \
	export \
	import \
	export_dir \
	import_dir
KERNEL := \
	ids \
	capdata \
	marshal \
	marshal_js \
	marshal_decode \
	marshal_smallcaps \
	marshal_qclass \
	marshal_encode \
	state \
	stats \
	queue \
	object \
	promise \
	slog \
	clist \
	gc \
	vats \
	reap \
	delivery \
	syscall \
	device \
	device_kind \
	vat_admin_device \
	devices/registry \
	devices/slots \
	devices/jsvalue \
	devices/handler \
	devices/bundle \
	devices/timer \
	devices/mailbox \
	devices/bridge \
	devices/command \
	devices/loopbox \
	talk \
	replay \
	warehouse \
	comms \
	meter \
	cleanup \
	upgrade \
	upgrade_store \
	lifecycle \
	fork \
	route \
	events \
	crank \
	external \
	genesis \
	kernel \
	control \
	look \
	audit
include src/worker/worker.mk
include src/host/host.mk
include src/cli/cli.mk

base_o := $(BASE:%=$(BUILD)/src/base/%.o)
store_o := $(STORE:%=$(BUILD)/src/store/%.o)
kernel_o := $(KERNEL:%=$(BUILD)/src/kernel/%.o)
host_o := $(HOST:%=$(BUILD)/src/host/%.o)
cli_o := $(CLI:%=$(BUILD)/src/cli/%.o)
# Everything but the command line: what a host program links.
zygote_o := $(host_o) $(worker_o) $(kernel_o) $(store_o) $(base_o)

# -- the programs --------------------------------------------------------------------

.PHONY: all programs bundles
all: programs bundles
programs: $(BUILD)/zygote $(BUILD)/zygote-worker $(BUILD)/bundle-source.mjs

# Where zygote looks for it: beside itself.
$(BUILD)/bundle-source.mjs: js/bundle-source.mjs
	@mkdir -p $(@D)
	cp $< $@

$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -MMD -MP -c $< -o $@

$(BUILD)/zygote: $(cli_o) $(zygote_o)
	$(CC) $(OPT) $(SAN) $^ $(LIBS) -o $@

include src/engine/engine.mk

# What vats are made of, bundled by Node from npm packages; a no-op when nothing changed.
bundles: | $(BUILD)/setup.mk
	@node js/build-bundles.mjs $(BUILD)/bundles

-include $(patsubst %.o,%.d,$(cli_o) $(zygote_o))

# -- tests ---------------------------------------------------------------------------

include tests/tests.mk

# -- the rest ------------------------------------------------------------------------

include examples/demo/demo.mk
include bench/bench.mk

.PHONY: demo install clean
demo: all
	@$(MAKE) --no-print-directory demo-run

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/zygote/bundles \
		$(DESTDIR)$(PREFIX)/share/man/man1
	install $(BUILD)/zygote $(BUILD)/zygote-worker $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/bundles/*.json $(DESTDIR)$(PREFIX)/share/zygote/bundles
	install -m 644 js/bundle-source.mjs $(DESTDIR)$(PREFIX)/share/zygote
	install -m 644 man/zygote.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	rm -rf $(BUILD)
