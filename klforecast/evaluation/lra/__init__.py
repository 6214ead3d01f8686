"""Long Range Arena: its tasks, a trainer for them, and what compressing a network costs there."""
