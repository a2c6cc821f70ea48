"""The parts of a session. Each has functions `test_…` that take the way in which clients come."""
