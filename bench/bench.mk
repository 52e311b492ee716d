# bench.mk -- build/zygote-bench, and what runs it.  Included by the top Makefile.
