/* xs_platform.h -- what platform.c adds to XS's own interface. */
#pragma once

#include "engine/xs_api.h"

/* Run everything that is queued: promise jobs, finalizers, setImmediate. */
void fxRunLoop(txMachine *the);

/* Call args[0] once, after the promise jobs.  Result: a timer object. */
void fxSetTimer(txMachine *the, txNumber interval, txBoolean repeat);

/* Parse and run a file; exceptions are the machine's. */
void fxRunModuleFile(txMachine *the, txString path);
void fxRunProgramFile(txMachine *the, txString path);

/* Computrons since the last fxSetCurrentMeter(). */
txUnsigned fxGetCurrentMeter(txMachine *the);
void fxSetCurrentMeter(txMachine *the, txUnsigned value);

txSize fxGetCurrentHeapCount(txMachine *the);
void fxVersion(txString buffer, txSize size);
