# engine.mk -- build/zygote-worker.  Included by the top Makefile, which defines BUILD, CC,
# CFLAGS_OURS and the rule for src/base.
#
# XS is compiled unmodified from node_modules, with the stock worker's definitions
# (xsnap-native/xsnap/makefiles/lin/xsnap-worker.mk); only -O, -g and the platform are ours.

XSNAP := node_modules/@agoric/xsnap
XS := $(XSNAP)/moddable/xs
XS_DATA := $(XSNAP)/moddable/modules/data
ENGINE_BUILD := $(BUILD)/engine

# Anything that changes these changes snapshots, computrons or messages.
XS_DEFINES := \
	-DINCLUDE_XSPLATFORM \
	-DXSPLATFORM='"engine/platform.h"' \
	-DXSNAP_VERSION='"0.15.0"' \
	-DXSNAP_TEST_RECORD=0 \
	-DmxLockdown=1 \
	-DmxMetering=1 \
	-DmxDebug=1 \
	-UmxInstrument \
	-DmxNoConsole=1 \
	-DmxBoundsCheck=1 \
	-DmxParse=1 \
	-DmxRun=1 \
	-DmxSloppy=1 \
	-DmxSnapshot=1 \
	-DmxRegExpUnicodePropertyEscapes=1 \
	-DmxStringNormalize=1 \
	-DmxMinusZero=1 \
	-DmxUseDefaultCStackLimit=0
XS_INCLUDES := $(XS)/includes $(XS)/platforms $(XS)/sources
XS_OPT ?= -O3 -g1
XS_CFLAGS := -w -fno-pie -fno-common $(XS_OPT) $(XS_DEFINES) $(XS_INCLUDES:%=-I%) -Isrc

XS_SOURCES := xsAll xsAPI xsArguments xsArray xsAtomics xsBigInt xsBoolean xsCode xsCommon \
	xsDataView xsDate xsDebug xsDefaults xsError xsFunction xsGenerator xsGlobal xsJSON \
	xsLexical xsLockdown xsMapSet xsMarshall xsMath xsMemory xsModule xsNumber xsObject \
	xsPlatforms xsProfile xsPromise xsProperty xsProxy xsRegExp xsRun xsScope xsScript \
	xsSnapshot xsSourceMap xsString xsSymbol xsSyntaxical xsTree xsType xsdtoa xsre xsmc
XS_MODULES := text/decoder/textdecoder text/encoder/textencoder base64/modBase64

# Where each file's memory comes from: see platform.h.
XS_TRANSIENT := xsCode xsCommon xsJSON xsLexical xsMarshall xsRun xsScope xsScript xsSourceMap \
	xsSyntaxical xsTree xsdtoa xsre
$(XS_TRANSIENT:%=$(ENGINE_BUILD)/xs/%.o): XS_MEMORY := -DENGINE_TRANSIENT
$(ENGINE_BUILD)/xs/xsAtomics.o: XS_MEMORY := -DENGINE_CALLOC_OUTSIDE
$(ENGINE_BUILD)/xs/xsSnapshot.o: XS_MEMORY := -DENGINE_CALLOC_MACHINE

ENGINE := build_id channel cstack forkserver hosts image machine main memory meter platform \
	serve title worker
ENGINE_BASE := buf err netstring span xalloc

xs_o := $(XS_SOURCES:%=$(ENGINE_BUILD)/xs/%.o)
xs_module_o := $(XS_MODULES:%=$(ENGINE_BUILD)/data/%.o)
engine_o := $(ENGINE:%=$(ENGINE_BUILD)/%.o)
engine_base_o := $(ENGINE_BASE:%=$(BUILD)/src/base/%.o)

$(xs_o): $(ENGINE_BUILD)/xs/%.o: $(XS)/sources/%.c src/engine/platform.h src/engine/memory.h \
		src/engine/engine.mk
	@mkdir -p $(@D)
	$(CC) $(XS_CFLAGS) $(XS_MEMORY) -c $< -o $@

$(xs_module_o): $(ENGINE_BUILD)/data/%.o: $(XS_DATA)/%.c src/engine/platform.h \
		src/engine/memory.h src/engine/engine.mk
	@mkdir -p $(@D)
	$(CC) $(XS_CFLAGS) -c $< -o $@

$(engine_o): $(ENGINE_BUILD)/%.o: src/engine/%.c src/engine/engine.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_OURS) -fno-pie $(XS_DEFINES) $(XS_INCLUDES:%=-isystem %) -MMD -MP -c $< -o $@

# Not position independent: function addresses are part of images.  -rdynamic: XS puts
# dladdr() names into messages.  --build-id: an image names the program it belongs to.
$(BUILD)/zygote-worker: $(xs_o) $(xs_module_o) $(engine_o) $(engine_base_o)
	$(CC) $(OPT) $(SAN) -no-pie -rdynamic -Wl,--build-id=sha1 $^ -ldl -lm -lpthread -o $@

-include $(engine_o:.o=.d)
