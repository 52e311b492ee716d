# Sources of src/host: config, values, controller, where things are.
HOST := file suggest paths bundle_cache bundler config config_order config_reader config_bundle config_vat value controller
