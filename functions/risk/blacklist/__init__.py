"""The blacklist: values of fields that are refused, for a time or for good."""
