"""A benchmark of the rules: the time until they name a variable that moved, and their false alarms."""
