"""The rules of ProML: pure functions and frozen values, without I/O and without a clock."""
