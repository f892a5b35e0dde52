"""How soon the rules name a variable that moved, and how often they cry wolf."""
