# Sources of src/cli: the program zygote(1).
CLI := main commands options help complete out progress session \
	verb_run verb_step verb_slog verb_replay verb_send verb_fork verb_look verb_tree verb_diff verb_store verb_rom verb_exchange verb_bundle
