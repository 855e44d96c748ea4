"""The messages that plugins and Spotward send each other, made from `proto/` by `make proto`; not written by hand."""
