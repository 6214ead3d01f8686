"""Commands for a person's own file: what they read, what they say, what they write when asked."""
