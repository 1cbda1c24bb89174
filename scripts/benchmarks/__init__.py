"""What benchmark.py is made of: programs measured in turn, the data that they get, and the tables."""
