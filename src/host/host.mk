# Sources of src/host: config, values, controller, where things are.
HOST := file suggest paths bundle_cache bundler basedir config config_order config_reader \
	config_bundle config_vat config_device value controller slog_file
