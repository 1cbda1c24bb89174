"""The project: what is yours to read and to change. It stands on rosenblatt, and nothing there knows it."""
