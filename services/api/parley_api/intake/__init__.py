"""Request bodies into uploads and options."""
