"""What training leaves for others: a model with all that it needs, where data and models meet again."""
