# worker.mk -- the kernel's side of worker processes.  Included by the top Makefile and by
# tests/worker/tests.mk, whichever comes first.

WORKER := worker start spawn machine frames process forkclient images image_digest pages memory

worker_o := $(WORKER:%=$(BUILD)/src/worker/%.o)
