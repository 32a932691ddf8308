"""The browser SDK and the hosted card form, served as they are."""
