"""Questions asked once: each file is a command that prints or writes its answer."""
