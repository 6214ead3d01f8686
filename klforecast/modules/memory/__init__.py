"""What remembers: Karhunen-Loeve components of a history, the tokens made of them, and plug-ins."""
