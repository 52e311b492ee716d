# Zygote: one Makefile, sources listed, everything built goes to build/.
#
#   make             the programs and the bundles: build/zygote, build/zygote-worker; and
#                    the library for host programs: build/libzygote.a, include/zygote.h
#   make lib         the library alone
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
CPPFLAGS_OURS := -D_GNU_SOURCE -Isrc -Iinclude
CFLAGS_OURS := $(WARN) $(OPT) $(SAN) $(CPPFLAGS_OURS)
LIBS := -lsqlite3 -lcrypto -lz -lm
JOBS ?= 2
MAKEFLAGS += --no-builtin-rules
# Objects between a source and a program are kept: make would delete them, and say so last of all.
.SECONDARY:

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
	zip_write \
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
	devices/registry \
	devices/slots \
	devices/jsvalue \
	devices/handler \
	devices/raw \
	devices/vat_admin \
	devices/bundle \
	devices/timer \
	devices/mailbox \
	devices/bridge \
	devices/command \
	devices/loopbox \
	talk \
	replay \
	replay_path \
	diff \
	warehouse \
	comms \
	meter \
	cleanup \
	upgrade \
	upgrade_store \
	lifecycle \
	fork \
	offline \
	limits \
	fork_clone \
	lineage \
	exchange \
	rom_file \
	rom \
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

.PHONY: all programs bundles lib FORCE
all: programs lib bundles
lib: $(BUILD)/libzygote.a $(BUILD)/zygote.pc
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

# One object, in which all but the interface is local: no name of ours can collide with one
# of the host's.
$(BUILD)/libzygote.a: $(zygote_o)
	$(CC) -r -nostdlib -o $(BUILD)/libzygote.o $^
	objcopy --wildcard --keep-global-symbol='zygote_*' $(BUILD)/libzygote.o
	rm -f $@ && ar rcs $@ $(BUILD)/libzygote.o

# Where things will be installed: the library looks there, last.
$(BUILD)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
$(BUILD)/src/host/paths.o: CFLAGS_OURS += -DPREFIX='"$(PREFIX)"'
$(BUILD)/src/host/paths.o: $(BUILD)/prefix

VERSION := $(shell sed -n 's/^\#define ZYGOTE_VERSION "\(.*\)"/\1/p' include/zygote.h)
$(BUILD)/zygote.pc: include/zygote.pc.in include/zygote.h $(BUILD)/prefix
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

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
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man3 \
		$(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install $(BUILD)/zygote $(BUILD)/zygote-worker $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/bundles/*.json $(DESTDIR)$(PREFIX)/share/zygote/bundles
	install -m 644 js/bundle-source.mjs $(DESTDIR)$(PREFIX)/share/zygote
	install -m 644 man/zygote.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/zygote.3 $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 include/zygote.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(BUILD)/libzygote.a $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(BUILD)/zygote.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig

clean:
	rm -rf $(BUILD)
