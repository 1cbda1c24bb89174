"""Many runs that are compared: which settings to try, what became of each, and which one is the best."""
