# Sources of src/host: config, values, controller, where things are; and over them the C
# interface (include/zygote.h).
HOST := file suggest paths rom exchange bundle_cache bundler basedir config config_order config_reader \
	config_bundle config_vat config_device value controller slogger \
	api api_callbacks api_value api_message api_run api_vats api_forks api_rom api_device api_look
